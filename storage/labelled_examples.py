"""What people decided at the desk, as examples to learn from: redacted here, so that nothing else ever comes out.

A concern is an example once a person confirmed or corrected it. Left out are those that a person marked
as never to be learned from, those that were joined or erased, and those without words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.audit import Audit, record
from storage.concerns import NOT_STANDING
from storage.encryption import KeyRing
from storage.messages import Reading, latest_reading
from storage.tables import ConcernRow, CorrectionRow, DispositionRow, MessageRow
from triage.lifecycle import Disposition
from triage.redaction import PersonalDataKind, find_personal_data, redact
from triage.vocabulary import AbuseType, Category, Severity, Theme


@dataclass(frozen=True)
class LabelledExample:
    """The redacted words of a concern with the labels that a person gave it, who that was, and when."""

    concern_id: str
    reference: str
    channel: str
    subject: str
    text: str
    category: Category
    severity: Severity | None
    themes: tuple[Theme, ...]
    abuse_types: tuple[AbuseType, ...]
    kind: str
    decided_by: str
    decided_at: datetime


def labelled_examples(session: Session, keys: KeyRing, *, since: datetime) -> list[LabelledExample]:
    """The last decision of each concern, where it was made from `since` on, the first first."""
    latest = (
        select(CorrectionRow.concern_id, func.max(CorrectionRow.at).label("at"))
        .group_by(CorrectionRow.concern_id)
        .subquery()
    )
    query = (
        select(CorrectionRow, ConcernRow)
        .join(latest, (latest.c.concern_id == CorrectionRow.concern_id) & (latest.c.at == CorrectionRow.at))
        .join(ConcernRow, ConcernRow.id == CorrectionRow.concern_id)
        .where(
            CorrectionRow.at >= since,
            ConcernRow.never_learn.is_(False),
            ConcernRow.state.not_in(NOT_STANDING),
        )
        .order_by(CorrectionRow.at, CorrectionRow.id)
    )
    # Two decisions of one moment: the later row counts, once.
    decided = {concern.id: (correction, concern) for correction, concern in session.execute(query)}
    found = (_example(session, keys, correction, concern) for correction, concern in decided.values())
    return [example for example in found if example is not None]


def _example(
    session: Session, keys: KeyRing, correction: CorrectionRow, concern: ConcernRow
) -> LabelledExample | None:
    readings = _readings_before(session, keys, concern.id, correction.at)
    if not readings:
        return None
    subject, text = _redacted(readings)
    if not text.strip():
        return None
    after = correction.after
    return LabelledExample(
        concern_id=concern.id,
        reference=concern.reference,
        channel=concern.channel,
        subject=subject,
        text=text,
        category=Category(after["category"]),
        severity=Severity.from_label(after["severity"]) if after["severity"] else None,
        themes=tuple(Theme(theme) for theme in after["themes"]),
        abuse_types=tuple(AbuseType(kind) for kind in after["abuse_types"]),
        kind=correction.kind,
        decided_by=correction.lead_id,
        decided_at=correction.at,
    )


def _readings_before(session: Session, keys: KeyRing, concern_id: str, at: datetime) -> list[Reading]:
    """What the person had in sight: the concern's messages that were there when they decided."""
    query = (
        select(MessageRow.id)
        .join(DispositionRow, DispositionRow.message_id == MessageRow.id)
        .where(
            DispositionRow.concern_id == concern_id,
            DispositionRow.kind == Disposition.CONCERN.value,
            DispositionRow.at <= at,
        )
        .order_by(MessageRow.received_at, MessageRow.id)
    )
    readings = (latest_reading(session, keys, message_id) for message_id in session.scalars(query).all())
    return [reading for reading in readings if reading is not None]


def _redacted(readings: list[Reading]) -> tuple[str, str]:
    """Subject and text without personal data; further messages add what is new in them."""
    first, further = readings[0], readings[1:]
    subject = " ".join(first.subject.split())
    text = "\n\n".join([first.text, *(reading.new_text for reading in further)])
    names = {
        address.name
        for reading in readings
        for address in (reading.sender, reading.reply_to)
        if address is not None and address.name
    }
    # A name that one of them gives away by a cue is a name in the other too.
    names |= {
        found.text
        for part in (subject, text)
        for found in find_personal_data(part, known_names=sorted(names))
        if found.kind is PersonalDataKind.NAME
    }
    return redact(subject, known_names=sorted(names)), redact(text, known_names=sorted(names))


def learn_never(session: Session, concern: ConcernRow, *, never: bool, audit: Audit) -> None:
    """Keep the concern out of everything that is learned from, or let it in again."""
    concern.never_learn = never
    record(session, audit, f"concern:{concern.id}")
