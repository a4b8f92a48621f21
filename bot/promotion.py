"""Putting a candidate in force under a gate, and going back."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.app import build_app, costs_in_force, model_folder
from bot.assessing import evaluate_messages
from bot.settings import Settings
from bot.training import as_labelled, desk_examples, frozen_figures, keeps_lines_of_halves
from models.artifact import load_predictors, read_manifest, shipped_model
from models.evaluate import compare
from models.labelled import halves
from storage.audit import MACHINE, Audit, record
from triage.errors import BadInput

# With fewer decisions of the desk's own, one message more or less would decide about a candidate.
LEAST_OWN = 50
_FIGURES = (
    "safeguarding_recall_called",
    "safeguarding_recall_called_or_review",
    "red_recall_called",
    "red_recall_called_or_review",
    "review_share",
)


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a candidate: why it may not take the place of the model in force, and on what grounds."""

    version: str
    in_force: str
    refusals: list[str]
    grounds: list[str]
    figures: dict[str, dict[str, dict[str, float]]]

    def as_json(self) -> dict[str, Any]:
        """The verdict as it is stored: figures and words, nothing of any message."""
        return {
            "in_force": self.in_force,
            "refusals": self.refusals,
            "grounds": self.grounds,
            "figures": self.figures,
        }


def judge(candidate: Path, settings: Settings, *, now: datetime) -> Verdict:
    """Compare the candidate with the model in force, on messages from which neither learned.

    These are the frozen set, each half with lines drawn without it, and, where people decided enough at the
    desk, the half of their decisions that is kept back.
    """
    costs = costs_in_force(settings)
    folders = (candidate, model_folder(settings))
    new, current = (load_predictors(folder, encoder=settings.encoder, costs=costs) for folder in folders)
    # An artefact of before kept no lines of each half: then both are measured alike, by the lines in force.
    crossed = all(keeps_lines_of_halves(folder, encoder=settings.encoder) for folder in folders)
    measured = {
        "frozen messages": [
            frozen_figures(folder, encoder=settings.encoder, costs=costs, crossed=crossed)
            for folder in folders
        ]
    }
    own = [as_labelled(example) for example in desk_examples(settings, now=now)]
    grounds = []
    if len(own) >= LEAST_OWN:
        kept = halves(own)[1]
        measured["messages decided at this desk"] = [evaluate_messages(kept, one) for one in (new, current)]
    else:
        grounds = [f"{len(own)} messages decided at this desk: from {LEAST_OWN} on they are measured too"]
    refusals: list[str] = []
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name, (candidates, currents) in measured.items():
        refusals += [f"on {candidates['messages']} {name}: {why}" for why in compare(candidates, currents)]
        figures[name] = {"candidate": _some(candidates), "in force": _some(currents)}
        grounds.append(f"measured on {candidates['messages']} {name}")
    return Verdict(new.version, current.version, refusals, grounds, figures)


def _some(figures: Mapping[str, Any]) -> dict[str, float]:
    return {
        "category_macro_f1": figures["category"]["macro_f1"],
        "severity_macro_f1": figures["severity"]["macro_f1"],
        **{name: figures[name] for name in _FIGURES},
    }


def promote(candidate: Path, settings: Settings, *, now: datetime) -> str:
    """Put the candidate in force; BadInput, with the reasons, when it misses more than the current model."""
    version = str(read_manifest(candidate)["version"])
    verdict = judge(candidate, settings, now=now)
    if verdict.refusals:
        raise BadInput(f"{version} stays a candidate: " + "; ".join(verdict.refusals))
    in_force, before = settings.data_dir / "model", settings.data_dir / "model.before"
    aside = settings.data_dir / "model.new"
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(candidate, aside)
    shutil.rmtree(before, ignore_errors=True)
    if in_force.exists():
        in_force.rename(before)
    aside.rename(in_force)
    _write_down(settings, "model_promoted", version, now)
    return version


def rollback(settings: Settings, *, now: datetime) -> str:
    """Put the model before the last promotion back; the shipped one when there was none."""
    in_force, before = settings.data_dir / "model", settings.data_dir / "model.before"
    if not in_force.exists():
        raise BadInput("the shipped model is in force: there is nothing to go back to")
    shutil.rmtree(in_force)
    if before.exists():
        before.rename(in_force)
    version = str(read_manifest(in_force if in_force.exists() else shipped_model())["version"])
    _write_down(settings, "model_rolled_back", version, now)
    return version


def _write_down(settings: Settings, action: str, version: str, now: datetime) -> None:
    if not settings.keys_path.exists():
        return
    with closing(build_app(settings)) as app:
        app.database.check_version()
        with app.database.write() as session:
            record(session, Audit(at=now, actor=MACHINE, action=action), f"model:{version}"[:60])
