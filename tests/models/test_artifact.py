"""A model on disk: the same after loading, and refused when anything about it is not as it was made."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import ModelRefused, corpus_digest, load_predictors, read_manifest, save_model
from models.labelled import LabelledMessage
from models.predict import TrainedPredictors
from models.train import Trained
from tests.factories import NOW
from triage.errors import BadInput
from triage.vocabulary import Category, Prediction, Severity

TEXTS = [
    "The night carer punched my mother at Rose Court.",
    "The carpet is stained.",
    "Could somebody help my dad with the shopping?\nHe is 88 and lives alone. The fridge was empty on Sunday.",
    "Buy one, get one free",
    "",
    "🙂",
]


@pytest.fixture
def folder(small_model: Path, tmp_path: Path) -> Path:
    """A copy of the small model, to spoil."""
    return Path(shutil.copytree(small_model, tmp_path / "model"))


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Write the manifest anew."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def own_up(folder: Path, name: str) -> None:
    """Make the manifest agree with a changed file, as somebody who forges one would."""
    digest = sha256((folder / name).read_bytes()).hexdigest()
    change_manifest(folder, lambda manifest: manifest["files"].update({name: digest}))


def same(one: Prediction, other: Prediction) -> bool:
    """Whether two predictions say the same, but for the halved precision of stored weights."""
    close = all(
        abs(getattr(one, name)[label] - getattr(other, name)[label]) < 0.002
        for name in ("category", "severity", "themes", "abuse_types")
        for label in getattr(one, name)
    )
    return close and [r.text for r in one.reasons][:1] == [r.text for r in other.reasons][:1]


def test_a_loaded_model_predicts_what_the_trained_one_did(small_model: Path, small_trained: Trained) -> None:
    """Every probability."""
    fresh = TrainedPredictors("fresh", small_trained.lexical, small_trained.heads, small_trained.thresholds)
    loaded = load_predictors(small_model)
    for text in TEXTS:
        assert same(fresh.predict("subject", text), loaded.predict("subject", text)), text


def test_a_prediction_is_a_distribution_with_reasons_in_the_text(small_model: Path) -> None:
    """Whatever the text, the empty one included."""
    predictors = load_predictors(small_model)
    for text in TEXTS:
        said = predictors.predict("", text)
        assert sum(said.category.values()) == pytest.approx(1, abs=1e-6)
        assert sum(said.severity.values()) == pytest.approx(1, abs=1e-6)
        assert set(said.category) == set(Category)
        assert set(said.severity) == set(Severity)
        assert said.model_version == predictors.version
        for reason in said.reasons:
            assert text[reason.start : reason.end] == reason.text


def test_the_version_names_day_and_corpus(small_model: Path, small_corpus: list[LabelledMessage]) -> None:
    """And the manifest says what it learned from."""
    manifest = read_manifest(small_model)
    assert manifest["version"].startswith("2026.11.20-")
    assert manifest["corpus"]["messages"] == len(small_corpus)
    assert manifest["version"].endswith(manifest["corpus"]["sha256"][:8])


def test_a_new_model_takes_the_place_of_the_old_one_whole(
    folder: Path, small_trained: Trained, small_corpus: list[LabelledMessage]
) -> None:
    """Nothing of the old one is left in it."""
    (folder / "left-over").write_text("x")
    save_model({"lexical": small_trained}, folder, messages=small_corpus[:-1], made_at=NOW)
    assert not (folder / "left-over").exists()
    assert load_predictors(folder).version.startswith("2026.11.20")
    assert not folder.with_name("model.new").exists()


@pytest.mark.parametrize("name", ["lexical.npz", "rarity.npz", "vocabulary.json.gz"])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    """One bit is enough."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelRefused, match=name):
        load_predictors(folder)


@pytest.mark.parametrize("name", ["lexical.npz", "rarity.npz", "vocabulary.json.gz"])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    """Also when the manifest does not name it."""
    (folder / name).unlink()
    with pytest.raises(ModelRefused, match=name):
        load_predictors(folder)
    change_manifest(folder, lambda manifest: manifest["files"].pop(name))
    with pytest.raises(ModelRefused):
        load_predictors(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda manifest: manifest.update(format=2), "format 2"),
        (lambda manifest: manifest["labels"]["category"].reverse(), "other labels"),
        (lambda manifest: manifest["labels"]["themes"].append("parking"), "other labels"),
        (lambda manifest: manifest.pop("labels"), "other labels"),
        (lambda manifest: manifest["modes"]["lexical"].pop("thresholds"), "do not fit"),
        (lambda manifest: manifest["modes"]["lexical"]["thresholds"]["themes"].pop("staffing"), "do not fit"),
        (lambda manifest: manifest.pop("modes"), "do not fit"),
    ],
)
def test_a_model_for_another_program_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    """In words."""
    change_manifest(folder, change)
    with pytest.raises(ModelRefused, match=words):
        load_predictors(folder)


@pytest.mark.parametrize("content", ["", "[]", "nonsense", '"text"', "\x00"])
def test_a_manifest_that_cannot_be_read_is_refused(folder: Path, content: str) -> None:
    """Not with a traceback."""
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ModelRefused, match="manifest"):
        load_predictors(folder)


def test_where_there_is_no_model_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    """As a person's matter."""
    with pytest.raises(BadInput, match="careconcerns train"):
        load_predictors(tmp_path)


class _Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", ["lexical.npz", "rarity.npz"])
def test_nothing_in_a_model_is_unpickled(folder: Path, tmp_path: Path, name: str) -> None:
    """Even when the manifest agrees: a forged file is refused and its code does not run."""
    mark = tmp_path / "exploded"
    with np.load(folder / name) as stored:
        arrays = {key: np.array([_Bomb(mark)], dtype=object) for key in stored.files}
    with (folder / name).open("wb") as file:
        np.savez(file, **arrays)
    own_up(folder, name)
    with pytest.raises(ModelRefused):
        load_predictors(folder)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["lexical.npz", "rarity.npz", "vocabulary.json.gz"])
def test_a_bare_pickle_in_the_place_of_a_file_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """As above."""
    mark = tmp_path / "exploded"
    (folder / name).write_bytes(pickle.dumps(_Bomb(mark)))
    own_up(folder, name)
    with pytest.raises(ModelRefused):
        load_predictors(folder)
    assert not mark.exists()


def test_the_digest_of_a_corpus_is_the_same_in_every_process(small_corpus: list[LabelledMessage]) -> None:
    """Whatever order a set of labels happens to be in."""
    program = (
        "from models.artifact import corpus_digest; from models.labelled import load_corpus; "
        "print(corpus_digest(load_corpus()[:200]))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert corpus_digest(small_corpus) != corpus_digest(small_corpus[:-1])
