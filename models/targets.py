"""The labels of messages as numbers, as heads learn them and lines are drawn by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.labelled import LabelledMessage, in_second_half
from models.predict import ABUSE_TYPES, CATEGORIES, THEMES
from triage.vocabulary import Category, Severity

Array = np.ndarray


@dataclass(frozen=True)
class Targets:
    """The labels of a corpus as numbers, one row a message; `second_half` is which half each belongs to."""

    category: Array
    urgent: Array
    is_concern: Array
    themes: Array
    abuse_types: Array
    is_safeguarding: Array
    second_half: Array


def targets_of(messages: Sequence[LabelledMessage]) -> Targets:
    """The labels as numbers."""
    category = np.array([CATEGORIES.index(message.category) for message in messages])
    severity = np.array([-1 if m.severity is None else int(m.severity) for m in messages])
    return Targets(
        category=category,
        urgent=np.column_stack([severity >= Severity.AMBER, severity >= Severity.RED]).astype(int),
        is_concern=severity >= 0,
        themes=np.array([[theme in m.themes for theme in THEMES] for m in messages]).astype(int),
        abuse_types=np.array([[kind in m.abuse_types for kind in ABUSE_TYPES] for m in messages]).astype(int),
        is_safeguarding=category == CATEGORIES.index(Category.SAFEGUARDING),
        second_half=np.array([in_second_half(message.group) for message in messages]),
    )
