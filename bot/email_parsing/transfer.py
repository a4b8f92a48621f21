"""Content-Transfer-Encoding undone, as far as the sender let it survive."""

from __future__ import annotations

import binascii
import re

NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]")
ALL_BUT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
BAD_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*[\r\n]|[ \t]*\Z)")
UUENCODED = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*$", re.MULTILINE)


def decode_transfer(raw: bytes, encoding: str, defects: set[str]) -> bytes:
    """The content behind a transfer encoding; what is broken is kept as well as can be, with a defect."""
    match encoding.strip().lower():
        case "base64":
            return decode_base64(raw, defects)
        case "quoted-printable":
            if BAD_ESCAPE.search(raw):
                defects.add("bad_quoted_printable")
            return binascii.a2b_qp(raw)
        case "x-uuencode" | "uuencode" | "x-uue":
            return _decode_uu(raw, defects)
        case "" | "7bit" | "8bit" | "binary":
            return raw
        case _:
            defects.add("unknown_transfer_encoding")
            return raw


def decode_base64(raw: bytes, defects: set[str]) -> bytes:
    """Base64 with stray lines (list footers), wrong padding or a cut end; plain text under it stays."""
    if NOT_BASE64.search(raw):
        defects.add("bad_base64")
        lines = raw.splitlines()
        good = [line for line in lines if not NOT_BASE64.search(line) and b" " not in line.strip()]
        if len(good) * 2 < len(lines) and not _begins_like_base64(lines):
            return raw  # never was base64
        raw = b"".join(good)
    letters = raw.translate(None, ALL_BUT_BASE64)
    if b"=" not in letters[:-2]:
        return _decode_run(letters, defects)
    return b"".join(_decode_run(run, defects) for run in re.findall(rb"[^=]+=*", letters))


def _begins_like_base64(lines: list[bytes]) -> bool:
    first = next((line.strip() for line in lines if line.strip()), b"")
    return len(first) >= 8 and len(first) % 4 == 0 and not NOT_BASE64.search(first) and b" " not in first


def _decode_run(letters: bytes, defects: set[str]) -> bytes:
    letters = letters.rstrip(b"=")
    if len(letters) % 4 == 1:
        defects.add("bad_base64")
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _decode_uu(raw: bytes, defects: set[str]) -> bytes:
    begin = UUENCODED.search(raw)
    decoded: list[bytes] = []
    for line in raw[begin.end() if begin else 0 :].splitlines():
        if line.strip() in (b"", b"end", b"`"):
            continue
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            defects.add("bad_uuencode")
    return b"".join(decoded)
