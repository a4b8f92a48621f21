"""The one door: a message is durable, with its work, before anybody is thanked."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from bot.app import App, build_app
from bot.background import unfinished
from bot.intake import Intake, triage_again
from storage.messages import Received
from storage.tables import AuditRow, MessageRow
from tests.factories import NOW, email_bytes, received
from tests.waiting import wait_for
from triage.errors import TryAgainLater

THREADS = 50


def kept(app: App) -> int:
    """How many messages there are; each has its audit entry and its job, or this fails."""
    with app.database.read() as session:
        messages = session.scalar(select(func.count()).select_from(MessageRow)) or 0
        entries = session.scalar(select(func.count()).where(AuditRow.action == "received")) or 0
    assert messages == entries == sum(unfinished(app.database).values())
    return messages


class Gate:
    """Holds the database's write lock, so that deliveries gather into one group."""

    def __init__(self, app: App) -> None:
        self._connection = sqlite3.connect(
            app.settings.data_dir / "careconcerns.db", isolation_level=None, check_same_thread=False
        )

    def __enter__(self) -> Gate:
        self._connection.execute("begin immediate")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.execute("rollback")
        self._connection.close()


def test_fifty_threads_store_fifty_messages_once_each(either_app: App) -> None:
    """Each is told the id of its own message."""
    items = [received(email_bytes(f"number {number}")) for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        ids = list(threads.map(either_app.intake.receive, items))
    assert ids == [item.message_id for item in items]
    assert kept(either_app) == THREADS


def test_deliveries_that_wait_together_share_a_transaction(app: App) -> None:
    """Far fewer transactions than messages."""
    commits = []
    from sqlalchemy import event

    event.listen(app.database.engine, "commit", lambda _connection: commits.append(1))
    with Gate(app):
        futures = [app.intake.submit(received()) for _ in range(THREADS)]
    for future in futures:
        future.result(30)
    assert kept(app) == THREADS
    assert len(commits) <= 5


def test_one_bad_message_of_a_group_does_not_refuse_the_others(app: App) -> None:
    """The id of the bad one is taken; it alone is told so."""
    taken = received()
    app.intake.receive(taken)
    again = Received(
        raw=b"other", channel=taken.channel, received_at=NOW, envelope={}, message_id=taken.message_id
    )
    with Gate(app):
        before = [app.intake.submit(received()) for _ in range(3)]
        bad = app.intake.submit(again)
        after = [app.intake.submit(received()) for _ in range(3)]
    for future in (*before, *after):
        assert future.result(30)
    with pytest.raises(Exception, match="UNIQUE"):
        bad.result(30)
    assert kept(app) == 7


def test_a_database_that_stays_locked_is_an_error_and_nothing_is_half_written(app: App) -> None:
    """The sender keeps the message; afterwards the door works again."""
    with app.database.engine.connect() as connection:
        connection.exec_driver_sql("pragma busy_timeout=100")
    from sqlalchemy import event

    event.listen(
        app.database.engine,
        "checkout",
        lambda connection, *_: connection.execute("pragma busy_timeout=100"),
    )
    with Gate(app), pytest.raises(Exception, match="locked"):
        app.intake.receive(received())
    assert kept(app) == 0
    app.intake.receive(received())
    assert kept(app) == 1


def test_a_database_that_cannot_be_written_is_an_error_and_nothing_is_half_written(app: App) -> None:
    """As on a full disk: the page count is at its limit."""
    app.intake.receive(received())
    big = received(os.urandom(4_000_000))

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count={pages + 5}")

    from sqlalchemy import event

    event.listen(app.database.engine, "checkout", limit)
    with pytest.raises(Exception, match="full"):
        app.intake.receive(big)
    event.remove(app.database.engine, "checkout", limit)
    event.listen(
        app.database.engine,
        "checkout",
        lambda connection, *_: connection.execute("pragma max_page_count=1000000"),
    )
    assert kept(app) == 1
    app.intake.receive(big)
    assert kept(app) == 2


def test_a_job_that_cannot_be_stored_takes_the_message_with_it(app: App) -> None:
    """A message without its work would wait for ever."""
    with app.database.write() as session:
        session.execute(text("alter table workflow_status rename to gone"))
    with pytest.raises(Exception, match="workflow_status"):
        app.intake.receive(received())
    with app.database.read() as session:
        assert session.scalar(select(func.count()).select_from(MessageRow)) == 0
        assert session.scalar(select(func.count()).select_from(AuditRow)) == 0


def test_a_sender_who_gives_up_waiting_stops_nobody_else(app: App) -> None:
    """A mail session that breaks off cancels its future."""
    with Gate(app):
        # The first is in the hands of the storing thread, the others wait behind it.
        first = app.intake.submit(received())
        wait_for(first.running, what="the first delivery in hand")
        gone = app.intake.submit(received())
        last = app.intake.submit(received())
        assert gone.cancel()
        assert not first.cancel()
    assert first.result(30)
    assert last.result(30)
    assert kept(app) == 2
    assert app.intake.receive(received(), timeout_seconds=30)


def test_closing_stores_what_waits_and_stops_the_thread(app: App) -> None:
    """Closing twice is no fault."""
    futures = [app.intake.submit(received()) for _ in range(20)]
    app.intake.close()
    assert all(future.done() for future in futures)
    assert kept(app) == 20
    assert "intake" not in {thread.name for thread in threading.enumerate()}
    app.intake.close()


def test_a_door_without_a_database_says_so(settings: object, app: App, tmp_path: Path) -> None:
    """No hang, no silence."""
    app.database.close()
    for path in app.settings.data_dir.glob("careconcerns.db*"):
        path.unlink()
    away = build_app(app.settings)
    with pytest.raises(Exception, match="no such table"):
        Intake(away.database, away.background).receive(received())
    away.close()


def test_triage_asked_for_again_is_done_again_and_once_for_each_name(app: App) -> None:
    """The round is named by its minute."""
    message_id = app.intake.receive(received())
    for _ in range(3):
        triage_again(app.database, app.background, message_id, NOW)
    assert sum(unfinished(app.database).values()) == 2
    with app.database.write() as session:
        session.execute(text("alter table workflow_status rename to gone"))
    with pytest.raises(TryAgainLater, match=message_id):
        triage_again(app.database, app.background, message_id, NOW)
