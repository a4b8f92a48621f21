"""Lines follow the table of costs without training, drawn on one half and measured on the other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.artifact import ENCODER_FILES, ModelRefused, load_predictors, read_lines, save_model
from models.labelled import FROZEN, LabelledMessage, halves, load_corpus
from models.lines import redraw, set_sizes
from models.manifest import read_manifest
from models.predict import ANSWERS
from models.train import Trained, blend, train
from tests.factories import NOW
from tests.models.test_artifact import change_manifest, own_up
from triage.costs import Costs, shipped_costs
from triage.errors import BadInput
from triage.vocabulary import Category, Severity


def dearer(share: float = 0.0) -> Costs:
    """A table in which less may be missed."""
    table = shipped_costs()
    return replace(
        table,
        category={**table.category, Category.SAFEGUARDING: share},
        severity={**table.severity, Severity.RED: share},
        origin="the council's own",
    )


class Deaf:
    """An encoder that answers the same to everything."""

    def encode(self, texts: list[str]) -> np.ndarray:
        """One row a text."""
        return np.zeros((len(texts), ANSWERS), dtype=np.float32)


def test_the_frozen_set_falls_into_two_halves_that_share_no_pair_and_never_change() -> None:
    """A further message moves no other."""
    messages = load_corpus(FROZEN)
    first, second = halves(messages)
    assert len(first) + len(second) == len(messages)
    assert 0.4 < len(first) / len(messages) < 0.6
    assert {m.group for m in first}.isdisjoint({m.group for m in second})
    again, _ = halves([*messages[::-1], replace(messages[0], message_id="one-more", pair=None)])
    assert {m.message_id for m in first} <= {m.message_id for m in again}


def test_a_dearer_miss_draws_a_lower_line_and_leaves_the_rest(small_trained: Trained) -> None:
    """More of the class stays possible; other classes, themes and temperatures are as they were."""
    before = small_trained.thresholds
    after = redraw(before, small_trained.held_out, dearer())
    assert after.category[0] <= before.category[0]
    assert after.severity[2] <= before.severity[2]
    assert after.category[1:] == before.category[1:]
    assert (after.themes, after.temperature) == (before.themes, before.temperature)
    assert redraw(before, small_trained.held_out, small_trained.costs) == before


def test_an_artefact_follows_another_table_when_it_is_loaded(small_model: Path) -> None:
    """Its version says so; without a table, or under its own, its own lines stand."""
    own = load_predictors(small_model)
    assert load_predictors(small_model, costs=shipped_costs()).thresholds == own.thresholds
    other = load_predictors(small_model, costs=dearer())
    assert other.thresholds.category[0] <= own.thresholds.category[0]
    assert other.version == f"{own.version}-costs.{dearer().mark}"
    said, before = other.predict("", "The carpet is worn."), own.predict("", "The carpet is worn.")
    assert said.category == before.category
    assert before.category_set <= said.category_set


def test_lines_are_read_without_loading_the_models(small_model: Path) -> None:
    """With what they do to the held-out messages."""
    lines = read_lines(small_model, costs=dearer())
    assert lines.scores is not None
    stricter = set_sizes(lines.thresholds, lines.scores)
    usual = set_sizes(read_lines(small_model).thresholds, lines.scores)
    assert stricter["several_categories"] >= usual["several_categories"]
    assert stricter["messages"] == len(lines.scores.category)


def test_an_artefact_without_scores_says_what_it_cannot_do(small_model: Path, tmp_path: Path) -> None:
    """It works under its own table, and refuses another in words."""
    folder = Path(shutil.copytree(small_model, tmp_path / "model"))
    (folder / "held-out-lexical.npz").unlink()
    change_manifest(folder, lambda manifest: manifest["files"].pop("held-out-lexical.npz"))
    assert load_predictors(folder, costs=shipped_costs())
    with pytest.raises(BadInput, match="cannot follow the council's own table"):
        load_predictors(folder, costs=dearer())


def test_scores_that_are_not_one_table_are_refused(small_model: Path, tmp_path: Path) -> None:
    """As any other file that does not fit."""
    folder = Path(shutil.copytree(small_model, tmp_path / "model"))
    path = folder / "held-out-lexical.npz"
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    with path.open("wb") as file:
        np.savez(file, **{**arrays, "category": arrays["category"][:-1]})
    own_up(folder, path.name)
    with pytest.raises(ModelRefused, match="do not fit"):
        load_predictors(folder, costs=dearer())


def test_a_blend_keeps_the_lines_of_each_half_beside_those_of_both(
    small_trained: Trained, small_corpus: list[LabelledMessage]
) -> None:
    """So that each half can be measured by lines that it had no part in."""
    both = blend(small_trained, Deaf(), small_corpus)  # type: ignore[arg-type]
    assert both.drawn_on == f"{len(small_corpus)} messages that no weight was learned from"
    assert len(both.held_out.category) == len(small_corpus)
    first, second = halves(small_corpus)
    assert both.held_out.second_half.sum() == len(second)
    alone = [blend(small_trained, Deaf(), half) for half in (first, second)]  # type: ignore[arg-type]
    assert [one.thresholds for one in alone] == list(both.crossed)


def test_the_lines_of_each_half_follow_the_costs_too(
    small_trained: Trained, small_corpus: list[LabelledMessage], tmp_path: Path
) -> None:
    """Each by the scores of its own half."""
    both = blend(small_trained, Deaf(), small_corpus)  # type: ignore[arg-type]
    folder = tmp_path / "model"
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    for name in ENCODER_FILES:
        (encoder / name).write_bytes(b"-")
    trained = {"lexical": small_trained, "blend": both}
    save_model(trained, folder, messages=small_corpus, made_at=NOW, encoder_folder=encoder)
    assert read_lines(folder).crossed == both.crossed
    other = read_lines(folder, costs=dearer())
    halves_of = (both.held_out.second_half == 0, both.held_out.second_half == 1)
    assert other.crossed == tuple(
        redraw(lines, both.held_out.only(half), dearer())
        for lines, half in zip(both.crossed, halves_of, strict=True)
    )
    assert read_lines(folder, encoder=False).crossed == ()


def test_own_messages_count_more_and_leave_no_word_behind(
    small_corpus: list[LabelledMessage], small_trained: Trained
) -> None:
    """What the desk decided moves the labels; its words are in no vocabulary."""
    text = "The zorblax carpet of Mrs Quillfeather is a referral in our town, and the zorblax carpet again."
    own = [
        replace(
            small_corpus[0],
            message_id=f"desk:{number}",
            pair=None,
            invariant=None,
            text=text,
            subject="",
            category=Category.REFERRAL,
            severity=Severity.GREEN,
            themes=frozenset(),
            abuse_types=frozenset(),
            evidence=(),
        )
        for number in range(4)
    ]
    light = train(small_corpus, own=own, own_weight=1.0, swaps=False)
    heavy = train(small_corpus, own=own, own_weight=8.0, swaps=False)
    chances = [
        float(t.heads.category.probabilities([t.lexical.transform([text.lower()])])[0, 2])
        for t in (small_trained, light, heavy)
    ]
    assert chances[0] < chances[1] < chances[2]
    terms, _ = heavy.lexical.state()
    assert not any("zorblax" in term or "quillf" in term for known in terms for term in known)
    assert len(heavy.held_out.category) == len(small_corpus) + len(own)


def test_the_manifest_says_costs_and_what_lines_were_drawn_on(small_model: Path) -> None:
    """So that the card and the desk can say it."""
    manifest = read_manifest(small_model)
    assert manifest["costs"] == shipped_costs().as_json()
    assert "did not learn from it" in manifest["modes"]["lexical"]["drawn_on"]
    assert manifest["corpus"]["own"] == 0
