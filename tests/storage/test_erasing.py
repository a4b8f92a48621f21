"""Erasing: nothing of the content is left, the law of conservation holds, and what was erased does not come back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import MetaData, select

from bot.app import App
from bot.workflows import triage_message
from storage.audit import Audit
from storage.concerns import concern_by_id, concern_by_reference
from storage.erasing import count_erased, erase, tombstone_of
from storage.messages import disposition_of, latest_reading, raw_of
from storage.outgoing import OutgoingState
from storage.oversight import conservation
from storage.tables import Base, ConcernRow, MessageRow, OutgoingRow
from tests.factories import NOW, email_bytes, message_ids, received, stored, triaged
from triage.errors import BadInput
from triage.lifecycle import ConcernState, Disposition, MoveRefused

LATER = NOW + timedelta(hours=3)
STORY = "The zebra-striped carpet at Rose Court was never cleaned."
SECRETS = ("zebra", "susan", "pemberton")


def mail(**headers: str) -> bytes:
    """The mail that will be erased, as one server handed it on."""
    return email_bytes(
        STORY,
        subject="About Mrs Pemberton",
        message_id="<erase-me@family.example>",
        **headers,
    )


def erase_now(app: App, concern: ConcernRow, because: str = "It was about another council") -> int:
    """Erase it, as a lead does."""
    with app.database.write() as session:
        row = concern_by_reference(session, concern.reference, lock=True)
        audit = Audit(LATER, "a-lead", "erased")
        return erase(session, app.keys, row, because=because, audit=audit)


def again(app: App, raw: bytes, **more: object) -> str:
    """The id of a message that came later and was triaged."""
    item = received(raw, received_at=LATER + timedelta(hours=1), **more)
    triage_message(app, stored(app, item), now=LATER + timedelta(hours=1))
    return item.message_id


def everything_kept(app: App) -> str:
    """Every field of every table of ours, unsealed where it is sealed, as one text."""
    metadata = MetaData()
    metadata.reflect(app.database.engine)
    rows: list[str] = []
    with app.database.read() as session:
        for table in metadata.tables.values():
            rows += [str(tuple(row)) for row in session.execute(select(table))]
        for message_id in session.scalars(select(MessageRow.id)):
            raw, envelope, _ = raw_of(session, app.keys, message_id)
            rows += [raw.decode("utf-8", "replace"), str(envelope)]
            rows.append(str(latest_reading(session, app.keys, message_id)))
        for mail in session.scalars(select(OutgoingRow)):
            rows.append(str(app.keys.unseal(mail.content, place=f"outgoing.content:{mail.id}")))
            rows.append(str(app.keys.unseal(mail.recipient, place=f"outgoing.recipient:{mail.id}")))
    return "\n".join(rows).lower()


def test_nothing_of_the_content_is_left_and_the_law_holds(either_app: App) -> None:
    """Neither of the message nor of its copy, nor who wrote it, nor the answer; who erased it and why stays."""
    app = either_app
    concern = triaged(app, mail())
    again(app, mail(X_Gateway="2"))
    before = everything_kept(app)
    assert [word for word in SECRETS if word in before] == list(SECRETS)
    assert erase_now(app, concern) == 2
    after = everything_kept(app)
    assert [word for word in SECRETS if word in after] == []
    with app.database.read() as session:
        row = concern_by_id(session, concern.id)
        stone = tombstone_of(session, concern.id)
        accounts = conservation(session)
        [answer] = session.scalars(select(OutgoingRow))
    assert row.state == ConcernState.ERASED
    assert answer.state == OutgoingState.WITHDRAWN
    assert stone is not None
    assert (stone.messages, stone.erased_by, stone.because) == (2, "a-lead", "It was about another council")
    assert accounts.holds
    assert (accounts.received, accounts.concerns, accounts.duplicates) == (2, 1, 1)


def test_every_table_about_messages_is_known_to_erasing() -> None:
    """Whoever adds one must say here, and in storage.erasing, what erasing does to it."""
    about_messages = {
        name
        for name, table in Base.metadata.tables.items()
        if any(key.column.table.name == "messages" for key in table.foreign_keys)
    }
    emptied = {
        "readings",
        "assessments",
        "slack_files",
        "answered",
        "message_checks",
        "attachments",
        "shadow_answers",
    }
    without_content = {"dispositions", "tombstones", "links", "slack_posts", "mailbox_gaps"}
    assert about_messages <= emptied | without_content


def test_nothing_is_left_in_the_file_of_the_database(app: App) -> None:
    """SQLite would leave what was deleted on its pages."""
    concern = triaged(app, mail())
    erase_now(app, concern)
    path = app.settings.data_dir / "careconcerns.db"
    with app.database.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    assert b"zebra" not in path.read_bytes()


@pytest.mark.parametrize(
    ("raw", "more"),
    [
        pytest.param(mail(), {}, id="the-same-bytes-by-smtp"),
        pytest.param(
            mail(Received="from mx.example; Fri, 20 Nov 2026 10:00:01 +0000"), {}, id="by-another-way"
        ),
        pytest.param(mail(), {"external_id": "imap:desk@c.example/imap:INBOX:7:1"}, id="by-imap"),
    ],
)
def test_what_was_erased_is_known_when_it_comes_again(app: App, raw: bytes, more: dict[str, str]) -> None:
    """It is counted as a copy of the erased one, keeps nothing, opens nothing and answers nobody."""
    concern = triaged(app, mail())
    [erased_id] = message_ids(app, concern.id)
    erase_now(app, concern)
    message_id = again(app, raw, **more)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
        accounts = conservation(session)
        concerns = list(session.scalars(select(ConcernRow.id)))
        assert count_erased(session) == 2
    assert known is not None
    assert (known.kind, known.duplicate_of) == (Disposition.DUPLICATE, erased_id)
    assert accounts.holds
    assert concerns == [concern.id]
    assert [word for word in SECRETS if word in everything_kept(app)] == []


def test_another_message_that_borrows_the_message_id_is_not_taken_for_it(app: App) -> None:
    """Else anybody could make the desk throw their next message away."""
    erase_now(app, triaged(app, mail()))
    other = mail().replace(b"zebra-striped carpet", b"tartan carpet in the lounge")
    message_id = again(app, other)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
    assert known is not None
    assert known.kind == Disposition.CONCERN


def test_a_reason_is_wanted_and_nothing_is_erased_twice(app: App) -> None:
    """Nothing is touched where it is refused."""
    concern = triaged(app, mail())
    for because in ("", "  ", "x" * 501):
        with pytest.raises(BadInput):
            erase_now(app, concern, because)
    with app.database.read() as session:
        assert concern_by_id(session, concern.id).state == ConcernState.NEW
    erase_now(app, concern)
    with pytest.raises(MoveRefused):
        erase_now(app, concern)
