"""Listeners for the tests of the mail port, and a look at what they stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, select

from bot.app import App
from bot.smtp_in import Listener
from storage.database import Database, Session
from storage.messages import raw_of
from storage.tables import MessageRow

Change = Callable[[Any], None]


@contextmanager
def listening(app: App, **settings: Any) -> Iterator[Listener]:
    """A listener on a free port, with these settings."""
    chosen = type(app.settings)(**(app.settings.model_dump() | {"smtp_port": 0} | settings))
    listener = Listener(app.intake, chosen)
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()


def stored(app: App) -> list[bytes]:
    """What is stored, in the order in which it came."""
    with app.database.read() as session:
        ids = session.scalars(select(MessageRow.id).order_by(MessageRow.received_at)).all()
        return [raw_of(session, app.keys, message_id)[0] for message_id in ids]


def envelopes(app: App) -> list[dict[str, Any]]:
    """What the senders said of the messages."""
    with app.database.read() as session:
        ids = session.scalars(select(MessageRow.id).order_by(MessageRow.received_at)).all()
        return [raw_of(session, app.keys, message_id)[1] for message_id in ids]


def count_of(database: Database, table: Any) -> int:
    """How many rows a table has."""
    with database.read() as session:
        return int(session.scalar(select(func.count()).select_from(table)) or 0)


class BrokenDatabase:
    """Stands in for the database and fails, in writing alone, with an error that quotes a message."""

    def __init__(self, real: Database, error: Exception) -> None:
        self._real, self._error = real, error
        self.keys = real.keys
        self.broken = True

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Fail at the commit, when all is written."""
        with self._real.write() as session:
            yield session
            if self.broken:
                raise self._error
