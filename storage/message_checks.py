"""What was found out about where a message came from, beside its readings and whatever becomes of those."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from storage.audit import MACHINE, Audit, record
from storage.tables import MessageCheckRow
from triage.vocabulary import SenderTrust, TrustVerdict


def save_trust(session: Session, message_id: str, trust: SenderTrust, *, now: datetime) -> None:
    """Keep what a check of the sender found, with an audit entry; a later check replaces an earlier one."""
    row = _row(session, message_id, now)
    row.trust = {
        "verdict": trust.verdict.value,
        "checked_by": trust.checked_by,
        "results": dict(trust.results),
    }
    row.checked_at = now
    details = {"verdict": trust.verdict.value, "by": trust.checked_by, **trust.results}
    record(
        session,
        Audit(at=now, actor=MACHINE, action="sender_checked", details=details),
        f"message:{message_id}",
    )


def trust_of(session: Session, message_id: str) -> SenderTrust | None:
    """What a check of the sender found; None where none was made."""
    row = session.get(MessageCheckRow, message_id)
    if row is None or row.trust is None:
        return None
    return SenderTrust(
        TrustVerdict(row.trust["verdict"]), str(row.trust["checked_by"]), dict(row.trust["results"])
    )


def save_spam_mark(session: Session, message_id: str, mark: dict[str, Any], *, now: datetime) -> None:
    """Keep what the gateway said against the message, `marks`, and the `hints` that outweighed it."""
    _row(session, message_id, now).spam = mark


def spam_mark_of(session: Session, message_id: str) -> dict[str, Any] | None:
    """What the gateway said against the message; None where it said nothing."""
    row = session.get(MessageCheckRow, message_id)
    return row.spam if row is not None else None


def _row(session: Session, message_id: str, now: datetime) -> MessageCheckRow:
    row = session.get(MessageCheckRow, message_id)
    if row is None:
        row = MessageCheckRow(message_id=message_id, trust=None, spam=None, checked_at=now)
        session.add(row)
    return row
