"""A desk on a real web server, and people who visit it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_samples import Visitor, build_desk, desk_settings

from bot.app import App, build_app
from bot.web.server import WebServer, serve_web


@pytest.fixture(scope="session")
def desk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two leads and two services, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("desk")
    build_desk(folder).close()
    return folder


@pytest.fixture
def desk(desk_folder: Path, tmp_path: Path) -> Iterator[App]:
    """An open App with two leads and two services."""
    app = build_app(desk_settings(shutil.copytree(desk_folder, tmp_path / "data")))
    yield app
    app.close()


@pytest.fixture
def server(desk: App) -> Iterator[WebServer]:
    """The desk on a port of its own."""
    running = serve_web(desk, host="127.0.0.1", port=0)
    yield running
    running.stop()


@pytest.fixture
def visitor(server: WebServer) -> Iterator[Visitor]:
    """Somebody who is not logged in."""
    person = Visitor(server)
    yield person
    person.close()


@pytest.fixture
def ada(visitor: Visitor) -> Visitor:
    """A lead who is logged in."""
    return visitor.log_in()


@pytest.fixture
def grace(server: WebServer) -> Iterator[Visitor]:
    """Another lead who is logged in."""
    person = Visitor(server).log_in("grace")
    yield person
    person.close()
