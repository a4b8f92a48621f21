"""By when somebody must have looked, by the council's hours and the bank holidays."""

from __future__ import annotations

from datetime import datetime

from bot.app import App, is_bank_holiday
from triage.deadlines import due_at, review_due_at
from triage.vocabulary import Severity


def due_time(app: App, severity: Severity | None, received_at: datetime) -> datetime:
    """The latest moment for a first look at a concern of that severity; None is one without."""
    hours = app.settings.hours
    if severity is None:
        return review_due_at(received_at, hours=hours, is_holiday=is_bank_holiday)
    return due_at(severity, received_at, hours=hours, is_holiday=is_bank_holiday)
