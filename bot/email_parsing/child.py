"""What runs inside a reader process: take bytes, give a message back, never outlive a limit.

The limits are the kernel's, because a runaway regular expression or library listens to nothing else:
address space and CPU by rlimit, wall time by an alarm that ends the process.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from bot.email_parsing.limits import MIB, ParseLimits
from bot.email_parsing.wire import Broken, pack_message, receive_frame, send_frame
from triage.errors import CannotRead
from triage.vocabulary import Channel, Message

Read = Callable[[bytes, Channel, ParseLimits], Message]

OUT_OF_MEMORY_EXIT = 77
MOST_OPEN_FILES = 64
# The parent's own clock ends a slow child first; the alarm is for a child whose parent is gone.
ALARM_GRACE_SECONDS = 2.0


def serve(read_path: str) -> None:
    """Answer requests on standard input, a socket, until it closes; `read_path` is "module:function"."""
    connection = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the socket
    read = _find(read_path)
    _drop_abilities()
    send_frame(connection, {"ready": True})
    while True:
        try:
            head, raw = receive_frame(connection)
        except (Broken, OSError):
            return
        _answer(connection, read, head, raw)
        del raw


def _answer(connection: socket.socket, read: Read, asked: Mapping[str, Any], raw: bytes) -> None:
    limits = ParseLimits(**asked["limits"])
    _arm(limits)
    try:
        try:
            if "file" in asked:
                head, blob = _look(asked["file"], raw), b""
            else:
                head, blob = pack_message(read(raw, Channel(asked["channel"]), limits))
        except CannotRead as refused:
            head, blob = {"cannot_read": refused.reason}, b""
        send_frame(connection, head, blob)
    except MemoryError:
        # What is left of this process is not worth trusting with the next message.
        os._exit(OUT_OF_MEMORY_EXIT)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _look(file: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    from bot.file_reading.looking import look  # noqa: PLC0415  most mail brings no document

    return asdict(look(content, str(file["name"]), str(file["type"]), with_words=bool(file["with_words"])))


def _arm(limits: ParseLimits) -> None:
    """Set what this one message may take, from here on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds
    _set_soft(resource.RLIMIT_CPU, cpu_seconds)
    _set_soft(resource.RLIMIT_AS, limits.memory_mib * MIB)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds + ALARM_GRACE_SECONDS)


def _drop_abilities() -> None:
    """No files written, few opened, no core dump: a core would hold the message."""
    _set_soft(resource.RLIMIT_CORE, 0, is_final=True)
    _set_soft(resource.RLIMIT_FSIZE, 0, is_final=True)
    _set_soft(resource.RLIMIT_NOFILE, MOST_OPEN_FILES, is_final=True)


def _set_soft(limit: int, value: int, *, is_final: bool = False) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value if is_final else hard))


def _find(read_path: str) -> Read:
    module, _, name = read_path.partition(":")
    found: Read = getattr(importlib.import_module(module), name)
    return found


if __name__ == "__main__":
    serve(sys.argv[1])
