"""Bytes to characters, whatever the sender called them."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

# What senders say and what they mean: the superset that real mail uses.
MEANT = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "latin-1": "cp1252",
    "cp1252": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-8-i": "iso8859-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "tis-620": "cp874",
    "iso2022_jp": "iso2022_jp_ext",
}
UNKNOWN_TO_PYTHON = {
    "ks_c_5601-1987": "cp949",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
    "iso-8859-8-i": "iso8859-8",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "cp-850": "cp850",
    "unknown-8bit": "ascii",
    "x-unknown": "ascii",
    "8bit": "ascii",
    "default": "ascii",
}
# UTF-7 hides text from every filter before us; the others are no charsets of mail at all.
REFUSED = {"utf-7", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs", "oem"}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LEGACY_SINGLE_BYTE = ("cp1252", "cp1254")
META_CHARSET = re.compile(rb"""<meta[^<>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
GUESS_FROM_BYTES = 20_000


def decode(raw: bytes, declared: str | None) -> tuple[str, bool]:
    """The characters of `raw`, and whether they are what was declared (nothing declared counts as ASCII)."""
    for mark, name in BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(name, "replace"), True
    codec = python_codec(declared or "ascii")
    if codec is None:
        return _guess(raw), False
    if codec.startswith(("utf-16", "utf-32")):
        return _decode_wide(raw, codec)
    if raw.isascii() and not codec.startswith(("iso2022", "hz")):
        return raw.decode("ascii"), True
    return _decode_strictly_or_guess(raw, codec, declared)


def python_codec(declared: str) -> str | None:
    """The codec that reads what senders call `declared`; None when there is none or it is refused."""
    asked = declared.strip().strip("'\"").lower()
    asked = UNKNOWN_TO_PYTHON.get(asked, asked)
    try:
        name = codecs.lookup(asked).name
        # A letter, as Python looks up no codec for nothing. LookupError also for codecs that give no
        # text from bytes, such as base64 and rot13.
        b"a".decode(name)
    except UnicodeError:
        # Wide charsets need more than one byte.
        pass
    except (LookupError, ValueError):
        # ValueError: a NUL in the name.
        return None
    return None if name in REFUSED else MEANT.get(name, name)


def charset_in_html(raw: bytes) -> str | None:
    """What an HTML page says of its own charset in its head."""
    found = META_CHARSET.search(raw[:4000])
    return found.group(1).decode("ascii", "replace") if found else None


def _decode_strictly_or_guess(raw: bytes, codec: str, declared: str | None) -> tuple[str, bool]:
    if codec in LEGACY_SINGLE_BYTE:
        # Bytes that happen to be valid UTF-8 are UTF-8: no one writes "Â£" on purpose.
        as_utf8 = _strictly(raw, "utf-8")
        if as_utf8 is not None:
            return as_utf8, False
    text = _strictly(raw, codec)
    if text is not None:
        named = (declared or "ascii").lower()
        return text, codec != "utf-8" or named not in ("ascii", "us-ascii", "7bit")
    return (_damaged_utf8(raw) if codec == "utf-8" else None) or _guess(raw, codec), False


def _strictly(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except (UnicodeError, ValueError):
        return None


def _damaged_utf8(raw: bytes) -> str | None:
    """UTF-8 with a few bytes lost (a cut, a gateway): mostly right, so keep it as it is."""
    text = raw.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = len(raw) - len(text.encode("utf-8", "replace").replace(b"\xef\xbf\xbd", b""))
    multibyte = sum(1 for character in text[:GUESS_FROM_BYTES] if character > "\x7f") - wrong
    return text if multibyte >= 2 * wrong and right >= 0 else None


def _decode_wide(raw: bytes, codec: str) -> tuple[str, bool]:
    if raw and b"\0" not in raw and raw.isascii():
        return raw.decode("ascii"), False  # said UTF-16, sent ASCII
    if codec in ("utf-16", "utf-32"):
        # Without a mark the standard says big-endian; Windows sends little-endian. Western text tells.
        little = raw[1:400:2].count(0) >= raw[0:400:2].count(0)
        codec += "-le" if little else "-be"
    text = raw.decode(codec, "replace")
    return text, "\ufffd" not in text


def _guess(raw: bytes, after: str = "") -> str:
    wide = _undeclared_wide(raw)
    if wide is not None:
        return wide
    text = _strictly(raw, "utf-8")
    if text is not None:
        return text
    high = sum(1 for byte in raw[:GUESS_FROM_BYTES] if byte > 0x7F)
    letters = sum(1 for byte in raw[:GUESS_FROM_BYTES] if byte > 0x40)
    if high > 0.25 * letters and high >= 12:
        # Too many for Western text. The guesser is poor on short texts, so it comes last.
        best = from_bytes(raw[:GUESS_FROM_BYTES]).best()
        if best is not None and python_codec(best.encoding):
            return raw.decode(best.encoding, "replace")
    legacy = _strictly(raw, "cp1252")
    if legacy is not None:
        return legacy
    return raw.decode(after if after not in ("", "utf-8") else "cp1252", "replace")


def _undeclared_wide(raw: bytes) -> str | None:
    sample = raw[:400]
    if len(sample) < 8 or sample.count(0) < 0.3 * len(sample):
        return None
    return _decode_wide(raw, "utf-16")[0]
