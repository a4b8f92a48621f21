"""Training: from the corpus to a candidate artefact, with every threshold drawn on held-out predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from models.features import LexicalView, Matrix, as_read
from models.heads import Head, LinearHead, Views, fit_head, out_of_fold
from models.labelled import LabelledMessage
from models.predict import (
    ABUSE_TYPES,
    ANSWERS,
    CATEGORIES,
    COLUMNS,
    SEVERITIES,
    THEMES,
    Encoder,
    Heads,
    Thresholds,
    joined,
    severity_probabilities,
)
from models.swaps import swap_sex
from triage.phrases import english, sentences
from triage.vocabulary import Category, Severity

Array = np.ndarray
Progress = Callable[[str], None]

# Share of a class's held-out messages that may fall outside its set: what a person does not get to see.
MISSED = {
    Category.SAFEGUARDING: 0.02,
    Category.CARE_CONCERN: 0.05,
    Category.REFERRAL: 0.05,
    Category.NOT_A_CONCERN: 0.10,
}
MISSED_SEVERITY = {Severity.GREEN: 0.10, Severity.AMBER: 0.08, Severity.RED: 0.045}

# Inverse regularisation of the lexical heads.
_STRENGTH = (10.0,)
_EVIDENCE_STRENGTH = (3.0,)
# Shares of the lexical view and the encoder in the blend.
_SHARES = {"category": (1.0, 2.0), "urgent": (1.0, 2.0), "themes": (1.0, 2.0), "abuse_types": (1.0, 2.0)}
_EVIDENCE_OVERLAP = 0.4


@dataclass(frozen=True)
class Targets:
    """The labels of a corpus as numbers, one row a message."""

    category: Array
    urgent: Array
    is_concern: Array
    themes: Array
    abuse_types: Array
    is_safeguarding: Array


@dataclass(frozen=True)
class Trained:
    """One trained set of models, with what held-out predictions say of it."""

    lexical: LexicalView
    heads: Heads
    thresholds: Thresholds
    metrics: dict[str, float]


def targets_of(messages: Sequence[LabelledMessage]) -> Targets:
    """The labels as numbers."""
    category = np.array([CATEGORIES.index(message.category) for message in messages])
    severity = np.array([-1 if m.severity is None else int(m.severity) for m in messages])
    return Targets(
        category=category,
        urgent=np.column_stack([severity >= Severity.AMBER, severity >= Severity.RED]).astype(int),
        is_concern=severity >= 0,
        themes=np.array([[theme in m.themes for theme in THEMES] for m in messages]).astype(int),
        abuse_types=np.array([[kind in m.abuse_types for kind in ABUSE_TYPES] for m in messages]).astype(int),
        is_safeguarding=category == CATEGORIES.index(Category.SAFEGUARDING),
    )


def with_swaps(messages: Sequence[LabelledMessage]) -> tuple[list[LabelledMessage], Array]:
    """The messages, then copies about a person of the other sex; and which rows are copies."""
    copies = [
        replace(message, subject=swap_sex(message.subject), text=swap_sex(message.text), evidence=())
        for message in messages
    ]
    is_copy = np.array([False] * len(messages) + [True] * len(copies))
    return [*messages, *copies], is_copy


def train(
    messages: Sequence[LabelledMessage],
    *,
    swaps: bool = True,
    progress: Progress = lambda _: None,
) -> Trained:
    """Fit every head of the lexical view on the messages."""
    progress("learning the words")
    learned, is_copy = (
        with_swaps(messages) if swaps else (list(messages), np.zeros(len(messages), dtype=bool))
    )
    read = [as_read(message.subject, message.text) for message in learned]
    lexical = LexicalView.fit([text for text, copy in zip(read, is_copy, strict=True) if not copy])
    views: list[Matrix] = [lexical.transform(read)]
    return _fit_all(learned, is_copy, lexical, views, progress)


def _fit_all(
    learned: Sequence[LabelledMessage],
    is_copy: Array,
    lexical: LexicalView,
    views: Views,
    progress: Progress,
) -> Trained:
    targets, groups = targets_of(learned), [message.group for message in learned]
    fits = {
        "category": (_fitter(exclusive=True), targets.category, None),
        "urgent": (
            _fitter(exclusive=False),
            targets.urgent,
            targets.is_concern,
        ),
        "themes": (
            _fitter(exclusive=False),
            targets.themes,
            targets.is_concern,
        ),
        "abuse_types": (
            _fitter(exclusive=False),
            targets.abuse_types,
            targets.is_safeguarding,
        ),
    }
    heads: dict[str, Head] = {}
    held_out: dict[str, Array] = {}
    for name, (fit, wanted, rows) in fits.items():
        progress(f"learning {name.replace('_', ' ')}")
        chosen = np.arange(len(learned)) if rows is None else np.flatnonzero(rows)
        some_views, some = [view[chosen] for view in views], wanted[chosen]
        heads[name] = fit(some_views, some)
        said = out_of_fold(some_views, some, [groups[i] for i in chosen], fit, learn_only=is_copy[chosen])
        held_out[name] = np.zeros((len(learned), said.shape[1]))
        held_out[name][chosen] = said
    progress("learning what decides")
    originals = [message for message, copy in zip(learned, is_copy, strict=True) if not copy]
    heads["evidence"] = _fit_evidence(lexical, originals)
    real = ~is_copy
    thresholds, metrics = _draw_lines(held_out, targets, real)
    return Trained(lexical, Heads(**heads), thresholds, metrics)


def _fitter(*, exclusive: bool) -> Callable[[Views, Array], Head]:
    def fit(rows: Views, wanted: Array) -> Head:
        return fit_head(rows, wanted, exclusive=exclusive, strength=_STRENGTH, shares=(1.0,))

    return fit


def blend(lexical: Trained, encoder: Encoder, held_out: Sequence[LabelledMessage]) -> Trained:
    """The lexical models and the encoder together, with lines drawn on messages that neither learned from."""
    heads = Heads(
        category=_blended("category", lexical.heads.category),
        urgent=_blended("urgent", lexical.heads.urgent),
        themes=_blended("themes", lexical.heads.themes),
        abuse_types=_blended("abuse_types", lexical.heads.abuse_types),
        evidence=lexical.heads.evidence,
    )
    views: list[Matrix] = [
        lexical.lexical.transform([as_read(message.subject, message.text) for message in held_out]),
        encoder.encode([joined(message.subject, message.text) for message in held_out]),
    ]
    said = {
        "category": heads.category.probabilities(views),
        "urgent": heads.urgent.probabilities(views),
        "themes": heads.themes.probabilities(views),
        "abuse_types": heads.abuse_types.probabilities(views),
    }
    thresholds, metrics = _draw_lines(said, targets_of(held_out), np.ones(len(held_out), dtype=bool))
    return Trained(lexical.lexical, heads, thresholds, metrics)


def _blended(name: str, head: Head) -> Head:
    """The head with the encoder's own answers as a second view: its columns, taken as they are."""
    columns = COLUMNS[name]
    picked = np.eye(ANSWERS, dtype=np.float32)[:, columns]
    answers = LinearHead(picked, np.zeros(picked.shape[1], dtype=np.float32))
    return Head((head.views[0], answers), head.exclusive, _SHARES[name])


def _fit_evidence(lexical: LexicalView, messages: Sequence[LabelledMessage]) -> Head:
    nlp = english()
    texts: list[str] = []
    decides: list[int] = []
    for message in messages:
        if not message.evidence:
            continue
        for sentence in sentences(nlp.make_doc(message.text)):
            texts.append(as_read("", sentence.text))
            decides.append(int(_overlaps(sentence.start_char, sentence.end_char, message.evidence)))
    if not any(decides):
        # A corpus without marked passages: every sentence counts alike.
        texts, decides = ["nothing", "something"], [0, 1]
    return fit_head(
        [lexical.transform(texts)],
        np.array(decides)[:, None],
        exclusive=False,
        strength=_EVIDENCE_STRENGTH,
        shares=(1.0,),
    )


def _overlaps(start: int, end: int, evidence: Sequence[tuple[int, int]]) -> bool:
    return any(
        min(end, stop) - max(start, begin) >= _EVIDENCE_OVERLAP * min(end - start, stop - begin)
        for begin, stop in evidence
    )


def _draw_lines(
    held_out: dict[str, Array], targets: Targets, real: Array
) -> tuple[Thresholds, dict[str, float]]:
    """Temperatures, sets and thresholds from the held-out predictions of real messages."""
    category, truth = held_out["category"][real], targets.category[real]
    temperature = best_temperature(category, truth)
    category = with_temperature(category, temperature)
    concern = real & targets.is_concern
    severity = severity_probabilities(held_out["urgent"][concern])
    severity_truth = targets.urgent[concern].sum(axis=1)
    severity_temperature = best_temperature(severity, severity_truth)
    severity = with_temperature(severity, severity_temperature)
    safeguarding = real & targets.is_safeguarding
    thresholds = Thresholds(
        temperature=temperature,
        severity_temperature=severity_temperature,
        category=tuple(
            keep_threshold(category[:, i], truth == i, missed=MISSED[label])
            for i, label in enumerate(CATEGORIES)
        ),
        severity=tuple(
            keep_threshold(severity[:, i], severity_truth == i, missed=MISSED_SEVERITY[label])
            for i, label in enumerate(SEVERITIES)
        ),
        themes=_label_thresholds(held_out["themes"][concern], targets.themes[concern]),
        abuse_types=_label_thresholds(
            held_out["abuse_types"][safeguarding], targets.abuse_types[safeguarding]
        ),
    )
    metrics = {
        "category_accuracy": float((category.argmax(axis=1) == truth).mean()),
        "category_calibration_error": expected_calibration_error(category, truth),
        "severity_accuracy": float((severity.argmax(axis=1) == severity_truth).mean()),
        "severity_calibration_error": expected_calibration_error(severity, severity_truth),
    }
    return thresholds, metrics


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
