"""Who did what to a concern and when, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.web.showing import label_words
from storage.audit import AT_THE_COMMAND_LINE, MACHINE
from storage.concerns import history_of
from storage.database import Session
from storage.desk_pages import audit_of_messages
from storage.people import names_of
from storage.provider_figures import services_by_id
from storage.tables import AuditRow, ConcernRow, CorrectionRow

ACTION_WORDS = {
    "received": "The message was received",
    "triaged": "The message was read and became this concern",
    "set_aside": "The message could not be read and was set aside",
    "asked_again": "Asked for the message to be read again",
    "viewed_raw": "Looked at the message as it came",
    "linked_duplicate": "The message was found to be a copy",
    "put_in_tray": "The mail gateway had marked it as spam, and it was put in the spam tray",
    "called_a_concern": "Said that the message in the spam tray is a concern",
    "acknowledgement_decided": "An automatic answer was written",
    "acknowledgement_sent": "The automatic answer was sent",
    "acknowledgement_unknown": "The automatic answer may have been sent: the program was stopped in the middle",
    "acknowledgement_failed": "The automatic answer could not be delivered",
    "alert_decided": "An alert was written",
    "alert_sent": "An alert was sent",
    "alert_failed": "An alert could not be delivered",
    "slack_answer_decided": "An answer in Slack was written",
    "slack_answer_sent": "The answer in Slack was posted",
    "slack_answer_unknown": "The answer in Slack may have been posted: the program was stopped in the middle",
    "slack_answer_failed": "The answer in Slack could not be posted",
    "slack_alert_decided": "An alert in Slack was written",
    "slack_alert_sent": "The alert in Slack was posted",
    "slack_alert_failed": "The alert in Slack could not be posted",
    "bounced": "A mail of ours came back, or was delayed",
    "linked_bounce": "The message was found to be a mail server's report on a mail of ours",
    "deleted_in_slack": "A post was deleted in Slack; what it said is kept",
    "linked_version": "A further version of a Slack post was linked to it",
    "slack_file": "A file of a Slack post was fetched, or could not be",
    "sender_checked": "It was checked whether the sender's address is theirs",
    "opened": "The concern was opened with the machine's labels",
    "confirmed": "Confirmed the labels",
    "corrected": "Corrected the labels",
    "closed": "Closed the concern",
    "reopened": "Opened the concern again",
    "viewed_sender": "Looked at who wrote the message",
    "message_added": "A further message came and was added",
    "message_edited": "A message was edited where it was written",
    "continued": "A further message has a concern of its own",
    "link_refused": "A link between two concerns was refused",
    "link_suggested": "The machine asked whether a message belongs elsewhere",
    "kept_apart": "Kept it apart from the other concern",
    "kept_here": "Kept the further message here",
    "joined_to": "Joined this concern to another",
    "joined_in": "Joined another concern to this one",
    "split_off": "Split a message off into a concern of its own",
    "split_from": "Opened for a message that was split off",
    "erased": "Erased the content",
    "linked_erased": "A copy of the erased message came and was not kept",
    "opened_file": "Opened a file that came with the message",
    "scanned_file": "A file that came with the message was scanned",
    "files_read": "The files were read",
    "never_learn": "Said that the models must never learn from it",
    "may_learn": "Let the models learn from it again",
}
_NAMES_ANOTHER = frozenset({"joined_to", "joined_in", "split_off", "split_from", "continued"})
_FIELD_WORDS = {
    "category": "category",
    "severity": "severity",
    "themes": "themes",
    "abuse_types": "types of abuse",
    "provider_id": "service",
}


@dataclass(frozen=True)
class HistoryLine:
    """One thing that happened."""

    at: datetime
    who: str
    what: str
    changes: tuple[str, ...] = ()
    note: str = ""


def history_lines(session: Session, concern: ConcernRow, message_ids: list[str]) -> list[HistoryLine]:
    """Everything that happened to the concern and its messages, the first first."""
    entries, corrections = history_of(session, concern.id)
    entries = sorted([*audit_of_messages(session, message_ids), *entries], key=lambda entry: entry.number)
    people = names_of(session, [entry.actor for entry in entries if entry.actor != MACHINE])
    services = services_by_id(session, _service_ids(corrections))
    service_names = {key: service.name for key, service in services.items()}
    notes = {(row.at, row.lead_id): row.note for row in corrections}
    return [
        HistoryLine(
            at=entry.at,
            who=who(entry.actor, people),
            what=_what(entry),
            changes=_changes(entry, service_names),
            note=notes.get((entry.at, entry.actor), "") if entry.action in ("confirmed", "corrected") else "",
        )
        for entry in entries
    ]


def who(actor: str, people: Mapping[str, str]) -> str:
    """The person or program that did something, in words."""
    if actor == MACHINE:
        return "The machine"
    return people.get(actor, actor if actor.startswith(AT_THE_COMMAND_LINE) else "A former lead")


def _what(entry: AuditRow) -> str:
    words = ACTION_WORDS.get(entry.action, label_words(entry.action).capitalize())
    other = entry.details.get("concern") if entry.action in _NAMES_ANOTHER else None
    raised = "; the labels were raised" if entry.details.get("raised") is True else ""
    return f"{words}{f': {other}' if other else ''}{raised}{_about_file(entry)}"


def _about_file(entry: AuditRow) -> str:
    if entry.action == "scanned_file":
        return f": {label_words(entry.details.get('result', 'no result'))}"
    return f": number {entry.details.get('number')}" if entry.action == "opened_file" else ""


def _service_ids(corrections: list[CorrectionRow]) -> list[str]:
    both = [values.get("provider_id") for row in corrections for values in (row.before, row.after)]
    return [value for value in both if value]


def _changes(entry: AuditRow, service_names: Mapping[str, str]) -> tuple[str, ...]:
    before, after = entry.details.get("before"), entry.details.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ()
    return tuple(
        f"{words}: {_shown(before.get(name), service_names)} became {_shown(after.get(name), service_names)}"
        for name, words in _FIELD_WORDS.items()
        if before.get(name) != after.get(name)
    )


def _shown(value: Any, service_names: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return ", ".join(label_words(part) for part in value) or "none"
    if not value:
        return "none"
    return service_names.get(str(value)) or label_words(value)
