"""What lets people check that nothing is lost or stuck: the conservation law, waiting work, live workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from storage.tables import DispositionRow, MessageRow, WorkerRow
from triage.lifecycle import Disposition


@dataclass(frozen=True)
class Conservation:
    """received = concerns + duplicates + set aside + spam + waiting, always."""

    received: int
    concerns: int
    duplicates: int
    set_aside: int
    spam: int
    waiting: int
    oldest_waiting_at: datetime | None

    @property
    def holds(self) -> bool:
        """Whether every message is accounted for."""
        return self.received == self.concerns + self.duplicates + self.set_aside + self.spam + self.waiting


def conservation(session: Session) -> Conservation:
    """Count every message by what became of it; `waiting` is counted on its own, not as the difference."""
    kinds = {
        kind: count
        for kind, count in session.execute(
            select(DispositionRow.kind, func.count()).group_by(DispositionRow.kind)
        )
    }
    undisposed = (
        select(func.count(), func.min(MessageRow.received_at))
        .outerjoin(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(DispositionRow.message_id.is_(None))
    )
    waiting, oldest = session.execute(undisposed).one()
    return Conservation(
        received=session.scalar(select(func.count()).select_from(MessageRow)) or 0,
        concerns=kinds.get(Disposition.CONCERN, 0),
        duplicates=kinds.get(Disposition.DUPLICATE, 0),
        set_aside=kinds.get(Disposition.SET_ASIDE, 0),
        spam=kinds.get(Disposition.SPAM, 0),
        waiting=waiting,
        oldest_waiting_at=oldest,
    )


def set_aside_messages(session: Session, *, limit: int = 100) -> list[tuple[MessageRow, DispositionRow]]:
    """Messages that could not be read, the latest first, with the reason; bytes are loaded when asked for."""
    query = (
        select(MessageRow, DispositionRow)
        .options(defer(MessageRow.raw))
        .join(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(DispositionRow.kind == Disposition.SET_ASIDE.value)
        .order_by(MessageRow.received_at.desc())
        .limit(limit)
    )
    return [(message, disposition) for message, disposition in session.execute(query)]


def untriaged_before(session: Session, moment: datetime, *, limit: int = 500) -> list[str]:
    """Ids of messages that came before `moment` and of which nothing has become yet."""
    query = (
        select(MessageRow.id)
        .outerjoin(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(DispositionRow.message_id.is_(None), MessageRow.received_at < moment)
        .order_by(MessageRow.received_at)
        .limit(limit)
    )
    return list(session.scalars(query))


def note_heartbeat(session: Session, executor_id: str, now: datetime) -> None:
    """Say that the worker of that id is alive."""
    row = session.get(WorkerRow, executor_id)
    if row is None:
        session.add(WorkerRow(executor_id=executor_id, started_at=now, seen_at=now))
    else:
        row.seen_at = now


def silent_workers(session: Session, since: datetime) -> list[str]:
    """Workers that gave no sign of life from `since` on."""
    return list(session.scalars(select(WorkerRow.executor_id).where(WorkerRow.seen_at < since)))


def live_workers(session: Session, since: datetime) -> list[WorkerRow]:
    """Workers that gave a sign of life from `since` on."""
    return list(
        session.scalars(select(WorkerRow).where(WorkerRow.seen_at >= since).order_by(WorkerRow.executor_id))
    )


def forget_worker(session: Session, executor_id: str) -> None:
    """Take a worker off the list when all its work has found another."""
    row = session.get(WorkerRow, executor_id)
    if row is not None:
        session.delete(row)
