"""Mutated mail is read, or said to be unreadable, and never brings the reader down; and all that fuzzing ever found."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.checking import check
from tests.fuzz.corpus import seeds
from tests.fuzz.mutations import mutated


@pytest.mark.parametrize("number", range(len(seeds())))
def test_every_shape_that_is_mutated_can_be_read_as_it_is(number: int) -> None:
    """Else the fuzzing would start from nothing."""
    assert check(seeds()[number]) is not None


def test_a_thousand_mutated_mails_of_fixed_seeds_are_sound() -> None:
    """The slice of `script/soak fuzz` that everybody runs."""
    for seed in range(1000):
        check(mutated(Random(seed)))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_mutations_that_hypothesis_chooses_are_sound(random: Random) -> None:
    """It tends to the extremes, and finds the smallest mail that fails."""
    check(mutated(random))
