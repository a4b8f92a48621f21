"""Reports that people type into our own pages: stored through the one door, once, however often they are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from bot.app import App
from bot.receipts import receipt_of
from storage.audit import MACHINE
from storage.messages import NoSuchMessage, Received, raw_of
from triage.vocabulary import Channel

_STORE_SECONDS = 30.0


def store_report(
    app: App,
    channel: Channel,
    write: Callable[[str], bytes],
    *,
    entry: str,
    now: datetime,
    actor: str = MACHINE,
) -> str:
    """Store a report and return its receipt; any error means that it may not be stored, and may be sent again.

    `write` makes its bytes with a receipt in them; `entry` is the same for what one person sends twice.
    """
    # The id comes from the entry and the words: a second press is the same message, a changed report another.
    message_id = hashlib.sha256(entry.encode() + b"\0" + write("")).hexdigest()[:32]
    receipt = receipt_of(message_id, channel)
    report = Received(
        raw=write(receipt),
        channel=channel,
        received_at=now,
        external_id=entry,
        message_id=message_id,
        actor=actor,
    )
    try:
        app.intake.receive(report, timeout_seconds=_STORE_SECONDS)
    except Exception:
        if not _is_stored(app, message_id):
            raise
    return receipt


def _is_stored(app: App, message_id: str) -> bool:
    try:
        with app.database.read() as session:
            raw_of(session, app.keys, message_id)
    except NoSuchMessage:
        return False
    return True
