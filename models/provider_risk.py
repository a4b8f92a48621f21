"""How soon a service should be visited, as a figure with every part in sight; never a judgement of it.

No council has published weights, and a score of this kind could not foretell hospital ratings
(Griffiths and others, BMJ Quality and Safety 2016). So it only orders visits, and shows its sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from triage.vocabulary import Severity

WINDOW_DAYS = 365
HALF_LIFE_DAYS = 90
CHANGE_DAYS = 7
BEDS_UNIT = 10
# A change smaller than this is the decay of old concerns, not news.
MOVER_STEP = 5.0


@dataclass(frozen=True)
class Weight:
    """A number of the sum and why it is that number."""

    points: float
    why: str


SEVERITY_WEIGHTS = {
    Severity.RED: Weight(10, "serious harm or danger now: two and a half ambers"),
    Severity.AMBER: Weight(4, "harm, or a pattern of failures: four greens"),
    Severity.GREEN: Weight(1, "one-off and low level: counts when there are several"),
}
CONFIRMED = Weight(1.0, "a person confirmed the labels and the service")
SUGGESTED = Weight(0.5, "only suggested so far: the service or the severity may be wrong")
RATING_WEIGHTS = {
    "inadequate": Weight(10, "rated Inadequate by CQC: as much as a red concern of today"),
    "requires improvement": Weight(5, "rated Requires improvement by CQC: half of that"),
}
NO_RATING_WEIGHT = Weight(0, "no other CQC rating, and no missing one, adds points")
# The points at which the figure is half of its scale: a red and half an amber of today.
HALF_SCALE = 12.0


class RiskBand(StrEnum):
    """How soon to visit; the words of the figure."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


# Medium begins with about one red of today in a home of thirty beds, high with more than one red
# of today in a service that is not divided by beds.
BAND_STARTS = ((50.0, RiskBand.HIGH), (20.0, RiskBand.MEDIUM), (0.0, RiskBand.LOW))


class CountedConcern(Protocol):
    """What must be known of a concern to count it."""

    @property
    def reference(self) -> str:
        """Its reference."""
        ...

    @property
    def severity(self) -> Severity:
        """The severity that stands."""
        ...

    @property
    def opened_at(self) -> datetime:
        """When it reached us."""
        ...

    @property
    def confirmed(self) -> bool:
        """Whether a person decided its labels and its service."""
        ...


@dataclass(frozen=True)
class ServiceSize:
    """What a service is, as far as the figure needs it."""

    is_care_home: bool
    beds: int | None


@dataclass(frozen=True)
class ConcernShare:
    """The points that one concern adds."""

    reference: str
    points: float
    age_days: int
    confirmed: bool


@dataclass(frozen=True)
class RiskPart:
    """One part of the sum, with the concerns behind it."""

    name: str
    points: float
    why: str
    shares: tuple[ConcernShare, ...] = ()


@dataclass(frozen=True)
class ProviderRisk:
    """The figure (0 to 100), its band, the points it comes from, and its change over a week."""

    figure: float
    band: RiskBand
    points: float
    parts: tuple[RiskPart, ...]
    size_note: str
    change: float

    @property
    def is_mover(self) -> bool:
        """Whether the week changed the figure by more than the passing of time does."""
        return abs(self.change) >= MOVER_STEP


def provider_risk(
    concerns: Sequence[CountedConcern], *, size: ServiceSize, rating: str, now: datetime
) -> ProviderRisk:
    """The figure of one service from its concerns, its size and its rating."""
    parts = _parts(concerns, size, rating, now)
    points = sum(part.points for part in parts)
    week_ago = now - timedelta(days=CHANGE_DAYS)
    before = sum(part.points for part in _parts(concerns, size, rating, week_ago))
    figure = scaled(points)
    return ProviderRisk(
        figure=round(figure, 1),
        band=band_of(figure),
        points=points,
        parts=parts,
        size_note=_size_note(size),
        change=round(figure - scaled(before), 1),
    )


def scaled(points: float) -> float:
    """Points on a scale from 0 to 100 that many concerns approach and none passes."""
    return 100 * points / (points + HALF_SCALE)


def band_of(figure: float) -> RiskBand:
    """The band in which the figure lies."""
    return next(band for least, band in BAND_STARTS if figure >= least)


def decay(age: timedelta) -> float:
    """What is left of a concern's weight at that age: half after each half-life."""
    days: float = max(age / timedelta(days=1), 0.0)
    return float(0.5 ** (days / HALF_LIFE_DAYS))


def _parts(
    concerns: Sequence[CountedConcern], size: ServiceSize, rating: str, now: datetime
) -> tuple[RiskPart, ...]:
    start = now - timedelta(days=WINDOW_DAYS)
    counted = [concern for concern in concerns if start <= concern.opened_at <= now]
    parts = [_severity_part(severity, counted, size, now) for severity in reversed(Severity)]
    weight = RATING_WEIGHTS.get(rating.strip().lower(), NO_RATING_WEIGHT)
    return (*parts, RiskPart(name="CQC rating", points=weight.points, why=weight.why))


def _severity_part(
    severity: Severity, concerns: Sequence[CountedConcern], size: ServiceSize, now: datetime
) -> RiskPart:
    weight = SEVERITY_WEIGHTS[severity]
    shares = tuple(
        ConcernShare(
            reference=concern.reference,
            points=weight.points
            * _standing(concern).points
            * decay(now - concern.opened_at)
            * _per_size(size),
            age_days=(now - concern.opened_at).days,
            confirmed=concern.confirmed,
        )
        for concern in concerns
        if concern.severity is severity
    )
    return RiskPart(
        name=f"{severity.label.capitalize()} concerns",
        points=sum(share.points for share in shares),
        why=f"{weight.points:g} points each when new and confirmed ({weight.why})",
        shares=shares,
    )


def _standing(concern: CountedConcern) -> Weight:
    return CONFIRMED if concern.confirmed else SUGGESTED


def _per_size(size: ServiceSize) -> float:
    """What a concern counts for in a service of that size; a home under ten beds counts as ten."""
    if not size.is_care_home or not size.beds:
        return 1.0
    # Without the floor one concern in a home of three would weigh more than three in a home of ten.
    return BEDS_UNIT / max(size.beds, BEDS_UNIT)


def _size_note(size: ServiceSize) -> str:
    if not size.is_care_home:
        return "Not a care home: points are not divided by size."
    if not size.beds:
        return "The number of beds is not known: points are not divided by size."
    if size.beds < BEDS_UNIT:
        return f"{size.beds} beds: a home with fewer than {BEDS_UNIT} is counted as {BEDS_UNIT}."
    return f"{size.beds} beds: the points of concerns are counted for each {BEDS_UNIT} beds."
