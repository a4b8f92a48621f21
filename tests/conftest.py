"""What all tests share: an App on SQLite, a real PostgreSQL server, quick predictors, a small trained model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import App, build_app, prepare
from bot.settings import Settings
from models.artifact import save_model
from models.labelled import LabelledMessage, load_corpus
from models.train import Trained, train
from tests.postgres_server import PostgresServer
from tests.quick_predictors import QuickPredictors
from triage.vocabulary import Category, Severity

SMALL_CORPUS = 60


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's shell or .env file reaches a test."""
    for name in [name for name in os.environ if name.startswith("CARECONCERNS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data folder of the test's own."""
    return Settings(data_dir=tmp_path / "var", demonstration=False, smtp_port=0, web_port=0)


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with key file and tables, made once, for tests to copy."""
    folder = tmp_path_factory.mktemp("prepared") / "var"
    prepare(Settings(data_dir=folder))
    return folder


@pytest.fixture
def app(settings: Settings, prepared_folder: Path) -> Iterator[App]:
    """An open App on SQLite, prepared, with quick predictors."""
    shutil.copytree(prepared_folder, settings.data_dir)
    yield from _open(settings)


def _open(settings: Settings) -> Iterator[App]:
    app = build_app(settings)
    app._predictors = QuickPredictors()
    yield app
    app.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The running server."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@dataclass(frozen=True)
class _Prepared:
    template: str
    keys: Path


@pytest.fixture(scope="session")
def prepared_postgres(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> _Prepared:
    """A database with all tables, made once, for tests to copy."""
    folder = tmp_path_factory.mktemp("prepared-postgres")
    name = postgres.create_database()
    prepare(Settings(data_dir=folder, database_url=postgres.url(name)))
    return _Prepared(name, folder / "keys.json")


@pytest.fixture
def postgres_app(settings: Settings, postgres: PostgresServer, prepared_postgres: _Prepared) -> Iterator[App]:
    """As `app`, on PostgreSQL."""
    name = postgres.create_database(prepared_postgres.template)
    settings.data_dir.mkdir()
    shutil.copy2(prepared_postgres.keys, settings.keys_path)
    yield from _open(settings.model_copy(update={"database_url": postgres.url(name)}))
    postgres.drop_database(name)


@pytest.fixture(params=["app", "postgres_app"], ids=["sqlite", "postgresql"])
def either_app(request: pytest.FixtureRequest) -> App:
    """An App on each of the two databases."""
    app: App = request.getfixturevalue(request.param)
    return app


@pytest.fixture(scope="session")
def small_corpus() -> list[LabelledMessage]:
    """Sixty messages of the corpus, with every category and severity among them."""
    by_label: dict[tuple[Category, Severity | None], list[LabelledMessage]] = {}
    for message in load_corpus():
        by_label.setdefault((message.category, message.severity), []).append(message)
    share = SMALL_CORPUS // len(by_label)
    return [message for group in by_label.values() for message in group[:share]]


@pytest.fixture(scope="session")
def small_trained(small_corpus: list[LabelledMessage]) -> Trained:
    """A model trained on them."""
    return train(small_corpus, swaps=False)


@pytest.fixture(scope="session")
def small_model(
    small_corpus: list[LabelledMessage], small_trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of that model; tests that change it copy it first."""
    folder = tmp_path_factory.mktemp("small") / "model"
    save_model(
        {"lexical": small_trained}, folder, messages=small_corpus, made_at=datetime(2026, 11, 20, tzinfo=UTC)
    )
    return folder
