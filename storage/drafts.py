"""Answers of the public form that were not sent yet: sealed, found by the browser's token, soon forgotten.

No row holds anything of who writes or from where; the token itself is never kept, only its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from storage.encryption import KeyRing
from storage.tables import DraftFileRow, DraftRow, MessageRow
from triage.vocabulary import Channel

_IN_ORDER = (DraftFileRow.number, DraftFileRow.id)


@dataclass(frozen=True)
class DraftFile:
    """A file of a draft without its bytes."""

    file_id: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True)
class Draft:
    """The answers so far, and the files in the order in which they came."""

    draft_id: str
    answers: Mapping[str, Any]
    files: tuple[DraftFile, ...] = field(default=())

    @property
    def file_bytes(self) -> int:
        """How large the files are together."""
        return sum(file.size for file in self.files)


def draft_of(session: Session, keys: KeyRing, draft_id: str, *, since: datetime) -> Draft | None:
    """The draft, or None when there is none that was touched since that moment."""
    row = session.get(DraftRow, draft_id)
    if row is None or row.touched_at < since:
        return None
    return Draft(draft_id, _answers(keys, row), tuple(_files(session, keys, draft_id)))


def save_answers(
    session: Session,
    keys: KeyRing,
    draft_id: str,
    changes: Mapping[str, Any],
    *,
    now: datetime,
    since: datetime,
) -> None:
    """Put these answers into the draft, made when there is none; one that was not touched `since` starts anew."""
    row = session.get(DraftRow, draft_id, with_for_update=True)
    if row is not None and row.touched_at < since:
        delete_draft(session, draft_id)
        row = None
    if row is None:
        row = DraftRow(id=draft_id, answers=_sealed(keys, draft_id, {}))
        session.add(row)
    row.answers = _sealed(keys, draft_id, {**_answers(keys, row), **changes})
    row.touched_at = now
    session.flush()


def add_file(
    session: Session, keys: KeyRing, draft_id: str, *, name: str, content_type: str, content: bytes
) -> None:
    """Add a file to a draft that is there."""
    file_id = uuid4().hex
    latest = session.scalar(select(func.max(DraftFileRow.number)).where(DraftFileRow.draft_id == draft_id))
    description = {"name": name, "content_type": content_type, "size": len(content)}
    session.add(
        DraftFileRow(
            id=file_id,
            draft_id=draft_id,
            number=(latest or 0) + 1,
            description=keys.seal_json(description, place=f"draft_files.description:{file_id}"),
            content=keys.seal(content, place=f"draft_files.content:{file_id}"),
        )
    )
    session.flush()


def remove_file(session: Session, draft_id: str, file_id: str) -> None:
    """Take a file out of its draft; nothing happens when it is not there."""
    session.execute(delete(DraftFileRow).where(DraftFileRow.draft_id == draft_id, DraftFileRow.id == file_id))


def file_contents(session: Session, keys: KeyRing, draft_id: str) -> list[bytes]:
    """The bytes of every file, in the order of `Draft.files`."""
    query = select(DraftFileRow.id, DraftFileRow.content).where(DraftFileRow.draft_id == draft_id)
    rows = session.execute(query.order_by(*_IN_ORDER))
    return [keys.unseal(row.content, place=f"draft_files.content:{row.id}") for row in rows]


def delete_draft(session: Session, draft_id: str) -> None:
    """Forget the draft with its files; nothing happens when there is none."""
    session.execute(delete(DraftFileRow).where(DraftFileRow.draft_id == draft_id))
    session.execute(delete(DraftRow).where(DraftRow.id == draft_id))
    session.expire_all()


def idle_drafts(session: Session, before: datetime, *, limit: int = 100) -> list[str]:
    """The drafts that nobody touched since that moment."""
    query = select(DraftRow.id).where(DraftRow.touched_at < before).order_by(DraftRow.touched_at).limit(limit)
    return list(session.scalars(query))


def sent_as(session: Session, draft_id: str) -> str | None:
    """The id of the message that the draft became, the latest if it was sent again with other answers."""
    query = select(MessageRow.id).where(
        MessageRow.channel == Channel.FORM.value, MessageRow.external_id == draft_id
    )
    return session.scalars(query.order_by(MessageRow.received_at.desc()).limit(1)).first()


def _answers(keys: KeyRing, row: DraftRow) -> dict[str, Any]:
    return dict(keys.unseal_json(row.answers, place=f"drafts.answers:{row.id}"))


def _sealed(keys: KeyRing, draft_id: str, answers: Mapping[str, Any]) -> bytes:
    return keys.seal_json(dict(answers), place=f"drafts.answers:{draft_id}")


def _files(session: Session, keys: KeyRing, draft_id: str) -> list[DraftFile]:
    # Without the bytes: a page that lists the files needs only what describes them.
    query = select(DraftFileRow.id, DraftFileRow.description).where(DraftFileRow.draft_id == draft_id)
    found = []
    for row in session.execute(query.order_by(*_IN_ORDER)):
        fields = keys.unseal_json(row.description, place=f"draft_files.description:{row.id}")
        found.append(DraftFile(row.id, fields["name"], fields["content_type"], fields["size"]))
    return found
