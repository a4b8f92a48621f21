"""Training: from the corpus to a candidate artefact, with every threshold drawn on held-out predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.features import LexicalView, Matrix, as_read
from models.heads import Fit, Head, LinearHead, Views, fit_head, out_of_fold
from models.labelled import LabelledMessage
from models.lines import Scores, draw_lines
from models.predict import ANSWERS, COLUMNS, Encoder, Heads, Thresholds, joined
from models.swaps import swap_sex
from models.targets import targets_of
from triage.costs import Costs, shipped_costs
from triage.phrases import english, sentences

Array = np.ndarray
Progress = Callable[[str], None]

# How much one message that a person decided at the desk counts against one that was written for the corpus.
OWN_WEIGHT = 3.0

# Inverse regularisation of the lexical heads.
_STRENGTH = (10.0,)
_EVIDENCE_STRENGTH = (3.0,)
# Shares of the lexical view and the encoder in the blend.
_SHARES = {"category": (1.0, 1.0), "urgent": (1.0, 1.0), "themes": (1.0, 1.0), "abuse_types": (1.0, 1.0)}
_EVIDENCE_OVERLAP = 0.4


@dataclass(frozen=True)
class Trained:
    """One trained set of models, with what held-out predictions say of it.

    `crossed` are the lines drawn on the first half of the held-out messages and on the second, each to be measured
    on the other half; none where lines come from other messages than those measured on.
    """

    lexical: LexicalView
    heads: Heads
    thresholds: Thresholds
    metrics: dict[str, float]
    held_out: Scores
    costs: Costs
    drawn_on: str
    crossed: tuple[Thresholds, ...] = ()


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
    own: Sequence[LabelledMessage] = (),
    own_weight: float = OWN_WEIGHT,
    swaps: bool = True,
    costs: Costs | None = None,
    progress: Progress = lambda _: None,
) -> Trained:
    """Fit every head of the lexical view on the messages, and on `own`: what people decided at the desk.

    The vocabulary is that of `messages` alone: no word of an own message can be in the artefact.
    """
    progress("learning the words")
    everything = [*messages, *own]
    learned, is_copy = (
        with_swaps(everything) if swaps else (everything, np.zeros(len(everything), dtype=bool))
    )
    read = [as_read(message.subject, message.text) for message in learned]
    lexical = LexicalView.fit(read[: len(messages)])
    counts = [1.0] * len(messages) + [own_weight] * len(own)
    weights = np.array(counts * (2 if swaps else 1)) if own else None
    return _fit_all(learned, is_copy, lexical, [lexical.transform(read)], weights, costs, progress)


def _fit_all(
    learned: Sequence[LabelledMessage],
    is_copy: Array,
    lexical: LexicalView,
    views: Views,
    weights: Array | None,
    costs: Costs | None,
    progress: Progress,
) -> Trained:
    targets, groups = targets_of(learned), [message.group for message in learned]
    fits = {
        "category": (_fitter(exclusive=True), targets.category, None),
        "urgent": (_fitter(exclusive=False), targets.urgent, targets.is_concern),
        "themes": (_fitter(exclusive=False), targets.themes, targets.is_concern),
        "abuse_types": (_fitter(exclusive=False), targets.abuse_types, targets.is_safeguarding),
    }
    heads: dict[str, Head] = {}
    said: dict[str, Array] = {}
    for name, (fit, wanted, rows) in fits.items():
        progress(f"learning {name.replace('_', ' ')}")
        chosen = np.arange(len(learned)) if rows is None else np.flatnonzero(rows)
        some_views, some = [view[chosen] for view in views], wanted[chosen]
        some_weights = None if weights is None else weights[chosen]
        heads[name] = fit(some_views, some, some_weights)
        held_out = out_of_fold(
            some_views,
            some,
            [groups[i] for i in chosen],
            fit,
            learn_only=is_copy[chosen],
            weights=some_weights,
        )
        said[name] = np.zeros((len(learned), held_out.shape[1]))
        said[name][chosen] = held_out
    progress("learning what decides")
    originals = [message for message, copy in zip(learned, is_copy, strict=True) if not copy]
    heads["evidence"] = _fit_evidence(lexical, originals)
    table = costs or shipped_costs()
    scores, thresholds, metrics = draw_lines(said, targets, ~is_copy, table)
    drawn_on = f"{len(originals)} messages, each scored by models that did not learn from it"
    return Trained(lexical, Heads(**heads), thresholds, metrics, scores, table, drawn_on)


def _fitter(*, exclusive: bool) -> Fit:
    def fit(rows: Views, wanted: Array, weights: Array | None) -> Head:
        return fit_head(rows, wanted, exclusive=exclusive, strength=_STRENGTH, shares=(1.0,), weights=weights)

    return fit


def blend(
    lexical: Trained,
    encoder: Encoder,
    held_out: Sequence[LabelledMessage],
    *,
    costs: Costs | None = None,
) -> Trained:
    """The lexical models and the encoder together, with lines drawn on messages that neither learned from.

    They are drawn on all of them, and once more on each half alone, so that figures can be taken on messages
    that had no part in the lines.
    """
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
    table = costs or lexical.costs
    targets, every = targets_of(held_out), np.ones(len(held_out), dtype=bool)
    scores, thresholds, metrics = draw_lines(said, targets, every, table)
    second = targets.second_half
    masks = (~second, second) if second.any() and not second.all() else ()
    crossed = tuple(draw_lines(said, targets, half, table)[1] for half in masks)
    drawn_on = f"{len(held_out)} messages that no weight was learned from"
    return Trained(lexical.lexical, heads, thresholds, metrics, scores, table, drawn_on, crossed)


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
