"""The one door for every channel: a message is stored, with the work that it needs, before anybody is thanked.

Deliveries that arrive together share one durable transaction (group commit); when a shared one fails,
each is tried alone, so that one message cannot refuse another.
"""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from datetime import datetime

from bot.background import TRIAGE_QUEUE, Background
from storage.database import Database
from storage.messages import Received, keep
from triage.errors import TryAgainLater

log = logging.getLogger(__name__)

TRIAGE_JOB = "triage_message"
_MOST_TOGETHER = 64
_MOST_BYTES_TOGETHER = 16 * 1024 * 1024


class Intake:
    """Stores messages in groups from one thread; `receive` and `submit` are safe from any thread."""

    def __init__(self, database: Database, background: Background) -> None:
        self._database = database
        self._background = background
        self._waiting: queue.SimpleQueue[tuple[Received, Future[str]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def receive(self, received: Received, *, timeout_seconds: float = 60) -> str:
        """Store the message and return its id; any error means that it was not stored."""
        return self.submit(received).result(timeout=timeout_seconds)

    def submit(self, received: Received) -> Future[str]:
        """As `receive`, without waiting: the future is done when the message is durable."""
        future: Future[str] = Future()
        self._start_once()
        self._waiting.put((received, future))
        return future

    def close(self) -> None:
        """Store what is waiting, then stop."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _start_once(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="intake", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while (group := self._next_group()) is not None:
            try:
                self._store([received for received, _ in group])
            except Exception as error:  # noqa: BLE001  whatever it was, nothing of the group is stored
                log.warning("a group of %d could not be stored: %s", len(group), type(error).__name__)
                self._store_alone(group, error)
            else:
                for received, future in group:
                    future.set_result(received.message_id)

    def _next_group(self) -> list[tuple[Received, Future[str]]] | None:
        first = self._waiting.get()
        if first is None:
            return None
        group, size = [first], len(first[0].raw)
        while len(group) < _MOST_TOGETHER and size < _MOST_BYTES_TOGETHER:
            try:
                more = self._waiting.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._waiting.put(None)
                break
            group.append(more)
            size += len(more[0].raw)
        return group

    def _store_alone(self, group: list[tuple[Received, Future[str]]], error: Exception) -> None:
        if len(group) == 1:
            group[0][1].set_exception(error)
            return
        for received, future in group:
            try:
                self._store([received])
            except Exception as alone:  # noqa: BLE001  told to the one whose message it is
                future.set_exception(alone)
            else:
                future.set_result(received.message_id)

    def _store(self, batch: list[Received]) -> None:
        with self._database.write() as session:
            keep(session, self._database.keys, batch)
            for received in batch:
                self._background.enqueue(session, TRIAGE_QUEUE, TRIAGE_JOB, received.message_id)


def triage_again(database: Database, background: Background, message_id: str, now: datetime) -> None:
    """Ask for another round of triage: after an upgrade, or when the first round was never heard of again."""
    try:
        with database.write() as session:
            background.enqueue(session, TRIAGE_QUEUE, TRIAGE_JOB, message_id, again=f"{now:%Y%m%dT%H%M}")
    except Exception as error:  # noqa: BLE001  told apart by its kind alone
        raise TryAgainLater(f"message {message_id}: {type(error).__name__}") from None
