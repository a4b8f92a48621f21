"""A service for each journey, ended afterwards whatever happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.service import Service


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Make services with changed settings."""
    made: list[Service] = []

    def make(**changes: str) -> Service:
        folder = tmp_path / f"machine-{len(made)}"
        folder.mkdir()
        made.append(Service(folder, **changes))
        return made[-1]

    yield make
    for service in made:
        service.close()
        print("".join(service.output))  # noqa: T201  shown by pytest where a journey failed


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    """A service on its embedded default."""
    return make_service()
