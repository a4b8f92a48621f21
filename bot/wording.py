"""The words in which labels and times are shown to people."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from triage.vocabulary import AbuseType, Category, SenderTrust, Theme, TrustVerdict

CATEGORY_WORDS = {
    Category.SAFEGUARDING: "safeguarding",
    Category.CARE_CONCERN: "care concern",
    Category.REFERRAL: "social care referral",
    Category.NOT_A_CONCERN: "not a concern",
}
THEME_WORDS = {theme: theme.value.replace("_", " ") for theme in Theme}
ABUSE_TYPE_WORDS = {kind: kind.value.replace("_", " ") for kind in AbuseType}


def clock_time(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as GOV.UK writes it: "22 November 2026, 9:05am"."""
    local = moment.astimezone(zone)
    hour = local.hour % 12 or 12
    half = "am" if local.hour < 12 else "pm"
    return f"{calendar_day(local.date())}, {hour}:{local.minute:02d}{half}"


def calendar_day(day: date) -> str:
    """A day as GOV.UK writes it: "22 November 2026"."""
    return f"{day.day} {day:%B %Y}"


def trust_words(trust: SenderTrust | None) -> str:
    """What people are told of a mail's sender; empty where nobody checked."""
    if trust is None:
        return ""
    if trust.verdict is TrustVerdict.CONFIRMED:
        return (
            "The mail comes from where its sender's address says. Who sat at the keyboard nobody can check."
        )
    return "The sender's address could not be confirmed: treat who wrote it as unproven."


_STATUS_WORDS = {
    "5.1": "there is no such address",
    "5.2": "the mailbox takes no mail",
    "5.3": "their mail system takes no mail",
    "5.4": "their mail server cannot be reached",
    "5.7": "their mail server refuses our mail",
}


def failure_words(failure: str) -> str:
    """Why an answer did not reach its sender, with the mail system's own code."""
    known = (words for code, words in _STATUS_WORDS.items() if f" {code}." in f" {failure}")
    words = next(known, "")
    return f"{failure} ({words})" if words else failure or "no reason is known"
