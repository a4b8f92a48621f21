"""The tree of parts in a message: cut by its boundaries, within limits, in linear time.

The standard library's parser walks every line in Python and recurses at every level, so a few
kilobytes of nested boundaries stop it. This one only looks for the boundaries, and knows when to stop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.email_parsing.headers import Headers, decode_words, parse_parameters, read_headers
from bot.email_parsing.limits import ParseLimits
from bot.email_parsing.plain import one_line
from bot.email_parsing.transfer import decode_transfer

PATH_IN_NAME = re.compile(r"^.*[/\\]", re.DOTALL)
TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
MOST_BOUNDARY_CHARS = 200


@dataclass(slots=True)
class Part:
    """One node: a leaf has a body (undecoded, `source[start:end]`), a multipart has children.

    An attached message is a leaf to MIME; whoever wants its text reads its body as a message.
    """

    headers: Headers
    source: bytes = field(repr=False)
    start: int
    end: int
    content_type: str
    parameters: dict[str, str]
    disposition: str
    filename: str
    children: list[Part] = field(default_factory=list)

    def content(self, defects: set[str]) -> bytes:
        """The body with its transfer encoding undone."""
        encoding = self.headers.text("content-transfer-encoding").partition(";")[0]
        return decode_transfer(self.source[self.start : self.end], encoding, defects)


class PartReader:
    """Reads trees of parts; the number of parts counts over all messages nested in one."""

    def __init__(self, limits: ParseLimits, defects: set[str]) -> None:
        self.limits = limits
        self.defects = defects
        self.parts_seen = 0

    def read(self, source: bytes, depth: int = 0) -> Part:
        """The tree of a whole message."""
        return self._read_part(source, 0, len(source), depth, "text/plain")

    def _read_part(self, source: bytes, start: int, end: int, depth: int, default_type: str) -> Part:
        self.parts_seen += 1
        headers, body = read_headers(source, start, end, self.defects)
        part = _leaf(headers, source, body, end, default_type)
        if part.content_type.startswith("multipart/"):
            self._read_children(part, depth)
        return part

    def _read_children(self, part: Part, depth: int) -> None:
        if depth >= self.limits.most_depth:
            self.defects.add("too_deep")
            part.content_type = "application/octet-stream"
            return
        default_type = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        for start, end in self._spans(part):
            if self.parts_seen >= self.limits.most_parts:
                self.defects.add("too_many_parts")
                break
            part.children.append(self._read_part(part.source, start, end, depth + 1, default_type))
        if not part.children:
            # Nothing between the boundaries, or none at all: what stands there is still text.
            part.content_type = "text/plain"

    def _spans(self, part: Part) -> list[tuple[int, int]]:
        """Where the children of a multipart begin and end."""
        boundary = part.parameters.get("boundary", "")[:MOST_BOUNDARY_CHARS].rstrip()
        delimiter = b"--" + boundary.encode("utf-8", "replace")
        spans: list[tuple[int, int]] = []
        start = -1
        position = part.start
        while boundary and len(spans) <= self.limits.most_parts:
            position = part.source.find(delimiter, position, part.end)
            if position < 0:
                break
            after, is_last = _after_delimiter(part, position, position + len(delimiter))
            if after < 0:
                position += len(delimiter)
                continue
            if start >= 0:
                spans.append((start, _before_line_end(part.source, start, position)))
            start, position = (-1 if is_last else after), after
            if is_last:
                return spans
        self.defects.add("truncated_multipart" if boundary else "no_boundary")
        if start >= 0:
            spans.append((start, part.end))
        return spans


def _after_delimiter(part: Part, position: int, after: int) -> tuple[int, bool]:
    """Where the line of a delimiter ends, -1 when it is none, and whether it closes the multipart."""
    if position > part.start and part.source[position - 1] not in b"\r\n":
        return -1, False
    is_last = part.source[after : after + 2] == b"--"
    after += 2 * is_last
    while after < part.end and part.source[after] in b" \t":
        after += 1
    if after >= part.end or is_last:
        return after, is_last
    if part.source[after] not in b"\r\n":
        return -1, False
    return after + (2 if part.source[after : after + 2] == b"\r\n" else 1), False


def _before_line_end(source: bytes, start: int, end: int) -> int:
    """The line end before a delimiter belongs to the delimiter."""
    if end - 2 >= start and source[end - 2 : end] == b"\r\n":
        return end - 2
    return max(end - 1, start)


def _leaf(headers: Headers, source: bytes, start: int, end: int, default_type: str) -> Part:
    content_type, parameters = parse_parameters(headers.text("content-type") or default_type)
    found = TYPE.match(content_type)
    disposition, more = parse_parameters(_raw_text(headers, "content-disposition"))
    raw_type = parse_parameters(_raw_text(headers, "content-type"))[1]
    name = more.get("filename") or raw_type.get("name") or ""
    return Part(
        headers=headers,
        source=source,
        start=start,
        end=end,
        content_type=found.group() if found else _bare_type(content_type),
        parameters=parameters,
        disposition=disposition,
        filename=safe_filename(name),
    )


def _raw_text(headers: Headers, name: str) -> str:
    """A value before its encoded words are undone, so that a decoded ";" cuts nothing."""
    values = headers.all(name)
    return values[0].decode("utf-8", "replace") if values else ""


def _bare_type(content_type: str) -> str:
    """ "text" and nonsense are read as text, as mail readers do."""
    return "text/plain" if content_type in ("", "text", "plain") else "application/octet-stream"


def safe_filename(name: str) -> str:
    """The last piece of a file's name, without a path, on one line, at most 200 characters."""
    return one_line(PATH_IN_NAME.sub("", decode_words(name[:4000])), 200).strip(". ")
