"""How much a message that a person decided should count against one that was written for the corpus.

There is no real mail here to measure on, so one file of the corpus after the other plays the desk's own
mail: some of its messages join the others with a weight, and the rest are measured on. Run it with
`.venv/bin/python script/measure_own_weight.py`; it takes some minutes.
"""

from __future__ import annotations

import numpy as np

from models.features import LexicalView, as_read
from models.heads import fit_head
from models.labelled import CORPUS, LabelledMessage, load_corpus, parse_labelled
from models.targets import targets_of

WEIGHTS = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
OWN = 120
FILES = ("professionals", "inside-services")


def messages_of(name: str) -> list[LabelledMessage]:
    """The messages of one file of the corpus."""
    lines = (CORPUS / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [parse_labelled(line) for line in lines if line.strip()]


def main() -> None:
    """Print, for each weight, what was right of the messages measured on and how surely it was said."""
    everything = load_corpus()
    print("file              weight  category right  category loss  red loss")
    totals: dict[float, list[tuple[float, float, float]]] = {weight: [] for weight in WEIGHTS}
    for name in FILES:
        desk = messages_of(name)
        order = np.random.default_rng(1).permutation(len(desk))
        own, measured = [desk[i] for i in order[:OWN]], [desk[i] for i in order[OWN : OWN + 250]]
        ids = {message.message_id for message in desk}
        groups = {message.group for message in desk}
        written = [m for m in everything if m.message_id not in ids and m.group not in groups]
        for weight, figures in measure(written, own, measured).items():
            totals[weight].append(figures)
            print(f"{name:16s} {weight:7.0f} " + " ".join(f"{value:14.3f}" for value in figures), flush=True)
    for weight, rows in totals.items():
        print(f"{'mean':16s} {weight:7.0f} " + " ".join(f"{value:14.3f}" for value in np.mean(rows, axis=0)))


def measure(
    written: list[LabelledMessage], own: list[LabelledMessage], measured: list[LabelledMessage]
) -> dict[float, tuple[float, float, float]]:
    """For each weight: the share right, the mean loss of the category, and that of red."""
    read = [as_read(m.subject, m.text) for m in (*written, *own, *measured)]
    view = LexicalView.fit(read[: len(written)])
    rows = view.transform(read)
    learned = len(written) + len(own)
    targets = targets_of([*written, *own, *measured])
    truth, red = targets.category[learned:], targets.urgent[learned:, 1]
    found = {}
    for weight in WEIGHTS:
        weights = np.array([1.0] * len(written) + [max(weight, 1e-9)] * len(own))
        fitted = {
            name: fit_head(
                [rows[:learned]],
                wanted[:learned],
                exclusive=exclusive,
                strength=(10.0,),
                shares=(1.0,),
                weights=weights,
            )
            for name, wanted, exclusive in (
                ("category", targets.category, True),
                ("urgent", targets.urgent, False),
            )
        }
        said = fitted["category"].probabilities([rows[learned:]])
        chance_red = fitted["urgent"].probabilities([rows[learned:]])[:, 1]
        right = float((said.argmax(axis=1) == truth).mean())
        loss = float(-np.log(np.clip(said[np.arange(len(truth)), truth], 1e-6, 1)).mean())
        of_red = np.where(red == 1, chance_red, 1 - chance_red)
        found[weight] = (right, loss, float(-np.log(np.clip(of_red, 1e-6, 1)).mean()))
    return found


if __name__ == "__main__":
    main()
