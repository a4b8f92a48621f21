"""What must come of any mail at all: a message that can be kept and understood, or CannotRead; and soon."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from bot.email_parsing import DEFAULT_LIMITS, parse_email
from bot.email_parsing.wire import pack_message, unpack_message
from tests.quick_predictors import QuickPredictors
from triage.assess import assess
from triage.decide import decide
from triage.errors import CannotRead
from triage.provider_match import Register
from triage.vocabulary import Message

MOST_SECONDS = 5.0
_EMPTY = Register.of(())


class TooSlow(BaseException):
    """It took longer than a mail of this size may; no ordinary handler catches it."""


def check(raw: bytes, *, seconds: float = MOST_SECONDS) -> Message | None:
    """The message, or None when it cannot be read; anything else is a finding, and raised."""
    with _within(seconds):
        try:
            message = parse_email(raw)
        except CannotRead:
            return None
        head, blob = pack_message(message)
        assert unpack_message(json.loads(json.dumps(head)), blob) == message
        _can_be_kept(message)
        decide(assess(message, register=_EMPTY, predictors=QuickPredictors()))
    return message


def _can_be_kept(message: Message) -> None:
    # Neither half a character nor a zero byte can be stored by PostgreSQL.
    fields = asdict(message)
    for attachment in fields["attachments"]:
        del attachment["content"]
    shown = json.dumps(fields, default=str, ensure_ascii=False)
    shown.encode()
    assert "\\u0000" not in shown
    assert "\0" not in shown
    assert len(message.attachments) <= DEFAULT_LIMITS.most_parts


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlow(f"{seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
