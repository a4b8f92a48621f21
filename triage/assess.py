"""The order of understanding: from a message as text to everything that a decision needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from triage.provider_match import Register, match_provider
from triage.red_flags import RedFlags, shipped_red_flags
from triage.vocabulary import Assessment, Category, Message, Prediction, Reason, Severity

# A reply with fewer words of its own than this says too little to be read without what it answers.
_ENOUGH_WORDS = 25


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
    """Understand the message: provider, red flags, and what the models say of its words."""
    rules = red_flags or shipped_red_flags()
    text = message.text
    steering = rules.steering(text)
    reading = _read(message, predictors, steering)
    domain = message.sender.address.rpartition("@")[2] if message.sender else ""
    return Assessment(
        read_text=text,
        prediction=reading.prediction,
        red_flags=rules.find(text),
        provider=match_provider(text, register, sender_domain=domain, subject=message.subject),
        steering=steering,
    )


def _read(message: Message, predictors: Predictors, steering: tuple[Reason, ...]) -> _Reading:
    """What this writer wrote decides, unless it says little, or the history below it says something graver."""
    whole = _predict(predictors, message.subject, _without(message.text, steering), message.text)
    if message.new_text.strip() in ("", message.text.strip()):
        return whole
    new = _predict(predictors, message.subject, message.new_text, message.text)
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


def _without(text: str, steering: tuple[Reason, ...]) -> str:
    """The text with words that try to steer the label blanked, so that they change nothing."""
    for reason in steering:
        text = text[: reason.start] + " " * (reason.end - reason.start) + text[reason.end :]
    return text


def _is_graver(whole: Prediction, new: Prediction) -> bool:
    return _gravity(whole) > _gravity(new)


def _gravity(prediction: Prediction) -> tuple[int, int]:
    category = max(prediction.category, key=lambda label: prediction.category[label])
    severity = max(prediction.severity, key=lambda label: prediction.severity[label])
    return category.protection, -1 if category is Category.NOT_A_CONCERN else int(Severity(severity))
