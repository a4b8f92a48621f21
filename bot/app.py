"""Where everything is wired: settings in, one App out, whose parts every process uses."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import holidays

from bot.background import Background, prepare_engine
from bot.email_parsing import ParseLimits
from bot.intake import Intake
from bot.settings import Settings
from models.manifest import shipped_model
from storage.database import Database
from storage.encryption import KeyRing, create_key_file, load_key_file
from storage.register import listed_providers, register_stamp
from triage.costs import Costs, read_costs, shipped_costs
from triage.errors import BadInput

if TYPE_CHECKING:
    from triage.assess import Predictors
    from triage.provider_match import Register

# The learning and language libraries are imported where they are used: the listener and the pages do
# without them, start sooner and stay small.

_REGISTER_SECONDS = 15.0


@dataclass
class App:
    """The parts of the program, open and ready; `close` when done."""

    settings: Settings
    database: Database
    background: Background
    intake: Intake
    _register: Register | None = None
    _register_stamp: object = None
    _register_checked: float = 0.0
    _predictors: Predictors | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def keys(self) -> KeyRing:
        """The keys of sealed fields."""
        return self.database.keys

    def register(self) -> Register:
        """The register of providers, built again within seconds of an import."""
        with self._lock:
            if self._register is None or time.monotonic() - self._register_checked > _REGISTER_SECONDS:
                self._register = self._fresh_register()
                self._register_checked = time.monotonic()
            return self._register

    def _fresh_register(self) -> Register:
        from triage.provider_match import Register  # noqa: PLC0415

        with self.database.read() as session:
            stamp = register_stamp(session)
            if self._register is not None and stamp == self._register_stamp:
                return self._register
            self._register_stamp = stamp
            with _no_garbage_expected():
                return Register.of(listed_providers(session))

    def predictors(self) -> Predictors:
        """The trained models, loaded once."""
        from models.artifact import load_predictors  # noqa: PLC0415

        with self._lock:
            if self._predictors is None:
                self._predictors = load_predictors(
                    model_folder(self.settings),
                    encoder=self.settings.encoder,
                    costs=costs_in_force(self.settings),
                )
            return self._predictors

    @property
    def parse_limits(self) -> ParseLimits:
        """What reading one message may take."""
        return ParseLimits(wall_seconds=self.settings.parse_seconds, memory_mib=self.settings.parse_megabytes)

    def close(self) -> None:
        """Store what is waiting and give back every connection."""
        self.intake.close()
        self.background.close()
        self.database.close()


def model_folder(settings: Settings) -> Path:
    """The folder of the model in force: the setting, else the promoted one, else the shipped one."""
    promoted = settings.data_dir / "model"
    if settings.model_dir is not None:
        return settings.model_dir
    if promoted.is_dir():
        return promoted
    return shipped_model()


def costs_in_force(settings: Settings) -> Costs:
    """The council's table of costs where there is one, else the program's own; BadInput, in words, when it is wrong."""
    path = settings.costs_path
    return shipped_costs() if path is None else read_costs(path, origin="the council's own")


def build_app(settings: Settings) -> App:
    """Open everything; BadInput when a key file or the database does not fit."""
    database = Database(settings.url, load_key_file(settings.keys_path))
    background = Background(database)
    return App(
        settings=settings,
        database=database,
        background=background,
        intake=Intake(database, background),
    )


@contextmanager
def _no_garbage_expected() -> Iterator[None]:
    """Of a million objects that are made to stay none is garbage: looking for it took a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def prepare(settings: Settings) -> bool:
    """Make the data folder, key file and tables where missing, and bring tables up to date; True on a first run."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    first = not settings.keys_path.exists()
    if first:
        if _has_tables(settings):
            raise BadInput(
                f"the key file {settings.keys_path} is missing, but the database exists: "
                "restore the key file from its backup"
            )
        create_key_file(settings.keys_path)
    database = Database(settings.url, load_key_file(settings.keys_path))
    try:
        database.migrate()
        prepare_engine(database)
    finally:
        database.close()
    return first


def _has_tables(settings: Settings) -> bool:
    if not settings.database_url:
        return (settings.data_dir / "careconcerns.db").exists()
    database = Database(settings.url, KeyRing(keys={}, current="", lookup_key=b""))
    try:
        return database.has_tables()
    finally:
        database.close()


_england = holidays.country_holidays("GB", subdiv="ENG", language="en_GB")


def is_bank_holiday(day: date) -> bool:
    """Whether the day is a bank holiday in England."""
    return day in _england
