"""Messages: kept as they came, accounted for exactly once, copies known."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.app import App
from storage.audit import MACHINE, Audit
from storage.messages import NoSuchMessage, dispose, disposition_of, earlier_copy, keep, raw_of
from storage.oversight import (
    conservation,
    forget_worker,
    live_workers,
    note_heartbeat,
    set_aside_messages,
    silent_workers,
    untriaged_before,
)
from storage.tables import AuditRow, MessageRow
from tests.factories import NOW, concern, email_bytes, received, stored
from triage.lifecycle import MESSAGE_MOVES, Disposition, MoveRefused
from triage.vocabulary import Channel

AUDIT = Audit(at=NOW, actor=MACHINE, action="moved")


def become(app: App, message_id: str, kind: Disposition) -> None:
    """Dispose of the message so."""
    with app.database.write() as session:
        dispose(session, message_id, kind, audit=AUDIT)


def test_a_message_is_kept_byte_for_byte(either_app: App) -> None:
    """Whatever the bytes, with its envelope and an audit entry that holds none of it."""
    raw = bytes(range(256)) * 20
    item = received(raw, mail_from="ann@family.example")
    message_id = stored(either_app, item)
    with either_app.database.read() as session:
        again, envelope, row = raw_of(session, either_app.keys, message_id)
        [entry] = session.scalars(select(AuditRow).where(AuditRow.subject == f"message:{message_id}"))
    assert again == raw
    assert envelope["mail_from"] == "ann@family.example"
    assert row.size == len(raw)
    assert row.received_at == NOW
    assert (entry.action, entry.details) == ("received", {"channel": "email", "bytes": len(raw)})


def test_a_message_that_is_not_there_is_said_so(app: App) -> None:
    """By id."""
    with app.database.read() as session, pytest.raises(NoSuchMessage, match="nothing"):
        raw_of(session, app.keys, "nothing")


def test_messages_and_their_audit_land_together_or_not_at_all(app: App) -> None:
    """A second message with an id that is taken takes the whole group with it."""
    item = received()
    stored(app, item)
    with pytest.raises(Exception, match="UNIQUE"), app.database.write() as session:
        keep(session, app.keys, [received(), item])
    with app.database.read() as session:
        assert session.scalar(select(func.count()).select_from(MessageRow)) == 1
        assert session.scalar(select(func.count()).select_from(AuditRow)) == 1


@pytest.mark.parametrize("after", list(Disposition))
@pytest.mark.parametrize("before", list(Disposition))
def test_what_a_message_became_changes_only_by_the_table_of_moves(
    app: App, before: Disposition, after: Disposition
) -> None:
    """What became a concern stays one."""
    message_id = stored(app)
    become(app, message_id, before)
    if after in MESSAGE_MOVES[before]:
        become(app, message_id, after)
    else:
        with pytest.raises(MoveRefused):
            become(app, message_id, after)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
        entries = list(session.scalars(select(AuditRow.action).where(AuditRow.action == "moved")))
    assert known is not None
    allowed = after in MESSAGE_MOVES[before]
    assert known.kind == (after if allowed else before)
    assert len(entries) == (2 if allowed else 1)


def test_a_copy_is_the_same_bytes_on_the_same_channel_later(app: App) -> None:
    """The first one is nobody's copy, and a form with the same words is none of a mail."""
    raw = email_bytes()
    later = NOW + timedelta(minutes=5)
    first, second = received(raw), received(raw, received_at=later)
    other = received(email_bytes())
    form = received(raw, received_at=later)
    form = type(form)(
        raw=raw, channel=Channel.FORM, received_at=later, envelope={}, message_id=form.message_id
    )
    for item in (first, second, other, form):
        stored(app, item)
    with app.database.read() as session:
        copies = {
            item.message_id: earlier_copy(session, session.get_one(MessageRow, item.message_id))
            for item in (first, second, other, form)
        }
    assert copies == {
        first.message_id: None,
        second.message_id: first.message_id,
        other.message_id: None,
        form.message_id: None,
    }


def test_of_two_copies_at_one_moment_exactly_one_is_the_original(app: App) -> None:
    """Else both would be linked to each other, and no concern opened."""
    raw = email_bytes()
    pair = [stored(app, received(raw)), stored(app, received(raw))]
    with app.database.read() as session:
        copies = [earlier_copy(session, session.get_one(MessageRow, one)) for one in pair]
    assert sorted(copies, key=str) == sorted([None, min(pair)], key=str)


def test_every_message_is_accounted_for(either_app: App) -> None:
    """Received is the sum of what became of them and what waits, each counted on its own."""
    concern(either_app)
    for kind in (Disposition.DUPLICATE, Disposition.SET_ASIDE, Disposition.SET_ASIDE, Disposition.SPAM):
        become(either_app, stored(either_app), kind)
    stored(either_app, received(received_at=NOW - timedelta(hours=2)))
    stored(either_app)
    with either_app.database.read() as session:
        accounts = conservation(session)
    assert (accounts.received, accounts.concerns, accounts.duplicates) == (7, 1, 1)
    assert (accounts.set_aside, accounts.spam, accounts.waiting) == (2, 1, 2)
    assert accounts.holds
    assert accounts.oldest_waiting_at == NOW - timedelta(hours=2)


def test_what_was_set_aside_is_listed_with_the_reason(app: App) -> None:
    """In plain sight."""
    message_id = stored(app)
    with app.database.write() as session:
        dispose(session, message_id, Disposition.SET_ASIDE, audit=AUDIT, reason="it took too long " * 60)
    with app.database.read() as session:
        [(row, disposition)] = set_aside_messages(session)
    assert row.id == message_id
    assert disposition.reason.startswith("it took too long")
    assert len(disposition.reason) == 500


def test_messages_that_triage_forgot_are_found(app: App) -> None:
    """Those from before the moment, and of which nothing has become."""
    old = stored(app, received(received_at=NOW - timedelta(hours=1)))
    stored(app, received(received_at=NOW))
    become(app, stored(app, received(received_at=NOW - timedelta(hours=1))), Disposition.SET_ASIDE)
    with app.database.read() as session:
        assert untriaged_before(session, NOW - timedelta(minutes=10)) == [old]


def test_a_worker_that_gives_no_sign_of_life_is_silent_until_it_is_forgotten(either_app: App) -> None:
    """And one that beats is alive."""
    with either_app.database.write() as session:
        note_heartbeat(session, "a-worker-1", NOW - timedelta(minutes=5))
        note_heartbeat(session, "b-worker-1", NOW - timedelta(minutes=5))
        note_heartbeat(session, "b-worker-1", NOW)
    since = NOW - timedelta(seconds=30)
    with either_app.database.read() as session:
        assert silent_workers(session, since) == ["a-worker-1"]
        assert [row.executor_id for row in live_workers(session, since)] == ["b-worker-1"]
    with either_app.database.write() as session:
        forget_worker(session, "a-worker-1")
        forget_worker(session, "a-worker-1")
    with either_app.database.read() as session:
        assert silent_workers(session, since) == []
