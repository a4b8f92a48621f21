"""The model card, written from the run that made the model: what it is, learned from, good at and bad at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from models.evaluate import as_table
from models.labelled import LabelledMessage

_HEAD = """\
# Model card: careconcerns {version}

**What it does.** It sorts messages to a council's care-concerns desk: category, severity, themes and
types of abuse, by the coding guide (docs/labelling.md). It suggests; a person decides every concern.

**What it is.** {description}

**What it is not for.** Deciding anything about a person without one; judging a provider; benchmarking
councils. It knows English messages about adult social care in England, and little else.

**What it learned from.** {messages} fictional messages written for this project, in `models/corpus`
(SHA-256 of the set: `{digest}`). No real message of any person was used.

{counts}

**Known limits.** Every message was written, not received: figures on real mail will be lower, and a
council should replay its own past mail before it trusts them. Facts that must be inferred from small
details are the hardest. Copies about a person of the other sex are part of training, because no label
may depend on it.

## Figures on the frozen set

No weight was learned from it, but the lines of the blend (what goes to review) were drawn on it: those
figures flatter.

```
{table}
```

Held-out figures of the training run: {held_out}
"""

_DESCRIPTIONS = {
    "lexical": "Linear models over words, pairs of words and pieces of words, calibrated by temperature.",
    "blend": "The mean of two calibrated linear views: words and pieces of words, and a sentence encoder.",
}


def write_card(
    manifest: Mapping[str, Any], messages: Sequence[LabelledMessage], figures: Mapping[str, Any]
) -> str:
    """The card as Markdown."""
    mode = "blend" if "blend" in manifest["modes"] else "lexical"
    held_out = ", ".join(f"{name} {value:.3f}" for name, value in manifest["modes"][mode]["held_out"].items())
    return _HEAD.format(
        version=manifest["version"],
        description=_DESCRIPTIONS[mode],
        messages=manifest["corpus"]["messages"],
        digest=manifest["corpus"]["sha256"],
        counts=_counts(messages),
        table=as_table(figures),
        held_out=held_out,
    )


def _counts(messages: Sequence[LabelledMessage]) -> str:
    counted = Counter(
        (m.category.value, m.severity.label if m.severity is not None else "-") for m in messages
    )
    lines = ["| category | severity | messages |", "| --- | --- | --- |"]
    lines += [
        f"| {category} | {severity} | {count} |" for (category, severity), count in sorted(counted.items())
    ]
    return "\n".join(lines)
