"""Probabilities that are honest, thresholds that keep a promise, weights that survive being stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.calibration import (
    best_f1_threshold,
    best_temperature,
    expected_calibration_error,
    keep_threshold,
    sigmoid,
    softmax,
    with_temperature,
)
from models.heads import fit_head, out_of_fold, pack, unpack
from models.predict import severity_probabilities


def test_softmax_and_sigmoid_stay_probabilities_at_the_extremes() -> None:
    """No overflow, no nan."""
    rows = softmax(np.array([[0.0, 0.0], [1000.0, -1000.0], [-1e6, 1e6]]))
    assert np.allclose(rows, [[0.5, 0.5], [1, 0], [0, 1]])
    assert np.allclose(sigmoid(np.array([0.0, 1e6, -1e6])), [0.5, 1, 0])


def test_a_temperature_flattens_or_sharpens_and_keeps_the_order() -> None:
    """And one changes nothing."""
    rows = np.array([[0.7, 0.2, 0.1]])
    assert np.allclose(with_temperature(rows, 1.0), rows)
    assert with_temperature(rows, 3.0)[0, 0] < 0.7 < with_temperature(rows, 0.5)[0, 0]
    for temperature in (0.2, 1.0, 5.0):
        changed = with_temperature(rows, temperature)[0]
        assert changed.argsort().tolist() == rows[0].argsort().tolist()
        assert changed.sum() == pytest.approx(1)
    assert np.isfinite(with_temperature(np.array([[1.0, 0.0]]), 0.5)).all()


def test_the_best_temperature_cools_those_who_boast_and_warms_the_timid() -> None:
    """Right in seven of ten cases, said with .99 or with .5."""
    truth = np.array([0] * 70 + [1] * 30)
    boasting = np.tile([0.99, 0.01], (100, 1))
    timid = np.tile([0.55, 0.45], (100, 1))
    assert best_temperature(boasting, truth) > 1.5
    assert best_temperature(timid, truth) < 0.8
    cooled = with_temperature(boasting, best_temperature(boasting, truth))
    assert cooled[0, 0] == pytest.approx(0.7, abs=0.05)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    """By hand: .9 said, .5 right."""
    said = np.array([[0.9, 0.1]] * 4)
    assert expected_calibration_error(said, np.array([0, 0, 1, 1])) == pytest.approx(0.4)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


@pytest.mark.parametrize("missed", [0.0, 0.01, 0.05, 0.1, 0.5])
def test_a_threshold_misses_no_more_of_the_class_than_was_promised(missed: float) -> None:
    """Counted on the very scores, and nothing of other classes matters."""
    random = np.random.default_rng(7)
    scores, is_class = random.random(400), random.random(400) < 0.3
    threshold = keep_threshold(scores, is_class, missed=missed)
    assert (scores[is_class] < threshold).mean() <= missed
    assert keep_threshold(np.where(is_class, scores, 0.99), is_class, missed=missed) == threshold


def test_a_class_without_examples_keeps_everything() -> None:
    """Nothing can be promised of it."""
    assert keep_threshold(np.array([0.2, 0.9]), np.array([False, False]), missed=0.05) == 0.0


def test_the_best_f1_threshold_parts_what_can_be_parted() -> None:
    """Between the two heaps."""
    scores = np.array([0.05, 0.1, 0.12, 0.6, 0.7, 0.72])
    wanted = np.array([False, False, False, True, True, True])
    assert 0.12 < best_f1_threshold(scores, wanted) <= 0.6


@pytest.mark.parametrize(
    ("urgent", "expected"),
    [
        ((0.9, 0.8), (0.1, 0.1, 0.8)),
        ((0.3, 0.1), (0.7, 0.2, 0.1)),
        ((0.2, 0.6), (0.4, 0.4, 0.2)),
    ],
)
def test_severity_follows_from_at_least_amber_and_red(
    urgent: tuple[float, float], expected: tuple[float, ...]
) -> None:
    """Also where the two answers contradict each other, it is a distribution."""
    [row] = severity_probabilities(np.array([urgent]))
    assert row == pytest.approx(expected, abs=0.001)
    assert row.sum() == pytest.approx(1)


ROWS = csr_matrix(np.array([[1.0, 0, 0], [0.9, 0.1, 0], [0, 1.0, 0], [0, 0, 1.0]] * 5))
CLASSES = np.array([0, 0, 1, 2] * 5)


def test_a_head_learns_and_is_the_same_after_it_was_stored(tmp_path: Path) -> None:
    """Exclusive answers sum to one, independent ones stand alone; no probability moves by .001."""
    exclusive = fit_head([ROWS], CLASSES, exclusive=True, strength=(10,), shares=(1.0,))
    many = np.column_stack([CLASSES == 0, CLASSES == 1, np.zeros(20), np.ones(20)]).astype(int)
    independent = fit_head([ROWS], many, exclusive=False, strength=(10,), shares=(1.0,))
    path = tmp_path / "heads.npz"
    with path.open("wb") as file:
        np.savez_compressed(file, **pack("a", exclusive), **pack("b", independent))
    with np.load(path, allow_pickle=False) as stored:
        again = [
            unpack("a", stored, exclusive=True, views=1),
            unpack("b", stored, exclusive=False, views=1),
        ]
    for head, stored_head in zip((exclusive, independent), again, strict=True):
        assert np.abs(head.probabilities([ROWS]) - stored_head.probabilities([ROWS])).max() < 0.001
    said = exclusive.probabilities([ROWS])
    assert (said.argmax(axis=1) == CLASSES).all()
    assert np.allclose(said.sum(axis=1), 1)
    never, always = independent.probabilities([ROWS])[0, 2:]
    assert never < 0.01 < 0.99 < always


def test_a_class_without_examples_is_refused_in_training() -> None:
    """Else its column would be another's."""
    with pytest.raises(ValueError, match="no example"):
        fit_head([ROWS], np.where(CLASSES == 1, 3, CLASSES), exclusive=True, strength=(1,), shares=(1.0,))


def test_held_out_predictions_come_from_heads_that_saw_nothing_of_the_group() -> None:
    """Labels that follow from the group alone cannot be guessed."""
    groups = [f"group-{number // 2}" for number in range(20)]
    seen: list[set[int]] = []

    def fit(views: object, wanted: np.ndarray, _weights: object) -> object:
        seen.append(set(wanted[:, 0].tolist()))
        return fit_head(views, wanted % 2, exclusive=False, strength=(1,), shares=(1.0,))  # type: ignore[arg-type]

    numbers = np.arange(20)[:, None]
    said = out_of_fold([ROWS], numbers, groups, fit)  # type: ignore[arg-type]
    assert said.shape == (20, 1)
    assert (said > 0).all()
    for learned in seen:
        assert all((number in learned) == (number ^ 1 in learned) for number in range(20))
