"""A reader that does what its message tells it to: hang, swallow memory, burn time, die."""

from __future__ import annotations

import ctypes
import os
import tempfile
import time

from bot.email_parsing.limits import ParseLimits
from bot.email_parsing.reading import read_message
from triage.vocabulary import Channel, Message


def read(raw: bytes, channel: Channel, limits: ParseLimits) -> Message:
    """Read as the real reader does, unless the message says otherwise."""
    if b"please hang" in raw:
        time.sleep(3600)
    if b"please spin" in raw:
        while True:
            pass
    if b"please grow" in raw:
        return Message(channel, "", "x" * (4 << 30), "")
    if b"please crash" in raw:
        ctypes.string_at(0)
    if b"please raise" in raw:
        raise RuntimeError("a secret of the message")
    if b"please write" in raw:
        with tempfile.TemporaryFile() as file:
            file.write(raw)
    if b"please tell your environment" in raw:
        return Message(channel, "", repr(sorted(os.environ)), "")
    if b"please tell your number" in raw:
        return Message(channel, "", str(os.getpid()), "")
    return read_message(raw, channel, limits)
