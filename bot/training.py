"""Training a candidate, putting it in force under a gate, and going back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.app import model_folder
from bot.assessing import evaluate_messages
from bot.settings import Settings
from models.artifact import load_predictors, read_manifest, save_model, shipped_model
from models.corpus_check import Complaint, check_corpus, summary
from models.evaluate import compare
from models.labelled import CORPUS, FROZEN, LabelledMessage, load_corpus, read_labelled
from models.model_card import write_card
from models.train import train
from triage.errors import BadInput


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


def train_candidate(corpus: Path | None, folder: Path, *, say: Callable[[str], None]) -> str:
    """Train on the corpus and write the artefact with its card; returns its version."""
    messages = load_corpus(corpus or CORPUS)
    say(f"{len(messages)} messages")
    trained = {"lexical": train(messages, progress=say)}
    version = save_model(trained, folder, messages=messages, made_at=datetime.now(UTC))
    figures = _frozen_figures(folder)
    (folder / "card.md").write_text(write_card(read_manifest(folder), messages, figures))
    return version


def _frozen_figures(folder: Path) -> dict[str, Any]:
    return evaluate_messages(load_corpus(FROZEN), load_predictors(folder))


def promote(candidate: Path, settings: Settings) -> str:
    """Put the candidate in force; BadInput, with the reasons, when it misses more than the current model."""
    version = str(read_manifest(candidate)["version"])
    refusals = compare(_frozen_figures(candidate), _frozen_figures(model_folder(settings)))
    if refusals:
        raise BadInput(f"{version} stays a candidate: " + "; ".join(refusals))
    in_force, before = settings.data_dir / "model", settings.data_dir / "model.before"
    aside = settings.data_dir / "model.new"
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(candidate, aside)
    shutil.rmtree(before, ignore_errors=True)
    if in_force.exists():
        in_force.rename(before)
    aside.rename(in_force)
    return version


def rollback(settings: Settings) -> str:
    """Put the model before the last promotion back; the shipped one when there was none."""
    in_force, before = settings.data_dir / "model", settings.data_dir / "model.before"
    if not in_force.exists():
        raise BadInput("the shipped model is in force: there is nothing to go back to")
    shutil.rmtree(in_force)
    if before.exists():
        before.rename(in_force)
        return str(read_manifest(in_force)["version"])
    return str(read_manifest(shipped_model())["version"])
