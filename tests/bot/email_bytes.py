"""Raw mails made in code: a head that every test can take for granted, and parts to put under it."""

from __future__ import annotations

import base64

HEAD = {
    "From": "Susan Hart <susan@family.example>",
    "To": "desk@council.example",
    "Subject": "Rose Court",
    "Date": "Mon, 02 Nov 2026 10:00:00 +0000",
    "Message-ID": "<1@family.example>",
}


def mail(body: bytes | str = b"She fell.", **fields: str | bytes | None) -> bytes:
    """A mail with the usual head; `content_type=...` sets Content-Type, None takes a field away."""
    head: dict[str, str | bytes | None] = {**HEAD}
    head.update({name.replace("_", "-").title().replace("Id", "ID"): value for name, value in fields.items()})
    lines = [
        name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
        for name, value in head.items()
        if value is not None
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body if isinstance(body, bytes) else body.encode())


def part(body: bytes | str, content_type: str = "text/plain; charset=utf-8", *more: str) -> bytes:
    """One part of a multipart; `more` are further header lines."""
    head = "\r\n".join([f"Content-Type: {content_type}", *more])
    return head.encode() + b"\r\n\r\n" + (body if isinstance(body, bytes) else body.encode())


def attached(content: bytes, content_type: str, filename: str) -> bytes:
    """A base64 attachment."""
    return part(
        base64.encodebytes(content),
        content_type,
        "Content-Transfer-Encoding: base64",
        f'Content-Disposition: attachment; filename="{filename}"',
    )


def multipart(
    subtype: str, *parts: bytes, boundary: str = "b1", closed: bool = True, **fields: str | None
) -> bytes:
    """A whole mail of parts."""
    return mail(
        joined(parts, boundary, closed=closed),
        content_type=f'multipart/{subtype}; boundary="{boundary}"',
        **fields,
    )


def nested(subtype: str, *parts: bytes, boundary: str = "b2") -> bytes:
    """A multipart to put into another."""
    return part(joined(parts, boundary, closed=True), f'multipart/{subtype}; boundary="{boundary}"')


def joined(parts: tuple[bytes, ...], boundary: str, *, closed: bool) -> bytes:
    """Parts with their boundaries."""
    mark = b"--" + boundary.encode()
    body = b"".join(mark + b"\r\n" + one + b"\r\n" for one in parts)
    return body + (mark + b"--\r\n" if closed else b"")
