"""What is other lately is marked, luck and small numbers are not; and a candidate beside the model in force."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from models.drift import CONFIDENCE, NAMES, WEEKS, Change, by_week, changes
from models.shadow import Pair, Said, shadow_figures
from triage.vocabulary import Category, Severity

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
S, C, _, N = Category


@dataclass(frozen=True)
class One:
    """An assessed message."""

    made_at: datetime
    category: str = "care_concern"
    severity: str | None = "green"
    needs_review: bool = False
    confidence: float | None = 0.9
    corrected: bool | None = None


def spread(count: int, *, first_day: int, last_day: int, **values: object) -> list[One]:
    """So many messages, evenly between so many days ago and so many."""
    days = [first_day + (last_day - first_day) * i / count for i in range(count)]
    return [One(NOW - timedelta(days=day), **values) for day in days]  # type: ignore[arg-type]


def named(found: list[Change], name: str) -> Change:
    """The change of that name."""
    return next(change for change in found if change.name == name)


def test_a_large_and_sure_difference_is_marked_and_nothing_else() -> None:
    """Safeguarding doubled lately, confidence fell, people correct more; severity is as it was."""
    lately = [
        *spread(60, first_day=1, last_day=27, category="safeguarding", confidence=0.7, corrected=True),
        *spread(40, first_day=1, last_day=27, confidence=0.75, corrected=False),
    ]
    before = [
        *spread(60, first_day=29, last_day=80, category="safeguarding", corrected=False),
        *spread(140, first_day=29, last_day=80, corrected=False),
    ]
    found = changes([*lately, *before], now=NOW)
    assert {change.name for change in found if change.differs} == {
        "safeguarding",
        "care_concern",
        "corrected by a person",
        CONFIDENCE,
    }
    safeguarding = named(found, "safeguarding")
    assert (safeguarding.recent, safeguarding.before) == (0.6, 0.3)
    assert (safeguarding.recent_count, safeguarding.before_count) == (100, 200)
    assert [change.name for change in found] == list(NAMES)


def test_too_few_messages_tell_nothing() -> None:
    """However different they look; no division by nothing either."""
    few = [
        *spread(10, first_day=1, last_day=20, category="safeguarding"),
        *spread(300, first_day=29, last_day=80),
    ]
    found = changes(few, now=NOW)
    assert not any(change.differs for change in found)
    assert named(found, "safeguarding").p is None
    nothing = changes([], now=NOW)
    assert all((change.recent, change.p, change.differs) == (None, None, False) for change in nothing)


def test_luck_is_seldom_marked() -> None:
    """In weeks that are all alike, hardly ever."""
    dice = random.Random(5)
    marked = 0
    for _ in range(20):
        some = [
            One(
                NOW - timedelta(days=dice.uniform(0, 83)),
                category=dice.choice(["safeguarding", "care_concern", "referral"]),
                severity=dice.choice(["red", "amber", "green"]),
                needs_review=dice.random() < 0.3,
                confidence=dice.uniform(0.5, 1),
                corrected=dice.random() < 0.1,
            )
            for _ in range(300)
        ]
        marked += any(change.differs for change in changes(some, now=NOW))
    assert marked <= 3


def test_a_sure_difference_that_is_small_is_not_marked() -> None:
    """With thousands of messages everything is significant."""
    lately = [
        *spread(530, first_day=1, last_day=27, category="safeguarding"),
        *spread(9470, first_day=1, last_day=27),
    ]
    before = [
        *spread(400, first_day=29, last_day=80, category="safeguarding"),
        *spread(9600, first_day=29, last_day=80),
    ]
    safeguarding = named(changes([*lately, *before], now=NOW), "safeguarding")
    assert safeguarding.p is not None
    assert safeguarding.p < 0.01
    assert not safeguarding.differs


def test_weeks_begin_on_monday_in_local_time() -> None:
    """Sunday at half past eleven in the evening in summer time is still that week, whatever UTC says."""
    late_sunday = datetime(2026, 10, 18, 22, 30, tzinfo=UTC)
    monday = datetime(2026, 10, 18, 23, 30, tzinfo=UTC)
    weeks = by_week([One(late_sunday), One(monday)], now=NOW, zone=ZoneInfo("Europe/London"))
    assert len(weeks) == WEEKS
    counted = {week.monday.isoformat(): week.messages for week in weeks if week.messages}
    assert counted == {"2026-10-12": 1, "2026-10-19": 1}
    assert weeks[0].figures["red"] is None


def test_a_candidate_is_counted_beside_the_model_in_force_and_against_people() -> None:
    """By hand: four messages, two of them decided, one of which the candidate missed."""
    red, amber, none = Said(S, Severity.RED), Said(C, Severity.AMBER), Said(N, None)
    pairs = [
        Pair("CC-1", red, red, decided=red),
        Pair("CC-2", red, amber, decided=red),
        Pair("CC-3", amber, Said(C, Severity.AMBER, needs_review=True)),
        Pair("CC-4", amber, none),
    ]
    figures = shadow_figures(pairs)
    assert (figures.messages, figures.same_category, figures.same_severity) == (4, 2, 2)
    assert (figures.review_in_force, figures.review_shadow) == (0, 1)
    assert [pair.reference for pair in figures.differing] == ["CC-2", "CC-4"]
    assert (figures.decided, figures.decided_red) == (2, 2)
    assert (figures.in_force.red_called, figures.shadow.red_called) == (2, 1)
    assert figures.shadow.grave_missed == ("CC-2",)
    reviewed = Pair("CC-5", red, Said(C, Severity.AMBER, needs_review=True), decided=red)
    assert shadow_figures([reviewed]).shadow.grave_missed == ()
