"""What a stored mail still says of the envelope that it came in."""

from __future__ import annotations

from email.utils import parseaddr


def return_path(raw: bytes) -> str:
    """The envelope's sender, as the mailbox's own server wrote it on top; empty when it did not."""
    head = raw[:65536].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    for line in head.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"return-path":
            return parseaddr(value.decode("utf-8", "replace"))[1]
    return ""
