"""The one database, SQLite or PostgreSQL by its address, and its transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from storage.encryption import KeyRing
from triage.errors import CareConcernsError

__all__ = ["Database", "DatabaseOutOfDate", "Session"]

_BUSY_TIMEOUT_MS = 15_000
_MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseOutOfDate(CareConcernsError):
    """The database was made by another version of the program."""


class Database:
    """An open database with the keys of its sealed fields; safe to share between threads."""

    def __init__(self, url: str, keys: KeyRing, *, pool_size: int = 10) -> None:
        self.url = url
        self.keys = keys
        self.engine = make_engine(url, pool_size=pool_size)
        self._writers = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(_as_reader(self.engine), expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded default."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed at the end of the block, undone by any error."""
        with self._writers.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A view of one moment; on SQLite it neither waits for a writer nor holds one up."""
        with self._readers() as session:
            yield session

    def migrate(self) -> None:
        """Bring the tables up to date; nothing happens when they are."""
        command.upgrade(_alembic(self.url), "head")

    def check_version(self) -> None:
        """DatabaseOutOfDate unless the tables are those that this program knows."""
        with self.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        wanted = ScriptDirectory.from_config(_alembic(self.url)).get_current_head()
        if found != wanted:
            raise DatabaseOutOfDate(f"the database is at {found}, this program needs {wanted}: start `serve`")

    def has_tables(self) -> bool:
        """Whether the database was ever set up."""
        with self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() is not None

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def make_engine(url: str, *, pool_size: int = 10) -> Engine:
    """An engine for the address; on SQLite with WAL, full sync, a busy timeout and immediate writes."""
    engine = _bare_engine(url, pool_size)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _as_reader(engine: Engine) -> Engine:
    """The engine for `read`: on SQLite a plain transaction is a view of one moment, PostgreSQL must be asked."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(read_only=True)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def make_work_engine(url: str, *, pool_size: int = 10) -> Engine:
    """As `make_engine`, for the engine of background work, which begins its own transactions on SQLite."""
    engine = _bare_engine(url, pool_size)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite_for_work)
    return engine


def _bare_engine(url: str, pool_size: int) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        return create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, pool_timeout=60)
    return create_engine(parsed, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling is switched off: we begin them ourselves, below.
    connection.isolation_level = None
    _set_pragmas(connection)


def _prepare_sqlite_for_work(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    _set_pragmas(connection)


def _set_pragmas(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader and turns writer fails at once when another wrote meanwhile.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def is_passing(error: Exception) -> bool:
    """Whether a database error is of the kind that goes away: locked, restarted, disk full, read-only."""
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout)


def ping(database: Database) -> None:
    """A round trip to the database; OperationalError when it is away."""
    with database.read() as session:
        session.execute(text("select 1"))


def _alembic(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["url"] = url
    return config
