"""Signs of life: which part of the service was last seen to work, and when a pulse last came through the whole way."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from storage.tables import AuditRow, DispositionRow, MessageRow, SignRow

PULSE = "pulse"


def note_sign(session: Session, name: str, now: datetime, *, silence: timedelta) -> None:
    """Say that the thing of that name works; after a longer silence than `silence` a new row of signs begins."""
    row = session.get(SignRow, name)
    if row is None:
        session.add(SignRow(name=name, since=now, at=now))
        return
    if now - row.at > silence:
        row.since = now
    row.at = max(row.at, now)


def sign_of(session: Session, name: str) -> SignRow | None:
    """The sign of that name; None when there never was one."""
    return session.get(SignRow, name)


def take_out_pulse(session: Session, message_id: str) -> None:
    """Remove a pulse that has come through: a message of ours to ourselves, which is nobody's concern.

    Its entry in the audit goes with it; several hundred a day would bury what people did.
    """
    session.execute(
        delete(AuditRow).where(AuditRow.subject == f"message:{message_id}", AuditRow.action == "received")
    )
    # It may have been set aside before, while the reader was broken.
    session.execute(delete(DispositionRow).where(DispositionRow.message_id == message_id))
    session.execute(delete(MessageRow).where(MessageRow.id == message_id))
