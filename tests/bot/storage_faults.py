"""What SQLite itself refuses: another process holds the lock, no page is left, the file may only be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from bot.app import App

KINDS = ("locked", "full", "read-only")


@contextmanager
def storage_fault(app: App, kind: str) -> Iterator[None]:
    """While this lasts, nothing can be stored; afterwards everything is as it was."""
    path = app.settings.data_dir / "careconcerns.db"
    other = sqlite3.connect(path, isolation_level=None)
    if kind == "locked":
        other.execute("begin immediate")
    begin, end = {
        "locked": ("pragma busy_timeout=50", "pragma busy_timeout=15000"),
        "full": (f"pragma max_page_count={_pages(other)}", "pragma max_page_count=1000000"),
        "read-only": ("pragma query_only=1", "pragma query_only=0"),
    }[kind]
    failing, mended = _saying(begin), _saying(end)
    event.listen(app.database.engine, "checkout", failing)
    try:
        yield
    finally:
        other.close()
        event.remove(app.database.engine, "checkout", failing)
        event.listen(app.database.engine, "checkout", mended)


def _pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("pragma page_count").fetchone()[0])


def _saying(pragma: str) -> Callable[..., None]:
    def say(connection: Any, *_: Any) -> None:
        connection.execute(pragma)

    return say
