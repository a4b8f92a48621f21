"""Raw bytes to a Message, in this process."""

from __future__ import annotations

import codecs
import re

from bot.email_parsing.bodies import Contents, ContentsReader, describe_file
from bot.email_parsing.delivery_reports import read_delivery_report
from bot.email_parsing.headers import (
    Headers,
    first_address,
    parse_address,
    parse_addresses,
    parse_date,
    parse_ids,
    parse_message_id,
)
from bot.email_parsing.limits import MIB, ParseLimits
from bot.email_parsing.machine_mail import find_machine_signs
from bot.email_parsing.mime import Part, PartReader
from bot.email_parsing.new_text import split_new_text
from bot.email_parsing.outlook_files import OLE_MAGIC, read_msg
from bot.email_parsing.plain import one_line, tidy
from triage.errors import CannotRead
from triage.vocabulary import Address, Channel, Message

KNOWN_FIELDS = {
    "from",
    "to",
    "cc",
    "date",
    "subject",
    "message-id",
    "received",
    "return-path",
    "sender",
    "mime-version",
    "content-type",
    "delivered-to",
    "reply-to",
    "x-mailer",
}
MBOX_LINE = re.compile(rb">?From [^\r\n]*(?:\r\n|\n|\r)")
WIDE_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
DOUBLED_LINE_END = b"\r\r\n"


def read_message(raw: bytes, channel: Channel, limits: ParseLimits) -> Message:
    """The message in `raw`; CannotRead when nothing in it can be read."""
    if len(raw) > limits.most_bytes:
        raise CannotRead(f"it is larger than {limits.most_bytes // MIB} MB")
    if not raw.strip(b" \t\r\n\0"):
        raise CannotRead("it is empty")
    if raw.startswith(OLE_MAGIC):
        return _read_outlook_file(raw, channel)
    defects: set[str] = set()
    raw = _without_wrapping(raw, defects)
    parts = PartReader(limits, defects)
    root = parts.read(raw)
    if not KNOWN_FIELDS & {name for name, _ in root.headers.fields}:
        root = _headless(raw, defects)
    contents = ContentsReader(parts).read(root)
    return _build(root, contents, channel, limits, defects)


def _without_wrapping(raw: bytes, defects: set[str]) -> bytes:
    """Take off what files and gateways put around a message."""
    for mark, codec in WIDE_MARKS:
        if raw.startswith(mark):
            raw = raw[len(mark) :].decode(codec, "replace").encode("utf-8", "replace")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    stripped = raw.lstrip(b"\r\n")
    mbox_line = MBOX_LINE.match(stripped)
    if mbox_line:
        defects.add("mbox_line")
        stripped = stripped[mbox_line.end() :]
    if DOUBLED_LINE_END in stripped[:2000]:
        defects.add("doubled_line_ends")
        stripped = stripped.replace(DOUBLED_LINE_END, b"\r\n")
    return stripped


def _headless(raw: bytes, defects: set[str]) -> Part:
    """Text that someone saved without its headers is still read; a picture is not."""
    sample = raw[:4000]
    odd = sum(1 for byte in sample if byte < 9 or 13 < byte < 32 or byte == 127)
    if odd > 0.02 * len(sample):
        raise CannotRead("it is not an email")
    defects.difference_update({"bad_header", "too_many_headers"})
    defects.add("no_headers")
    return Part(Headers(), raw, 0, len(raw), "text/plain", {}, "", "")


def _build(
    root: Part, contents: Contents, channel: Channel, limits: ParseLimits, defects: set[str]
) -> Message:
    headers = root.headers
    subject = headers.text("subject", defects)
    sender = _read_sender(headers, defects)
    in_reply_to = _read_references(headers)
    signs = find_machine_signs(root, sender, subject)
    body = _limited(tidy(contents.text), limits, defects)
    enclosed = _limited(
        tidy("\n\n\n".join(piece for piece in contents.enclosed if piece.strip())), limits, defects
    )
    split = split_new_text(body, subject, is_reply=bool(in_reply_to))
    if not (body or enclosed):
        defects.add("no_text")
    return Message(
        channel=channel,
        subject=subject,
        text=_join(body, enclosed),
        new_text=_join(split.new_text, enclosed),
        sender=sender,
        reply_to=first_address(headers, "reply-to"),
        to=parse_addresses(headers.all("to"), limits.most_addresses, defects),
        cc=parse_addresses(headers.all("cc"), limits.most_addresses, defects),
        date=parse_date(headers, defects),
        message_id=parse_message_id(headers, defects),
        in_reply_to=in_reply_to,
        attachments=tuple(contents.attachments),
        auto_reply=signs.auto_reply,
        bounce=signs.bounce,
        bulk=signs.bulk,
        defects=tuple(sorted(defects)),
        original_author=split.original_author or (None if signs.bounce else contents.enclosed_author),
        delivery=read_delivery_report(root, root.source) if signs.bounce else None,
    )


def _read_sender(headers: Headers, defects: set[str]) -> Address | None:
    """From; the Sender field stands in where it is missing."""
    written = first_address(headers, "from")
    if len(headers.all("from")) > 1:
        defects.add("several_from")
    if written:
        return written
    defects.add("no_from")
    return first_address(headers, "sender")


def _read_references(headers: Headers) -> tuple[str, ...]:
    """What this answers, nearest first."""
    nearest = parse_ids(headers.text("in-reply-to"))
    references = parse_ids(
        " ".join(one_line(v.decode("ascii", "ignore"), 20_000) for v in headers.all("references"))
    )
    return tuple(dict.fromkeys(nearest + references[::-1]))


def _read_outlook_file(raw: bytes, channel: Channel) -> Message:
    letter = read_msg(raw)
    if letter is None:
        raise CannotRead("it is an Outlook file that cannot be opened")
    body = tidy(letter.text)
    split = split_new_text(body, letter.subject, is_reply=False)
    return Message(
        channel=channel,
        subject=one_line(letter.subject),
        text=body,
        new_text=split.new_text,
        sender=parse_address(letter.sender),
        date=letter.date,
        attachments=tuple(describe_file(name, kind, content) for name, kind, content in letter.files),
        defects=("no_message_id", "outlook_file"),
        original_author=split.original_author,
    )


def _limited(text: str, limits: ParseLimits, defects: set[str]) -> str:
    if len(text) <= limits.most_text_chars:
        return text
    defects.add("text_cut")
    return text[: limits.most_text_chars].rstrip()


def _join(body: str, enclosed: str) -> str:
    return "\n\n".join(piece for piece in (body, enclosed) if piece)
