"""What the trained models say of one text: probabilities, labels, the sets that cannot be ruled out, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from models.calibration import with_temperature
from models.features import LexicalView, Matrix, as_read
from models.heads import Head
from triage.phrases import english, sentences
from triage.vocabulary import (
    MOST_ABUSE_TYPES,
    MOST_THEMES,
    AbuseType,
    Category,
    Prediction,
    Reason,
    ReasonKind,
    Severity,
    Theme,
)

Array = np.ndarray
_Label = TypeVar("_Label")

CATEGORIES = tuple(Category)
SEVERITIES = tuple(Severity)
THEMES = tuple(Theme)
ABUSE_TYPES = tuple(AbuseType)

# The columns of an encoder's answers (logits), in the order in which it is trained.
COLUMNS = {
    "category": slice(0, 4),
    "urgent": slice(4, 6),
    "themes": slice(6, 28),
    "abuse_types": slice(28, 38),
}
ANSWERS = 38

_MOST_REASONS = 3
_LEAST_EVIDENCE = 0.3
_SHORTEST_SENTENCE_WORDS = 3


class Encoded(Protocol):
    """A text as an encoder saw it: one row of answers; the character spans of its pieces, and their weights."""

    @property
    def answers(self) -> Array:
        """One row."""
        ...

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each piece stands in the text."""
        ...

    @property
    def deciding(self) -> Array:
        """How much each piece decides, 0 to 1."""
        ...


class Encoder(Protocol):
    """A sentence encoder; models.semantic keeps the promise."""

    def encode(self, texts: Sequence[str]) -> Array:
        """One row of answers a text."""
        ...

    def read(self, text: str) -> Encoded:
        """One text, with where its answers come from."""
        ...


@dataclass(frozen=True)
class Thresholds:
    """Where lines are drawn, learned on held-out predictions."""

    temperature: float
    severity_temperature: float
    category: tuple[float, ...]
    severity: tuple[float, ...]
    themes: tuple[float, ...]
    abuse_types: tuple[float, ...]


@dataclass(frozen=True)
class Heads:
    """The heads of every label; `urgent` says amber-or-more and red, `evidence` whether a sentence decides."""

    category: Head
    urgent: Head
    themes: Head
    abuse_types: Head
    evidence: Head


@dataclass
class TrainedPredictors:
    """All models of one artefact; safe to share between threads."""

    version: str
    lexical: LexicalView
    heads: Heads
    thresholds: Thresholds
    encoder: Encoder | None = None

    def __post_init__(self) -> None:
        """Prepare the cutter of sentences."""
        self._nlp = english()

    def predict(self, subject: str, text: str) -> Prediction:
        """Everything the models say of the text; spans of reasons are characters of `text`."""
        views: list[Matrix] = [self.lexical.transform([as_read(subject, text)])]
        encoded = None
        if self.encoder is not None:
            encoded = self.encoder.read(joined(subject, text))
            views.append(encoded.answers[None, :])
        category = calibrated_category(self.heads, views, self.thresholds)[0]
        severity = calibrated_severity(self.heads, views, self.thresholds)[0]
        themes = self.heads.themes.probabilities(views)[0]
        abuse_types = self.heads.abuse_types.probabilities(views)[0]
        chosen = CATEGORIES[int(category.argmax())]
        return Prediction(
            category=dict(zip(CATEGORIES, map(float, category), strict=True)),
            severity=dict(zip(SEVERITIES, map(float, severity), strict=True)),
            themes=dict(zip(THEMES, map(float, themes), strict=True)),
            abuse_types=dict(zip(ABUSE_TYPES, map(float, abuse_types), strict=True)),
            chosen_themes=choose_themes(themes, self.thresholds.themes),
            chosen_abuse_types=choose_abuse_types(abuse_types, self.thresholds.abuse_types),
            category_set=frozenset(_kept(CATEGORIES, category, self.thresholds.category)),
            severity_set=frozenset(_kept(SEVERITIES, severity, self.thresholds.severity)),
            reasons=self._reasons(subject, text, chosen, encoded),
            model_version=self.version,
        )

    def _reasons(
        self, subject: str, text: str, chosen: Category, encoded: Encoded | None
    ) -> tuple[Reason, ...]:
        """The sentences that decide, by the encoder's own weights where there is one."""
        spans = [
            (sentence.start_char, sentence.end_char)
            for sentence in sentences(self._nlp.make_doc(text))
            if len(sentence.text.split()) >= _SHORTEST_SENTENCE_WORDS
        ]
        if not spans:
            return ()
        if encoded is not None:
            weights = _weights_of(spans, encoded, len(joined(subject, text)) - len(text))
        else:
            rows = self.lexical.transform([as_read("", text[start:end]) for start, end in spans])
            weights = self.heads.evidence.probabilities([rows])[:, 0]
        order = np.argsort(-weights)[:_MOST_REASONS]
        kept = [i for rank, i in enumerate(order) if rank == 0 or weights[i] >= _LEAST_EVIDENCE]
        return tuple(
            Reason(ReasonKind.MODEL, chosen.value, *_trimmed(text, *spans[i]), weight=float(weights[i]))
            for i in kept
        )


def joined(subject: str, text: str) -> str:
    """Subject and text as the encoder reads them."""
    return f"{subject}\n{text}" if subject else text


def _weights_of(spans: Sequence[tuple[int, int]], encoded: Encoded, offset: int) -> Array:
    """The mean weight of the stronger half of each sentence's pieces; `offset` is where the text begins."""
    starts = np.array([start - offset for start, _ in encoded.spans])
    weights = []
    for start, end in spans:
        pieces = np.sort(encoded.deciding[(starts >= start) & (starts < end)])
        weights.append(float(pieces[len(pieces) // 2 :].mean()) if len(pieces) else 0.0)
    return np.asarray(weights)


def _trimmed(text: str, start: int, end: int) -> tuple[str, int, int]:
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    end -= len(words) - len(words.rstrip())
    return text[start:end], start, end


def calibrated_category(heads: Heads, views: Sequence[Matrix], thresholds: Thresholds) -> Array:
    """Rows of probabilities over CATEGORIES."""
    return with_temperature(heads.category.probabilities(views), thresholds.temperature)


def calibrated_severity(heads: Heads, views: Sequence[Matrix], thresholds: Thresholds) -> Array:
    """Rows of probabilities over SEVERITIES, of concerns."""
    return with_temperature(
        severity_probabilities(heads.urgent.probabilities(views)), thresholds.severity_temperature
    )


def severity_probabilities(urgent: Array) -> Array:
    """Green, amber and red from the two cumulative answers: at least amber, and red."""
    at_least_amber = np.maximum(urgent[:, 0], urgent[:, 1])
    red = np.minimum(urgent[:, 0], urgent[:, 1])
    rows = np.column_stack([1 - at_least_amber, at_least_amber - red, red])
    rows = np.clip(rows, 1e-6, 1)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def choose_themes(probabilities: Array, thresholds: Sequence[float]) -> tuple[Theme, ...]:
    """The themes over their thresholds, the surest first, at most four."""
    return tuple(THEMES[i] for i in _over(probabilities, thresholds)[:MOST_THEMES])


def choose_abuse_types(probabilities: Array, thresholds: Sequence[float]) -> tuple[AbuseType, ...]:
    """The types over their thresholds, at most three; the likeliest one where none is."""
    over = _over(probabilities, thresholds)[:MOST_ABUSE_TYPES] or [int(probabilities.argmax())]
    return tuple(ABUSE_TYPES[i] for i in over)


def _over(probabilities: Array, thresholds: Sequence[float]) -> list[int]:
    return [int(i) for i in np.argsort(-probabilities) if probabilities[i] >= thresholds[i]]


def _kept(labels: Sequence[_Label], probabilities: Array, thresholds: Sequence[float]) -> list[_Label]:
    return [label for label, p, t in zip(labels, probabilities, thresholds, strict=True) if p >= t]
