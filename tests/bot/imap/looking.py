"""What tests look at: the messages in the database, what became of them, and one look at the mailbox."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import select

from bot.app import App
from bot.imap_in.connection import account_of, connect
from bot.imap_in.counting import count_folder
from bot.imap_in.fetching import FolderReader
from bot.workflows import triage_message
from storage.mailboxes import FolderCount, MailboxReport, MailboxState, mailbox_reports, note_state
from storage.messages import raw_of
from storage.tables import DispositionRow, MessageRow


def utc_now() -> datetime:
    """The moment it is."""
    return datetime.now(UTC)


class Clock:
    """A clock that tests set forward."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        """The moment it is said to be."""
        return self.now


def folder_reader(app: App, name: str = "INBOX", clock: Clock | None = None) -> FolderReader:
    """A reader of the folder, as after a start of the process: all that it knows is in the database."""
    with app.database.write() as session:
        note_state(session, account_of(app.settings), MailboxState.CONNECTED, now=utc_now())
    return FolderReader(app, account_of(app.settings), name, clock or utc_now)


def look(app: App, name: str = "INBOX", clock: Clock | None = None) -> int:
    """One look at the folder over a connection of its own; returns how many messages were taken in."""
    with connect(app.settings, None) as client:
        return folder_reader(app, name, clock).read(client)


def count(app: App, name: str = "INBOX") -> FolderCount:
    """The nightly count, now."""
    with connect(app.settings, None) as client:
        return count_folder(app, client, folder_reader(app, name), now=utc_now())


def bodies(app: App) -> list[bytes]:
    """The bytes of all messages in the database."""
    with app.database.read() as session:
        ids = list(session.scalars(select(MessageRow.id).order_by(MessageRow.received_at, MessageRow.id)))
        return [raw_of(session, app.keys, message_id)[0] for message_id in ids]


def triage_all(app: App) -> Counter[str]:
    """Let triage see every message; returns how many became what."""
    with app.database.read() as session:
        ids = list(session.scalars(select(MessageRow.id).order_by(MessageRow.received_at, MessageRow.id)))
    for message_id in ids:
        triage_message(app, message_id, now=utc_now())
    return dispositions(app)


def dispositions(app: App) -> Counter[str]:
    """How many messages became what."""
    with app.database.read() as session:
        return Counter(session.scalars(select(DispositionRow.kind)))


def report(app: App) -> MailboxReport | None:
    """The mailbox as the desk shows it."""
    with app.database.read() as session:
        return next(iter(mailbox_reports(session)), None)


def state(app: App) -> str:
    """How it stands with the mailbox."""
    found = report(app)
    return found.state.value if found else ""
