"""The one door for every channel: a message is stored, with the work that it needs, before anybody is thanked.

Deliveries that arrive together share one durable transaction (group commit); when a shared one fails,
each is tried alone, so that one message cannot refuse another.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from bot.background import TRIAGE_QUEUE, Background
from bot.steps import Step, reached
from storage.database import Database
from storage.messages import Received, SealedMessage, keep_sealed, seal_message
from triage.errors import TryAgainLater

log = logging.getLogger(__name__)

TRIAGE_JOB = "triage_message"
_MOST_TOGETHER = 256
_MOST_PATIENCE_SECONDS = 0.003
_MOST_BYTES_TOGETHER = 16 * 1024 * 1024


@dataclass(frozen=True)
class _Delivery:
    """A message that waits, and the promise of its id."""

    received: Received
    promise: Future[str]


class Intake:
    """Stores messages in groups from one thread; `receive` and `submit` are safe from any thread."""

    def __init__(self, database: Database, background: Background) -> None:
        self._database = database
        self._background = background
        self._waiting: queue.SimpleQueue[_Delivery | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._last_sizes = (1, 1)
        self._store_seconds = 0.0

    def receive(self, received: Received, *, timeout_seconds: float = 60) -> str:
        """Store the message and return its id; any error but TimeoutError means that it was not stored."""
        return self.submit(received).result(timeout=timeout_seconds)

    def submit(self, received: Received) -> Future[str]:
        """As `receive`, without waiting: the future is done when the message is durable.

        A future that can still be cancelled belongs to a message that will then not be stored.
        """
        promise: Future[str] = Future()
        self._start_once()
        self._waiting.put(_Delivery(received, promise))
        return promise

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
            # A delivery whose sender has given up is left out; from here on nobody can take one back.
            still_wanted = [one for one in group if one.promise.set_running_or_notify_cancel()]
            if still_wanted:
                self._keep_promises(still_wanted)

    def _next_group(self) -> list[_Delivery] | None:
        first = self._waiting.get()
        if first is None:
            return None
        group, size = [first], len(first.received.raw)
        # As many as of late are likely to come again, half of them while the others are being stored.
        # A moment's patience for that half keeps groups even: one that goes alone holds up all the rest.
        # Half the time of a transaction at most, as more is never won back.
        company = math.ceil(sum(self._last_sizes) / 2)
        patience = time.monotonic() + min(self._store_seconds / 2, _MOST_PATIENCE_SECONDS)
        while len(group) < _MOST_TOGETHER and size < _MOST_BYTES_TOGETHER:
            left = patience - time.monotonic() if len(group) < company else 0.0
            try:
                more = self._waiting.get(timeout=max(0.0, left))
            except queue.Empty:
                break
            if more is None:
                self._waiting.put(None)
                break
            group.append(more)
            size += len(more.received.raw)
        self._last_sizes = (self._last_sizes[1], len(group))
        return group

    def _keep_promises(self, group: Sequence[_Delivery]) -> None:
        try:
            self._store(group)
        except Exception as error:  # noqa: BLE001  whatever it was, nothing of the group is stored
            log.warning("%d messages could not be stored: %s", len(group), type(error).__name__)
            if len(group) == 1:
                group[0].promise.set_exception(error)
                return
            for one in group:
                self._keep_promises([one])
        else:
            for one in group:
                one.promise.set_result(one.received.message_id)

    def _store(self, group: Sequence[_Delivery]) -> None:
        started = time.monotonic()
        sealed: list[SealedMessage] = [seal_message(self._database.keys, one.received) for one in group]
        with self._database.write() as session:
            keep_sealed(session, sealed)
            ids = [one.received.message_id for one in group]
            self._background.enqueue_many(session, TRIAGE_QUEUE, TRIAGE_JOB, ids)
            reached(Step.STORING)
        reached(Step.STORED)
        self._store_seconds = time.monotonic() - started


def triage_again(database: Database, background: Background, message_id: str, now: datetime) -> None:
    """Ask for another round of triage: after an upgrade, or when the first round was never heard of again."""
    try:
        with database.write() as session:
            background.enqueue(session, TRIAGE_QUEUE, TRIAGE_JOB, message_id, again=f"{now:%Y%m%dT%H%M}")
    except Exception as error:  # noqa: BLE001  told apart by its kind alone
        raise TryAgainLater(f"message {message_id}: {type(error).__name__}") from None
