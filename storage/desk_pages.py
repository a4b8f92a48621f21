"""What the pages of the desk read beside the concerns themselves: counts, messages, and who wrote them.

Nothing here loads the bytes of a message unless they are asked for by id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Executable, func, select
from sqlalchemy.orm import Session

from storage.concerns import WITH_QUESTIONS
from storage.tables import AuditRow, ConcernRow, CorrectionRow, DispositionRow, MessageRow
from triage.lifecycle import ConcernState, Disposition


@dataclass(frozen=True)
class DeskCounts:
    """How many concerns there are in each view of the list."""

    waiting: int
    red: int
    overdue: int
    needs_review: int
    reviewed: int
    closed: int
    linked: int
    everything: int


@dataclass(frozen=True)
class MessageFacts:
    """What is known of a message without opening it."""

    message_id: str
    channel: str
    received_at: datetime
    size: int
    reason: str = ""


def desk_counts(session: Session, now: datetime) -> DeskCounts:
    """Count the concerns of every view in one reading of the table."""
    waiting = ConcernRow.state == ConcernState.NEW.value
    row = session.execute(
        select(
            func.count().filter(waiting).label("waiting"),
            func.count().filter(waiting, ConcernRow.severity == "red").label("red"),
            func.count().filter(waiting, ConcernRow.due_at < now).label("overdue"),
            func.count().filter(waiting, ConcernRow.needs_review).label("needs_review"),
            func.count().filter(ConcernRow.state == ConcernState.REVIEWED.value).label("reviewed"),
            func.count().filter(ConcernRow.state == ConcernState.CLOSED.value).label("closed"),
            func.count().filter(ConcernRow.id.in_(WITH_QUESTIONS)).label("linked"),
            func.count().label("everything"),
        ).select_from(ConcernRow)
    ).one()
    return DeskCounts(**row._mapping)


def messages_at(session: Session, concern_id: str) -> list[MessageFacts]:
    """The messages that belong to the concern, the first first."""
    return _facts(
        session,
        select(*_FACTS, DispositionRow.reason)
        .join(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(DispositionRow.concern_id == concern_id)
        .order_by(MessageRow.received_at, MessageRow.id),
    )


def copies_of(session: Session, message_ids: Iterable[str]) -> list[MessageFacts]:
    """The messages that were found to be copies of these, the first first."""
    return _facts(
        session,
        select(*_FACTS, DispositionRow.reason)
        .join(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(DispositionRow.duplicate_of.in_(list(message_ids)))
        .order_by(MessageRow.received_at, MessageRow.id),
    )


def set_aside_page(session: Session, *, limit: int, offset: int) -> list[MessageFacts]:
    """Messages that could not be read, the latest first, with the reason."""
    return _page_of(session, Disposition.SET_ASIDE, limit, offset)


def spam_page(session: Session, *, limit: int, offset: int) -> list[MessageFacts]:
    """Messages in the spam tray, the latest first, with what the gateway says against them."""
    return _page_of(session, Disposition.SPAM, limit, offset)


def _page_of(session: Session, kind: Disposition, limit: int, offset: int) -> list[MessageFacts]:
    return _facts(
        session,
        select(*_FACTS, DispositionRow.reason)
        .join(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(DispositionRow.kind == kind.value)
        .order_by(MessageRow.received_at.desc(), MessageRow.id)
        .limit(limit)
        .offset(offset),
    )


def count_corrections(session: Session, concern_id: str) -> int:
    """How often people decided of the concern: what a form must have seen to be up to date."""
    query = select(func.count()).select_from(CorrectionRow).where(CorrectionRow.concern_id == concern_id)
    return session.scalar(query) or 0


def audit_of_messages(session: Session, message_ids: Iterable[str]) -> list[AuditRow]:
    """Who did what to these messages and when, the first first."""
    subjects = [f"message:{message_id}" for message_id in message_ids]
    query = select(AuditRow).where(AuditRow.subject.in_(subjects)).order_by(AuditRow.number)
    return list(session.scalars(query))


_FACTS = (
    MessageRow.id.label("message_id"),
    MessageRow.channel,
    MessageRow.received_at,
    MessageRow.size,
)


def _facts(session: Session, query: Executable) -> list[MessageFacts]:
    return [MessageFacts(**row._mapping) for row in session.execute(query)]
