"""What the pages about learning read: assessments week by week, and concerns that nobody decided yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.tables import AssessmentRow, ConcernRow, CorrectionRow
from triage.lifecycle import ConcernState


@dataclass(frozen=True)
class Assessed:
    """One message as the machine first labelled it, and whether a person changed that."""

    made_at: datetime
    model_version: str
    category: str
    severity: str | None
    needs_review: bool
    confidence: float | None
    corrected: bool | None


def assessed_since(session: Session, since: datetime) -> list[Assessed]:
    """Every message assessed from `since` on, the first first; a person's decision counts for the concern's first."""
    query = (
        select(
            AssessmentRow.concern_id,
            AssessmentRow.made_at,
            AssessmentRow.model_version,
            AssessmentRow.category,
            AssessmentRow.severity,
            AssessmentRow.needs_review,
            AssessmentRow.details["category_probabilities"].label("chances"),
        )
        .where(AssessmentRow.made_at >= since, AssessmentRow.version == 1)
        .order_by(AssessmentRow.made_at, AssessmentRow.id)
    )
    decided = _first_decisions(session, since)
    found = []
    for concern_id, made_at, version, category, severity, needs_review, chances in session.execute(query):
        # Taken out: a further message of the concern is not what the person decided of.
        corrected = decided.pop(concern_id, None)
        confidence = max(chances.values()) if chances else None
        found.append(Assessed(made_at, version, category, severity, needs_review, confidence, corrected))
    return found


def _first_decisions(session: Session, since: datetime) -> dict[str, bool]:
    """By concern, whether the first person to decide changed category or severity."""
    query = (
        select(CorrectionRow.concern_id, CorrectionRow.before, CorrectionRow.after)
        .where(CorrectionRow.at >= since)
        .order_by(CorrectionRow.at, CorrectionRow.id)
    )
    found: dict[str, bool] = {}
    for concern_id, before, after in session.execute(query):
        found.setdefault(concern_id, any(before[name] != after[name] for name in ("category", "severity")))
    return found


@dataclass(frozen=True)
class Undecided:
    """A concern that nobody decided yet, and how sure the machine is of its labels, 0 to 1."""

    concern: ConcernRow
    sureness: float


def undecided(session: Session, *, limit: int = 1000) -> list[Undecided]:
    """Concerns that wait and of which nobody ever decided, the latest first; those kept from learning left out."""
    decided = select(CorrectionRow.concern_id)
    query = (
        select(ConcernRow)
        .where(
            ConcernRow.state == ConcernState.NEW.value,
            ConcernRow.never_learn.is_(False),
            ConcernRow.id.not_in(decided),
        )
        .order_by(ConcernRow.opened_at.desc(), ConcernRow.id)
        .limit(limit)
    )
    concerns = list(session.scalars(query))
    sure = _sureness(session, [concern.id for concern in concerns])
    return [Undecided(concern, sure.get(concern.id, 0.0)) for concern in concerns]


def _sureness(session: Session, concern_ids: Sequence[str]) -> dict[str, float]:
    """By concern, the chance that the latest assessment's category and severity are both right."""
    query = (
        select(
            AssessmentRow.concern_id,
            AssessmentRow.category,
            AssessmentRow.severity,
            AssessmentRow.details["category_probabilities"].label("categories"),
            AssessmentRow.details["severity_probabilities"].label("severities"),
        )
        .where(AssessmentRow.concern_id.in_(concern_ids))
        .order_by(AssessmentRow.made_at, AssessmentRow.version)
    )
    return {
        concern_id: (categories or {}).get(category, 0.0)
        * ((severities or {}).get(severity, 0.0) if severity else 1.0)
        for concern_id, category, severity, categories, severities in session.execute(query)
    }
