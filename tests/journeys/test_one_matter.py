"""One matter, end to end: an answer to our mail, a stranger's, and mail that comes again after it was erased."""

from __future__ import annotations

import sqlite3
from email import message_from_bytes, policy
from email.message import EmailMessage

from sqlalchemy import select

from storage.concerns import concern_by_id, messages_of
from storage.database import Database
from storage.oversight import conservation
from storage.tables import ConcernRow
from storage.threads import LinkKind, links_of
from tests.factories import GREEN_TEXT, RED_TEXT, email_bytes
from tests.journeys.service import Service
from tests.waiting import wait_for


def concerns(database: Database) -> list[ConcernRow]:
    """All concerns, the first first."""
    with database.read() as session:
        return list(session.scalars(select(ConcernRow).order_by(ConcernRow.reference)))


def size(database: Database, concern_id: str) -> int:
    """How many messages the concern has."""
    with database.read() as session:
        return len(messages_of(session, concern_id))


def reply_to(ours: EmailMessage, text: str, sender: str) -> bytes:
    """What a mail program sends when its user presses "reply"."""
    raw = email_bytes(
        text, subject=f"Re: {ours['Subject']}", sender=sender, In_Reply_To=str(ours["Message-ID"])
    )
    return raw.replace(b"To: care.concerns@council.example", f"To: {ours['Reply-To']}".encode(), 1)


def test_an_answer_is_added_a_stranger_is_kept_apart_and_what_is_erased_does_not_come_back(
    service: Service,
) -> None:
    """Sent over SMTP to a running service; the concern is erased by the command line."""
    service.start()
    service.add_lead()
    first_mail = email_bytes(GREEN_TEXT, subject="The zebra carpet")
    service.send(first_mail)
    [path] = wait_for(lambda: service.mails("acknowledgement"), what="our answer")
    ours = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(ours, EmailMessage)
    database = service.database()
    [first] = concerns(database)

    service.send(reply_to(ours, RED_TEXT, "Susan <susan@family.example>"))
    wait_for(lambda: size(database, first.id) == 2, what="the reply in the concern")
    [first] = concerns(database)
    assert (first.severity, first.state) == ("red", "new")
    [alert] = wait_for(lambda: service.mails("alert"), what="the alert of the raise")
    assert first.reference in alert.read_text()

    service.send(reply_to(ours, "Leave it.", "Eve <eve@else.example>"), sender="eve@else.example")
    wait_for(lambda: len(concerns(database)) == 2, what="the stranger's own concern")
    assert size(database, first.id) == 2
    other = concerns(database)[1]
    with database.read() as session:
        [link] = links_of(session, other.id)
    assert (link.kind, link.other) == (LinkKind.STRANGER, first.reference)
    wait_for(lambda: len(service.mails("acknowledgement")) == 2, what="the answer to the stranger")

    erased = service.command("erase", first.reference, "--because", "sent by mistake", "--yes")
    assert erased.returncode == 0, erased.stderr
    again = service.command("erase", first.reference, "--because", "sent by mistake", "--yes")
    assert again.returncode == 2
    service.send(first_mail)
    service.send(b"Received: from mx.example; Fri, 20 Nov 2026 10:00:01 +0000\r\n" + first_mail)
    wait_for(lambda: _accounts(database) == (5, 3, 2), what="two linked copies")
    assert len(concerns(database)) == 2
    with database.read() as session:
        assert concern_by_id(session, first.id).state == "erased"
        assert conservation(session).holds
    assert len(service.mails("acknowledgement")) == 2
    database.close()
    doctor = service.command("doctor")
    assert "5 received = 3 concerns + 2 duplicates" in doctor.stdout
    assert "4 messages were erased" in doctor.stdout
    assert service.stop() == 0
    file = service.data_dir / "careconcerns.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"zebra" not in file.read_bytes()


def _accounts(database: Database) -> tuple[int, int, int]:
    with database.read() as session:
        accounts = conservation(session)
    return accounts.received, accounts.concerns, accounts.duplicates
