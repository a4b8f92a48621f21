"""Key rotation without a stop: fields sealed under an older key are sealed again, a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from storage.database import Database
from storage.tables import (
    AttachmentRow,
    DraftFileRow,
    DraftRow,
    MessageRow,
    OutgoingRow,
    ReadingRow,
    SlackFileRow,
)

_CHUNK = 100

# Every sealed column with the place that its seal names, by row.
_SEALED: tuple[tuple[type[Any], InstrumentedAttribute[bytes], Callable[[Any], str]], ...] = (
    (MessageRow, MessageRow.raw, lambda row: f"messages.raw:{row.id}"),
    (MessageRow, MessageRow.envelope, lambda row: f"messages.envelope:{row.id}"),
    (ReadingRow, ReadingRow.sender, lambda row: f"readings.sender:{row.message_id}"),
    (AttachmentRow, AttachmentRow.name, lambda row: f"attachments.name:{row.id}"),
    (AttachmentRow, AttachmentRow.content, lambda row: f"attachments.content:{row.id}"),
    (OutgoingRow, OutgoingRow.recipient, lambda row: f"outgoing.recipient:{row.id}"),
    (OutgoingRow, OutgoingRow.content, lambda row: f"outgoing.content:{row.id}"),
    (DraftRow, DraftRow.answers, lambda row: f"drafts.answers:{row.id}"),
    (DraftFileRow, DraftFileRow.description, lambda row: f"draft_files.description:{row.id}"),
    (DraftFileRow, DraftFileRow.content, lambda row: f"draft_files.content:{row.id}"),
    (SlackFileRow, SlackFileRow.content, lambda row: f"slack_files.content:{row.message_id}/{row.file_id}"),
)


def reseal_all(database: Database) -> int:
    """Seal every field under the current key; returns how many were under another. Safe to stop and repeat."""
    return sum(_reseal_column(database, table, column, place) for table, column, place in _SEALED)


def _reseal_column(
    database: Database, table: type[Any], column: InstrumentedAttribute[bytes], place: Callable[[Any], str]
) -> int:
    keys = list(table.__mapper__.primary_key)
    with database.read() as session:
        rows = [tuple(row) for row in session.execute(select(*keys))]
    changed = 0
    for start in range(0, len(rows), _CHUNK):
        with database.write() as session:
            for key in rows[start : start + _CHUNK]:
                changed += _reseal(session, database, table, key, column.key, place)
    return changed


def _reseal(
    session: Session, database: Database, table: type[Any], key: Any, column: str, place: Callable[[Any], str]
) -> bool:
    row = session.get(table, key)
    if row is None:
        return False
    sealed = getattr(row, column)
    if database.keys.is_current(sealed):
        return False
    where = place(row)
    setattr(row, column, database.keys.seal(database.keys.unseal(sealed, place=where), place=where))
    # A hundred large files at once would not fit into memory.
    session.flush()
    session.expunge(row)
    return True
