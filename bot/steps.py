"""The numbered steps of a message's way, at which `script/soak` kills the process that gets there.

Nothing here does anything unless the environment variable CARECONCERNS_STOP_AT names a file before the
process starts; it is no setting, and nothing that a message says can reach it. While that file holds
"STEP COUNT", the process that comes to STEP for the COUNT-th time deletes the file and kills its own
process group with SIGKILL, as a power cut would. So each order is carried out once.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from enum import StrEnum
from pathlib import Path

_ORDER = os.environ.get("CARECONCERNS_STOP_AT")
_times: Counter[str] = Counter()
_lock = threading.Lock()


class Step(StrEnum):
    """Where a process may be killed, in the order of the way."""

    RECEIVED = "received"
    """1: the mail's last byte is here, nothing is stored."""
    STORING = "storing"
    """2: written, not committed."""
    STORED = "stored"
    """3: committed, `250` not said."""
    ANSWERED = "answered"
    """4: `250` said."""
    PARSING = "parsing"
    """5: a child is reading the mail."""
    ASSESSED = "assessed"
    """6: understood, nothing of it written."""
    OPENING = "opening"
    """7: concern, answer and jobs written, not committed."""
    OPENED = "opened"
    """8: committed, the job not yet marked as done."""
    SENDING = "sending"
    """9a: connected to the relay, the mail not yet handed over."""
    RELAYED = "relayed"
    """9b: the relay has said `250`, we have not noted it."""
    DIGEST_WRITTEN = "digest_written"
    """10a: a lead's digest decided, not committed."""
    DIGEST_DECIDED = "digest_decided"
    """10b: committed, other leads' digests not yet."""


def reached(step: Step) -> None:
    """Die here if that is the order; otherwise nothing."""
    if _ORDER is not None:
        _obey(Path(_ORDER), step)


def _obey(order: Path, step: Step) -> None:
    try:
        text = order.read_text()
    except OSError:
        return
    name, _, count = text.strip().partition(" ")
    if name != step:
        return
    with _lock:
        _times[text] += 1
        if _times[text] != int(count.split()[0]):
            return
    try:
        order.unlink()
    except FileNotFoundError:
        # Another process got here first.
        return
    os.killpg(0, signal.SIGKILL)
