"""The steps at which the soak kills: nothing at all in a service that was not told a file of orders at its start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from bot import steps
from bot.steps import Step

_PROGRAM = """
import sys
from bot.steps import Step, reached
for number in range(5):
    print(number, flush=True)
    reached(Step.STORED)
    reached(Step.ANSWERED)
"""


def run(order: Path | None) -> subprocess.CompletedProcess[str]:
    """Five times through two steps, in a process group of its own."""
    env = {name: value for name, value in os.environ.items() if name != "CARECONCERNS_STOP_AT"}
    if order is not None:
        env["CARECONCERNS_STOP_AT"] = str(order)
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=env,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )


def test_without_a_file_of_orders_every_step_is_passed(tmp_path: Path) -> None:
    """Neither unset, nor with a file that is not there, empty, or about another step."""
    order = tmp_path / "stop-at"
    assert steps._ORDER is None
    assert run(None).returncode == run(order).returncode == 0
    for text in ("", "parsing 1", "stored 9 later"):
        order.write_text(text)
        assert run(order).returncode == 0
        assert order.exists()


def test_an_order_is_carried_out_once_at_the_time_it_names(tmp_path: Path) -> None:
    """The file goes first: the next process lives."""
    order = tmp_path / "stop-at"
    order.write_text(f"{Step.STORED} 3 first")
    done = run(order)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1", "2"]
    assert not order.exists()
    assert run(order).returncode == 0
