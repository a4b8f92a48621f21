"""How well labels fit a set of labelled messages, and whether a candidate model may replace the current one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from models.calibration import expected_calibration_error
from models.labelled import LabelledMessage
from triage.vocabulary import AbuseType, Category, Severity, Theme

_CATEGORIES = [category.value for category in Category]
_SEVERITIES = [severity.label for severity in Severity]


@dataclass(frozen=True)
class Answer:
    """The labels given to one message."""

    category: Category
    severity: Severity | None
    themes: frozenset[Theme]
    abuse_types: frozenset[AbuseType]
    needs_review: bool
    category_probabilities: Mapping[Category, float]
    severity_probabilities: Mapping[Severity, float]
    reasons: Sequence[tuple[int, int]] = ()
    """Where in the text the reasons stand, the strongest first."""


def evaluate(messages: Sequence[LabelledMessage], answers: Sequence[Answer]) -> dict[str, Any]:
    """Every figure that the issue of quality is judged by, shares between 0 and 1, as JSON."""
    true_category = [message.category.value for message in messages]
    said_category = [answer.category.value for answer in answers]
    concerns = [(m, a) for m, a in zip(messages, answers, strict=True) if m.severity is not None]
    return {
        "messages": len(messages),
        "category": _by_class(true_category, said_category, _CATEGORIES),
        "severity": _severity_figures(concerns),
        "themes_micro_f1": _micro_f1([m.themes for m, _ in concerns], [a.themes for _, a in concerns]),
        "abuse_types_micro_f1": _abuse_type_f1(messages, answers),
        "safeguarding_recall_called": _recall(messages, answers, _is_safeguarding, _called_safeguarding),
        "safeguarding_recall_called_or_review": _recall(
            messages, answers, _is_safeguarding, lambda a: _called_safeguarding(a) or a.needs_review
        ),
        "red_recall_called": _recall(messages, answers, _is_red, _called_red),
        "red_recall_called_or_review": _recall(
            messages, answers, _is_red, lambda a: _called_red(a) or a.needs_review
        ),
        "red_hidden": [m.message_id for m, a in zip(messages, answers, strict=True) if _hides_red(m, a)],
        "review_share": float(np.mean([answer.needs_review for answer in answers])),
        "category_calibration_error": _calibration_error(messages, answers),
        "pairs_wholly_right": _groups_right(messages, answers, lambda m: m.pair),
        "invariant_one_answer": _groups_alike(messages, answers),
        "explained_by_a_marked_passage": _explained(messages, answers, most=3),
        "explained_first_by_a_marked_passage": _explained(messages, answers, most=1),
    }


def _by_class(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    if not truth:
        return _nothing_to_measure(labels)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, said, labels=labels, zero_division=0
    )
    return {
        "classes": {
            label: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "messages": int(support[i]),
            }
            for i, label in enumerate(labels)
        },
        "macro_f1": float(f1_score(truth, said, labels=labels, average="macro", zero_division=0)),
        "confusion": {"labels": list(labels), "rows": confusion_matrix(truth, said, labels=labels).tolist()},
    }


def _nothing_to_measure(labels: Sequence[str]) -> dict[str, Any]:
    none = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "messages": 0}
    rows = [[0] * len(labels) for _ in labels]
    return {
        "classes": {label: dict(none) for label in labels},
        "macro_f1": 0.0,
        "confusion": {"labels": list(labels), "rows": rows},
    }


def _severity_figures(concerns: Sequence[tuple[LabelledMessage, Answer]]) -> dict[str, Any]:
    truth = [m.severity.label for m, _ in concerns if m.severity is not None]
    said = [a.severity.label if a.severity is not None else "none" for _, a in concerns]
    figures = _by_class(truth, said, _SEVERITIES)
    labels = [*_SEVERITIES, "none"]
    figures["confusion"] = {
        "labels": labels,
        "rows": confusion_matrix(truth, said, labels=labels).tolist() if truth else [],
    }
    return figures


def _micro_f1(truth: Sequence[frozenset[Any]], said: Sequence[frozenset[Any]]) -> float:
    hits = sum(len(a & b) for a, b in zip(truth, said, strict=True))
    total = sum(len(a) + len(b) for a, b in zip(truth, said, strict=True))
    return 2 * hits / total if total else 1.0


def _abuse_type_f1(messages: Sequence[LabelledMessage], answers: Sequence[Answer]) -> float:
    of_concern = [(m, a) for m, a in zip(messages, answers, strict=True) if _is_safeguarding(m)]
    return _micro_f1([m.abuse_types for m, _ in of_concern], [a.abuse_types for _, a in of_concern])


def _is_safeguarding(message: LabelledMessage) -> bool:
    return message.category is Category.SAFEGUARDING


def _is_red(message: LabelledMessage) -> bool:
    return message.severity is Severity.RED


def _called_safeguarding(answer: Answer) -> bool:
    return answer.category is Category.SAFEGUARDING


def _called_red(answer: Answer) -> bool:
    return answer.severity is Severity.RED


def _hides_red(message: LabelledMessage, answer: Answer) -> bool:
    low = answer.severity is None or answer.severity is Severity.GREEN
    return _is_red(message) and low and not answer.needs_review


def _recall(messages: Sequence[LabelledMessage], answers: Sequence[Answer], wanted: Any, found: Any) -> float:
    hits = [found(a) for m, a in zip(messages, answers, strict=True) if wanted(m)]
    return float(np.mean(hits)) if hits else 1.0


def _calibration_error(messages: Sequence[LabelledMessage], answers: Sequence[Answer]) -> float:
    said = np.array([[a.category_probabilities[c] for c in Category] for a in answers])
    truth = np.array([list(Category).index(m.category) for m in messages])
    return expected_calibration_error(said, truth)


def _grouped(
    messages: Sequence[LabelledMessage], answers: Sequence[Answer], key: Any
) -> dict[str, list[tuple[LabelledMessage, Answer]]]:
    groups: dict[str, list[tuple[LabelledMessage, Answer]]] = defaultdict(list)
    for message, answer in zip(messages, answers, strict=True):
        if key(message):
            groups[key(message)].append((message, answer))
    return {name: group for name, group in groups.items() if len(group) > 1}


def _groups_right(messages: Sequence[LabelledMessage], answers: Sequence[Answer], key: Any) -> float | None:
    groups = _grouped(messages, answers, key)
    right = [
        all(m.category is a.category and m.severity == a.severity for m, a in group)
        for group in groups.values()
    ]
    return float(np.mean(right)) if right else None


def _groups_alike(messages: Sequence[LabelledMessage], answers: Sequence[Answer]) -> float | None:
    groups = _grouped(messages, answers, lambda m: m.invariant)
    alike = [len({(a.category, a.severity) for _, a in group}) == 1 for group in groups.values()]
    return float(np.mean(alike)) if alike else None


def _explained(messages: Sequence[LabelledMessage], answers: Sequence[Answer], *, most: int) -> float | None:
    """Of the messages whose deciding passages are marked: how many have one among the first reasons."""
    right = [
        any(
            start < end_mark and begin_mark < end
            for start, end in answer.reasons[:most]
            for begin_mark, end_mark in message.evidence
        )
        for message, answer in zip(messages, answers, strict=True)
        if message.evidence
    ]
    return float(np.mean(right)) if right else None


def compare(candidate: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Why the candidate may not replace the current model; empty when it may. Both as `evaluate` gives them."""
    held = (
        "safeguarding_recall_called",
        "safeguarding_recall_called_or_review",
        "red_recall_called",
        "red_recall_called_or_review",
    )
    refusals = [
        f"{name.replace('_', ' ')} would fall from {current[name]:.3f} to {candidate[name]:.3f}"
        for name in held
        if candidate[name] < current[name]
    ]
    if len(candidate["red_hidden"]) > len(current["red_hidden"]):
        refusals.append("more red messages would be called green or dropped")
    return refusals


def as_table(figures: Mapping[str, Any]) -> str:
    """The figures as plain text for a person."""
    lines = [f"messages: {figures['messages']}", ""]
    for name in ("category", "severity"):
        lines += _class_table(name, figures[name]) + _confusion_table(figures[name]["confusion"])
    lines += [f"{'figure':44s} value"]
    names = {
        "category macro-F1": figures["category"]["macro_f1"],
        "severity macro-F1 over concerns": figures["severity"]["macro_f1"],
        "themes micro-F1": figures["themes_micro_f1"],
        "abuse types micro-F1": figures["abuse_types_micro_f1"],
        "safeguarding recall, called": figures["safeguarding_recall_called"],
        "safeguarding recall, called or sent to review": figures["safeguarding_recall_called_or_review"],
        "red recall, called": figures["red_recall_called"],
        "red recall, called or sent to review": figures["red_recall_called_or_review"],
        "red called green or dropped, and not in review": len(figures["red_hidden"]),
        "share sent to review": figures["review_share"],
        "expected calibration error, category": figures["category_calibration_error"],
        "pairs wholly right": figures["pairs_wholly_right"],
        "invariance groups with one answer": figures["invariant_one_answer"],
        "a marked passage is among three reasons": figures["explained_by_a_marked_passage"],
        "a marked passage is the first reason": figures["explained_first_by_a_marked_passage"],
    }
    lines += [f"{name:46s} {_shown(value)}" for name, value in names.items()]
    return "\n".join(lines)


def _class_table(name: str, figures: Mapping[str, Any]) -> list[str]:
    lines = [f"{name:16s} precision  recall      F1  messages"]
    for label, row in figures["classes"].items():
        lines.append(
            f"{label:16s} {row['precision']:9.3f} {row['recall']:7.3f} {row['f1']:7.3f} {row['messages']:9d}"
        )
    return [*lines, f"{'macro-F1':16s} {figures['macro_f1']:25.3f}", ""]


def _confusion_table(confusion: Mapping[str, Any]) -> list[str]:
    lines = ["is / called      " + " ".join(f"{label[:13]:>13s}" for label in confusion["labels"])]
    for label, row in zip(confusion["labels"], confusion["rows"], strict=False):
        lines.append(f"{label:16s} " + " ".join(f"{count:13d}" for count in row))
    return [*lines, ""]


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
