"""The database: one schema on both, transactions whole or not at all, a reading of one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, func, select, text
from sqlalchemy.exc import OperationalError, StatementError

from bot.app import App, prepare
from bot.settings import Settings
from storage.audit import MACHINE, Audit, record
from storage.database import Database, DatabaseOutOfDate
from storage.encryption import KeyRing
from storage.oversight import note_heartbeat
from storage.tables import AuditRow, Base, WorkerRow
from tests.factories import NOW

NO_KEYS = KeyRing(keys={}, current="", lookup_key=b"")


def differences(database: Database) -> list[object]:
    """What Alembic would change to make the migrated tables those of the classes."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "include_name": _is_ours, "target_metadata": Base.metadata},
        )
        return list(compare_metadata(context, Base.metadata))


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    # The engine of background work keeps its tables beside ours.
    return kind != "table" or name in Base.metadata.tables


def test_migrations_give_the_tables_of_the_classes_on_sqlite(tmp_path: Path) -> None:
    """Nothing forgotten, nothing too much."""
    database = Database(f"sqlite:///{tmp_path / 'new.db'}", NO_KEYS)
    database.migrate()
    assert differences(database) == []
    with database.engine.connect() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
    assert set(metadata.tables) == {*Base.metadata.tables, "alembic_version"}
    database.close()


def test_migrations_give_the_tables_of_the_classes_on_postgresql(postgres_url: str) -> None:
    """As above, on the other database."""
    database = Database(postgres_url, NO_KEYS)
    database.migrate()
    assert differences(database) == []
    database.close()


def test_migrating_again_changes_nothing(either_app: App) -> None:
    """A second start finds everything as it should be."""
    either_app.database.migrate()
    either_app.database.check_version()
    assert prepare(either_app.settings) is False


def test_a_database_of_another_version_is_refused(app: App) -> None:
    """With both versions named."""
    with app.database.write() as session:
        session.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(DatabaseOutOfDate, match="9999"):
        app.database.check_version()


def test_an_empty_database_is_refused_until_it_is_prepared(tmp_path: Path) -> None:
    """`serve` prepares it; other commands say so."""
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}", NO_KEYS)
    with pytest.raises(DatabaseOutOfDate, match="serve"):
        database.check_version()
    database.close()


def test_sqlite_keeps_what_was_committed_through_a_power_cut(app: App) -> None:
    """WAL, full synchronisation and foreign keys, on every connection."""
    with app.database.read() as session:
        pragmas = {
            name: session.execute(text(f"pragma {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15_000}


def test_a_moment_without_a_zone_is_refused(app: App) -> None:
    """It would be an hour wrong half of the year."""
    naive = datetime(2026, 7, 1, 12, 0)  # noqa: DTZ001  the very thing that is refused
    with (
        pytest.raises(StatementError, match="without a time zone"),
        app.database.write() as session,
    ):
        note_heartbeat(session, "worker-1", naive)


def test_a_moment_comes_back_as_the_same_moment_in_utc(either_app: App) -> None:
    """Whatever zone it was stored with."""
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=timezone(timedelta(hours=1)))
    with either_app.database.write() as session:
        note_heartbeat(session, "worker-1", summer)
    with either_app.database.read() as session:
        seen = session.get_one(WorkerRow, "worker-1").seen_at
    assert seen == summer
    assert seen.tzinfo is UTC
    assert seen.hour == 11


def test_a_transaction_that_fails_leaves_nothing(either_app: App) -> None:
    """Neither the row nor its audit entry."""

    def fail() -> None:
        with either_app.database.write() as session:
            note_heartbeat(session, "worker-1", NOW)
            record(session, Audit(at=NOW, actor=MACHINE, action="tried"), "nothing")
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with either_app.database.read() as session:
        assert session.get(WorkerRow, "worker-1") is None
        assert session.scalar(select(func.count()).select_from(AuditRow)) == 0


def test_a_reading_shows_one_moment_while_others_write(either_app: App) -> None:
    """Counts taken one after the other belong together, and the writer does not wait."""
    count = select(func.count()).select_from(WorkerRow)
    with either_app.database.read() as reading:
        before = reading.scalar(count)
        with either_app.database.write() as writing:
            note_heartbeat(writing, "worker-1", NOW)
        assert reading.scalar(count) == before == 0
    with either_app.database.read() as reading:
        assert reading.scalar(count) == 1


def test_a_database_that_is_away_is_an_error_that_passes(settings: Settings, tmp_path: Path) -> None:
    """So that senders are told to try again."""
    from storage.database import is_passing, ping

    away = Database(f"postgresql+psycopg://nobody@/nothing?host={tmp_path}", NO_KEYS)
    with pytest.raises(OperationalError) as caught:
        ping(away)
    assert is_passing(caught.value)
    away.close()
