"""Labelled messages: the corpus in models/corpus, the yardstick, and any file that `evaluate` is given."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from triage.errors import BadInput
from triage.vocabulary import AbuseType, Category, Severity, Theme

_Label = TypeVar("_Label", Theme, AbuseType)

CORPUS = Path(__file__).with_name("corpus")
# Never trained on: what a candidate must not be worse at than the model in force.
FROZEN = Path(__file__).with_name("frozen")


@dataclass(frozen=True)
class LabelledMessage:
    """A message with the labels of the coding guide; `evidence` are character spans of `text` that decide."""

    message_id: str
    channel: str
    subject: str
    text: str
    category: Category
    severity: Severity | None
    themes: frozenset[Theme]
    abuse_types: frozenset[AbuseType]
    provider: str | None = None
    pair: str | None = None
    invariant: str | None = None
    row: str = ""
    writer: str = ""
    evidence: tuple[tuple[int, int], ...] = ()

    @property
    def group(self) -> str:
        """What must stay on one side of a split: a message alone, or its pair or invariant group."""
        return self.pair or self.invariant or self.message_id


def parse_labelled(line: str) -> LabelledMessage:
    """One JSON line as a labelled message; BadInput, naming the field, when it breaks the guide."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise BadInput("not JSON") from None
    if not isinstance(fields, dict):
        raise BadInput("not a JSON object")
    category = _one(Category, fields, "category")
    severity = _severity(fields)
    if (severity is None) != (category is Category.NOT_A_CONCERN):
        raise BadInput("severity goes with every category but not_a_concern")
    abuse_types = _many(AbuseType, fields, "abuse_types")
    if abuse_types and category is not Category.SAFEGUARDING:
        raise BadInput("abuse_types go with safeguarding only")
    return LabelledMessage(
        message_id=_text(fields, "id"),
        channel=_text(fields, "channel"),
        subject=fields.get("subject") or "",
        text=_text(fields, "text"),
        category=category,
        severity=severity,
        themes=_many(Theme, fields, "themes"),
        abuse_types=abuse_types,
        provider=fields.get("provider"),
        pair=fields.get("pair"),
        invariant=fields.get("invariant"),
        row=fields.get("row") or "",
        writer=fields.get("writer") or "",
        evidence=_spans(fields),
    )


def _spans(fields: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    try:
        return tuple((int(start), int(end)) for start, end in fields.get("evidence") or ())
    except (ValueError, TypeError):
        raise BadInput("evidence is no list of [start, end]") from None


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{name} is missing")
    return value


def _one(kind: type[Category], fields: Mapping[str, Any], name: str) -> Category:
    try:
        return kind(fields.get(name, ""))
    except ValueError:
        raise BadInput(f"{name} {fields.get(name)!r} is unknown") from None


def _severity(fields: Mapping[str, Any]) -> Severity | None:
    if fields.get("severity") is None:
        return None
    try:
        return Severity.from_label(str(fields["severity"]))
    except ValueError as error:
        raise BadInput(str(error)) from None


def _many(kind: type[_Label], fields: Mapping[str, Any], name: str) -> frozenset[_Label]:
    try:
        return frozenset(kind(value) for value in fields.get(name) or ())
    except (ValueError, TypeError):
        raise BadInput(f"{name} holds an unknown label") from None


def read_labelled(path: Path) -> Iterator[tuple[int, LabelledMessage | BadInput]]:
    """Each line's number with its message, or with what is wrong with it; BadInput when there is no such file."""
    try:
        # Lines end at line feeds alone: a message may hold other characters that end lines elsewhere.
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {type(error).__name__}") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _parsed(line)


def _parsed(line: bytes) -> LabelledMessage | BadInput:
    try:
        return parse_labelled(line.decode())
    except UnicodeDecodeError:
        return BadInput("not UTF-8 text")
    except BadInput as error:
        return error


def load_corpus(folder: Path = CORPUS) -> list[LabelledMessage]:
    """Every message of the corpus, by file and line; BadInput for the first that breaks the guide."""
    messages: list[LabelledMessage] = []
    for path in sorted(folder.glob("*.jsonl")):
        for number, item in read_labelled(path):
            if isinstance(item, BadInput):
                raise BadInput(f"{path.name}, line {number}: {item}")
            messages.append(item)
    if not messages:
        raise BadInput(f"there is no corpus in {folder}")
    return messages


def halves(messages: Sequence[LabelledMessage]) -> tuple[list[LabelledMessage], list[LabelledMessage]]:
    """The messages in two halves that never change: lines drawn on one of them are measured on the other.

    The hash of its group decides for a message, so pairs stay together and new messages move no other.
    """
    first = [message for message in messages if not in_second_half(message.group)]
    return first, [message for message in messages if in_second_half(message.group)]


def in_second_half(group: str) -> bool:
    """Which half a group of messages belongs to, for good."""
    return hashlib.sha256(group.encode()).digest()[0] % 2 == 1
