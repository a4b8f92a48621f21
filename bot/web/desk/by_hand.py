"""Record a call or letter: what reached a lead by other ways goes through the same door as every message."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from bot.entering import store_report
from bot.form_reading import WAYS, write_by_hand
from bot.web.context import lead_id, the_app, utc_now
from bot.web.errors import note_fault
from bot.wording import calendar_day
from triage.vocabulary import Channel

page = Blueprint("by_hand", __name__)

MOST_WORDS = 50_000
_MOST_LINE = 300
_LINES = ("taken_by", "name", "contact")
_FIELDS = ("entry", "how", "day", "month", "year", "time", *_LINES, "words")
_NOT_SAVED = "The record could not be stored. What you wrote is still on this page: try again in a minute"


@dataclass(frozen=True)
class Record:
    """The values of the page as text; `entry` is the same when one record is sent twice."""

    values: Mapping[str, str]

    @classmethod
    def fresh(cls, name: str, now: datetime) -> Record:
        """An empty record, taken now by the lead who is logged in."""
        start = {"day": str(now.day), "month": str(now.month), "year": str(now.year), "taken_by": name}
        return cls(dict.fromkeys(_FIELDS, "") | start | {"entry": secrets.token_hex(16)})

    @classmethod
    def sent(cls, sent: Mapping[str, str]) -> Record:
        """What a lead sent."""
        return cls({name: _plain(sent.get(name, "")) for name in _FIELDS})

    def day(self) -> date | None:
        """The day on which it was taken; None when that is no day."""
        parts = [self.values[part] for part in ("year", "month", "day")]
        if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
            return None
        try:
            return date(*(int(part) for part in parts))
        except ValueError:
            return None

    def errors(self, today: date) -> dict[str, str]:
        """What is wrong, by field, each with what to do about it."""
        day = self.day()
        checks = {
            "how": "" if self.values["how"] in WAYS else "Select how it reached you",
            "day": "Enter a real date, such as 27 3 2026"
            if day is None
            else "The date must not be in the future"
            if day > today
            else "",
            "time": "" if len(self.values["time"]) <= 20 else "Enter a time such as 2:30pm",
            "words": self._words_error(),
        }
        for name in _LINES:
            checks[name] = "" if len(self.values[name]) <= _MOST_LINE else "Shorten this to 300 characters"
        return {name: error for name, error in checks.items() if error}

    def answers(self, day: date) -> dict[str, str]:
        """What is stored."""
        kept = {name: self.values[name] for name in ("how", "words", *_LINES)}
        return kept | {"taken_on": calendar_day(day), "taken_at": self.values["time"]}

    def _words_error(self) -> str:
        if not self.values["words"]:
            return "Enter what was said or written"
        too_long = len(self.values["words"]) > MOST_WORDS
        return f"Shorten the words to {MOST_WORDS:,} characters" if too_long else ""


def _plain(value: str) -> str:
    return value.replace("\r\n", "\n").replace("\0", "").strip()


@page.get("/by-hand")
def show() -> ResponseReturnValue:
    """An empty record."""
    return _page(Record.fresh(str(current_user.name), _local_now()))


@page.post("/by-hand")
def store() -> ResponseReturnValue:
    """Store the record; what was written is shown again whenever it cannot be stored."""
    record = Record.sent(request.form)
    day, errors = record.day(), record.errors(_local_now().date())
    if errors or day is None:
        return _page(record, errors=errors, code=422)
    answers = record.answers(day)
    try:
        receipt = store_report(
            the_app(),
            Channel.BY_HAND,
            lambda receipt: write_by_hand(answers, receipt=receipt),
            entry=f"{lead_id()}:{record.values['entry'][:64]}",
            now=utc_now(),
            actor=lead_id(),
        )
    except Exception as error:  # noqa: BLE001  whatever it was, what was written is shown again
        note_fault(error)
        return _page(record, errors={"words": _NOT_SAVED}, code=503)
    flash(f"Stored with the receipt {receipt}. It is among the concerns in a moment")
    return redirect(url_for("by_hand.show"), code=303)


def _page(record: Record, *, errors: Mapping[str, str] | None = None, code: int = 200) -> ResponseReturnValue:
    return render_template("by_hand.html", values=record.values, errors=errors or {}, ways=WAYS), code


def _local_now() -> datetime:
    return utc_now().astimezone(ZoneInfo(the_app().settings.timezone))
