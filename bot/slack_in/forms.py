"""The form behind `/concern`, and what people are told in Slack: all wording of the way in is here."""

from __future__ import annotations

from typing import Any

from bot.settings import Settings
from bot.slack_reading import FORM_INPUT, FORM_SERVICE, FORM_STORY

FORM_ID = "care_concern_form"
SHORTCUT_ID = "report_care_concern"
COMMAND = "/concern"

_MOST_STORY = 3000
_MOST_SERVICE = 200

NOT_STORED = (
    "Your report has not been stored. Please try again; if it happens again, use email or the telephone."
)
TRY_AGAIN = "That did not work just now. Please try again in a minute."
REPORTED = "Thank you. This is reported as a care concern; you will get its reference."
ALREADY_REPORTED = "Thank you. We have this report already."


def refusal(settings: Settings) -> str:
    """What somebody is told who may not use it."""
    return (
        "Only full members of the council's own Slack can report concerns here, and nothing was taken in. "
        f"Please write to {settings.desk_address}. If somebody is in danger now, call 999; "
        f"when our offices are closed, call {settings.out_of_hours_phone}."
    )


def concern_form(settings: Settings, *, story: str = "") -> dict[str, Any]:
    """The modal: what happened, and where if they know."""
    danger = (
        ":warning: If somebody is in danger now, call 999 first. "
        f"When our offices are closed, call {settings.out_of_hours_phone}."
    )
    return {
        "type": "modal",
        "callback_id": FORM_ID,
        "title": _plain("Report a concern"),
        "submit": _plain("Report"),
        "close": _plain("Cancel"),
        "blocks": [
            {"type": "section", "text": _plain(danger)},
            _input(
                FORM_STORY,
                "What happened, to whom, and when?",
                _MOST_STORY,
                several_lines=True,
                initial=story,
            ),
            _input(FORM_SERVICE, "Which service or place is it about?", _MOST_SERVICE, optional=True),
        ],
    }


def _input(
    block: str,
    label: str,
    most: int,
    *,
    several_lines: bool = False,
    optional: bool = False,
    initial: str = "",
) -> dict[str, Any]:
    element: dict[str, Any] = {
        "type": "plain_text_input",
        "action_id": FORM_INPUT,
        "multiline": several_lines,
        "max_length": most,
    }
    if initial:
        element["initial_value"] = initial[:most]
    return {
        "type": "input",
        "block_id": block,
        "optional": optional,
        "label": _plain(label),
        "element": element,
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": True}
