"""Mail to send: decided once under an id of its own, then sent, then marked; recipient and content sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.audit import MACHINE, Audit, record
from storage.encryption import KeyRing
from storage.tables import OutgoingRow


class OutgoingKind(StrEnum):
    """What an outgoing mail, or post to Slack, is for."""

    ACKNOWLEDGEMENT = "acknowledgement"
    ALERT = "alert"
    DIGEST = "digest"
    SLACK_ANSWER = "slack_answer"
    SLACK_ALERT = "slack_alert"


class OutgoingState(StrEnum):
    """How far an outgoing mail has come."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Outgoing:
    """A mail to send: `content` is the whole message as bytes."""

    outgoing_id: str
    kind: OutgoingKind
    recipient: str
    content: bytes
    state: OutgoingState


def add_outgoing(
    session: Session,
    keys: KeyRing,
    *,
    outgoing_id: str,
    kind: OutgoingKind,
    subject_id: str,
    recipient: str,
    content: bytes,
    now: datetime,
    header_id: str | None = None,
) -> bool:
    """Decide to send; False, and nothing is added, when that id was decided before."""
    if session.get(OutgoingRow, outgoing_id) is not None:
        return False
    row = OutgoingRow(
        id=outgoing_id,
        kind=kind.value,
        subject_id=subject_id,
        recipient=keys.seal(recipient.encode(), place=f"outgoing.recipient:{outgoing_id}"),
        recipient_lookup=keys.lookup(recipient),
        content=keys.seal(content, place=f"outgoing.content:{outgoing_id}"),
        state=OutgoingState.WAITING.value,
        created_at=now,
        header_id=header_id[:250] if header_id else None,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        # Another worker decided it at this very moment.
        return False
    record(
        session,
        Audit(at=now, actor=MACHINE, action=f"{kind.value}_decided", details={"outgoing": outgoing_id}),
        subject_id,
    )
    return True


def outgoing_by_id(session: Session, keys: KeyRing, outgoing_id: str) -> Outgoing | None:
    """The mail of that id, unsealed; None when there is none."""
    row = session.get(OutgoingRow, outgoing_id)
    if row is None:
        return None
    return Outgoing(
        outgoing_id=row.id,
        kind=OutgoingKind(row.kind),
        recipient=keys.unseal(row.recipient, place=f"outgoing.recipient:{row.id}").decode(),
        content=keys.unseal(row.content, place=f"outgoing.content:{row.id}"),
        state=OutgoingState(row.state),
    )


def mark_outgoing(
    session: Session, outgoing_id: str, state: OutgoingState, *, now: datetime, failure: str = ""
) -> None:
    """Note how far the mail has come; the end of the way is audited."""
    row = session.get_one(OutgoingRow, outgoing_id)
    row.state, row.failure = state.value, failure[:200]
    if state is OutgoingState.SENT:
        row.sent_at = now
    if state in (OutgoingState.SENT, OutgoingState.UNKNOWN, OutgoingState.FAILED):
        details = {"outgoing": outgoing_id, "failure": failure[:200]}
        record(
            session,
            Audit(at=now, actor=MACHINE, action=f"{row.kind}_{state.value}", details=details),
            row.subject_id,
        )


def one_at_a_time_to(session: Session, keys: KeyRing, recipient: str) -> None:
    """Wait for another worker that decides about mail to the same address; on SQLite there is one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(keys.lookup(recipient), 0))))


def sent_lately(
    session: Session, keys: KeyRing, recipient: str, kind: OutgoingKind, *, now: datetime, hours: int
) -> bool:
    """Whether a mail of that kind to that address was decided within the last hours."""
    query = select(OutgoingRow.id).where(
        OutgoingRow.recipient_lookup == keys.lookup(recipient),
        OutgoingRow.kind == kind.value,
        OutgoingRow.created_at > now - timedelta(hours=hours),
    )
    return session.scalars(query.limit(1)).first() is not None


def outgoing_bounced(
    session: Session, keys: KeyRing, header_ids: Sequence[str], recipients: Sequence[str], *, since: datetime
) -> OutgoingRow | None:
    """The mail that a bounce is about: by its Message-ID, else the latest answer to the address since `since`."""
    if header_ids:
        query = select(OutgoingRow).where(OutgoingRow.header_id.in_([one[:250] for one in header_ids]))
        if (
            row := session.scalars(query.order_by(OutgoingRow.created_at.desc()).limit(1)).first()
        ) is not None:
            return row
    if not recipients:
        return None
    query = select(OutgoingRow).where(
        OutgoingRow.recipient_lookup.in_([keys.lookup(address) for address in recipients]),
        OutgoingRow.kind == OutgoingKind.ACKNOWLEDGEMENT.value,
        OutgoingRow.created_at > since,
    )
    return session.scalars(query.order_by(OutgoingRow.created_at.desc()).limit(1)).first()


def undelivered_answers(session: Session, concern_id: str) -> list[str]:
    """Why each answer to the concern's senders did not reach them, as it was noted."""
    query = select(OutgoingRow.failure).where(
        OutgoingRow.subject_id == f"concern:{concern_id}",
        OutgoingRow.kind == OutgoingKind.ACKNOWLEDGEMENT.value,
        OutgoingRow.state == OutgoingState.FAILED.value,
    )
    return list(session.scalars(query.order_by(OutgoingRow.created_at)))


def count_by_state(session: Session) -> dict[str, int]:
    """How many outgoing mails are in each state."""
    query = select(OutgoingRow.state, func.count()).group_by(OutgoingRow.state)
    return {state: count for state, count in session.execute(query)}


def is_decided(session: Session, outgoing_id: str) -> bool:
    """Whether a mail of that id was decided before."""
    return session.get(OutgoingRow, outgoing_id) is not None
