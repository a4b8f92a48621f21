"""The wording of automatic answers by category: every version kept, with who wrote it and when."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.audit import Audit, record
from storage.tables import AnswerTextRow
from triage.vocabulary import Category


def answer_text_of(session: Session, category: Category) -> AnswerTextRow | None:
    """The version in force; None where the default stands, be it that nothing was ever written."""
    versions = answer_texts(session, category)
    return versions[0] if versions and not versions[0].is_default else None


def answer_texts(session: Session, category: Category) -> list[AnswerTextRow]:
    """Every version, the latest first."""
    query = select(AnswerTextRow).where(AnswerTextRow.category == category.value)
    return list(session.scalars(query.order_by(AnswerTextRow.version.desc())))


def save_answer_text(
    session: Session, category: Category, *, subject: str, body: str, is_default: bool = False, audit: Audit
) -> AnswerTextRow:
    """Put another wording in force as the next version; `is_default` goes back to the program's own."""
    latest = session.scalar(
        select(func.max(AnswerTextRow.version)).where(AnswerTextRow.category == category.value)
    )
    row = AnswerTextRow(
        category=category.value,
        version=(latest or 0) + 1,
        subject=subject,
        body=body,
        is_default=is_default,
        written_at=audit.at,
        written_by=audit.actor,
    )
    session.add(row)
    record(session, audit, f"answer:{category.value}")
    return row
