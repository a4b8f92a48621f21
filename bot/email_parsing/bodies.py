"""From the tree of parts to what a person reads, and the files that came along."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.email_parsing.calendar_text import calendar_to_text
from bot.email_parsing.charsets import charset_in_html, decode
from bot.email_parsing.headers import Headers, first_address, parse_address
from bot.email_parsing.html_text import html_to_text, strip_tags
from bot.email_parsing.mime import Part, PartReader
from bot.email_parsing.opaque import signed_content
from bot.email_parsing.outlook_files import OLE_MAGIC, OutlookFile, read_msg, read_tnef
from bot.email_parsing.plain import tidy, unflow
from triage.vocabulary import Address, Attachment, FileSign

ENCRYPTED_NOTICE = "[This message is encrypted. Its content could not be read here.]"
ATTACHED_MESSAGE_LINE = "----- Attached message -----"
LOOK_AT_THE_HTML = re.compile(
    r"\b(view|see|open|read|display|support)\w*\b.{0,80}\b(html|browser|online|web version|email client|mail client)\b"
    r"|\bhtml\b.{0,60}\b(view|see|capable|enabled|compatible|required)",
    re.IGNORECASE | re.DOTALL,
)
STUB_WORDS = 60
SHORT_WORDS = 40
PGP_BEGINS = "-----BEGIN PGP MESSAGE-----"

MESSAGE_TYPES = {"message/rfc822", "message/global", "message/news"}
REPORT_TYPES = {
    "message/delivery-status",
    "message/disposition-notification",
    "text/rfc822-headers",
    "message/global-delivery-status",
    "message/feedback-report",
}
CALENDAR_TYPES = {"text/calendar", "application/ics"}
TNEF_TYPES = {"application/ms-tnef", "application/vnd.ms-tnef"}
SMIME_TYPES = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
BINARY_TYPE = "application/octet-stream"


@dataclass(slots=True)
class Contents:
    """What some parts hold: the writer's own body, what was enclosed with it, and the files."""

    body: list[str] = field(default_factory=list)
    enclosed: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    body_is_html: bool = False
    enclosed_author: Address | None = None

    def add(self, other: Contents) -> None:
        """Take over everything, in order."""
        self.body += other.body
        self.add_all_but_body(other)

    def add_all_but_body(self, other: Contents) -> None:
        """Take over what came along, not the text itself."""
        self.enclosed += other.enclosed
        self.attachments += other.attachments
        self.enclosed_author = self.enclosed_author or other.enclosed_author

    @property
    def text(self) -> str:
        """The body's pieces as one text."""
        return "\n\n".join(piece for piece in self.body if piece.strip())


class ContentsReader:
    """Reads the contents of a tree; keeps the defects and the limits of the whole message."""

    def __init__(self, parts: PartReader) -> None:
        self.parts = parts
        self.defects = parts.defects
        self.files_seen = 0
        self.file_bytes_seen = 0

    def read(self, part: Part, depth: int = 0) -> Contents:
        """What `part` and all below it hold."""
        if part.content_type == "multipart/alternative":
            return self._best_of([self.read(child, depth + 1) for child in part.children])
        if part.content_type.startswith("multipart/"):
            return self._all_of(part, depth)
        return self._reader_of(part)(part, depth)

    def _file(self, filename: str, content_type: str, content: bytes) -> Attachment:
        """A file, with its content as long as the message has not brought too much of it already."""
        described = describe_file(filename, content_type, content)
        self.files_seen += 1
        self.file_bytes_seen += len(content)
        limits = self.parts.limits
        if self.files_seen <= limits.most_files and self.file_bytes_seen <= limits.most_file_bytes:
            return described
        self.defects.add("files_not_unpacked")
        self.file_bytes_seen -= len(content)
        return replace(described, content=b"", signs=(FileSign.NOT_UNPACKED,))

    def _files_of(self, wrapped: OutlookFile) -> list[Attachment]:
        return [self._file(name, kind or BINARY_TYPE, content) for name, kind, content in wrapped.files]

    def _all_of(self, part: Part, depth: int) -> Contents:
        whole = Contents()
        if part.content_type == "multipart/encrypted":
            self.defects.add("encrypted")
            whole.body.append(ENCRYPTED_NOTICE)
        for child in part.children:
            whole.add(self.read(child, depth + 1))
        return whole

    def _best_of(self, choices: list[Contents]) -> Contents:
        chosen = _preferred(choices)
        for contents in choices:
            if contents is not chosen:
                chosen.add_all_but_body(contents)
        return chosen

    def _reader_of(self, part: Part) -> Callable[[Part, int], Contents]:
        kind, name = part.content_type, part.filename.lower()
        if kind in MESSAGE_TYPES or (name.endswith(".eml") and kind in (BINARY_TYPE, "text/plain")):
            return self._read_message
        if kind in TNEF_TYPES or (name == "winmail.dat" and kind == BINARY_TYPE):
            return self._read_tnef
        if kind == "application/vnd.ms-outlook" or name.endswith(".msg"):
            return self._read_msg
        if kind in SMIME_TYPES:
            return self._read_smime
        if kind in CALENDAR_TYPES:
            return self._read_calendar
        if kind in REPORT_TYPES:
            return self._read_report
        if kind.startswith("text/") and part.disposition != "attachment":
            return self._read_text
        return self._read_file

    def _read_text(self, part: Part, _: int) -> Contents:
        content = part.content(self.defects)
        is_html = part.content_type == "text/html"
        contents = Contents(body=[self._text_of(part, content)], body_is_html=is_html)
        if part.filename:
            contents.attachments.append(self._file(part.filename, part.content_type, content))
        return contents

    def _text_of(self, part: Part, content: bytes) -> str:
        is_html = part.content_type == "text/html"
        declared = part.parameters.get("charset") or (charset_in_html(content) if is_html else None)
        text, as_declared = decode(content, declared)
        if not as_declared:
            self.defects.add("bad_charset")
        if b"\0" in content and "\0" in text:
            self.defects.add("nul_characters")
        text = text[: self.parts.limits.most_text_chars]
        if is_html:
            return html_to_text(text)
        if part.content_type in ("text/enriched", "text/richtext"):
            return strip_tags(text)
        if part.parameters.get("format", "").lower() == "flowed":
            text = unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
        if PGP_BEGINS in text:
            self.defects.add("encrypted")
            text = f"{ENCRYPTED_NOTICE}\n\n{text}"
        return text

    def _read_file(self, part: Part, _: int) -> Contents:
        if part.content_type == "application/pgp-encrypted":
            self.defects.add("encrypted")
        content = part.content(self.defects)
        return Contents(attachments=[self._file(part.filename, part.content_type, content)])

    def _read_report(self, part: Part, _: int) -> Contents:
        return Contents(enclosed=[self._text_of(part, part.content(self.defects))])

    def _read_calendar(self, part: Part, _: int) -> Contents:
        content = part.content(self.defects)
        text, _declared = decode(content, part.parameters.get("charset") or "utf-8")
        summary = calendar_to_text(text)
        contents = Contents(enclosed=[summary] if summary else [])
        if part.filename or part.disposition == "attachment":
            contents.attachments.append(self._file(part.filename or "invite.ics", part.content_type, content))
        return contents

    def _read_message(self, part: Part, depth: int) -> Contents:
        content = part.content(self.defects)
        contents = Contents(
            attachments=[self._file(part.filename or "message.eml", part.content_type, content)]
        )
        if depth >= self.parts.limits.most_depth or self.parts.parts_seen >= self.parts.limits.most_parts:
            self.defects.add("too_deep")
            return contents
        inner = self.parts.read(content, depth + 1)
        inside = self.read(inner, depth + 1)
        heading = [ATTACHED_MESSAGE_LINE, *_named_lines(inner.headers)]
        contents.enclosed.append("\n".join(heading) + "\n\n" + inside.text)
        contents.enclosed_author = first_address(inner.headers, "from")
        contents.add_all_but_body(inside)
        return contents

    def _read_tnef(self, part: Part, _: int) -> Contents:
        content = part.content(self.defects)
        wrapped = read_tnef(content)
        contents = Contents(
            attachments=[self._file(part.filename or "winmail.dat", part.content_type, content)]
        )
        if wrapped is None:
            self.defects.add("bad_tnef")
            return contents
        contents.attachments += self._files_of(wrapped)
        contents.body.append(wrapped.text)
        return contents

    def _read_msg(self, part: Part, _: int) -> Contents:
        content = part.content(self.defects)
        letter = read_msg(content) if content.startswith(OLE_MAGIC) else None
        contents = Contents(
            attachments=[self._file(part.filename or "message.msg", part.content_type, content)]
        )
        if letter is None:
            self.defects.add("bad_msg")
            return contents
        contents.enclosed.append(outlook_text(letter))
        contents.enclosed_author = parse_address(letter.sender)
        contents.attachments += self._files_of(letter)
        return contents

    def _read_smime(self, part: Part, depth: int) -> Contents:
        content = part.content(self.defects)
        contents = Contents(
            attachments=[self._file(part.filename or "smime.p7m", part.content_type, content)]
        )
        inner = signed_content(content)
        if inner is None or depth >= self.parts.limits.most_depth:
            # Whatever cannot be opened needs a person, be it encrypted or only broken.
            self.defects.add("encrypted")
            contents.body.append(ENCRYPTED_NOTICE)
            return contents
        contents.add(self.read(self.parts.read(inner, depth + 1), depth + 1))
        return contents


def describe_file(filename: str, content_type: str, content: bytes) -> Attachment:
    """A file with its size in bytes and its SHA-256."""
    digest = hashlib.sha256(content).hexdigest()
    return Attachment(filename, content_type, len(content), digest, content)


def outlook_text(letter: OutlookFile) -> str:
    """An attached .msg as text, under the same kind of heading as an attached message."""
    date = letter.date.strftime("%d %B %Y %H:%M") if letter.date else ""
    named = (("From", letter.sender), ("Date", date), ("Subject", letter.subject))
    heading = [ATTACHED_MESSAGE_LINE, *(f"{name}: {value}" for name, value in named if value)]
    return "\n".join(heading) + "\n\n" + letter.text


def _named_lines(headers: Headers) -> list[str]:
    return [
        f"{name}: {value}"
        for name in ("From", "Date", "To", "Subject")
        if (value := headers.text(name.lower()))
    ]


def _preferred(choices: list[Contents]) -> Contents:
    """Plain text, unless it is empty, only points to the HTML, or holds a fraction of its words."""
    plain = [contents for contents in choices if contents.text.strip() and not contents.body_is_html]
    other = [contents for contents in choices if contents.text.strip() and contents.body_is_html]
    if plain and not (other and _is_stub(plain[0].text, other[-1].text)):
        return plain[0]
    if other:
        return other[-1]
    return choices[0] if choices else Contents()


def _is_stub(plain: str, other: str) -> bool:
    words, fuller = len(plain[:20_000].split()), len(other[:100_000].split())
    if words < STUB_WORDS and fuller > words and LOOK_AT_THE_HTML.search(tidy(plain)):
        return True
    return words < SHORT_WORDS and fuller > 5 * words + 20
