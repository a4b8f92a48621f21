"""What the size and the make-up of the corpus are worth, and what each part of the model is.

Measured on the messages of `CARECONCERNS_BENCH_MESSAGES` (JSON Lines), or on the frozen ones.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.assessing import answer_from, as_message, evaluate_messages
from models.artifact import load_predictors, shipped_model
from models.evaluate import evaluate
from models.labelled import CORPUS, FROZEN, LabelledMessage, load_corpus, read_labelled
from models.predict import TrainedPredictors
from models.train import train
from tests.bench.measured import Measured
from triage import red_flags
from triage.assess import assess
from triage.decide import decide
from triage.provider_match import Register
from triage.red_flags import RedFlags
from triage.vocabulary import Category

_SIZES = (500, 1_000, 2_000, 4_000)
_COMPOSED = 1_500
_CHATTER_WORDS = (20, 120)


def learning_curve() -> Iterator[Measured]:
    """The lexical view, trained on more and more of the corpus, groups kept whole."""
    corpus, measured_on = _in_fixed_order(load_corpus(CORPUS)), _messages()
    for size in (*_SIZES, len(corpus)):
        if size <= len(corpus):
            yield _row(f"lexical view, {size:,} messages", _trained(corpus[:size]), measured_on)


def ablation() -> Iterator[Measured]:
    """What is left when one part is left out, and what composed messages add."""
    corpus, measured_on = load_corpus(CORPUS), _messages()
    both = load_predictors(shipped_model())
    yield _row("shipped: both views and rules", both, measured_on)
    yield _row("without rules", both, measured_on, rules=False)
    yield _row("encoder alone, with rules", _with_shares(both, 0.0, 1.0), measured_on)
    lexical = load_predictors(shipped_model(), encoder=False)
    yield _row("lexical view alone, with rules", lexical, measured_on)
    yield _row("lexical view alone, without rules", lexical, measured_on, rules=False)
    yield _row("lexical view, trained without swapped copies", _trained(corpus, swaps=False), measured_on)
    composed = [*corpus, *_compositions(corpus)]
    yield _row(f"lexical view, {_COMPOSED:,} composed messages added", _trained(composed), measured_on)


def _messages() -> list[LabelledMessage]:
    path = os.environ.get("CARECONCERNS_BENCH_MESSAGES")
    if not path:
        return load_corpus(FROZEN)
    return [item for _, item in read_labelled(Path(path)) if isinstance(item, LabelledMessage)]


def _in_fixed_order(corpus: Sequence[LabelledMessage]) -> list[LabelledMessage]:
    """Shuffled by group, so that every part of the list is a fair sample of all writers."""
    return sorted(corpus, key=lambda message: hashlib.sha256(message.group.encode()).hexdigest())


def _trained(messages: Sequence[LabelledMessage], *, swaps: bool = True) -> TrainedPredictors:
    trained = train(messages, swaps=swaps, progress=lambda line: print(line, file=sys.stderr))
    return TrainedPredictors("bench", trained.lexical, trained.heads, trained.thresholds)


def _with_shares(predictors: TrainedPredictors, *shares: float) -> TrainedPredictors:
    heads = predictors.heads
    blended = {
        name: replace(getattr(heads, name), shares=shares)
        for name in ("category", "urgent", "themes", "abuse_types")
    }
    return replace(predictors, heads=replace(heads, **blended))


def _row(
    what: str, predictors: TrainedPredictors, messages: Sequence[LabelledMessage], *, rules: bool = True
) -> Measured:
    figures = evaluate_messages(messages, predictors) if rules else _without_rules(predictors, messages)
    names = {
        "severity": figures["severity"]["macro_f1"],
        "themes": figures["themes_micro_f1"],
        "abuse types": figures["abuse_types_micro_f1"],
        "safeguarding called": figures["safeguarding_recall_called"],
        "red called": figures["red_recall_called"],
        "to review": figures["review_share"],
    }
    detail = ", ".join(f"{name} {value:.3f}" for name, value in names.items())
    return Measured(f"{what}: category macro-F1", figures["category"]["macro_f1"], detail=detail)


def _without_rules(predictors: TrainedPredictors, messages: Sequence[LabelledMessage]) -> dict[str, Any]:
    table = tomllib.loads((Path(red_flags.__file__).parent / "red_flags.toml").read_text())
    none, register = RedFlags(table | {"flag": []}), Register.of(())
    answers = []
    for message in messages:
        read = as_message(message.channel, message.subject, message.text)
        assessment = assess(read, register=register, predictors=predictors, red_flags=none)
        answers.append(answer_from(assessment, decide(assessment, red_flags=none)))
    return evaluate(messages, answers)


def _compositions(corpus: Sequence[LabelledMessage]) -> list[LabelledMessage]:
    """Short messages put between sentences of harmless ones: the label is that of the graver part."""
    pick = random.Random(1)
    harmless = [m for m in corpus if m.category is Category.NOT_A_CONCERN and not m.pair]
    grave = [m for m in corpus if m.evidence and len(m.text.split()) <= 60 and not m.pair]
    made = []
    for number in range(_COMPOSED):
        fact, chatter = pick.choice(grave), pick.choice(harmless)
        words = chatter.text.split()[: int(np.clip(len(chatter.text.split()), *_CHATTER_WORDS))]
        cut = pick.randrange(len(words) + 1)
        text = " ".join([*words[:cut], fact.text, *words[cut:]])
        made.append(
            replace(fact, message_id=f"composed-{number}", text=text, subject=chatter.subject, evidence=())
        )
    return made
