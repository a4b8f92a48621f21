"""A trained model on disk: numbers and lists alone, with a manifest that is checked before anything is used.

`manifest.json` names the format, the labels, every other file with its SHA-256, the thresholds and the
metrics. Arrays are .npz files read without pickle, the vocabulary is JSON, the encoder ONNX: nothing in
an artefact can run code. One that does not fit is refused.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from models.features import LexicalView
from models.heads import pack, unpack
from models.labelled import LabelledMessage
from models.lines import Scores, as_manifest, redraw
from models.manifest import FORMAT, LABELS, ModelRefused, costs_of, read_manifest, sha256_of, shipped_model
from models.predict import Heads, Thresholds, TrainedPredictors
from models.train import Trained
from triage.costs import Costs
from triage.errors import BadInput

__all__ = [
    "ENCODER_FILES",
    "Lines",
    "ModelRefused",
    "corpus_digest",
    "load_predictors",
    "read_lines",
    "read_manifest",
    "save_model",
    "shipped_model",
]

ENCODER_FILES = ("encoder.onnx", "tokenizer.json")
_EXCLUSIVE = {"category": True, "urgent": False, "themes": False, "abuse_types": False, "evidence": False}


def corpus_digest(messages: Sequence[LabelledMessage]) -> str:
    """A digest of everything that was learned from, the same for the same messages on every machine."""
    digest = hashlib.sha256()
    for message in messages:
        # Sorted: a set shows its members in another order in every process.
        fields = {name: _plain(value) for name, value in vars(message).items()}
        digest.update(json.dumps(fields, sort_keys=True).encode())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def save_model(
    trained: Mapping[str, Trained],
    folder: Path,
    *,
    messages: Sequence[LabelledMessage],
    made_at: datetime,
    encoder_folder: Path | None = None,
    own: Sequence[LabelledMessage] = (),
    own_weight: float = 1.0,
) -> str:
    """Write the artefact beside `folder`, then put it in its place; returns its version.

    `trained` holds "lexical", and "blend" where there is an encoder; `own` is what the desk's people decided,
    of which only the number is kept.
    """
    digest = corpus_digest([*messages, *own])
    version = f"{made_at:%Y.%m.%d}-{digest[:8]}"
    aside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    _write_view(trained["lexical"].lexical, aside)
    for mode, models in trained.items():
        _write_heads(models.heads, aside / f"{mode}.npz")
        _write_scores(models.held_out, aside / _scores_name(mode))
    if encoder_folder is not None:
        for name in ENCODER_FILES:
            shutil.copy(encoder_folder / name, aside / name)
    manifest = {
        "format": FORMAT,
        "version": version,
        "made_at": made_at.isoformat(timespec="seconds"),
        "labels": LABELS,
        "corpus": {"messages": len(messages), "own": len(own), "own_weight": own_weight, "sha256": digest},
        "costs": trained["lexical"].costs.as_json(),
        "modes": {
            mode: {
                "thresholds": as_manifest(models.thresholds),
                "drawn_on": models.drawn_on,
                "crossed": [as_manifest(lines) for lines in models.crossed],
                "held_out": models.metrics,
            }
            for mode, models in trained.items()
        },
        "files": {path.name: sha256_of(path) for path in sorted(aside.iterdir())},
    }
    (aside / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    _put_in_place(aside, folder)
    return version


def _write_view(view: LexicalView, folder: Path) -> None:
    terms, weights = view.state()
    with gzip.GzipFile(folder / "vocabulary.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(terms, ensure_ascii=False).encode())
    with (folder / "rarity.npz").open("wb") as file:
        np.savez_compressed(file, words=weights[0], pieces=weights[1])


def _write_heads(heads: Heads, path: Path) -> None:
    arrays: dict[str, Any] = {}
    for name in _EXCLUSIVE:
        arrays |= pack(name, getattr(heads, name))
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _scores_name(mode: str) -> str:
    return f"held-out-{mode}.npz"


def _write_scores(scores: Scores, path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **scores.pack())


def _put_in_place(aside: Path, folder: Path) -> None:
    before = folder.with_name(f"{folder.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    aside.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def load_predictors(folder: Path, *, encoder: bool = True, costs: Costs | None = None) -> TrainedPredictors:
    """The models of the artefact, ready to predict; without `encoder`, the lexical view alone.

    `costs` is the table that lines are drawn by; without it, the artefact's own lines stand.
    """
    manifest = read_manifest(folder)
    with _as_refusal(folder):
        return _load(manifest, folder, encoder=encoder, costs=costs)


@dataclass(frozen=True)
class Lines:
    """The lines of one mode under a table of costs; `scores` are None in an artefact that keeps none.

    `crossed` are those drawn on each half of the scores alone, as of `Trained`.
    """

    version: str
    mode: str
    thresholds: Thresholds
    scores: Scores | None
    crossed: tuple[Thresholds, ...] = ()


def read_lines(folder: Path, *, encoder: bool = True, costs: Costs | None = None) -> Lines:
    """Where the lines are, without loading the models."""
    manifest = read_manifest(folder)
    with _as_refusal(folder):
        return _lines(manifest, folder, encoder=encoder, costs=costs)


@contextmanager
def _as_refusal(folder: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile) as error:
        raise ModelRefused(f"{folder}: its files do not fit together: {type(error).__name__}") from None


def _lines(manifest: Mapping[str, Any], folder: Path, *, encoder: bool, costs: Costs | None) -> Lines:
    mode = "blend" if encoder and "blend" in manifest["modes"] else "lexical"
    thresholds = _read_thresholds(manifest["modes"][mode]["thresholds"])
    scores = _read_scores(manifest, folder, mode)
    version = manifest["version"] if mode == "blend" else f"{manifest['version']}-lexical"
    crossed = tuple(_read_thresholds(one) for one in manifest["modes"][mode].get("crossed", ()))
    if costs is None or costs.as_json() == costs_of(manifest).as_json():
        return Lines(version, mode, thresholds, scores, crossed)
    if scores is None:
        raise BadInput(
            f"{folder} keeps no held-out scores, so its lines cannot follow {costs.origin} table of costs: "
            "train a model, or take the table away"
        )
    halves = (scores.second_half == 0, scores.second_half == 1)
    return Lines(
        f"{version}-costs.{costs.mark}",
        mode,
        redraw(thresholds, scores, costs),
        scores,
        tuple(redraw(one, scores.only(half), costs) for one, half in zip(crossed, halves, strict=False)),
    )


def _read_scores(manifest: Mapping[str, Any], folder: Path, mode: str) -> Scores | None:
    if _scores_name(mode) not in manifest["files"]:
        return None
    with np.load(folder / _scores_name(mode), allow_pickle=False) as stored:
        return Scores.unpack(stored)


def _load(
    manifest: Mapping[str, Any], folder: Path, *, encoder: bool, costs: Costs | None
) -> TrainedPredictors:
    lines = _lines(manifest, folder, encoder=encoder, costs=costs)
    views = 2 if lines.mode == "blend" else 1
    with np.load(folder / f"{lines.mode}.npz", allow_pickle=False) as stored:
        heads = Heads(
            **{
                name: unpack(name, stored, exclusive=exclusive, views=1 if name == "evidence" else views)
                for name, exclusive in _EXCLUSIVE.items()
            }
        )
    return TrainedPredictors(
        version=lines.version,
        lexical=_read_view(folder),
        heads=heads,
        thresholds=lines.thresholds,
        encoder=_read_encoder(folder) if lines.mode == "blend" else None,
    )


def _read_view(folder: Path) -> LexicalView:
    with gzip.open(folder / "vocabulary.json.gz", "rt", encoding="utf-8") as file:
        terms = json.load(file)
    with np.load(folder / "rarity.npz", allow_pickle=False) as stored:
        return LexicalView.from_state(terms, [stored["words"], stored["pieces"]])


def _read_encoder(folder: Path) -> Any:
    # Imported where it is used: a council may run without the encoder's libraries.
    from models.semantic import OnnxEncoder  # noqa: PLC0415

    return OnnxEncoder(folder)


def _read_thresholds(stored: Mapping[str, Any]) -> Thresholds:
    return Thresholds(
        temperature=stored["temperature"],
        severity_temperature=stored["severity_temperature"],
        category=tuple(stored["category"][label] for label in LABELS["category"]),
        severity=tuple(stored["severity"][label] for label in LABELS["severity"]),
        themes=tuple(stored["themes"][label] for label in LABELS["themes"]),
        abuse_types=tuple(stored["abuse_types"][label] for label in LABELS["abuse_types"]),
    )
