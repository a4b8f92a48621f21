"""Concerns: opened by triage, listed for the desk, with every assessment kept."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, case, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from storage.audit import Audit, record
from storage.tables import (
    AssessmentRow,
    AttachmentRow,
    AuditRow,
    ConcernRow,
    CorrectionRow,
    DispositionRow,
    LinkRow,
    MessageRow,
    ReadingRow,
    ReferenceCounterRow,
)
from triage.belonging import TAG_LENGTH, TAG_LETTERS
from triage.errors import CareConcernsError
from triage.lifecycle import ConcernState
from triage.vocabulary import Assessment, Category, Channel, Decision, MatchAdvice, Reason, Severity

NOT_STANDING = (ConcernState.JOINED.value, ConcernState.ERASED.value)
"""States of concerns that have no messages to look at."""

WITH_QUESTIONS = select(LinkRow.concern_id).where(LinkRow.state == "open")
"""Concerns of which a person is asked whether a message belongs elsewhere."""


class NoSuchConcern(CareConcernsError):
    """There is no concern of that reference or id."""


@dataclass(frozen=True)
class ConcernFilter:
    """What a list of concerns is narrowed to; empty fields narrow nothing."""

    category: Category | None = None
    severity: Severity | None = None
    state: ConcernState | None = None
    needs_review: bool | None = None
    provider_id: str = ""
    words: str = ""
    overdue_at: datetime | None = None
    waiting_at: datetime | None = None
    due_before: datetime | None = None
    opened_from: datetime | None = None
    opened_before: datetime | None = None
    categories: Sequence[str] = ()
    everything: bool = False
    has_questions: bool = False


def open_concern(
    session: Session,
    message: MessageRow,
    assessment: Assessment,
    decision: Decision,
    *,
    due_at: datetime | None,
    audit: Audit,
) -> ConcernRow:
    """A new concern for the message, with its first assessment and audit entry."""
    best = assessment.provider.best
    suggested = best if assessment.provider.advice is MatchAdvice.SUGGEST else None
    concern = ConcernRow(
        id=uuid4().hex,
        reference=next_reference(session, audit.at.year),
        token=new_token(),
        channel=Channel(message.channel).value,
        opened_at=message.received_at,
        state=ConcernState.NEW.value,
        category=decision.category.value,
        severity=decision.severity.label if decision.severity is not None else None,
        themes=[theme.value for theme in decision.themes],
        abuse_types=[kind.value for kind in decision.abuse_types],
        redirect=decision.redirect,
        needs_review=decision.needs_review,
        due_at=due_at,
        provider_id=suggested.provider_id if suggested else None,
        provider_confirmed=False,
        provider_mention=(assessment.provider.mention or (best.mention if best else ""))[:255],
    )
    session.add(concern)
    session.flush()
    add_assessment(session, concern, message.id, assessment, decision, audit.at)
    record(session, audit, f"concern:{concern.id}")
    return concern


def new_token() -> str:
    """A token that nobody can guess, of letters that survive every mail system."""
    return "".join(secrets.choice(TAG_LETTERS) for _ in range(TAG_LENGTH))


def next_reference(session: Session, year: int) -> str:
    """The next reference of the year, such as CC-2026-000123; numbers of a failed write are used again."""
    count_up = (
        update(ReferenceCounterRow)
        .where(ReferenceCounterRow.year == year)
        .values(last=ReferenceCounterRow.last + 1)
        .returning(ReferenceCounterRow.last)
        .execution_options(synchronize_session=False)
    )
    number = session.scalar(count_up)
    if number is None:
        _begin_year(session, year)
        number = session.scalar(count_up)
    return f"CC-{year}-{number:06d}"


def _begin_year(session: Session, year: int) -> None:
    # Two workers may meet the first message of a year together: one of them makes the row.
    try:
        with session.begin_nested():
            session.execute(insert(ReferenceCounterRow).values(year=year, last=0))
    except IntegrityError:
        return


def add_assessment(
    session: Session,
    concern: ConcernRow,
    message_id: str,
    assessment: Assessment,
    decision: Decision,
    now: datetime,
) -> AssessmentRow:
    """Add the next version of the message's assessment to the concern."""
    latest = session.scalar(
        select(func.max(AssessmentRow.version)).where(AssessmentRow.message_id == message_id)
    )
    row = AssessmentRow(
        id=uuid4().hex,
        concern_id=concern.id,
        message_id=message_id,
        version=(latest or 0) + 1,
        made_at=now,
        model_version=assessment.prediction.model_version,
        read_text=assessment.read_text,
        category=decision.category.value,
        severity=decision.severity.label if decision.severity is not None else None,
        needs_review=decision.needs_review,
        details=assessment_details(assessment, decision),
    )
    session.add(row)
    return row


def assessment_details(assessment: Assessment, decision: Decision) -> dict[str, Any]:
    """All that explains a decision, as JSON: probabilities, labels, candidates, reasons."""
    prediction = assessment.prediction
    return {
        "category_probabilities": {k.value: round(p, 4) for k, p in prediction.category.items()},
        "severity_probabilities": {k.label: round(p, 4) for k, p in prediction.severity.items()},
        "themes": [theme.value for theme in decision.themes],
        "abuse_types": [kind.value for kind in decision.abuse_types],
        "review_reasons": list(decision.review_reasons),
        "could_also_be": list(decision.could_also_be),
        "reasons": [reason_details(reason) for reason in decision.reasons],
        "files": [asdict(span) for span in assessment.files],
        "provider": {
            "advice": assessment.provider.advice.value,
            "mention": assessment.provider.mention,
            "candidates": [
                {
                    "id": match.provider_id,
                    "name": match.name,
                    "score": round(match.score, 3),
                    "mention": match.mention,
                    "reasons": list(match.reasons),
                }
                for match in assessment.provider.candidates
            ],
        },
    }


def reason_details(reason: Reason) -> dict[str, Any]:
    """A reason as JSON."""
    return {
        "kind": reason.kind.value,
        "name": reason.name,
        "text": reason.text,
        "start": reason.start,
        "end": reason.end,
        "weight": round(reason.weight, 3),
        "context": list(reason.context),
    }


def concern_by_reference(session: Session, reference: str, *, lock: bool = False) -> ConcernRow:
    """The concern of that reference; NoSuchConcern when there is none. `lock` for a change that follows."""
    query = select(ConcernRow).where(ConcernRow.reference == reference.strip().upper())
    row = session.scalars(query.with_for_update() if lock else query).first()
    if row is None:
        raise NoSuchConcern(f"there is no concern {reference}")
    return row


def concern_by_id(session: Session, concern_id: str) -> ConcernRow:
    """The concern of that id; NoSuchConcern when there is none."""
    row = session.get(ConcernRow, concern_id)
    if row is None:
        raise NoSuchConcern(f"there is no concern with the id {concern_id}")
    return row


def references_of(session: Session, concern_ids: Iterable[str]) -> dict[str, str]:
    """The references of concerns by id."""
    query = select(ConcernRow.id, ConcernRow.reference).where(ConcernRow.id.in_(set(concern_ids)))
    return {key: reference for key, reference in session.execute(query)}


def list_concerns(
    session: Session, wanted: ConcernFilter, *, limit: int = 50, offset: int = 0
) -> list[ConcernRow]:
    """Concerns that fit, most urgent first: what is not yet reviewed by severity and due time, then the rest."""
    waiting = case((ConcernRow.state == ConcernState.NEW.value, 0), else_=1)
    urgency = case(
        (ConcernRow.severity == "red", 0),
        (ConcernRow.severity == "amber", 1),
        (ConcernRow.severity == "green", 2),
        else_=3,
    )
    query = _narrow(select(ConcernRow), wanted).order_by(
        waiting, urgency, ConcernRow.due_at.asc().nulls_last(), ConcernRow.opened_at.desc(), ConcernRow.id
    )
    return list(session.scalars(query.limit(limit).offset(offset)))


def count_concerns(session: Session, wanted: ConcernFilter) -> int:
    """How many concerns fit."""
    query = _narrow(select(ConcernRow), wanted)
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _narrow(query: Select[Any], wanted: ConcernFilter) -> Select[Any]:
    exact = {
        ConcernRow.category: wanted.category.value if wanted.category else None,
        ConcernRow.severity: wanted.severity.label if wanted.severity is not None else None,
        ConcernRow.state: wanted.state.value if wanted.state else None,
        ConcernRow.needs_review: wanted.needs_review,
        ConcernRow.provider_id: wanted.provider_id or None,
    }
    for column, value in exact.items():
        if value is not None:
            query = query.where(column == value)
    if wanted.state is None and not wanted.everything:
        # An emptied concern is counted as the one that it was joined to; an erased one has nothing to look at.
        query = query.where(ConcernRow.state.not_in(NOT_STANDING))
    if wanted.has_questions:
        query = query.where(ConcernRow.id.in_(WITH_QUESTIONS))
    if wanted.categories:
        query = query.where(ConcernRow.category.in_(list(wanted.categories)))
    if wanted.overdue_at:
        query = query.where(ConcernRow.due_at < wanted.overdue_at, ConcernRow.state == ConcernState.NEW.value)
    if wanted.waiting_at:
        query = query.where(
            ConcernRow.opened_at < wanted.waiting_at,
            or_(ConcernRow.reviewed_at.is_(None), ConcernRow.reviewed_at >= wanted.waiting_at),
        )
    if wanted.due_before:
        query = query.where(ConcernRow.due_at < wanted.due_before)
    if wanted.opened_from:
        query = query.where(ConcernRow.opened_at >= wanted.opened_from)
    if wanted.opened_before:
        query = query.where(ConcernRow.opened_at < wanted.opened_before)
    if wanted.words.strip():
        query = query.where(_has_words(wanted.words.strip()))
    return query


def _has_words(words: str) -> Any:
    readings = (
        select(DispositionRow.concern_id)
        .join(ReadingRow, ReadingRow.message_id == DispositionRow.message_id)
        .where(
            ReadingRow.text.icontains(words, autoescape=True)
            | ReadingRow.subject.icontains(words, autoescape=True)
            # A receipt of the public form is kept where an email has its Message-ID.
            | (ReadingRow.header_id == words.upper())
        )
    )
    files = (
        select(DispositionRow.concern_id)
        .join(AttachmentRow, AttachmentRow.message_id == DispositionRow.message_id)
        .where(AttachmentRow.text.icontains(words, autoescape=True))
    )
    return or_(
        ConcernRow.reference.icontains(words, autoescape=True),
        ConcernRow.id.in_(readings),
        ConcernRow.id.in_(files),
    )


def assessments_of(session: Session, concern_id: str) -> list[AssessmentRow]:
    """Every assessment of the concern, the latest first."""
    query = select(AssessmentRow).where(AssessmentRow.concern_id == concern_id)
    return list(session.scalars(query.order_by(AssessmentRow.made_at.desc(), AssessmentRow.version.desc())))


def messages_of(session: Session, concern_id: str) -> list[MessageRow]:
    """The messages that belong to the concern, the first first; their bytes are loaded only when asked for."""
    query = (
        select(MessageRow)
        .options(defer(MessageRow.raw))
        .join(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(DispositionRow.concern_id == concern_id)
        .order_by(MessageRow.received_at, MessageRow.id)
    )
    return list(session.scalars(query))


def history_of(session: Session, concern_id: str) -> tuple[list[AuditRow], list[CorrectionRow]]:
    """Who did what to the concern and when, the first first, and the corrections among it."""
    entries = select(AuditRow).where(AuditRow.subject == f"concern:{concern_id}").order_by(AuditRow.number)
    corrections = (
        select(CorrectionRow).where(CorrectionRow.concern_id == concern_id).order_by(CorrectionRow.at)
    )
    return list(session.scalars(entries)), list(session.scalars(corrections))
