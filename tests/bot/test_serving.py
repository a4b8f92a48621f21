"""The supervisor: starts parts, starts again what dies, stops all of it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from bot.serving import Supervisor, parts_of
from bot.settings import Settings
from tests.journeys.service import free_port, is_running
from tests.waiting import wait_for
from triage.errors import BadInput


def test_the_parts_are_those_that_are_asked_for() -> None:
    """Workers are counted."""
    settings = Settings(workers=3)
    assert parts_of("", settings) == ["smtp", "web", "worker-1", "worker-2", "worker-3"]
    assert parts_of("worker, smtp", settings) == ["smtp", "worker-1", "worker-2", "worker-3"]
    assert parts_of("web", settings) == ["web"]
    with pytest.raises(BadInput, match=r"teapot.*smtp"):
        parts_of("smtp,teapot", settings)


@pytest.fixture
def said() -> list[str]:
    """What the supervisor says."""
    return []


@pytest.fixture
def supervisor(
    monkeypatch: pytest.MonkeyPatch, prepared_settings: Settings, said: list[str]
) -> Iterator[Supervisor]:
    """One for the mail listener alone."""
    monkeypatch.setenv("CARECONCERNS_DATA_DIR", str(prepared_settings.data_dir))
    monkeypatch.setenv("CARECONCERNS_SMTP_PORT", str(free_port()))
    made = Supervisor(["smtp"], say=said.append)
    yield made
    made.ask_to_stop()
    made.stop()


@pytest.fixture
def prepared_settings(app: object, settings: Settings) -> Settings:
    """Settings of a folder with tables and keys."""
    return settings


def test_a_part_that_dies_is_started_again(supervisor: Supervisor, said: list[str]) -> None:
    """And the supervisor says so; when it is told to stop, nothing is left."""
    assert supervisor.start()["smtp"].startswith("127.0.0.1:")
    watching = threading.Thread(target=supervisor.watch)
    watching.start()
    first = supervisor._parts["smtp"].process.pid
    os.kill(first, signal.SIGKILL)
    second = wait_for(
        lambda: supervisor._parts["smtp"].process.pid != first and supervisor._parts["smtp"].process.pid,
        what="the restart",
    )
    wait_for(supervisor._parts["smtp"].ready.is_set, what="the part to be ready")
    supervisor.ask_to_stop()
    watching.join(20)
    supervisor.stop()
    assert not is_running(first)
    assert not is_running(second)
    assert supervisor._parts["smtp"].process.returncode == 0
    assert said == ["smtp stopped (exit -9); starting it again in 1 s"]


def test_a_part_that_dies_again_and_again_holds_up_no_other(supervisor: Supervisor, said: list[str]) -> None:
    """While one waits for its turn, the mail listener is started again at once."""
    supervisor.start()
    supervisor._parts["broken"] = supervisor._spawn("broken")
    supervisor._restarts["broken"] = 4
    watching = threading.Thread(target=supervisor.watch)
    watching.start()
    wait_for(lambda: "broken stopped (exit 1); starting it again in 16 s" in said, what="the long wait")
    first = supervisor._parts["smtp"].process
    first.kill()
    wait_for(lambda: supervisor._parts["smtp"].process is not first, seconds=10, what="the restart")
    supervisor.ask_to_stop()
    watching.join(20)


def test_a_part_that_cannot_start_stops_everything_with_a_reason(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with a half-running service."""
    monkeypatch.setenv("CARECONCERNS_DATABASE_URL", "sqlite:////proc/nowhere/x.db")
    with pytest.raises(BadInput, match="smtp did not start"):
        supervisor.start()
    assert not is_running(supervisor._parts["smtp"].process.pid)
