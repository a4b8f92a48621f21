"""The order of understanding: from a message as text to everything that a decision needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from triage.attached import has_unread_files, text_with_files
from triage.provider_match import Register, match_provider
from triage.red_flags import RedFlags, shipped_red_flags
from triage.vocabulary import (
    Assessment,
    Category,
    FileSpan,
    MatchAdvice,
    Message,
    Prediction,
    Reason,
    RedFlag,
    Severity,
)

# A reply with fewer words of its own than this says too little to be read without what it answers.
_ENOUGH_WORDS = 25
# Of the words of files the models are asked about so many: the rules see all of them.
_MOST_FILES_ASKED = 8
_MOST_CHARS_ASKED = 20_000


class Predictors(Protocol):
    """What the learned models must be able to do; models.predict keeps the promise."""

    version: str

    def predict(self, subject: str, text: str) -> Prediction:
        """Everything the models say of a text; spans of reasons are characters of `text`."""
        ...


@dataclass(frozen=True)
class _Reading:
    text: str
    prediction: Prediction


def assess(
    message: Message,
    *,
    register: Register,
    predictors: Predictors,
    red_flags: RedFlags | None = None,
) -> Assessment:
    """Understand the message: provider, red flags, and what the models say of its words.

    Where files with words came along, the message is understood alone and with them, so that a file can
    add to what the message says but cannot drown it.
    """
    rules = red_flags or shipped_red_flags()
    alone = replace(_assess(message, register, predictors, rules), unread_files=has_unread_files(message))
    text, spans = text_with_files(message.text, message.attachments)
    if not spans:
        return alone
    flags = rules.find(text)
    said = {flag.reason.name for flag in flags if flag.stands}
    return Assessment(
        read_text=text,
        prediction=_with_files(alone.prediction, message.subject, text, spans, predictors, rules),
        red_flags=(*flags, *_in_subject(alone.red_flags, said)),
        provider=alone.provider
        if alone.provider.advice is not MatchAdvice.NONE
        else match_provider(text[:_MOST_CHARS_ASKED], register, subject=message.subject),
        steering=(*rules.steering(text), *(reason for reason in alone.steering if reason.start < 0)),
        files=spans,
        alone=alone,
        unread_files=alone.unread_files,
    )


def _assess(message: Message, register: Register, predictors: Predictors, rules: RedFlags) -> Assessment:
    text = message.text
    reading = _read(message, predictors, rules)
    domain = message.sender.address.rpartition("@")[2] if message.sender else ""
    return Assessment(
        read_text=text,
        prediction=reading.prediction,
        red_flags=_red_flags(message, rules),
        provider=match_provider(text, register, sender_domain=domain, subject=message.subject),
        steering=(*rules.steering(text), *(_unplaced(reason) for reason in rules.steering(message.subject))),
    )


def _red_flags(message: Message, rules: RedFlags) -> tuple[RedFlag, ...]:
    """The hits in the text, and those of the subject that the text does not repeat."""
    flags = rules.find(message.text)
    said = {flag.reason.name for flag in flags if flag.stands}
    in_subject = (flag for flag in rules.find(message.subject) if flag.reason.name not in said)
    return (*flags, *(replace(flag, reason=_unplaced(flag.reason)) for flag in in_subject))


def _in_subject(flags: tuple[RedFlag, ...], said: set[str]) -> tuple[RedFlag, ...]:
    return tuple(flag for flag in flags if flag.reason.start < 0 and flag.reason.name not in said)


def _with_files(
    alone: Prediction,
    subject: str,
    text: str,
    spans: tuple[FileSpan, ...],
    predictors: Predictors,
    rules: RedFlags,
) -> Prediction:
    """The gravest of what the models say of the message, of each file, and of the message with its files."""
    pieces = [(0, min(len(text), _MOST_CHARS_ASKED))]
    pieces += [
        (span.start, min(span.end, span.start + _MOST_CHARS_ASKED)) for span in spans[:_MOST_FILES_ASKED]
    ]
    title = _unsteered(subject, rules)
    said = [alone, *(_predict_piece(predictors, title, text, piece, rules) for piece in pieces)]
    gravest = max(said, key=_gravity)
    urgency = max(said, key=_urgency)
    return replace(
        gravest,
        severity=urgency.severity,
        severity_set=frozenset().union(*(one.severity_set for one in said)),
        category_set=frozenset().union(*(one.category_set for one in said)),
        chosen_themes=gravest.chosen_themes or alone.chosen_themes,
        reasons=tuple(dict.fromkeys((*alone.reasons, *gravest.reasons, *urgency.reasons))),
    )


def _predict_piece(
    predictors: Predictors, subject: str, text: str, piece: tuple[int, int], rules: RedFlags
) -> Prediction:
    start, end = piece
    prediction = predictors.predict(subject, _unsteered(text[start:end], rules))
    moved = (
        replace(reason, start=reason.start + start, end=reason.end + start) if reason.start >= 0 else reason
        for reason in prediction.reasons
    )
    return replace(prediction, reasons=tuple(moved))


def _unplaced(reason: Reason) -> Reason:
    """A reason from the subject, which has no place in the text."""
    return replace(reason, start=-1, end=-1)


def _read(message: Message, predictors: Predictors, rules: RedFlags) -> _Reading:
    """What this writer wrote decides, unless it says little, or the history below it says something graver."""
    subject = _unsteered(message.subject, rules)
    whole = _predict(predictors, subject, _unsteered(message.text, rules), message.text)
    if message.new_text.strip() in ("", message.text.strip()):
        return whole
    new = _predict(predictors, subject, _unsteered(message.new_text, rules), message.text)
    if len(message.new_text.split()) < _ENOUGH_WORDS or _is_graver(whole.prediction, new.prediction):
        return whole
    return new


def _predict(predictors: Predictors, subject: str, read: str, text: str) -> _Reading:
    prediction = predictors.predict(subject, read)
    placed = tuple(_placed(reason, text) for reason in prediction.reasons)
    return _Reading(text, replace(prediction, reasons=placed))


def _placed(reason: Reason, text: str) -> Reason:
    """The reason with its span in the whole text, where the text that was read is only a part of it."""
    if text[reason.start : reason.end] == reason.text:
        return reason
    start = text.find(reason.text)
    return replace(reason, start=start, end=start + len(reason.text) if start >= 0 else -1)


def _unsteered(text: str, rules: RedFlags) -> str:
    """The text with words that try to steer the label blanked, so that they change nothing."""
    for reason in rules.steering(text):
        text = text[: reason.start] + " " * (reason.end - reason.start) + text[reason.end :]
    return text


def _is_graver(whole: Prediction, new: Prediction) -> bool:
    return _gravity(whole) > _gravity(new)


def _gravity(prediction: Prediction) -> tuple[int, int]:
    category = max(prediction.category, key=lambda label: prediction.category[label])
    return category.protection, _urgency(prediction)


def _urgency(prediction: Prediction) -> int:
    """The likeliest severity as a number; -1 for what is no concern."""
    category = max(prediction.category, key=lambda label: prediction.category[label])
    severity = max(prediction.severity, key=lambda label: prediction.severity[label])
    return -1 if category is Category.NOT_A_CONCERN else int(Severity(severity))
