"""Whether what comes in, or what the models make of it, is other lately than it was before.

Shares are compared by Fisher's exact test, which holds for small counts too, confidence by the
Mann-Whitney test; of many comparisons some differ by chance, which Benjamini and Hochberg's correction
takes into account. A difference is only marked when it is also large enough to matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Protocol

from triage.vocabulary import Category, Severity

WEEKS = 12
RECENT_WEEKS = 4
# Fewer than this in either time tell nothing.
LEAST = 20
_SURE = 0.05
_LARGE_SHARE = 0.05
_LARGE_CONFIDENCE = 0.03


class Observed(Protocol):
    """What must be known of an assessed message."""

    @property
    def made_at(self) -> datetime:
        """When it was assessed."""
        ...

    @property
    def category(self) -> str:
        """The category that the machine gave."""
        ...

    @property
    def severity(self) -> str | None:
        """The severity that the machine gave."""
        ...

    @property
    def needs_review(self) -> bool:
        """Whether it went to a person as unsure."""
        ...

    @property
    def confidence(self) -> float | None:
        """The probability of the likeliest category; None where the message was erased."""
        ...

    @property
    def corrected(self) -> bool | None:
        """Whether a person gave another category or severity; None where nobody decided yet."""
        ...


@dataclass(frozen=True)
class Measure:
    """One figure: what is counted (`holds`) of which messages (`among`)."""

    name: str
    holds: Callable[[Observed], bool]
    among: Callable[[Observed], bool]


@dataclass(frozen=True)
class Change:
    """One figure lately and before; `p` is the corrected chance that such a difference is luck, None for too few."""

    name: str
    recent: float | None
    before: float | None
    recent_count: int
    before_count: int
    p: float | None
    differs: bool


@dataclass(frozen=True)
class Week:
    """The figures of one week, by name; None where there is nothing to count."""

    monday: date
    messages: int
    figures: dict[str, float | None]


def _always(_: Observed) -> bool:
    return True


def _is(category: Category) -> Callable[[Observed], bool]:
    return lambda one: one.category == category.value


def _has(severity: Severity) -> Callable[[Observed], bool]:
    return lambda one: one.severity == severity.label


MEASURES = (
    *(Measure(category.value, _is(category), _always) for category in Category),
    *(
        Measure(severity.label, _has(severity), lambda one: one.severity is not None)
        for severity in reversed(Severity)
    ),
    Measure("sent to review", lambda one: one.needs_review, _always),
    Measure("corrected by a person", lambda one: bool(one.corrected), lambda one: one.corrected is not None),
)
CONFIDENCE = "mean confidence"
NAMES = (*(measure.name for measure in MEASURES), CONFIDENCE)


def by_week(observed: Iterable[Observed], *, now: datetime, zone: tzinfo) -> list[Week]:
    """The last twelve weeks, the latest first."""
    weeks: dict[date, list[Observed]] = defaultdict(list)
    for one in observed:
        weeks[_monday(one.made_at, zone)].append(one)
    last = _monday(now, zone)
    mondays = [last - timedelta(weeks=back) for back in range(WEEKS)]
    return [Week(monday, len(weeks[monday]), _figures(weeks[monday])) for monday in mondays]


def _monday(moment: datetime, zone: tzinfo) -> date:
    day = moment.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def _figures(some: Sequence[Observed]) -> dict[str, float | None]:
    return {measure.name: _share(some, measure)[0] for measure in MEASURES} | {CONFIDENCE: _mean(some)}


def _share(some: Sequence[Observed], measure: Measure) -> tuple[float | None, int, int]:
    among = [one for one in some if measure.among(one)]
    hits = sum(measure.holds(one) for one in among)
    return (hits / len(among) if among else None), hits, len(among)


def _confidences(some: Sequence[Observed]) -> list[float]:
    return [one.confidence for one in some if one.confidence is not None]


def _mean(some: Sequence[Observed]) -> float | None:
    values = _confidences(some)
    return sum(values) / len(values) if values else None


def changes(observed: Iterable[Observed], *, now: datetime) -> list[Change]:
    """Every figure of the last four weeks against the eight before them."""
    recent_from, before_from = now - timedelta(weeks=RECENT_WEEKS), now - timedelta(weeks=WEEKS)
    everything = [one for one in observed if before_from <= one.made_at <= now]
    recent = [one for one in everything if one.made_at >= recent_from]
    before = [one for one in everything if one.made_at < recent_from]
    found = [_compared(measure, recent, before) for measure in MEASURES]
    return _corrected([*found, _confidence(recent, before)])


def _compared(measure: Measure, recent: Sequence[Observed], before: Sequence[Observed]) -> Change:
    from scipy.stats import fisher_exact  # noqa: PLC0415  the web pages do without it until this is asked for

    now_share, now_hits, now_count = _share(recent, measure)
    then_share, then_hits, then_count = _share(before, measure)
    p = None
    if min(now_count, then_count) >= LEAST:
        table = [[now_hits, now_count - now_hits], [then_hits, then_count - then_hits]]
        p = float(fisher_exact(table).pvalue)
    large = abs((now_share or 0) - (then_share or 0)) >= _LARGE_SHARE
    return Change(measure.name, now_share, then_share, now_count, then_count, p, large)


def _confidence(recent: Sequence[Observed], before: Sequence[Observed]) -> Change:
    from scipy.stats import mannwhitneyu  # noqa: PLC0415

    lately, then = _confidences(recent), _confidences(before)
    p = float(mannwhitneyu(lately, then).pvalue) if min(len(lately), len(then)) >= LEAST else None
    large = abs((_mean(recent) or 0) - (_mean(before) or 0)) >= _LARGE_CONFIDENCE
    return Change(CONFIDENCE, _mean(recent), _mean(before), len(lately), len(then), p, large)


def _corrected(found: list[Change]) -> list[Change]:
    """The changes with their chances corrected for how many there are, marked where sure and large."""
    from scipy.stats import false_discovery_control  # noqa: PLC0415

    told = [change for change in found if change.p is not None]
    adjusted = false_discovery_control([change.p for change in told]) if told else []
    by_name = {change.name: float(p) for change, p in zip(told, adjusted, strict=True)}
    return [
        Change(
            name=change.name,
            recent=change.recent,
            before=change.before,
            recent_count=change.recent_count,
            before_count=change.before_count,
            p=by_name.get(change.name),
            differs=change.differs and by_name.get(change.name, 1.0) < _SURE,
        )
        for change in found
    ]
