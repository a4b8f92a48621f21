"""Counts that a digest shows: providers that move, and themes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from storage.concerns import NOT_STANDING
from storage.tables import ConcernRow, ProviderRow
from triage.vocabulary import Theme

_WEEK = timedelta(days=7)
_MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Mover:
    """A provider with more concerns this week than the week before."""

    provider_id: str
    name: str
    this_week: int
    week_before: int


def provider_movers(
    session: Session, categories: Sequence[str], until: datetime, *, limit: int
) -> list[Mover]:
    """Providers, confirmed or suggested, with the largest rise in concerns over seven days."""
    this_week = func.sum(case((ConcernRow.opened_at >= until - _WEEK, 1), else_=0)).label("this_week")
    before = func.sum(case((ConcernRow.opened_at < until - _WEEK, 1), else_=0)).label("before")
    query = (
        select(ProviderRow.id, ProviderRow.name, this_week, before)
        .join(ConcernRow, ConcernRow.provider_id == ProviderRow.id)
        .where(
            ConcernRow.category.in_(list(categories)),
            ConcernRow.opened_at >= until - 2 * _WEEK,
            ConcernRow.opened_at < until,
            ConcernRow.state.not_in(NOT_STANDING),
        )
        .group_by(ProviderRow.id, ProviderRow.name)
        .having(this_week > before)
        .order_by((this_week - before).desc(), ProviderRow.name)
        .limit(limit)
    )
    return [Mover(row.id, row.name, row.this_week, row.before) for row in session.execute(query)]


def theme_counts(
    session: Session, categories: Sequence[str], until: datetime, *, limit: int
) -> list[tuple[Theme, int, int]]:
    """The commonest themes of the last 30 days, with their number in the 30 days before."""
    query = select(ConcernRow.themes, ConcernRow.opened_at).where(
        ConcernRow.category.in_(list(categories)),
        ConcernRow.opened_at >= until - 2 * _MONTH,
        ConcernRow.opened_at < until,
        ConcernRow.state.not_in(NOT_STANDING),
    )
    now: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for themes, opened_at in session.execute(query):
        (now if opened_at >= until - _MONTH else before).update(themes)
    return [(Theme(theme), count, before[theme]) for theme, count in now.most_common(limit)]
