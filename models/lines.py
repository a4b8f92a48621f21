"""Where lines are drawn: temperatures and thresholds from held-out scores, by the table of costs.

The scores are kept in the artefact, numbers alone, so that a council that changes its costs gets other
lines without training anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.calibration import (
    best_f1_threshold,
    best_temperature,
    expected_calibration_error,
    keep_threshold,
    with_temperature,
)
from models.predict import (
    ABUSE_TYPES,
    CATEGORIES,
    SEVERITIES,
    THEMES,
    Thresholds,
    severity_probabilities,
)
from models.targets import Targets
from triage.costs import Costs

Array = np.ndarray

# Weights are stored in half precision, which moves a probability by less than this: a message that a line was drawn
# at must not fall below it for that alone.
_PRECISION = 0.001


@dataclass(frozen=True)
class Scores:
    """What heads said of messages that they did not learn from, and what those were; one row a message.

    `category` and `urgent` are probabilities before any temperature; `severity_truth` is -1 for no concern;
    `second_half` marks the rows of that half.
    """

    category: Array
    urgent: Array
    category_truth: Array
    severity_truth: Array
    second_half: Array

    def only(self, rows: Array) -> Scores:
        """The scores of these rows alone."""
        return Scores(**{name: values[rows] for name, values in self.pack().items()})

    @classmethod
    def of(cls, said: Mapping[str, Array], targets: Targets, real: Array) -> Scores:
        """The scores of the rows that `real` marks, in the precision in which they are stored."""
        severity = np.where(targets.is_concern, targets.urgent.sum(axis=1), -1)
        return cls(
            category=said["category"][real].astype(np.float32),
            urgent=said["urgent"][real].astype(np.float32),
            category_truth=targets.category[real].astype(np.int8),
            severity_truth=severity[real].astype(np.int8),
            second_half=targets.second_half[real].astype(np.int8),
        )

    def pack(self) -> dict[str, Array]:
        """The arrays by name, for an .npz file."""
        return {
            "category": self.category,
            "urgent": self.urgent,
            "category_truth": self.category_truth,
            "severity_truth": self.severity_truth,
            "second_half": self.second_half,
        }

    @classmethod
    def unpack(cls, stored: Any) -> Scores:
        """The scores again; ValueError when the arrays are not rows of one table."""
        scores = cls(**{name: stored[name] for name in cls.__dataclass_fields__})
        rows = len(scores.category_truth)
        if scores.category.shape != (rows, len(CATEGORIES)) or scores.urgent.shape != (rows, 2):
            raise ValueError("held-out scores are not rows of one table")
        if scores.severity_truth.shape != (rows,) or scores.second_half.shape != (rows,):
            raise ValueError("held-out scores are not rows of one table")
        return scores

    @property
    def concerns(self) -> Array:
        """Which rows are concerns."""
        return np.asarray(self.severity_truth >= 0)


def draw_lines(
    said: Mapping[str, Array], targets: Targets, real: Array, costs: Costs
) -> tuple[Scores, Thresholds, dict[str, float]]:
    """Temperatures, sets and thresholds from the held-out predictions of real messages, with what they show."""
    scores = Scores.of(said, targets, real)
    temperature = best_temperature(scores.category, scores.category_truth)
    severity = severity_probabilities(scores.urgent[scores.concerns])
    severity_truth = scores.severity_truth[scores.concerns]
    severity_temperature = best_temperature(severity, severity_truth)
    concern, safeguarding = real & targets.is_concern, real & targets.is_safeguarding
    unset = Thresholds(
        temperature=temperature,
        severity_temperature=severity_temperature,
        category=(),
        severity=(),
        themes=_label_thresholds(said["themes"][concern], targets.themes[concern]),
        abuse_types=_label_thresholds(said["abuse_types"][safeguarding], targets.abuse_types[safeguarding]),
    )
    thresholds = redraw(unset, scores, costs)
    category = with_temperature(scores.category, temperature)
    severity = with_temperature(severity, severity_temperature)
    metrics = {
        "category_accuracy": float((category.argmax(axis=1) == scores.category_truth).mean()),
        "category_calibration_error": expected_calibration_error(category, scores.category_truth),
        "severity_accuracy": float((severity.argmax(axis=1) == severity_truth).mean()),
        "severity_calibration_error": expected_calibration_error(severity, severity_truth),
    }
    return scores, thresholds, metrics


def redraw(thresholds: Thresholds, scores: Scores, costs: Costs) -> Thresholds:
    """The thresholds with the lines of category and severity drawn by this table of costs."""
    category = with_temperature(scores.category, thresholds.temperature)
    severity = with_temperature(
        severity_probabilities(scores.urgent[scores.concerns]), thresholds.severity_temperature
    )
    severity_truth = scores.severity_truth[scores.concerns]
    return replace(
        thresholds,
        category=tuple(
            _line(category[:, i], scores.category_truth == i, costs.category[label])
            for i, label in enumerate(CATEGORIES)
        ),
        severity=tuple(
            _line(severity[:, i], severity_truth == i, costs.severity[label])
            for i, label in enumerate(SEVERITIES)
        ),
    )


def _line(scores: Array, is_class: Array, missed: float) -> float:
    return max(keep_threshold(scores, is_class, missed=missed) - _PRECISION, 0.0)


def set_sizes(thresholds: Thresholds, scores: Scores) -> dict[str, float]:
    """Shares of held-out messages that more than one category, and of concerns that red among others, fits."""
    category = with_temperature(scores.category, thresholds.temperature) >= np.array(thresholds.category)
    severity = with_temperature(
        severity_probabilities(scores.urgent[scores.concerns]), thresholds.severity_temperature
    ) >= np.array(thresholds.severity)
    return {
        "messages": float(len(category)),
        "several_categories": float((category.sum(axis=1) > 1).mean()),
        "red_among_others": float((severity[:, -1] & (severity.sum(axis=1) > 1)).mean()),
    }


def _label_thresholds(said: Array, wanted: Array) -> tuple[float, ...]:
    return tuple(
        best_f1_threshold(said[:, column], wanted[:, column].astype(bool))
        for column in range(wanted.shape[1])
    )


def as_manifest(thresholds: Thresholds) -> dict[str, Any]:
    """The thresholds as JSON."""
    return {
        "temperature": thresholds.temperature,
        "severity_temperature": thresholds.severity_temperature,
        "category": dict(zip((c.value for c in CATEGORIES), thresholds.category, strict=True)),
        "severity": dict(zip((s.label for s in SEVERITIES), thresholds.severity, strict=True)),
        "themes": dict(zip((t.value for t in THEMES), thresholds.themes, strict=True)),
        "abuse_types": dict(zip((a.value for a in ABUSE_TYPES), thresholds.abuse_types, strict=True)),
    }
