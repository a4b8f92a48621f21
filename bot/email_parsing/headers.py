"""Header lines: folded, encoded, broken; addresses, dates and ids out of them."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from urllib.parse import unquote_to_bytes

from bot.email_parsing.charsets import decode
from bot.email_parsing.plain import one_line
from triage.vocabulary import Address

LINE = re.compile(rb"[^\r\n]*(?>\r\n|\n|\r|\Z)")
FIELD = re.compile(rb"([!-9;-~]{1,120})[ \t]*:")
MOST_FIELDS = 2000

ENCODED_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?\r\n]*)\?=")
MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")
MOST_IDS = 100
PARAMETER = re.compile(r""";\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)""", re.DOTALL)
MOST_VALUE_CHARS = 16_000
MOST_IN_SINGLE_FIELD = 20
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T")
EARLIEST_YEAR = 1970


@dataclass(slots=True)
class Headers:
    """The fields of one header section in order, names in lower case, values raw and unfolded."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)

    def all(self, name: str) -> list[bytes]:
        """Every value of a field, in order."""
        return [value for known, value in self.fields if known == name]

    def text(self, name: str, defects: set[str] | None = None) -> str:
        """The first value of a field, decoded, on one line; empty when it is missing."""
        values = self.all(name)
        return one_line(decode_words(values[0], defects)) if values else ""

    def has(self, name: str) -> bool:
        """Whether the field is there at all."""
        return any(known == name for known, _ in self.fields)


def read_headers(raw: bytes, start: int, end: int, defects: set[str]) -> tuple[Headers, int]:
    """The header section at `start`, and where its body begins."""
    entries: list[tuple[str, list[bytes]]] = []
    position = start
    while position < end:
        line = LINE.match(raw, position, end)
        if line is None:
            break
        content = line.group().rstrip(b"\r\n")
        named = FIELD.match(content)
        if not content:
            position = line.end()
            break
        if content[:1] in b" \t":
            if entries:
                entries[-1][1].append(content)
        elif len(entries) >= MOST_FIELDS:
            defects.add("too_many_headers")
        elif named:
            entries.append((named.group(1).decode("ascii").lower(), [content[named.end() :]]))
        else:
            # No field, no continuation: the blank line was forgotten and the body begins here.
            defects.add("bad_header")
            break
        position = line.end()
    return Headers([(name, b"".join(pieces).strip()) for name, pieces in entries]), position


def decode_words(value: bytes | str, defects: set[str] | None = None) -> str:
    """A field's value as text: RFC 2047 words joined and decoded, raw 8-bit bytes read as they look."""
    text = value if isinstance(value, str) else _eight_bit(value, defects)
    if "=?" not in text:
        return text
    pieces: list[str] = []
    run: list[tuple[str, bytes]] = []
    last = 0
    for word in ENCODED_WORD.finditer(text):
        between = text[last : word.start()]
        # White space between two encoded words is only there for folding.
        if between.strip() or not run:
            pieces += [_decode_run(run, defects), between]
            run = []
        run.append(
            (word.group(1).partition("*")[0].lower(), _word_bytes(word.group(2), word.group(3), defects))
        )
        last = word.end()
    return "".join([*pieces, _decode_run(run, defects), text[last:]])


def _eight_bit(value: bytes, defects: set[str] | None) -> str:
    text, _ = decode(value, None)
    if not value.isascii() and defects is not None:
        defects.add("raw_8bit_header")
    return text


def _word_bytes(encoding: str, letters: str, defects: set[str] | None) -> bytes:
    raw = letters.encode("ascii", "ignore")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    raw = raw.rstrip(b"=")
    try:
        return binascii.a2b_base64(raw[: len(raw) - (len(raw) % 4 == 1)] + b"=" * (-len(raw) % 4))
    except binascii.Error:
        if defects is not None:
            defects.add("bad_header")
        return b""


def _decode_run(run: list[tuple[str, bytes]], defects: set[str] | None) -> str:
    """Adjacent words of one charset as one string of bytes: senders cut them within a character."""
    done: list[str] = []
    for charset, words in groupby(run, key=lambda word: word[0]):
        text, as_declared = decode(b"".join(raw for _, raw in words), charset)
        if not as_declared and defects is not None:
            defects.add("bad_charset")
        done.append(text)
    return "".join(done)


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """A value such as Content-Type: the main word in lower case, and its parameters (RFC 2231 undone)."""
    value = value[:MOST_VALUE_CHARS]
    main, _, _ = value.partition(";")
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in PARAMETER.finditer(value):
        name, content = match.group(1).lower(), _unquote(match.group(2))
        base, star, number = name.partition("*")
        if not star:
            plain.setdefault(base, decode_words(content))
            continue
        digits = number.rstrip("*")
        position = int(digits) if digits.isdecimal() and len(digits) < 4 else 0
        sections.setdefault(base, {})[position] = (content, name.endswith("*"))
    plain.update({base: _join_sections(parts) for base, parts in sections.items()})
    return main.strip().lower(), plain


def _unquote(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value.strip('"')


def _join_sections(parts: dict[int, tuple[str, bool]]) -> str:
    charset = None
    raw = b""
    for position, (content, is_encoded) in sorted(parts.items()):
        if is_encoded and position == 0 and content.count("'") >= 2:
            charset, _, rest = content.split("'", 2)
            raw += unquote_to_bytes(rest)
            continue
        raw += unquote_to_bytes(content) if is_encoded else content.encode("utf-8", "replace")
    return decode(raw, charset or None)[0]


def parse_addresses(values: list[bytes], most: int, defects: set[str]) -> tuple[Address, ...]:
    """The mailboxes of some fields in order, at most `most` of them."""
    found: list[Address] = []
    for value in values:
        chunks, is_cut = _split_addresses(_eight_bit(value, defects), most - len(found))
        found += [address for address in map(_parse_address, chunks) if address.name or address.address]
        if is_cut:
            defects.add("too_many_addresses")
            break
    return tuple(found[:most])


def first_address(headers: Headers, name: str) -> Address | None:
    """The first mailbox of a field; None when there is none."""
    return next(iter(parse_addresses(headers.all(name)[:1], MOST_IN_SINGLE_FIELD, set())), None)


def parse_address(text: str) -> Address | None:
    """The mailbox that a line such as "Name <a@example.org>" names; None when it is empty."""
    address = _parse_address(text[:MOST_VALUE_CHARS])
    return address if address.name or address.address else None


def _split_addresses(text: str, most: int) -> tuple[list[str], bool]:
    """Cut at the commas that stand outside quotes, comments and angle brackets; one pass."""
    chunks: list[str] = []
    start = depth = 0
    in_quotes = in_angle = escaped = False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"' and not depth:
            in_quotes = not in_quotes
        elif in_quotes:
            continue
        elif character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif character in "<>":
            in_angle = character == "<"
        elif character == ":" and not in_angle:
            start = position + 1  # "undisclosed-recipients:;" and "mailto:"
        elif character in ",;" and not in_angle:
            chunks.append(text[start:position])
            start = position + 1
            if len(chunks) >= most:
                return _join_bare_surnames(chunks), bool(text[start:].strip(" ,;"))
    chunks.append(text[start:])
    return _join_bare_surnames([chunk for chunk in chunks if chunk.strip()]), len(chunks) > most


def _join_bare_surnames(chunks: list[str]) -> list[str]:
    """`Smith, Jane <j@example.org>` without its quotes is one mailbox."""
    joined: list[str] = []
    for chunk in chunks:
        before = joined[-1] if joined else ""
        if before and not {"@", "<", '"', "="} & set(before) and "<" in chunk.lstrip()[1:]:
            joined[-1] = f"{before},{chunk}"
        else:
            joined.append(chunk)
    return joined


def _parse_address(chunk: str) -> Address:
    chunk = chunk.strip()
    name, opened, rest = chunk.rpartition("<")
    if opened:
        return Address(_display_name(name), _bare_address(rest.partition(">")[0]))
    decoded = decode_words(chunk)
    if decoded != chunk and "<" in decoded and "@" in decoded:
        return _parse_address(decoded)
    without_comment, _, comment = chunk.partition("(")
    if "@" in without_comment:
        return Address(_display_name(comment.rstrip(") ")), _bare_address(without_comment))
    return Address(_display_name(chunk), "")


def _display_name(text: str) -> str:
    name = one_line(decode_words(_unquote(text)), 300)
    return _unquote(name).strip("' ") if name[:1] in "'\"" else name


def _bare_address(text: str) -> str:
    return one_line(_unquote(text).removeprefix("mailto:"), 320).replace(" ", "")


def parse_date(headers: Headers, defects: set[str]) -> datetime | None:
    """When the sender says it was written, with an offset (UTC when none is known)."""
    text = headers.text("date")
    if not text:
        defects.add("no_date")
        return None
    read = datetime.fromisoformat if ISO_DATE.match(text) else parsedate_to_datetime
    try:
        date = read(text[:200])
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        date.astimezone(UTC)  # an offset can push the last year out of the calendar
    except (ValueError, TypeError, IndexError, OverflowError):
        date = None
    if date is None or date.year < EARLIEST_YEAR:
        defects.add("bad_date")
        return None
    return date


def parse_ids(value: str) -> list[str]:
    """The message ids in a field, with their angle brackets, each once."""
    return list(dict.fromkeys(MESSAGE_ID.findall(value)))[:MOST_IDS]


def parse_message_id(headers: Headers, defects: set[str]) -> str | None:
    """The message's own id; None when it has none."""
    text = headers.text("message-id")
    if not text:
        defects.add("no_message_id")
        return None
    ids = parse_ids(text)
    return ids[0] if ids else text.replace(" ", "")[:900]
