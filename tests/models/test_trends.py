"""Themes of the last thirty days against the thirty before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.trends import PERIOD_DAYS, period_starts, theme_trends
from triage.vocabulary import Severity, Theme

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Concern:
    """A concern as trends see it."""

    themes: tuple[Theme, ...]
    age_days: float
    severity: Severity = Severity.AMBER

    @property
    def opened_at(self) -> datetime:
        """When it reached us."""
        return NOW - timedelta(days=self.age_days)


def test_both_periods_their_change_and_the_severities_are_counted() -> None:
    """Older than two periods, and not yet come, count nowhere."""
    falls, food = Theme.FALLS_HANDLING, Theme.NUTRITION
    trends = theme_trends(
        [
            Concern((falls,), 1, Severity.RED),
            Concern((falls, food), 29, Severity.GREEN),
            Concern((falls,), 31),
            Concern((food,), 59),
            Concern((food,), 45),
            Concern((food,), 61),
            Concern((food,), -1),
        ],
        now=NOW,
    )
    first, second = trends[:2]
    assert (first.theme, first.recent, first.before, first.change) == (falls, 2, 1, 1)
    assert first.by_severity == {Severity.RED: 1, Severity.AMBER: 0, Severity.GREEN: 1}
    assert (second.theme, second.recent, second.before, second.change) == (food, 1, 2, -1)


def test_every_theme_is_there_even_without_a_concern() -> None:
    """Nothing is left out of the table."""
    assert {trend.theme for trend in theme_trends([], now=NOW)} == set(Theme)


def test_the_border_belongs_to_the_later_period() -> None:
    """A concern of exactly thirty days ago is recent, and one of exactly sixty is before."""
    recent, before = period_starts(NOW)
    assert (NOW - recent).days == PERIOD_DAYS
    assert (NOW - before).days == 2 * PERIOD_DAYS
    trend = theme_trends([Concern((Theme.LIBERTY,), 30), Concern((Theme.LIBERTY,), 60)], now=NOW)[0]
    assert (trend.recent, trend.before) == (1, 1)


@given(
    st.lists(
        st.builds(
            Concern,
            st.lists(st.sampled_from(Theme), max_size=4).map(tuple),
            st.floats(0, 100),
            st.sampled_from(Severity),
        ),
        max_size=30,
    )
)
def test_severities_add_up_to_the_recent_number(concerns: list[Concern]) -> None:
    """The columns of a row always make its sum, and no theme counts more concerns than there are."""
    for trend in theme_trends(concerns, now=NOW):
        assert sum(trend.by_severity.values()) == trend.recent
        assert trend.recent + trend.before <= len(concerns)
