"""Linear heads over several views of a text, their probabilities averaged: the learned part of every label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from models.calibration import sigmoid, softmax
from models.features import Matrix

Array = np.ndarray
Views = Sequence[Matrix]


@dataclass(frozen=True)
class LinearHead:
    """Weights of one view: features x outputs, and a bias for each output."""

    weights: Array
    bias: Array

    def logits(self, rows: Matrix) -> Array:
        """One row a text, one column an output."""
        return np.asarray(rows @ self.weights + self.bias)


@dataclass(frozen=True)
class Head:
    """One head a view; `exclusive` outputs sum to one (softmax), others stand alone (sigmoid)."""

    views: tuple[LinearHead, ...]
    exclusive: bool
    shares: tuple[float, ...]

    def probabilities(self, views: Views) -> Array:
        """The weighted mean of what the views say."""
        squash = softmax if self.exclusive else sigmoid
        said = [
            share * squash(head.logits(rows))
            for head, rows, share in zip(self.views, views, self.shares, strict=True)
        ]
        return np.asarray(sum(said) / sum(self.shares))


Fit = Callable[[Views, Array, Array | None], Head]


def fit_head(
    views: Views,
    targets: Array,
    *,
    exclusive: bool,
    strength: Sequence[float],
    shares: Sequence[float],
    weights: Array | None = None,
) -> Head:
    """Fit a head to class indices (exclusive) or to a 0/1 matrix, one column an output; `weights` one a row."""
    heads = []
    for rows, inverse_regularisation in zip(views, strength, strict=True):
        if exclusive:
            heads.append(_fit_exclusive(rows, targets, inverse_regularisation, weights))
        else:
            heads.append(_fit_independent(rows, targets, inverse_regularisation, weights))
    return Head(tuple(heads), exclusive, tuple(shares))


def _fit_exclusive(rows: Matrix, targets: Array, strength: float, row_weights: Array | None) -> LinearHead:
    model = LogisticRegression(C=strength, max_iter=300).fit(rows, targets, sample_weight=row_weights)
    if list(model.classes_) != list(range(int(targets.max()) + 1)):
        raise ValueError("a class has no example to learn from")
    return LinearHead(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32))


def _fit_independent(rows: Matrix, targets: Array, strength: float, row_weights: Array | None) -> LinearHead:
    weights, biases = [], []
    for column in range(targets.shape[1]):
        wanted = targets[:, column]
        if wanted.min() == wanted.max():
            # Nothing to learn from: an output that is never (or always) said.
            weights.append(np.zeros(rows.shape[1], dtype=np.float32))
            biases.append(np.float32(6.0 if wanted.max() else -6.0))
            continue
        model = LogisticRegression(C=strength, solver="liblinear", dual=True, max_iter=1000, tol=1e-2).fit(
            rows, wanted, sample_weight=row_weights
        )
        weights.append(model.coef_[0].astype(np.float32))
        biases.append(np.float32(model.intercept_[0]))
    return LinearHead(np.column_stack(weights), np.asarray(biases))


def out_of_fold(
    views: Views,
    targets: Array,
    groups: Sequence[str],
    fit: Fit,
    *,
    folds: int = 4,
    learn_only: Array | None = None,
    weights: Array | None = None,
) -> Array:
    """What heads say of rows that they did not learn from; rows of one group stay together.

    `learn_only` marks rows (such as swapped copies) that are never predicted; theirs stay zero. `weights` say
    how much each row counts in learning.
    """
    said: Array | None = None
    for learn, hold in GroupKFold(folds).split(np.zeros(len(groups)), groups=np.asarray(groups)):
        if learn_only is not None:
            hold = hold[~learn_only[hold]]  # noqa: PLW2901
        some_weights = None if weights is None else weights[learn]
        head = fit([rows[learn] for rows in views], targets[learn], some_weights)
        probabilities = head.probabilities([rows[hold] for rows in views])
        if said is None:
            said = np.zeros((len(groups), probabilities.shape[1]))
        said[hold] = probabilities
    if said is None:
        raise ValueError("there is nothing to learn from")
    return said


def pack(name: str, head: Head) -> dict[str, Array]:
    """The weights by name, for an .npz file; halved in precision, which moves no probability by .001."""
    packed: dict[str, Array] = {f"{name}.shares": np.asarray(head.shares)}
    for number, view in enumerate(head.views):
        packed[f"{name}.{number}.weights"] = view.weights.astype(np.float16)
        packed[f"{name}.{number}.bias"] = view.bias.astype(np.float32)
    return packed


def unpack(name: str, stored: Any, *, exclusive: bool, views: int) -> Head:
    """The head again, with its first `views` views alone (the lexical one works without the encoder)."""
    heads = tuple(
        LinearHead(stored[f"{name}.{number}.weights"].astype(np.float32), stored[f"{name}.{number}.bias"])
        for number in range(views)
    )
    return Head(heads, exclusive, tuple(float(share) for share in stored[f"{name}.shares"][:views]))
