"""Reports from the public form and from the desk's own page: how they are kept as bytes, and read again.

The bytes are JSON, the same for the same answers, so that what is sent twice is known to be one report.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triage.errors import CannotRead
from triage.vocabulary import Address, Attachment, Channel, Message

VERSION = 1
ANONYMOUS = "anonymous"
HIDDEN_FIELD_FILLED = "hidden_field_filled"

# Words of ours in a subject would move the models, which learned from reports that have none.
_NO_SUBJECT = ""
# What stands before each answer in the text. The story comes first and needs no label.
_FORM_LABELS = (
    ("about", "Who it is about"),
    ("service", "Care service"),
    ("where", "Where it happened"),
    ("when", "When it happened"),
    ("known", "Who knows already"),
)
# A red flag looks for the first sentence, and another for danger; an answer of "no" must not look like either.
_DANGER = {
    "yes": "The reporter says that somebody is in danger now.",
    "unsure": "The reporter is unsure: perhaps somebody is in danger now.",
    "no": "Is anyone at immediate risk? No.",
}
# The ways in which something reaches a lead, and how they are called.
WAYS = {"telephone": "telephone call", "letter": "letter", "visit": "visit"}


@dataclass(frozen=True)
class EnclosedFile:
    """A file that goes with a report."""

    name: str
    content_type: str
    content: bytes


def write_form(
    answers: Mapping[str, Any],
    files: Sequence[EnclosedFile] = (),
    *,
    receipt: str = "",
    trapped: bool = False,
) -> bytes:
    """A report from the form as bytes; `trapped` when the field that nobody sees was filled in."""
    return _write(
        {
            "version": VERSION,
            "receipt": receipt,
            "answers": {name: value for name, value in answers.items() if value},
            "trapped": trapped,
            "files": [
                {
                    "name": file.name,
                    "content_type": file.content_type,
                    "base64": base64.b64encode(file.content).decode(),
                }
                for file in files
            ],
        }
    )


def write_by_hand(answers: Mapping[str, str], *, receipt: str = "") -> bytes:
    """What a lead recorded of a call, a letter or a visit, as bytes."""
    kept = {name: value for name, value in answers.items() if value}
    return _write({"version": VERSION, "receipt": receipt, "answers": kept})


def _write(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def read_form(raw: bytes) -> Message:
    """The report as a message: the story, then the other answers; CannotRead when it is no report."""
    report, answers = _read(raw)
    lines = [f"{label}: {answers[name]}" for name, label in _FORM_LABELS if answers.get(name)]
    if danger := _DANGER.get(answers.get("danger", "")):
        lines.insert(0, danger)
    text = _joined(_required(answers, "story"), lines)
    named = answers.get("who") != ANONYMOUS
    return Message(
        channel=Channel.FORM,
        subject=_NO_SUBJECT,
        text=text,
        new_text=text,
        sender=_reporter(answers, ("email", "phone")) if named else None,
        reply_to=_other_way(answers) if named else None,
        message_id=_receipt(report),
        attachments=_attachments(report),
        defects=(HIDDEN_FIELD_FILLED,) if report.get("trapped") is True else (),
    )


def read_by_hand(raw: bytes) -> Message:
    """What a lead recorded, as a message: the words, then how they came; CannotRead when it is no record."""
    report, answers = _read(raw)
    how = WAYS.get(answers.get("how", ""), "call or letter")
    when = " ".join(part for part in (answers.get("taken_on", ""), answers.get("taken_at", "")) if part)
    lines = [
        f"Recorded by {answers.get('taken_by') or 'the desk'} from a {how}{' of ' + when if when else ''}."
    ]
    text = _joined(_required(answers, "words"), lines)
    return Message(
        channel=Channel.BY_HAND,
        subject=_NO_SUBJECT,
        text=text,
        new_text=answers["words"],
        sender=_reporter(answers, ("contact",)),
        message_id=_receipt(report),
    )


def _read(raw: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        report = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise CannotRead("it is not JSON") from None
    if not isinstance(report, dict) or not isinstance(report.get("answers"), dict):
        raise CannotRead("it is no report")
    if report.get("version") != VERSION:
        raise CannotRead("it has a form that this version does not know")
    answers = {name: _plain(value) for name, value in report["answers"].items() if isinstance(value, str)}
    return report, answers


def _plain(value: str) -> str:
    """Text that every database takes: no half characters, no NUL."""
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()


def _required(answers: Mapping[str, str], name: str) -> str:
    if not answers.get(name):
        raise CannotRead("nobody said what happened")
    return answers[name]


def _joined(story: str, lines: Sequence[str]) -> str:
    return "\n\n".join(part for part in (story, "\n".join(lines)) if part)


def _receipt(report: Mapping[str, Any]) -> str | None:
    receipt = report.get("receipt")
    return _plain(receipt)[:40] or None if isinstance(receipt, str) else None


def _reporter(answers: Mapping[str, str], ways: Sequence[str]) -> Address | None:
    """Who reported: their name, and the first way to reach them that they gave."""
    name, way = answers.get("name", ""), next((answers[way] for way in ways if answers.get(way)), "")
    return Address(name=name, address=way) if name or way else None


def _other_way(answers: Mapping[str, str]) -> Address | None:
    """How it is safe to reach them, and the telephone where the email address stands first."""
    phone, reach = answers.get("phone", ""), answers.get("reach", "")
    second = phone if answers.get("email") else ""
    return Address(name=reach, address=second) if reach or second else None


def _attachments(report: Mapping[str, Any]) -> tuple[Attachment, ...]:
    files = report.get("files", [])
    if not isinstance(files, list):
        raise CannotRead("its list of files cannot be read")
    return tuple(_attachment(file) for file in files)


def _attachment(file: Any) -> Attachment:
    try:
        content = base64.b64decode(file["base64"], validate=True)
        name, content_type = _plain(file["name"]), _plain(file["content_type"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CannotRead("one of its files cannot be read") from None
    return Attachment(name, content_type, len(content), hashlib.sha256(content).hexdigest(), content)
