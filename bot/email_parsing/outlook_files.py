"""What only Outlook writes: winmail.dat (TNEF) and attached .msg files."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import datetime

from oxmsg import Message as MsgFile
from tnefparse import TNEF

from bot.email_parsing.charsets import decode
from bot.email_parsing.html_text import html_to_text
from bot.email_parsing.mime import safe_filename

OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
# Both libraries trust what they read; these are what they raise when it lies.
BROKEN = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
MOST_TNEF_BYTES = 20 * 1024 * 1024


@dataclass(slots=True)
class OutlookFile:
    """What was inside: its text (headers first for a .msg) and (name, type, content) of its files."""

    text: str = ""
    sender: str = ""
    subject: str = ""
    date: datetime | None = None
    files: list[tuple[str, str, bytes]] = field(default_factory=list)


def read_tnef(content: bytes) -> OutlookFile | None:
    """The body and files of a winmail.dat; None when it cannot be read."""
    if len(content) > MOST_TNEF_BYTES:
        return None
    try:
        tnef = TNEF(content, do_checksum=False)
        text = _text_of(tnef.htmlbody, is_html=True) or _text_of(tnef.body, is_html=False)
        files = [
            (_name(attached.long_filename()), "application/octet-stream", bytes(attached.data))
            for attached in tnef.attachments
        ]
    except BROKEN:
        return None
    return OutlookFile(text=text, files=files)


def read_msg(content: bytes) -> OutlookFile | None:
    """The sender, subject, body and files of a .msg; None when it cannot be read."""
    try:
        letter = MsgFile.load(content)
        text = letter.body or _text_of(letter.html_body, is_html=True)
        files = [
            (_name(attached.file_name or ""), attached.mime_type or "", attached.file_bytes or b"")
            for attached in letter.attachments
        ]
        return OutlookFile(
            text=text,
            sender=letter.sender or "",
            subject=letter.subject,
            date=letter.sent_date,
            files=files,
        )
    except BROKEN:
        return None


def _text_of(body: str | bytes | None, *, is_html: bool) -> str:
    if not body:
        return ""
    text = body if isinstance(body, str) else decode(body.rstrip(b"\0"), "cp1252")[0]
    return html_to_text(text) if is_html else text


def _name(name: str | bytes) -> str:
    return safe_filename(name if isinstance(name, str) else decode(name.rstrip(b"\0"), "cp1252")[0])
