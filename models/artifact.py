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
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from models.features import LexicalView
from models.heads import pack, unpack
from models.labelled import LabelledMessage
from models.predict import ABUSE_TYPES, CATEGORIES, SEVERITIES, THEMES, Heads, Thresholds, TrainedPredictors
from models.train import Trained, as_manifest
from triage.errors import BadInput, CareConcernsError

FORMAT = 1
_ALWAYS = {"lexical.npz", "vocabulary.json.gz", "rarity.npz"}
_EXCLUSIVE = {"category": True, "urgent": False, "themes": False, "abuse_types": False, "evidence": False}
LABELS = {
    "category": [category.value for category in CATEGORIES],
    "severity": [severity.label for severity in SEVERITIES],
    "themes": [theme.value for theme in THEMES],
    "abuse_types": [kind.value for kind in ABUSE_TYPES],
}


class ModelRefused(CareConcernsError):
    """The artefact is damaged, was changed, or was made for other labels or another format."""


def shipped_model() -> Path:
    """The folder of the model that comes with the program."""
    return Path(__file__).with_name("shipped")


def corpus_digest(messages: Sequence[LabelledMessage]) -> str:
    """A digest of everything that was learned from."""
    digest = hashlib.sha256()
    for message in messages:
        digest.update(repr(message).encode())
    return digest.hexdigest()


def save_model(
    trained: Mapping[str, Trained],
    folder: Path,
    *,
    messages: Sequence[LabelledMessage],
    made_at: datetime,
    encoder_folder: Path | None = None,
) -> str:
    """Write the artefact beside `folder`, then put it in its place; returns its version.

    `trained` holds "lexical", and "blend" where there is an encoder.
    """
    digest = corpus_digest(messages)
    version = f"{made_at:%Y.%m.%d}-{digest[:8]}"
    aside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    _write_view(trained["lexical"].lexical, aside)
    for mode, models in trained.items():
        _write_heads(models.heads, aside / f"{mode}.npz")
    if encoder_folder is not None:
        for path in sorted(encoder_folder.iterdir()):
            shutil.copy(path, aside / path.name)
    manifest = {
        "format": FORMAT,
        "version": version,
        "made_at": made_at.isoformat(timespec="seconds"),
        "labels": LABELS,
        "corpus": {"messages": len(messages), "sha256": digest},
        "modes": {
            mode: {"thresholds": as_manifest(models.thresholds), "held_out": models.metrics}
            for mode, models in trained.items()
        },
        "files": {path.name: _sha256(path) for path in sorted(aside.iterdir())},
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


def _put_in_place(aside: Path, folder: Path) -> None:
    before = folder.with_name(f"{folder.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)
    aside.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, checked against this program and every file it names; ModelRefused when it does not fit."""
    try:
        manifest: Any = json.loads((folder / "manifest.json").read_text())
    except FileNotFoundError:
        raise BadInput(f"there is no trained model in {folder}: run `careconcerns train`") from None
    except (OSError, ValueError):
        raise ModelRefused(f"{folder}: the manifest cannot be read") from None
    if not isinstance(manifest, dict):
        raise ModelRefused(f"{folder}: the manifest cannot be read")
    if manifest.get("format") != FORMAT:
        raise ModelRefused(f"{folder}: made in format {manifest.get('format')}, this program reads {FORMAT}")
    if manifest.get("labels") != LABELS:
        raise ModelRefused(f"{folder}: made for other labels than this program's")
    files = manifest.get("files", {})
    if not _ALWAYS | {f"{mode}.npz" for mode in manifest.get("modes", {})} <= set(files):
        raise ModelRefused(f"{folder}: the manifest does not name every file that is used")
    for name, expected in files.items():
        path = folder / Path(name).name
        if not path.is_file() or _sha256(path) != expected:
            raise ModelRefused(f"{folder}: {Path(name).name} is missing or was changed")
    return dict(manifest)


def load_predictors(folder: Path, *, encoder: bool = True) -> TrainedPredictors:
    """The models of the artefact, ready to predict; without `encoder`, the lexical view alone."""
    manifest = read_manifest(folder)
    try:
        return _load(manifest, folder, encoder=encoder)
    except (KeyError, TypeError, ValueError, OSError, EOFError, BadZipFile) as error:
        raise ModelRefused(f"{folder}: its files do not fit together: {type(error).__name__}") from None


def _load(manifest: Mapping[str, Any], folder: Path, *, encoder: bool) -> TrainedPredictors:
    mode = "blend" if encoder and "blend" in manifest["modes"] else "lexical"
    views = 2 if mode == "blend" else 1
    with np.load(folder / f"{mode}.npz", allow_pickle=False) as stored:
        heads = Heads(
            **{
                name: unpack(name, stored, exclusive=exclusive, views=1 if name == "evidence" else views)
                for name, exclusive in _EXCLUSIVE.items()
            }
        )
    return TrainedPredictors(
        version=manifest["version"] if mode == "blend" else f"{manifest['version']}-lexical",
        lexical=_read_view(folder),
        heads=heads,
        thresholds=_read_thresholds(manifest["modes"][mode]["thresholds"]),
        encoder=_read_encoder(folder) if mode == "blend" else None,
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


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
