"""When a person must have looked: guide, section 2, counted in working hours of the council."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from triage.vocabulary import Severity, WorkingHours

AMBER_WORKING_DAYS = 1
GREEN_WORKING_DAYS = 5

IsHoliday = Callable[[date], bool]


def due_at(
    severity: Severity, received_at: datetime, *, hours: WorkingHours, is_holiday: IsHoliday
) -> datetime:
    """The latest moment for a first look, with its zone.

    Red: close of the same working day; outside working hours, the opening of the next.
    Amber: close of the next working day. Green: close of the fifth working day after.
    """
    local = received_at.astimezone(ZoneInfo(hours.timezone))
    if severity is Severity.RED:
        return _red_due(local, hours, is_holiday)
    days = AMBER_WORKING_DAYS if severity is Severity.AMBER else GREEN_WORKING_DAYS
    return _at(_working_day_after(local.date(), days, hours, is_holiday), hours.closes, hours)


def review_due_at(received_at: datetime, *, hours: WorkingHours, is_holiday: IsHoliday) -> datetime:
    """The latest look at a message with no severity: within five working days, as for green."""
    return due_at(Severity.GREEN, received_at, hours=hours, is_holiday=is_holiday)


def is_open(moment: datetime, *, hours: WorkingHours, is_holiday: IsHoliday) -> bool:
    """Whether the desk is staffed at that moment."""
    local = moment.astimezone(ZoneInfo(hours.timezone))
    if not is_working_day(local.date(), hours, is_holiday):
        return False
    return _at(local.date(), hours.opens, hours) <= local < _at(local.date(), hours.closes, hours)


def is_working_day(day: date, hours: WorkingHours, is_holiday: IsHoliday) -> bool:
    """Whether the desk is staffed on that day."""
    return day.weekday() in hours.weekdays and not is_holiday(day)


def _red_due(local: datetime, hours: WorkingHours, is_holiday: IsHoliday) -> datetime:
    if is_working_day(local.date(), hours, is_holiday):
        if local < _at(local.date(), hours.opens, hours):
            return _at(local.date(), hours.opens, hours)
        if local < _at(local.date(), hours.closes, hours):
            return _at(local.date(), hours.closes, hours)
    return _at(_working_day_after(local.date(), 1, hours, is_holiday), hours.opens, hours)


def _working_day_after(day: date, count: int, hours: WorkingHours, is_holiday: IsHoliday) -> date:
    while count:
        day += timedelta(days=1)
        if is_working_day(day, hours, is_holiday):
            count -= 1
    return day


def _at(day: date, clock: str, hours: WorkingHours) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=ZoneInfo(hours.timezone))
