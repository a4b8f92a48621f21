"""Whether the service lives: the pulse, the oldest message that waits, the workers, the parts; green, amber or red."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from bot.settings import Settings
from storage.database import Session
from storage.oversight import conservation, live_workers
from storage.signs import PULSE, sign_of

SIGN_SECONDS = 30.0
"""How often each part says that it is there."""
PART_SILENCE = timedelta(seconds=3 * SIGN_SECONDS)
_PART_RED = timedelta(minutes=5)
_WAITING_AMBER, _WAITING_RED = timedelta(minutes=5), timedelta(minutes=30)


class Level(IntEnum):
    """How bad it is."""

    GREEN = 0
    AMBER = 1
    RED = 2


@dataclass(frozen=True)
class Sign:
    """One thing that was looked at."""

    level: Level
    text: str


def worst_of(signs: list[Sign]) -> Level:
    """The worst level among them."""
    return max((sign.level for sign in signs), default=Level.GREEN)


def signs_of_life(session: Session, settings: Settings, now: datetime) -> list[Sign]:
    """Everything that may be late, each with its level."""
    return [
        *_pulse(session, settings, now),
        _waiting(session, now),
        _workers(session, settings, now),
        *_part(session, "smtp", "the mail port", now),
        *_part(session, "web", "the web pages", now),
        *_mailbox(session, settings, now),
    ]


def _pulse(session: Session, settings: Settings, now: datetime) -> Iterator[Sign]:
    listener, last = sign_of(session, "smtp"), sign_of(session, PULSE)
    if not settings.pulse_minutes or (listener is None and last is None):
        return
    every = timedelta(minutes=settings.pulse_minutes)
    # Nothing is expected before the mail port had the time to send one.
    seen = max(sign_at for sign_at in (last and last.at, listener and listener.since) if sign_at)
    text = f"last pulse through the whole way: {_ago(now - last.at) if last else 'none yet'}"
    yield Sign(_late(now - seen, amber=2 * every, red=4 * every), text)


def _waiting(session: Session, now: datetime) -> Sign:
    accounts = conservation(session)
    if accounts.oldest_waiting_at is None:
        return Sign(Level.GREEN, "0 messages wait for triage")
    waits = now - accounts.oldest_waiting_at
    return Sign(
        _late(waits, amber=_WAITING_AMBER, red=_WAITING_RED),
        f"{accounts.waiting} messages wait for triage, the oldest came {_ago(waits)}",
    )


def _workers(session: Session, settings: Settings, now: datetime) -> Sign:
    alive = len(live_workers(session, now - timedelta(seconds=settings.worker_silence_seconds)))
    return Sign(Level.GREEN if alive else Level.RED, f"{alive} workers alive")


def _part(session: Session, name: str, words: str, now: datetime) -> Iterator[Sign]:
    sign = sign_of(session, name)
    if sign is not None:
        silent = now - sign.at
        yield Sign(
            _late(silent, amber=PART_SILENCE, red=_PART_RED), f"{words}: last sign of life {_ago(silent)}"
        )


def _mailbox(session: Session, settings: Settings, now: datetime) -> Iterator[Sign]:
    if settings.imap_host:
        from bot.imap_in import check_mailbox  # noqa: PLC0415  the parts without a mailbox need no IMAP

        for well, text in check_mailbox(session, settings, now):
            yield Sign(Level.GREEN if well else Level.AMBER, text)


def _late(silent: timedelta, *, amber: timedelta, red: timedelta) -> Level:
    if silent > red:
        return Level.RED
    return Level.AMBER if silent > amber else Level.GREEN


def _ago(silent: timedelta) -> str:
    minutes = int(silent.total_seconds() // 60)
    return "less than a minute ago" if minutes < 1 else f"{minutes} minute{'' if minutes == 1 else 's'} ago"
