"""The concerns behind the numbers of a theme."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.concerns import NOT_STANDING
from storage.tables import ConcernRow
from triage.vocabulary import Theme


def concerns_with_theme(session: Session, theme: Theme, *, opened_from: datetime) -> list[ConcernRow]:
    """The concerns with the theme from that moment on, the latest first."""
    query = select(ConcernRow).where(
        ConcernRow.opened_at >= opened_from, ConcernRow.state.not_in(NOT_STANDING)
    )
    rows = session.scalars(query.order_by(ConcernRow.opened_at.desc(), ConcernRow.reference))
    # The two databases look into JSON in different ways; two months of concerns are few enough to look here.
    return [row for row in rows if theme.value in row.themes]
