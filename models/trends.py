"""What concerns were about lately, theme by theme, against the time before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from triage.vocabulary import Severity, Theme

PERIOD_DAYS = 30


class ThemedConcern(Protocol):
    """What must be known of a concern to count its themes."""

    @property
    def themes(self) -> Sequence[Theme]:
        """Its themes."""
        ...

    @property
    def severity(self) -> Severity:
        """The severity that stands."""
        ...

    @property
    def opened_at(self) -> datetime:
        """When it reached us."""
        ...


@dataclass(frozen=True)
class ThemeTrend:
    """How many concerns had the theme in the last period, by severity, and in the one before."""

    theme: Theme
    recent: int
    before: int
    by_severity: Mapping[Severity, int]

    @property
    def change(self) -> int:
        """How many more (or, below zero, fewer) than in the period before."""
        return self.recent - self.before


def theme_trends(concerns: Iterable[ThemedConcern], *, now: datetime) -> tuple[ThemeTrend, ...]:
    """Every theme, the most frequent of the last 30 days first; a concern counts once for each of its themes."""
    recent_start, before_start = period_starts(now)
    recent = {theme: dict.fromkeys(reversed(Severity), 0) for theme in Theme}
    before = dict.fromkeys(Theme, 0)
    for concern in concerns:
        if not before_start <= concern.opened_at <= now:
            continue
        for theme in set(concern.themes):
            if concern.opened_at >= recent_start:
                recent[theme][concern.severity] += 1
            else:
                before[theme] += 1
    trends = [
        ThemeTrend(
            theme=theme, recent=sum(recent[theme].values()), before=before[theme], by_severity=recent[theme]
        )
        for theme in Theme
    ]
    return tuple(sorted(trends, key=lambda trend: (-trend.recent, -trend.before, trend.theme)))


def period_starts(now: datetime) -> tuple[datetime, datetime]:
    """When the last period began, and the one before it."""
    return now - timedelta(days=PERIOD_DAYS), now - timedelta(days=2 * PERIOD_DAYS)
