"""The conservation law: received = concerns + linked copies + set aside + spam + waiting, whatever happens."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.soak.law import Law


def test_every_message_is_accounted_for_whatever_comes_and_whatever_fails() -> None:
    """Random mixes of channels, copies, junk and faults; `script/soak law` tries as many as one likes."""
    run_state_machine_as_test(
        Law,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
