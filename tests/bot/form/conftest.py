"""The form on a real web server, and somebody who visits it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from form_samples import Person, form_settings, prepare_form

from bot.app import App, build_app
from bot.web.server import WebServer, serve_web


@pytest.fixture(scope="session")
def form_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a lead and a register, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("form")
    prepare_form(folder)
    return folder


@pytest.fixture
def open_form(form_folder: Path, tmp_path: Path) -> Iterator[Callable[..., tuple[App, WebServer]]]:
    """Opens the form with other settings."""
    opened: list[tuple[App, WebServer]] = []

    def open_with(**settings: Any) -> tuple[App, WebServer]:
        folder = shutil.copytree(form_folder, tmp_path / f"data{len(opened)}")
        app = build_app(form_settings(folder, **settings))
        opened.append((app, serve_web(app, host="127.0.0.1", port=0)))
        return opened[-1]

    yield open_with
    for app, server in opened:
        server.stop()
        app.close()


@pytest.fixture
def form(open_form: Callable[..., tuple[App, WebServer]]) -> tuple[App, WebServer]:
    """The form as it is by default."""
    return open_form()


@pytest.fixture
def app(form: tuple[App, WebServer]) -> App:
    """The App behind the form."""
    return form[0]


@pytest.fixture
def server(form: tuple[App, WebServer]) -> WebServer:
    """The server of the form."""
    return form[1]


@pytest.fixture
def person(server: WebServer) -> Iterator[Person]:
    """Somebody who opened the form."""
    visitor = Person(server)
    yield visitor
    visitor.close()
