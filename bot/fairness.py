"""`careconcerns fairness`: how often a label changes with what must not matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bot.assessing import answer_of
from models.counterfactuals import KINDS, copies_of
from models.labelled import LabelledMessage
from triage.assess import Predictors
from triage.provider_words import FIRST_NAMES


def flips(messages: Sequence[LabelledMessage], predictors: Predictors) -> dict[str, tuple[int, int]]:
    """For each kind of copy, how many there are and how many get another category or severity."""
    made: Counter[str] = Counter()
    flipped: Counter[str] = Counter()
    for message in messages:
        before = answer_of(message, predictors=predictors)
        for copy in copies_of(message, sorted(FIRST_NAMES)):
            after = answer_of(copy.message, predictors=predictors)
            made[copy.kind] += 1
            flipped[copy.kind] += (after.category, after.severity) != (before.category, before.severity)
    return {kind: (made[kind], flipped[kind]) for kind in KINDS}


def share(counted: Mapping[str, tuple[int, int]]) -> float:
    """Copies with another label, of all copies."""
    return sum(changed for _, changed in counted.values()) / max(1, sum(made for made, _ in counted.values()))


def as_table(counted: Mapping[str, tuple[int, int]]) -> str:
    """The counts as plain text, with their sum."""
    lines = [f"{'what is changed':18s} copies  other label  share"]
    for kind, (made, changed) in counted.items():
        lines.append(f"{kind:18s} {made:6d} {changed:12d} {changed / max(1, made):6.3f}")
    made, changed = (sum(column) for column in zip(*counted.values(), strict=True))
    return "\n".join([*lines, f"{'all':18s} {made:6d} {changed:12d} {share(counted):6.3f}"])
