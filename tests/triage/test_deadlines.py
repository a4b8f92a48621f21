"""When a person must have looked: section 2 of the guide, in working hours and English bank holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.app import is_bank_holiday
from triage.deadlines import due_at, is_open, review_due_at
from triage.vocabulary import Severity, WorkingHours

LONDON = ZoneInfo("Europe/London")
HOURS = WorkingHours()
RED, AMBER, GREEN = Severity.RED, Severity.AMBER, Severity.GREEN


def at(text: str) -> datetime:
    """A local moment such as "2026-11-20 10:30"."""
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("severity", "received", "due"),
    [
        pytest.param(RED, "2026-11-20 10:30", "2026-11-20 17:00", id="red-in-hours-by-close"),
        pytest.param(RED, "2026-11-20 07:00", "2026-11-20 09:00", id="red-before-opening-at-opening"),
        pytest.param(RED, "2026-11-20 09:00", "2026-11-20 17:00", id="red-at-opening-by-close"),
        pytest.param(RED, "2026-11-20 16:59", "2026-11-20 17:00", id="red-just-before-close"),
        pytest.param(RED, "2026-11-19 17:00", "2026-11-20 09:00", id="red-at-close-next-opening"),
        pytest.param(RED, "2026-11-20 22:00", "2026-11-23 09:00", id="red-friday-night-monday-opening"),
        pytest.param(RED, "2026-11-21 11:00", "2026-11-23 09:00", id="red-saturday-monday-opening"),
        pytest.param(RED, "2026-11-23 00:30", "2026-11-23 09:00", id="red-monday-small-hours"),
        pytest.param(RED, "2026-12-24 18:00", "2026-12-29 09:00", id="red-christmas-eve-evening"),
        pytest.param(RED, "2026-12-28 10:00", "2026-12-29 09:00", id="red-substitute-boxing-day"),
        pytest.param(AMBER, "2026-11-18 10:30", "2026-11-19 17:00", id="amber-next-working-day"),
        pytest.param(AMBER, "2026-11-18 03:00", "2026-11-19 17:00", id="amber-at-night-counts-as-that-day"),
        pytest.param(AMBER, "2026-11-18 23:00", "2026-11-19 17:00", id="amber-late-evening"),
        pytest.param(AMBER, "2026-11-20 10:30", "2026-11-23 17:00", id="amber-friday-monday"),
        pytest.param(AMBER, "2026-11-21 10:30", "2026-11-23 17:00", id="amber-saturday-monday"),
        pytest.param(AMBER, "2026-04-02 10:30", "2026-04-07 17:00", id="amber-over-easter"),
        pytest.param(AMBER, "2026-05-01 10:30", "2026-05-05 17:00", id="amber-over-early-may"),
        pytest.param(AMBER, "2026-12-24 10:30", "2026-12-29 17:00", id="amber-over-christmas"),
        pytest.param(AMBER, "2026-12-31 10:30", "2027-01-04 17:00", id="amber-over-new-year"),
        pytest.param(GREEN, "2026-11-18 10:30", "2026-11-25 17:00", id="green-five-working-days"),
        pytest.param(GREEN, "2026-11-21 10:30", "2026-11-27 17:00", id="green-saturday"),
        pytest.param(GREEN, "2026-08-27 10:30", "2026-09-04 17:00", id="green-over-the-summer-holiday"),
        pytest.param(GREEN, "2026-12-22 10:30", "2026-12-31 17:00", id="green-over-christmas"),
        pytest.param(RED, "2026-03-28 23:30", "2026-03-30 09:00", id="red-night-the-clocks-go-forward"),
        pytest.param(AMBER, "2026-03-27 10:30", "2026-03-30 17:00", id="amber-over-the-spring-change"),
        pytest.param(AMBER, "2026-10-23 10:30", "2026-10-26 17:00", id="amber-over-the-autumn-change"),
        pytest.param(RED, "2026-07-01 16:30", "2026-07-01 17:00", id="red-in-summer"),
    ],
)
def test_a_concern_is_due(severity: Severity, received: str, due: str) -> None:
    """By this moment."""
    found = due_at(severity, at(received), hours=HOURS, is_holiday=is_bank_holiday)
    assert found == at(due)
    assert found.utcoffset() == at(due).utcoffset()


def test_in_summer_the_clock_of_the_council_counts_and_not_utc() -> None:
    """16:30 UTC is half past five in London: after hours."""
    received = datetime(2026, 7, 1, 16, 30, tzinfo=UTC)
    found = due_at(RED, received, hours=HOURS, is_holiday=is_bank_holiday)
    assert found.astimezone(UTC) == datetime(2026, 7, 2, 8, 0, tzinfo=UTC)


def test_what_has_no_severity_is_due_like_green() -> None:
    """Somebody looks at everything."""
    received = at("2026-11-18 10:30")
    assert review_due_at(received, hours=HOURS, is_holiday=is_bank_holiday) == at("2026-11-25 17:00")


def test_other_hours_and_days_count_where_they_are_set() -> None:
    """A desk that opens on Saturdays until eight."""
    hours = WorkingHours(opens="08:30", closes="20:00", weekdays=(0, 1, 2, 3, 4, 5))
    found = due_at(RED, at("2026-11-21 18:00"), hours=hours, is_holiday=is_bank_holiday)
    assert found == at("2026-11-21 20:00")
    found = due_at(RED, at("2026-11-21 20:00"), hours=hours, is_holiday=is_bank_holiday)
    assert found == at("2026-11-23 08:30")


@pytest.mark.parametrize(
    ("moment", "is_so"),
    [
        ("2026-11-20 08:59", False),
        ("2026-11-20 09:00", True),
        ("2026-11-20 16:59", True),
        ("2026-11-20 17:00", False),
        ("2026-11-21 12:00", False),
        ("2026-12-25 12:00", False),
    ],
)
def test_the_desk_is_open(moment: str, *, is_so: bool) -> None:
    """From opening until close on working days."""
    assert is_open(at(moment), hours=HOURS, is_holiday=is_bank_holiday) is is_so


def test_the_bank_holidays_of_england_in_2026() -> None:
    """As GOV.UK lists them; Boxing Day falls on a Saturday and moves to Monday."""
    published = [
        (1, 1),
        (4, 3),
        (4, 6),
        (5, 4),
        (5, 25),
        (8, 31),
        (12, 25),
        (12, 28),
    ]
    weekdays = [
        day
        for month in range(1, 13)
        for number in range(1, 32)
        if (day := _day(month, number)) and day.weekday() < 5 and is_bank_holiday(day)
    ]
    assert [(day.month, day.day) for day in weekdays] == published


def _day(month: int, number: int) -> date | None:
    try:
        return date(2026, month, number)
    except ValueError:
        return None
