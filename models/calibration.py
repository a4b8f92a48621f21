"""Making probabilities honest, and thresholds that keep a promise about what is missed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

Array = np.ndarray
_TINY = 1e-9


def softmax(logits: Array) -> Array:
    """Rows of logits as rows of probabilities."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def sigmoid(logits: Array) -> Array:
    """Logits as probabilities, one by one."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -40, 40))))


def with_temperature(probabilities: Array, temperature: float) -> Array:
    """Rows of probabilities made flatter (above 1) or sharper (below 1); their order stays."""
    return softmax(np.log(np.clip(probabilities, _TINY, 1)) / temperature)


def best_temperature(probabilities: Array, truth: Array) -> float:
    """The temperature under which held-out rows make the true columns (`truth`, indices) likeliest."""

    def loss(log_temperature: float) -> float:
        calibrated = with_temperature(probabilities, float(np.exp(log_temperature)))
        return float(-np.log(np.clip(calibrated[np.arange(len(truth)), truth], _TINY, 1)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))


def expected_calibration_error(probabilities: Array, truth: Array, *, bins: int = 10) -> float:
    """Mean distance between confidence and accuracy over equal bins of confidence, 0 to 1."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    edges = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[edges == edge].mean() - right[edges == edge].mean()) * (edges == edge).mean()
        for edge in range(bins)
        if (edges == edge).any()
    ]
    return float(sum(gaps))


def keep_threshold(scores: Array, is_class: Array, *, missed: float) -> float:
    """The highest threshold that at most the share `missed` of the class's held-out scores falls below.

    This is class-conditional conformal prediction: a label stays in the set when its score reaches it.
    """
    of_class = np.sort(scores[is_class])
    if not len(of_class):
        return 0.0
    rank = int(np.floor(missed * (len(of_class) + 1)))
    return float(of_class[min(max(rank - 1, 0), len(of_class) - 1)])


def best_f1_threshold(scores: Array, is_class: Array, *, grid: Sequence[float] | None = None) -> float:
    """The threshold with the best F1 on held-out scores, drawn a little to the middle when examples are few."""
    candidates = np.asarray(grid if grid is not None else np.linspace(0.02, 0.8, 40))
    called = scores[:, None] >= candidates[None, :]
    hits = (called & is_class[:, None]).sum(axis=0)
    f1 = 2 * hits / np.maximum(called.sum(axis=0) + is_class.sum(), 1)
    # The mean of all near-best thresholds: a single peak on few examples is luck.
    near = candidates[f1 >= f1.max() * 0.985]
    return float(near.mean())
