"""Mail is fetched from a real Dovecot: every message once, whatever its flags, dates, pages and faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from imapclient import SEEN

from bot.app import App
from bot.imap_in import fetching
from bot.workflows import triage_message
from storage.outgoing import count_by_state
from tests.bot.dovecot import Dovecot
from tests.bot.imap.looking import bodies, dispositions, look, triage_all, utc_now
from tests.factories import email_bytes, received, stored


def mails(number: int) -> list[bytes]:
    """That many different mails."""
    return [email_bytes(f"The carpet of room {n} is stained.") for n in range(number)]


def test_mail_that_somebody_has_read_is_fetched_all_the_same(mailbox_app: App, dovecot: Dovecot) -> None:
    """A colleague opens the mailbox in Outlook before the program does."""
    sent = mails(3)
    dovecot.append(sent[:2], flags=(SEEN,))
    dovecot.append(sent[2:])
    assert look(mailbox_app) == 3
    assert sorted(bodies(mailbox_app)) == sorted(sent)


def test_fetching_marks_nothing_as_read(mailbox_app: App, dovecot: Dovecot) -> None:
    """The mailbox stays as its people left it."""
    dovecot.append(mails(2))
    look(mailbox_app)
    with dovecot.client() as client:
        client.select_folder("INBOX", readonly=True)
        assert all(SEEN not in flags for flags in client.get_flags(client.search()).values())


def test_mail_with_an_old_date_that_comes_late_is_fetched(mailbox_app: App, dovecot: Dovecot) -> None:
    """A mail that lay in a queue, or was moved back into the folder, carries a date long past."""
    dovecot.append(mails(1))
    look(mailbox_app)
    old = email_bytes("The carpet was stained in 2019.").replace(b"20 Nov 2026", b"07 Jan 2019")
    dovecot.append([old], at=datetime(2019, 1, 7, 10, tzinfo=UTC))
    assert look(mailbox_app) == 1
    assert old in bodies(mailbox_app)


def test_a_second_look_takes_in_only_what_is_new(mailbox_app: App, dovecot: Dovecot) -> None:
    """The cursor is in the database: each look here is as one after a restart."""
    dovecot.append(mails(5))
    assert look(mailbox_app) == 5
    assert look(mailbox_app) == 0
    dovecot.append(mails(2))
    assert look(mailbox_app) == 2
    assert len(bodies(mailbox_app)) == 7


def test_five_hundred_messages_come_in_whole_over_small_pages(
    mailbox_app: App, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page boundary loses or doubles a message."""
    monkeypatch.setattr(fetching, "_PAGE", 7)
    monkeypatch.setattr(fetching, "_SIZES_TOGETHER", 50)
    sent = mails(500)
    dovecot.deliver(sent)
    assert look(mailbox_app) == 500
    assert sorted(bodies(mailbox_app)) == sorted(sent)


def test_pages_are_bounded_by_bytes_too(
    mailbox_app: App, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of mails with photographs must not fill the memory."""
    monkeypatch.setattr(fetching, "_PAGE_BYTES", 1000)
    sent = mails(20)
    dovecot.append(sent)
    assert look(mailbox_app) == 20
    assert sorted(bodies(mailbox_app)) == sorted(sent)


def test_a_changed_uidvalidity_rescans_the_folder_without_doubling(
    mailbox_app: App, dovecot: Dovecot
) -> None:
    """The mailbox is restored or moved: all numbers are new, the mails are not."""
    dovecot.append(mails(4))
    look(mailbox_app)
    assert triage_all(mailbox_app) == {"concern": 4}
    dovecot.change_uidvalidity()
    dovecot.append(mails(1))
    assert look(mailbox_app) == 5
    assert triage_all(mailbox_app) == {"concern": 5, "duplicate": 4}


def test_the_same_mail_by_smtp_and_by_imap_is_one_concern(mailbox_app: App, dovecot: Dovecot) -> None:
    """The relay delivers it here and into the mailbox, each with headers of its own."""
    mail = email_bytes("The carpet in the lounge is stained.", message_id="<same@family.example>")
    by_smtp = stored(mailbox_app, received(b"Received: from relay by us\r\n" + mail, received_at=utc_now()))
    triage_message(mailbox_app, by_smtp, now=utc_now())
    dovecot.append([b"Return-Path: <susan@family.example>\r\nX-Server: theirs\r\n" + mail])
    assert look(mailbox_app) == 1
    assert triage_all(mailbox_app) == {"concern": 1, "duplicate": 1}


def test_another_mail_under_the_same_message_id_is_a_concern_of_its_own(
    mailbox_app: App, dovecot: Dovecot
) -> None:
    """Some programs number their mails badly; nothing is taken for a copy that says something else."""
    for text in ("The carpet is stained.", "Late visits again: the carer came at noon."):
        dovecot.append([email_bytes(text, message_id="<always@clinic.example>")])
    look(mailbox_app)
    assert triage_all(mailbox_app) == {"concern": 2}


def test_mail_that_lay_in_the_mailbox_for_long_opens_a_concern_and_is_not_answered(
    mailbox_app: App, dovecot: Dovecot
) -> None:
    """The first look brings years of mail: its senders must not all hear from us today."""
    for days in (1, 400):
        mail = email_bytes(f"The carpet was stained {days} days ago.")
        sender = b"Return-Path: <susan%d@family.example>\r\n" % days
        dovecot.append([sender + mail], at=utc_now() - timedelta(days=days))
    look(mailbox_app)
    assert triage_all(mailbox_app) == {"concern": 2}
    with mailbox_app.database.read() as session:
        assert count_by_state(session) == {"waiting": 1}


def test_mail_is_moved_only_when_that_is_wanted_and_after_it_is_stored(
    mailbox_app: App, dovecot: Dovecot
) -> None:
    """Without the setting everything stays where it was."""
    dovecot.append(mails(3))
    look(mailbox_app)
    assert len(dovecot.uids()) == 3
    processing(mailbox_app, dovecot)
    dovecot.append(mails(2))
    assert look(mailbox_app) == 2
    assert dovecot.uids() == []
    assert len(dovecot.uids("Processed")) == 5
    assert len(bodies(mailbox_app)) == 5


def test_what_cannot_be_stored_is_neither_moved_nor_passed_over(
    mailbox_app: App, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: the mail stays, and is fetched when there is room again."""
    processing(mailbox_app, dovecot)
    dovecot.append(mails(3))
    with monkeypatch.context() as patch:
        patch.setattr(type(mailbox_app.intake), "_store", _full)
        with pytest.raises(OSError, match="full"):
            look(mailbox_app)
    assert len(dovecot.uids()) == 3
    assert look(mailbox_app) == 3
    assert dovecot.uids() == []
    assert len(bodies(mailbox_app)) == 3


def _full(*_: object) -> None:
    raise OSError("the disk is full")


def test_folders_are_read_each_with_a_cursor_of_its_own(mailbox_app: App, dovecot: Dovecot) -> None:
    """UIDs of different folders are the same numbers."""
    dovecot.append(mails(2))
    dovecot.append(mails(3), folder="Räume & mehr")
    assert look(mailbox_app) == 2
    assert look(mailbox_app, "Räume & mehr") == 3
    assert look(mailbox_app) == look(mailbox_app, "Räume & mehr") == 0
    assert dispositions(mailbox_app) == {}


def processing(app: App, dovecot: Dovecot) -> None:
    """Let stored mail be moved to a folder."""
    with dovecot.client() as client:
        client.create_folder("Processed")
    app.settings = app.settings.model_copy(update={"imap_processed_folder": "Processed"})
