"""What people decide: confirm or correct, append-only, the machine's first guess kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.audit import Audit, record
from storage.tables import ConcernRow, CorrectionRow, ProviderRow
from triage.errors import BadInput
from triage.lifecycle import ConcernState, check_move
from triage.vocabulary import (
    MOST_ABUSE_TYPES,
    MOST_THEMES,
    AbuseType,
    Category,
    Severity,
    Theme,
)


@dataclass(frozen=True)
class Labels:
    """The labels a person gives; BadInput when they break the coding guide."""

    category: Category
    severity: Severity | None
    themes: tuple[Theme, ...]
    abuse_types: tuple[AbuseType, ...]
    provider_id: str | None

    def __post_init__(self) -> None:
        """Hold the labels to the guide: sections 1, 2, 4 and 5."""
        is_concern = self.category is not Category.NOT_A_CONCERN
        if is_concern and self.severity is None:
            raise BadInput("Select red, amber or green")
        if not is_concern and (self.severity is not None or self.themes):
            raise BadInput("What is not a concern has no severity and no themes")
        if self.abuse_types and self.category is not Category.SAFEGUARDING:
            raise BadInput("Types of abuse go with safeguarding only")
        if len(self.themes) > MOST_THEMES:
            raise BadInput(f"Select no more than {MOST_THEMES} themes")
        if len(self.abuse_types) > MOST_ABUSE_TYPES:
            raise BadInput(f"Select no more than {MOST_ABUSE_TYPES} types of abuse")


def labels_of(concern: ConcernRow) -> Labels:
    """The labels that stand now."""
    return Labels(
        category=Category(concern.category),
        severity=Severity.from_label(concern.severity) if concern.severity else None,
        themes=tuple(Theme(theme) for theme in concern.themes),
        abuse_types=tuple(AbuseType(kind) for kind in concern.abuse_types),
        provider_id=concern.provider_id,
    )


def decide(
    session: Session,
    concern: ConcernRow,
    labels: Labels,
    *,
    lead_id: str,
    now: datetime,
    due_at: datetime | None,
    note: str = "",
) -> CorrectionRow:
    """Confirm (same labels) or correct the concern; the correction and its audit entry land with the change."""
    check_move(ConcernState(concern.state), ConcernState.REVIEWED)
    if labels.provider_id and session.get(ProviderRow, labels.provider_id) is None:
        raise BadInput("Select a provider that is in the register")
    before = labels_of(concern)
    kind = "confirmed" if before == labels else "corrected"
    correction = CorrectionRow(
        id=uuid4().hex,
        concern_id=concern.id,
        lead_id=lead_id,
        at=now,
        kind=kind,
        before=_as_json(before),
        after=_as_json(labels),
        note=note,
    )
    session.add(correction)
    _apply(concern, labels, lead_id=lead_id, now=now, due_at=due_at)
    details = {"before": correction.before, "after": correction.after}
    record(session, Audit(at=now, actor=lead_id, action=kind, details=details), f"concern:{concern.id}")
    return correction


def _apply(
    concern: ConcernRow, labels: Labels, *, lead_id: str, now: datetime, due_at: datetime | None
) -> None:
    concern.category = labels.category.value
    concern.severity = labels.severity.label if labels.severity is not None else None
    concern.themes = [theme.value for theme in labels.themes]
    concern.abuse_types = [kind.value for kind in labels.abuse_types]
    concern.provider_id = labels.provider_id
    concern.provider_confirmed = True
    concern.due_at = due_at
    concern.needs_review = False
    concern.state = ConcernState.REVIEWED.value
    concern.reviewed_at = now
    concern.reviewed_by = lead_id


def move(session: Session, concern: ConcernRow, state: ConcernState, *, audit: Audit) -> None:
    """Close a reviewed concern or open it again; MoveRefused when the table of moves says no."""
    check_move(ConcernState(concern.state), state)
    concern.state = state.value
    record(session, audit, f"concern:{concern.id}")


def corrections_since(session: Session, since: datetime) -> Sequence[CorrectionRow]:
    """The decisions made from `since` on, the first first."""
    return session.scalars(
        select(CorrectionRow).where(CorrectionRow.at >= since).order_by(CorrectionRow.at)
    ).all()


def _as_json(labels: Labels) -> dict[str, Any]:
    values = asdict(labels)
    return values | {"severity": labels.severity.label if labels.severity is not None else None}
