"""The figure that orders visits: every part in sight, and each moves it the way that it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.provider_risk import (
    HALF_LIFE_DAYS,
    ProviderRisk,
    RiskBand,
    ServiceSize,
    band_of,
    decay,
    provider_risk,
    scaled,
)
from triage.vocabulary import Severity

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT_HOME = ServiceSize(is_care_home=False, beds=None)


@dataclass(frozen=True)
class Concern:
    """A concern as the figure sees it."""

    severity: Severity = Severity.RED
    age_days: float = 0
    confirmed: bool = True
    reference: str = "CC-2026-000001"

    @property
    def opened_at(self) -> datetime:
        """When it reached us."""
        return NOW - timedelta(days=self.age_days)


def _risk(*concerns: Concern, size: ServiceSize = AT_HOME, rating: str = "Good") -> ProviderRisk:
    return provider_risk(concerns, size=size, rating=rating, now=NOW)


def test_a_service_without_concerns_and_rated_good_has_no_points() -> None:
    """Nothing known is nothing counted, and low."""
    risk = _risk()
    assert (risk.figure, risk.points, risk.band, risk.change) == (0, 0, RiskBand.LOW, 0)


@pytest.mark.parametrize(
    ("concern", "points"),
    [
        (Concern(Severity.RED), 10),
        (Concern(Severity.AMBER), 4),
        (Concern(Severity.GREEN), 1),
        (Concern(Severity.RED, confirmed=False), 5),
        (Concern(Severity.RED, age_days=HALF_LIFE_DAYS), 5),
        (Concern(Severity.AMBER, age_days=2 * HALF_LIFE_DAYS, confirmed=False), 0.5),
        (Concern(Severity.RED, age_days=366), 0),
    ],
)
def test_a_concern_counts_by_severity_age_and_whether_a_person_confirmed_it(
    concern: Concern, points: float
) -> None:
    """Red ten, amber four, green one; half when only suggested; half after ninety days; none after a year."""
    assert _risk(concern).points == pytest.approx(points)


@pytest.mark.parametrize(
    ("size", "points", "note"),
    [
        (ServiceSize(is_care_home=True, beds=40), 2.5, "for each 10 beds"),
        (ServiceSize(is_care_home=True, beds=10), 10, "for each 10 beds"),
        (ServiceSize(is_care_home=True, beds=3), 10, "fewer than 10 is counted as 10"),
        (ServiceSize(is_care_home=True, beds=None), 10, "number of beds is not known"),
        (ServiceSize(is_care_home=True, beds=0), 10, "number of beds is not known"),
        (ServiceSize(is_care_home=False, beds=40), 10, "Not a care home"),
    ],
)
def test_a_care_home_counts_by_ten_beds_and_says_so(size: ServiceSize, points: float, note: str) -> None:
    """A large home has more concerns for being large; where the size is not known, the page says so."""
    risk = _risk(Concern(), size=size)
    assert risk.points == pytest.approx(points)
    assert note in risk.size_note


@pytest.mark.parametrize(
    ("rating", "points"),
    [
        ("Inadequate", 10),
        ("requires improvement ", 5),
        ("Good", 0),
        ("Outstanding", 0),
        ("", 0),
        ("Not rated", 0),
    ],
)
def test_only_a_poor_rating_adds_points(rating: str, points: float) -> None:
    """A missing rating is no fault of the service, and beds do not divide a rating."""
    assert _risk(rating=rating, size=ServiceSize(is_care_home=True, beds=50)).points == points


def test_the_parts_are_the_whole_figure() -> None:
    """Whoever adds up the parts shown gets the points, and each share names its concern."""
    concerns = [Concern(severity, age, reference=f"CC-{age}") for severity in Severity for age in (0, 50)]
    risk = _risk(*concerns, rating="Inadequate", size=ServiceSize(is_care_home=True, beds=25))
    assert sum(part.points for part in risk.parts) == pytest.approx(risk.points)
    for part in risk.parts[:3]:
        assert sum(share.points for share in part.shares) == pytest.approx(part.points)
        assert [share.reference for share in part.shares] == ["CC-0", "CC-50"]
    assert risk.figure == pytest.approx(scaled(risk.points), abs=0.05)


def test_one_red_lifts_a_home_of_thirty_to_medium_and_two_lift_a_home_care_service_to_high() -> None:
    """The bands begin where their comment says."""
    assert _risk(Concern(), size=ServiceSize(is_care_home=True, beds=30)).band is RiskBand.MEDIUM
    assert _risk(Concern()).band is RiskBand.MEDIUM
    assert _risk(Concern(), Concern()).band is RiskBand.HIGH
    assert [band_of(figure) for figure in (0, 19.9, 20, 49.9, 50, 100)] == [
        RiskBand.LOW,
        RiskBand.LOW,
        RiskBand.MEDIUM,
        RiskBand.MEDIUM,
        RiskBand.HIGH,
        RiskBand.HIGH,
    ]


def test_news_of_the_week_is_a_mover_and_the_passing_of_time_is_not() -> None:
    """A new red moves the figure; an old one fades without being news."""
    new = _risk(Concern(age_days=1))
    assert new.is_mover
    assert new.change > 40
    old = _risk(Concern(age_days=60))
    assert -5 < old.change < 0
    assert not old.is_mover


def test_a_concern_of_the_future_counts_when_it_comes() -> None:
    """A clock that is wrong elsewhere lifts no figure."""
    assert _risk(Concern(age_days=-1)).points == 0
    assert decay(timedelta(days=-1)) == 1


_concerns = st.builds(
    Concern, st.sampled_from(Severity), st.floats(0, 400), st.booleans(), st.just("CC-2026-000001")
)


@given(st.lists(_concerns, max_size=20), _concerns)
def test_another_concern_never_lowers_the_figure(concerns: list[Concern], more: Concern) -> None:
    """The figure stays between 0 and 100 and only grows with more concerns."""
    before, after = _risk(*concerns), _risk(*concerns, more)
    assert 0 <= before.figure <= after.figure <= 100
