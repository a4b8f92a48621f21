"""The words, colours and times in which pages show what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from flask_login import current_user

from bot.settings import Settings
from bot.wording import ABUSE_TYPE_WORDS, CATEGORY_WORDS, THEME_WORDS, clock_time, failure_words, trust_words

SEVERITY_COLOURS = {"red": "red", "amber": "orange", "green": "green"}
BAND_COLOURS = {"high": "red", "medium": "orange", "low": "grey"}
STATE_WORDS = {
    "new": "waiting",
    "reviewed": "reviewed",
    "closed": "closed",
    "joined": "joined",
    "erased": "erased",
}
CHANNEL_WORDS = {"email": "email", "form": "web form", "slack": "Slack", "by_hand": "entered by hand"}

_LABEL_WORDS: Mapping[str, str] = {
    **{key.value: words for key, words in CATEGORY_WORDS.items()},
    **{key.value: words for key, words in THEME_WORDS.items()},
    **{key.value: words for key, words in ABUSE_TYPE_WORDS.items()},
    **STATE_WORDS,
    **CHANNEL_WORDS,
}


def add_words(flask: Flask, settings: Settings) -> None:
    """Give every template the filters and names that it needs."""
    zone = ZoneInfo(settings.timezone)
    flask.add_template_filter(lambda moment: clock_time(moment, zone) if moment else "-", "moment")
    flask.add_template_filter(label_words, "words")
    flask.add_template_filter(first_upper, "first_upper")
    flask.add_template_filter(lambda chance: f"{chance:.0%}", "percent")
    flask.add_template_filter(file_size, "file_size")
    flask.add_template_filter(trust_words, "trust_words")
    flask.add_template_filter(failure_words, "failure_words")
    stamp = _assets_stamp(Path(flask.static_folder or ""))
    flask.context_processor(
        lambda: {
            "council_name": settings.council_name,
            "demonstration": settings.demonstration,
            "assets_stamp": stamp,
            "severity_colours": SEVERITY_COLOURS,
            "band_colours": BAND_COLOURS,
            "current_user": current_user,
        }
    )


def label_words(value: Any) -> str:
    """A stored label in the words that people see."""
    return _LABEL_WORDS.get(str(value), str(value).replace("_", " "))


def first_upper(text: str) -> str:
    """The text with a capital first letter, and the rest as it is."""
    return text[:1].upper() + text[1:]


def chance_words(chance: float) -> str:
    """A probability in words; the number always stands beside them."""
    steps = (
        (0.95, "almost certain"),
        (0.75, "very likely"),
        (0.5, "likely"),
        (0.25, "possible"),
        (0.05, "unlikely"),
    )
    return next((words for least, words in steps if chance >= least), "very unlikely")


def is_overdue(due_at: datetime | None, state: str, now: datetime) -> bool:
    """Whether nobody has looked and the time for it is past."""
    return state == "new" and due_at is not None and due_at < now


def file_size(size: int) -> str:
    """A size in bytes as people read it."""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} KB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def _assets_stamp(static: Path) -> str:
    """Changes with the files that pages load, so that browsers keep them until then and no longer."""
    files = [static / "vendor" / "stamp", *sorted(static.glob("*.*"))]
    content = b"".join(file.read_bytes() for file in files if file.is_file())
    return hashlib.sha256(content).hexdigest()[:12]
