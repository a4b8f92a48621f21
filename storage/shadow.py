"""A candidate in the shadow: when it runs, what it would have said, and that beside what stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.audit import Audit, record
from storage.tables import (
    AssessmentRow,
    ConcernRow,
    CorrectionRow,
    DispositionRow,
    ShadowAnswerRow,
    ShadowRunRow,
)
from triage.vocabulary import Decision

_LONGEST_FAILURE = 60


def start_run(session: Session, version: str, gate: Mapping[str, Any], *, audit: Audit) -> ShadowRunRow:
    """Begin a run of the candidate; one that still runs is ended."""
    stop_run(session, now=audit.at)
    run = ShadowRunRow(id=uuid4().hex, model_version=version, started_at=audit.at, gate=dict(gate))
    session.add(run)
    record(session, audit, f"model:{version}"[:60])
    return run


def stop_run(session: Session, *, now: datetime) -> ShadowRunRow | None:
    """End the run that is under way; None when there is none."""
    run = running(session)
    if run is not None:
        run.stopped_at = now
    return run


def running(session: Session) -> ShadowRunRow | None:
    """The run that is under way."""
    return session.scalars(select(ShadowRunRow).where(ShadowRunRow.stopped_at.is_(None))).first()


def latest_run(session: Session) -> ShadowRunRow | None:
    """The run that is under way, else the last one."""
    return session.scalars(select(ShadowRunRow).order_by(ShadowRunRow.started_at.desc()).limit(1)).first()


def unanswered(session: Session, run: ShadowRunRow, *, limit: int) -> list[str]:
    """Assessments made since the run began of which the candidate has not said anything yet, the first first."""
    answered = select(ShadowAnswerRow.assessment_id).where(ShadowAnswerRow.run_id == run.id)
    query = select(AssessmentRow.id).where(
        AssessmentRow.made_at >= run.started_at, AssessmentRow.id.not_in(answered)
    )
    return list(session.scalars(query.order_by(AssessmentRow.made_at, AssessmentRow.id).limit(limit)))


def save_answer(
    session: Session,
    run_id: str,
    assessment_id: str,
    decision: Decision | None,
    *,
    confidence: float = 0.0,
    failure: str = "",
    now: datetime,
) -> None:
    """Keep what the candidate said, or why it said nothing; what is kept already stays."""
    assessment = session.get(AssessmentRow, assessment_id)
    if assessment is None or session.get(ShadowAnswerRow, (assessment_id, run_id)) is not None:
        return
    session.add(
        ShadowAnswerRow(
            assessment_id=assessment_id,
            run_id=run_id,
            message_id=assessment.message_id,
            made_at=now,
            category=decision.category.value if decision else "",
            severity=decision.severity.label if decision and decision.severity is not None else None,
            themes=[theme.value for theme in decision.themes] if decision else [],
            abuse_types=[kind.value for kind in decision.abuse_types] if decision else [],
            needs_review=bool(decision and decision.needs_review),
            confidence=confidence,
            failure=failure[:_LONGEST_FAILURE],
        )
    )


@dataclass(frozen=True)
class Beside:
    """One assessment, the candidate's answer to it, and what a person decided of its concern, if one has."""

    reference: str
    assessment: AssessmentRow
    answer: ShadowAnswerRow
    decided: dict[str, Any] | None


def beside_each_other(session: Session, run: ShadowRunRow) -> list[Beside]:
    """Every answer of the run that did not fail, the latest first.

    A person's decision stands beside a concern's only message: of several, it is about all of them together.
    """
    messages = (
        select(DispositionRow.concern_id, func.count().label("messages"))
        .where(DispositionRow.concern_id.is_not(None))
        .group_by(DispositionRow.concern_id)
        .subquery()
    )
    query = (
        select(ConcernRow.reference, AssessmentRow, ShadowAnswerRow, messages.c.messages)
        .join(AssessmentRow, AssessmentRow.id == ShadowAnswerRow.assessment_id)
        .join(ConcernRow, ConcernRow.id == AssessmentRow.concern_id)
        .outerjoin(messages, messages.c.concern_id == ConcernRow.id)
        .where(ShadowAnswerRow.run_id == run.id, ShadowAnswerRow.failure == "")
        .order_by(ShadowAnswerRow.made_at.desc(), ShadowAnswerRow.assessment_id)
    )
    rows = session.execute(query).all()
    decisions = select(CorrectionRow).where(CorrectionRow.at >= run.started_at).order_by(CorrectionRow.at)
    decided = {row.concern_id: row.after for row in session.scalars(decisions)}
    return [
        Beside(reference, assessment, answer, decided.get(assessment.concern_id) if count == 1 else None)
        for reference, assessment, answer, count in rows
    ]


def count_failures(session: Session, run: ShadowRunRow) -> int:
    """How many messages the candidate could make nothing of."""
    query = select(func.count()).select_from(ShadowAnswerRow)
    return session.scalar(query.where(ShadowAnswerRow.run_id == run.id, ShadowAnswerRow.failure != "")) or 0
