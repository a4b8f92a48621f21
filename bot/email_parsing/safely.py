"""Reading in child processes that are kept warm, one message each at a time, and replaced when they fail.

Each child is a fresh interpreter (never a fork of this one, which has threads) with an environment
of its own, so that a message that takes a child over finds no secret there. `multiprocessing` is
not used because it would run the main program again in each child, with its settings and its keys.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from bot.email_parsing.child import OUT_OF_MEMORY_EXIT
from bot.email_parsing.limits import MIB, ParseLimits
from bot.email_parsing.wire import Broken, receive_frame, send_frame, unpack_message
from bot.steps import Step, reached
from triage.errors import CannotRead, TryAgainLater
from triage.vocabulary import Channel, Message

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

ROOT = Path(__file__).resolve().parents[2]
READ_PATH = "bot.email_parsing.reading:read_message"
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
MOST_CHILDREN = 4
START_SECONDS = 60.0
# Long-lived processes grow; a new one costs less than a hundredth of what these messages took.
MOST_MESSAGES_PER_CHILD = 1000
STOP_SECONDS = 2.0

TOO_SLOW = "it took too long to read"
TOO_MUCH_MEMORY = "it took too much memory to read"
STOPPED = "reading it stopped the reader"


class Reader:
    """One child process. Not for two threads at once."""

    def __init__(self, read_path: str) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        # The packages need not be installed: their root is put first by name.
        program = (
            "import sys; sys.path.insert(0, sys.argv.pop(1)); "
            "from bot.email_parsing.child import serve; serve(sys.argv[1])"
        )
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, no input in the arguments
                [sys.executable, "-c", program, str(ROOT), read_path],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a traceback can quote the message
                env=environment,
                cwd="/",
            )
        self._connection = ours
        self.messages_read = 0
        self._wait_until_ready()

    @property
    def is_alive(self) -> bool:
        """Whether the child still runs."""
        return self._process.poll() is None

    def read(self, raw: bytes, channel: Channel, limits: ParseLimits) -> Message:
        """The message in `raw`; after any CannotRead with `is_alive` false the child is of no more use."""
        return self._asked({"channel": channel.value}, raw, limits, unpack_message)

    def look(self, content: bytes, file: Mapping[str, Any], limits: ParseLimits) -> Mapping[str, Any]:
        """What the child found in a file, as plain values that nobody has checked; errors as of `read`."""
        return self._asked({"file": dict(file)}, content, limits, lambda answer, _: answer)

    def _asked(
        self,
        asked: Mapping[str, Any],
        blob: bytes,
        limits: ParseLimits,
        unpack: Callable[[Mapping[str, Any], bytes], _Answer],
    ) -> _Answer:
        self.messages_read += 1
        try:
            self._connection.settimeout(limits.wall_seconds)
            send_frame(self._connection, {**asked, "limits": asdict(limits)}, blob)
            reached(Step.PARSING)
            answer, answered = receive_frame(self._connection, limits.wall_seconds)
            if "cannot_read" in answer:
                raise CannotRead(str(answer["cannot_read"]))
            return unpack(answer, answered)
        except TimeoutError:
            self.stop()
            raise CannotRead(TOO_SLOW) from None
        except (Broken, OSError):
            raise CannotRead(self._why_it_stopped()) from None

    def stop(self) -> None:
        """End the child at once and wait for it, so that none is left behind."""
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def _wait_until_ready(self) -> None:
        try:
            receive_frame(self._connection, START_SECONDS)
        except (Broken, OSError):
            self.stop()
            raise TryAgainLater("the process that reads mail did not start") from None

    def _why_it_stopped(self) -> str:
        self._connection.close()
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            return STOPPED
        if code in (-signal.SIGXCPU, -signal.SIGALRM):
            return TOO_SLOW
        return TOO_MUCH_MEMORY if code == OUT_OF_MEMORY_EXIT else STOPPED


class ReaderPool:
    """A few warm readers, shared by threads; a reader is started when first needed."""

    def __init__(self, size: int | None = None, read_path: str = READ_PATH) -> None:
        self._read_path = read_path
        self._idle: queue.LifoQueue[Reader | None] = queue.LifoQueue()
        for _ in range(size or min(MOST_CHILDREN, os.cpu_count() or 1)):
            self._idle.put(None)

    def read(self, raw: bytes, channel: Channel, limits: ParseLimits) -> Message:
        """The message in `raw`, read by the next free child; waits while all are busy."""
        return self._with_reader(lambda reader: reader.read(raw, channel, limits))

    def look(self, content: bytes, file: Mapping[str, Any], limits: ParseLimits) -> Mapping[str, Any]:
        """What the next free child found in a file, unchecked; waits while all are busy."""
        return self._with_reader(lambda reader: reader.look(content, file, limits))

    def _with_reader(self, do: Callable[[Reader], _Answer]) -> _Answer:
        reader = self._idle.get()
        try:
            reader = self._fit(reader)
            return do(reader)
        except CannotRead as refused:
            logger.info("a message or a file of one could not be read: %s", refused.reason)
            raise
        finally:
            self._idle.put(reader)

    def close(self) -> None:
        """End every idle child; the pool stays usable and starts new ones."""
        waiting = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        for reader in waiting:
            if reader is not None:
                reader.stop()
            self._idle.put(None)

    def _fit(self, reader: Reader | None) -> Reader:
        if reader is not None and reader.is_alive and reader.messages_read < MOST_MESSAGES_PER_CHILD:
            return reader
        if reader is not None:
            reader.stop()
        return Reader(self._read_path)


_lock = threading.Lock()
_shared: list[ReaderPool] = []


def shared_pool() -> ReaderPool:
    """The pool of this process."""
    with _lock:
        if not _shared:
            _shared.append(ReaderPool())
        return _shared[0]


def close_shared_pool() -> None:
    """End the children of this process; it happens by itself when the process ends."""
    with _lock:
        for pool in _shared:
            pool.close()


def _forget_after_fork() -> None:
    # A forked process must not talk into its parent's sockets; the lock may have been held.
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _shared.clear()


atexit.register(close_shared_pool)
os.register_at_fork(after_in_child=_forget_after_fork)


def read_safely(raw: bytes, channel: Channel, limits: ParseLimits) -> Message:
    """The message in `raw`, read in a child of the shared pool; CannotRead also when a limit ended it."""
    if len(raw) > limits.most_bytes:
        raise CannotRead(f"it is larger than {limits.most_bytes // MIB} MB")
    return shared_pool().read(raw, channel, limits)
