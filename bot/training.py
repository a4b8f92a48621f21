"""Training a candidate: from the corpus, what the desk's people decided, and the encoder in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.app import build_app, costs_in_force, model_folder
from bot.assessing import answer_of, evaluate_messages
from bot.settings import Settings
from models.artifact import ENCODER_FILES, Lines, load_predictors, read_lines, read_manifest, save_model
from models.corpus_check import Complaint, check_corpus, summary
from models.evaluate import evaluate
from models.labelled import CORPUS, FROZEN, LabelledMessage, halves, load_corpus, read_labelled
from models.model_card import write_card
from models.predict import TrainedPredictors
from models.train import OWN_WEIGHT, Trained, blend, train
from storage.labelled_examples import LabelledExample, labelled_examples
from triage.costs import Costs
from triage.errors import BadInput

Say = Callable[[str], None]


def corpus_report(against: Sequence[Path]) -> tuple[list[Complaint], str]:
    """What is wrong with the corpus, frozen part included, and its counts; BadInput when a file is no such file."""
    messages = [*load_corpus(CORPUS), *load_corpus(FROZEN)]
    measured_on: list[LabelledMessage] = []
    for path in against:
        for number, item in read_labelled(path):
            if isinstance(item, BadInput):
                raise BadInput(f"{path}, line {number}: {item}")
            measured_on.append(item)
    return list(check_corpus(messages, measured_on)), summary(messages)


def desk_examples(settings: Settings, *, now: datetime) -> list[LabelledExample]:
    """What people decided at the desk, redacted; nothing where there is no desk yet."""
    if settings.learn_days == 0 or not settings.keys_path.exists():
        return []
    with closing(build_app(settings)) as app:
        app.database.check_version()
        with app.database.read() as session:
            since = now - timedelta(days=settings.learn_days)
            return labelled_examples(session, app.keys, since=since)


def as_labelled(example: LabelledExample) -> LabelledMessage:
    """The example as the models learn from it and are measured on it."""
    return LabelledMessage(
        message_id=f"desk:{example.concern_id}",
        channel=example.channel,
        subject=example.subject,
        text=example.text,
        category=example.category,
        severity=example.severity,
        themes=frozenset(example.themes),
        abuse_types=frozenset(example.abuse_types),
    )


def train_candidate(
    corpus: Path | None,
    folder: Path,
    *,
    settings: Settings,
    corrections: bool = True,
    encoder_folder: Path | None = None,
    now: datetime,
    say: Say,
) -> str:
    """Train on the corpus and on what the desk's people decided, and write the artefact with its card.

    The encoder is that of `encoder_folder`, else of the model in force; returns the version.
    """
    messages = load_corpus(corpus or CORPUS)
    own, kept = halves([as_labelled(e) for e in desk_examples(settings, now=now)] if corrections else [])
    say(f"{len(messages)} written messages")
    say(_about_own(own, kept, corrections=corrections))
    costs = costs_in_force(settings)
    encoder = encoder_folder or (_encoder_of(model_folder(settings)) if settings.encoder else None)
    trained = build(messages, own=own, encoder_folder=encoder, costs=costs, say=say)
    version = save_model(
        trained,
        folder,
        messages=messages,
        made_at=now,
        encoder_folder=encoder,
        own=own,
        own_weight=OWN_WEIGHT,
    )
    say("measuring")
    _write_card(folder, messages, costs)
    return version


def build(
    messages: Sequence[LabelledMessage],
    *,
    own: Sequence[LabelledMessage] = (),
    encoder_folder: Path | None,
    costs: Costs,
    say: Say = lambda _: None,
) -> dict[str, Trained]:
    """Both modes: "lexical", and "blend" where there is an encoder, its lines drawn on the frozen set."""
    trained = {"lexical": train(messages, own=own, costs=costs, progress=say)}
    if encoder_folder is not None:
        from models.semantic import OnnxEncoder  # noqa: PLC0415  a council may run without the encoder's libraries

        say(f"drawing the lines of the blend with the encoder of {encoder_folder}")
        frozen = load_corpus(FROZEN)
        trained["blend"] = blend(trained["lexical"], OnnxEncoder(encoder_folder), frozen, costs=costs)
    return trained


def _about_own(own: Sequence[LabelledMessage], kept: Sequence[LabelledMessage], *, corrections: bool) -> str:
    if not corrections:
        return "what people decided at the desk is left out"
    return (
        f"{len(own)} messages that people decided at the desk, redacted, each of which counts {OWN_WEIGHT:g} "
        f"times; {len(kept)} more are kept back to measure on"
    )


def _encoder_of(folder: Path) -> Path | None:
    return folder if all(name in read_manifest(folder)["files"] for name in ENCODER_FILES) else None


def _write_card(folder: Path, messages: Sequence[LabelledMessage], costs: Costs) -> None:
    figures = frozen_figures(folder, costs=costs)
    measured_on = (
        f"Taken on the {figures['messages']} messages of the frozen set, from which no weight was learned."
    )
    if "blend" in read_manifest(folder)["modes"]:
        measured_on += (
            " Each half was\nmeasured with lines drawn on the other half alone; "
            "the lines in force are drawn on both."
        )
    card = write_card(read_manifest(folder), messages, figures, measured_on=measured_on, costs=costs)
    (folder / "card.md").write_text(card, encoding="utf-8")


def keeps_lines_of_halves(folder: Path, *, encoder: bool) -> bool:
    """Whether the artefact can be measured by lines that a message had no part in."""
    lines = read_lines(folder, encoder=encoder)
    return lines.mode == "lexical" or bool(lines.crossed)


def frozen_figures(
    folder: Path, *, encoder: bool = True, costs: Costs | None = None, crossed: bool = True
) -> dict[str, Any]:
    """The figures on the frozen set, no message of which had a part in the lines that it was measured by.

    Without `crossed` the lines in force are measured, which flatters a blend.
    """
    predictors = load_predictors(folder, encoder=encoder, costs=costs)
    lines = read_lines(folder, encoder=encoder, costs=costs)
    frozen = load_corpus(FROZEN)
    if not crossed or not lines.crossed:
        return evaluate_messages(frozen, predictors)
    measured = _crossed(frozen, predictors, lines)
    messages = [message for half, _ in measured for message in half]
    answers = [answer_of(message, predictors=models) for half, models in measured for message in half]
    return evaluate(messages, answers)


def _crossed(
    frozen: Sequence[LabelledMessage], predictors: TrainedPredictors, lines: Lines
) -> list[tuple[list[LabelledMessage], TrainedPredictors]]:
    """Each half with models whose lines were drawn on the other."""
    first, second = halves(frozen)
    by_first, by_second = (replace(predictors, thresholds=one) for one in lines.crossed)
    return [(first, by_second), (second, by_first)]
