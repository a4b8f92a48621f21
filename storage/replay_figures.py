"""What a replay of past mail came to: one line a message, and how many answers were decided on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from storage.tables import ConcernRow, DispositionRow, MessageRow, OutgoingRow, ProviderRow


@dataclass(frozen=True)
class Outcome:
    """What became of one message; the labels are of its concern, if it has one."""

    message_id: str
    kind: str
    reference: str | None
    category: str | None
    severity: str | None
    needs_review: bool | None
    themes: tuple[str, ...]
    provider: str | None
    duplicate_of: str | None


def outcomes(session: Session) -> Iterator[Outcome]:
    """Every message in the order of its id, with what became of it ("waiting" for nothing yet)."""
    query = (
        select(MessageRow.id, DispositionRow, ConcernRow, ProviderRow.name)
        .outerjoin(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .outerjoin(ConcernRow, ConcernRow.id == DispositionRow.concern_id)
        .outerjoin(ProviderRow, ProviderRow.id == ConcernRow.provider_id)
        .order_by(MessageRow.id)
    )
    for message_id, disposition, concern, provider in session.execute(query.execution_options(yield_per=500)):
        yield Outcome(
            message_id=message_id,
            kind=disposition.kind if disposition else "waiting",
            reference=concern.reference if concern else None,
            category=concern.category if concern else None,
            severity=concern.severity if concern else None,
            needs_review=concern.needs_review if concern else None,
            themes=tuple(concern.themes) if concern else (),
            provider=provider,
            duplicate_of=disposition.duplicate_of if disposition else None,
        )


def drop_unsent(session: Session) -> dict[str, int]:
    """Take away all mail that was decided on, so that nothing can ever send it; returns how many of each kind."""
    counts = {
        kind: count
        for kind, count in session.execute(select(OutgoingRow.kind, func.count()).group_by(OutgoingRow.kind))
    }
    session.execute(delete(OutgoingRow))
    return counts
