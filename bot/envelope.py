"""What a stored mail still says of the envelope that it came in."""

from __future__ import annotations

import re
from email.utils import parseaddr

_HEAD_BYTES = 65536
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_RETURN_PATH = re.compile(rb"^return-path[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)


def return_path(raw: bytes) -> str:
    """The envelope's sender, as the mailbox's own server wrote it on top; empty when it did not."""
    end = _HEAD_END.search(raw, 0, _HEAD_BYTES)
    found = _RETURN_PATH.search(raw, 0, end.start() if end else _HEAD_BYTES)
    return parseaddr(found[1].decode("utf-8", "replace"))[1] if found else ""
