"""A calendar part in words: what, when, where, who."""

from __future__ import annotations

import re

FOLDED = re.compile(r"\r?\n[ \t]")
PROPERTY = re.compile(r"^([A-Z-]{3,40})([^:\n]{0,300}):(.*)$")
COMMON_NAME = re.compile(r';CN=("[^"]*"|[^;:]*)', re.IGNORECASE)
STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2}))?")
TITLES = {
    "REQUEST": "Calendar invitation",
    "CANCEL": "Cancelled appointment",
    "REPLY": "Answer to an invitation",
}
ESCAPES = {r"\n": "\n", r"\N": "\n", r"\,": ",", r"\;": ";", "\\\\": "\\"}
ESCAPED = re.compile(r"\\[nN,;\\]")
MOST_LINES = 5000


def calendar_to_text(calendar: str) -> str:
    """The first event of an iCalendar object as a few lines; empty when there is none."""
    values = _first_event(calendar)
    if not {"SUMMARY", "DTSTART", "DESCRIPTION"} & values.keys():
        return ""
    ends = f" to {_when(values['DTEND'])}" if "DTEND" in values else ""
    lines = [
        f"{TITLES.get(values.get('METHOD', '').upper(), 'Calendar entry')}: {values.get('SUMMARY', '')}",
        f"When: {_when(values['DTSTART'])}{ends}" if "DTSTART" in values else "",
        f"Where: {values['LOCATION']}" if values.get("LOCATION") else "",
        f"Organiser: {values['ORGANIZER']}" if values.get("ORGANIZER") else "",
        values.get("DESCRIPTION", ""),
    ]
    return "\n".join(line for line in lines if line)


def _first_event(calendar: str) -> dict[str, str]:
    values: dict[str, str] = {}
    in_event = False
    for line in FOLDED.sub("", calendar).splitlines()[:MOST_LINES]:
        found = PROPERTY.match(line)
        if not found:
            continue
        name, parameters, value = found.groups()
        if name == "BEGIN":
            in_event = value.strip() in ("VEVENT", "VTODO")
        elif name == "END" and value.strip() in ("VEVENT", "VTODO"):
            break
        elif in_event or name == "METHOD":
            values.setdefault(name, _plain_value(name, parameters, value))
    return values


def _plain_value(name: str, parameters: str, value: str) -> str:
    if name == "ORGANIZER":
        named = COMMON_NAME.search(parameters)
        return named.group(1).strip('"') if named else value.removeprefix("mailto:")
    return ESCAPED.sub(lambda escape: ESCAPES[escape.group()], value).strip()


def _when(stamp: str) -> str:
    found = STAMP.match(stamp)
    if not found:
        return stamp
    year, month, day, hour, minute = found.groups()
    return f"{day}/{month}/{year}" + (f" {hour}:{minute}" if hour else "")
