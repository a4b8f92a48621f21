"""The model card, written from the run that made the model: what it is, learned from, good at and bad at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from models.evaluate import as_table
from models.labelled import LabelledMessage
from triage.costs import Costs

_HEAD = """\
# Model card: careconcerns {version}

**What it does.** It sorts messages to a council's care-concerns desk: category, severity, themes and
types of abuse, by the coding guide (docs/labelling.md). It suggests; a person decides every concern.

**What it is.** {description}

**What it is not for.** Deciding anything about a person without one; judging a provider; benchmarking
councils. It knows English messages about adult social care in England, and little else.

**What it learned from.** {messages} fictional messages written for this project, in `models/corpus`
(SHA-256 of the set: `{digest}`). {own}

{counts}

**Where its lines are.** By {costs_origin} table of costs, on {drawn_on}. Of each class, at most this share may
be missed, measured there:

{costs}

**Known limits.** The messages of the corpus were written, not received: figures on real mail will be lower, and a
council should replay its own past mail before it trusts them. Facts that must be inferred from small
details are the hardest. Copies about a person of the other sex are part of training, because no label
may depend on it.

## Figures on the frozen set

{measured_on}

```
{table}
```

Figures of the messages that the lines were drawn on: {held_out}
"""

_DESCRIPTIONS = {
    "lexical": "Linear models over words, pairs of words and pieces of words, calibrated by temperature.",
    "blend": (
        "The mean of two views: linear models over words and pieces of words, and a sentence encoder. The "
        "encoder is\nall-MiniLM-L6-v2 (Apache-2.0; SHA-256 of the published weights in script/train_encoder.py), "
        "its upper half trained\nfurther on the same corpus, its matrices kept in 8 bits."
    ),
}


def write_card(
    manifest: Mapping[str, Any],
    messages: Sequence[LabelledMessage],
    figures: Mapping[str, Any],
    *,
    measured_on: str,
    costs: Costs,
) -> str:
    """The card as Markdown; `measured_on` says which messages the figures are of, in whole sentences."""
    mode = "blend" if "blend" in manifest["modes"] else "lexical"
    held_out = ", ".join(f"{name} {value:.3f}" for name, value in manifest["modes"][mode]["held_out"].items())
    return _HEAD.format(
        version=manifest["version"],
        description=_DESCRIPTIONS[mode],
        messages=manifest["corpus"]["messages"],
        digest=manifest["corpus"]["sha256"],
        own=_own(manifest["corpus"]),
        counts=_counts(messages),
        costs_origin=costs.origin,
        costs=_costs(costs),
        drawn_on=manifest["modes"][mode]["drawn_on"],
        measured_on=measured_on,
        table=as_table(figures),
        held_out=held_out,
    )


def _own(corpus: Mapping[str, Any]) -> str:
    if not corpus["own"]:
        return "No real message of any person was used."
    return (
        f"Beside them {corpus['own']} messages that this desk's people decided, redacted, each of which counts "
        f"{corpus['own_weight']:g} times. No word of theirs is in the model: its vocabulary is the corpus's."
    )


def _costs(costs: Costs) -> str:
    shares = {label: share for section in costs.as_json().values() for label, share in section.items()}
    lines = ["| class | may be missed |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {label} | {share:.3f} |" for label, share in shares.items())])


def _counts(messages: Sequence[LabelledMessage]) -> str:
    counted = Counter(
        (m.category.value, m.severity.label if m.severity is not None else "-") for m in messages
    )
    lines = ["| category | severity | messages |", "| --- | --- | --- |"]
    lines += [
        f"| {category} | {severity} | {count} |" for (category, severity), count in sorted(counted.items())
    ]
    return "\n".join(lines)
