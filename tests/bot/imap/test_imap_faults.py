"""What breaks: a process killed in mid-work, a message that the server does not give, a count that differs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError
from sqlalchemy import delete, select

from bot.app import App
from bot.doctor import check_everything
from bot.imap_in import fetching
from bot.imap_in.connection import connect
from storage.oversight import conservation, set_aside_messages
from storage.tables import AuditRow, MailboxFolderRow, MailboxGapRow, MessageRow
from tests.bot.dovecot import PASSWORD, USER, Dovecot
from tests.bot.imap.looking import Clock, bodies, count, folder_reader, look, report, triage_all, utc_now
from tests.factories import email_bytes

ROOT = Path(__file__).parents[3]


def mails(number: int) -> list[bytes]:
    """That many different mails."""
    return [email_bytes(f"The carpet of room {n} is stained.") for n in range(number)]


def test_a_kill_between_commit_and_move_loses_and_doubles_nothing(mailbox_app: App, dovecot: Dovecot) -> None:
    """The mail is stored and still in the folder: the next look moves it, and stores it no second time."""
    dovecot.append(mails(3))
    with dovecot.client() as client:
        client.create_folder("Processed")
    chosen = {
        "data_dir": mailbox_app.settings.data_dir,
        "demonstration": "false",
        "imap_host": "127.0.0.1",
        "imap_port": dovecot.port,
        "imap_security": "none",
        "imap_user": USER,
        "imap_password": PASSWORD,
        "imap_processed_folder": "Processed",
    }
    env = {f"CARECONCERNS_{name.upper()}": str(value) for name, value in chosen.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bot.imap.killed_before_moving"],
        env={**os.environ, **env},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert len(bodies(mailbox_app)) == len(dovecot.uids()) == 3

    mailbox_app.settings = mailbox_app.settings.model_copy(update={"imap_processed_folder": "Processed"})
    assert look(mailbox_app) == 0
    assert dovecot.uids() == []
    assert len(dovecot.uids("Processed")) == len(bodies(mailbox_app)) == 3


def test_a_kill_before_the_cursor_is_saved_doubles_nothing(mailbox_app: App, dovecot: Dovecot) -> None:
    """The messages themselves say where they came from."""
    dovecot.append(mails(3))
    look(mailbox_app)
    with mailbox_app.database.write() as session:
        row = session.scalars(select(MailboxFolderRow)).one()
        row.last_uid = 0
    assert look(mailbox_app) == 0
    assert len(bodies(mailbox_app)) == 3


@pytest.fixture
def unreadable(dovecot: Dovecot) -> Path:
    """Three mails, of which the server cannot open the second."""
    dovecot.append(mails(3))
    path = dovecot.mail_file(1)
    path.chmod(0)
    return path


class Loop:
    """Looks as the loop of one process does: after a connection that broke comes another."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.clock = Clock()
        self.reader = folder_reader(app, clock=self.clock)

    def look(self) -> int:
        """One look, however many connections it takes."""
        for _ in range(4):
            try:
                with connect(self.app.settings, None) as client:
                    return self.reader.read(client)
            except (IMAPClientError, OSError):
                continue
        raise AssertionError("every connection broke")

    def look_for_hours(self, hours: int) -> None:
        """A look every half hour."""
        for _ in range(2 * hours):
            self.look()
            self.clock.now += timedelta(minutes=30)


def test_a_message_that_the_server_does_not_give_is_shown_with_its_uid_and_holds_up_nothing(
    mailbox_app: App, dovecot: Dovecot, unreadable: Path
) -> None:
    """Its neighbours come in; it is asked for again, and then stands on the desk as not given."""
    loop = Loop(mailbox_app)
    loop.look()
    assert len(bodies(mailbox_app)) == 2
    [gap] = the_gaps(mailbox_app)
    assert (gap.uid, gap.message_id) == (2, None)

    loop.look_for_hours(4)
    with mailbox_app.database.read() as session:
        [(_, disposition)] = set_aside_messages(session)
        accounts = conservation(session)
    assert "message 2 of INBOX" in disposition.reason
    assert accounts.holds
    assert accounts.set_aside == 1
    assert dovecot.uids() == [1, 2, 3]


def test_a_message_that_the_server_gives_at_last_takes_the_place_of_what_stood_for_it(
    mailbox_app: App, unreadable: Path
) -> None:
    """Nobody has to tidy up by hand."""
    loop = Loop(mailbox_app)
    loop.look_for_hours(4)
    unreadable.chmod(0o600)
    loop.clock.now += timedelta(days=2)
    assert loop.look() == 1
    assert the_gaps(mailbox_app) == ()
    assert triage_all(mailbox_app) == {"concern": 3, "duplicate": 1}


def the_gaps(app: App) -> tuple[MailboxGapRow, ...]:
    """What the server did not give."""
    found = report(app)
    assert found is not None
    return found.gaps


def test_a_message_that_breaks_the_connection_is_found_and_passed_over(
    mailbox_app: App, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers end the connection over a damaged message, whichever page it is in."""
    fetch = IMAPClient.fetch

    def breaking(client: IMAPClient, uids: object, *more: object) -> object:
        if isinstance(uids, list) and 7 in uids and "BODY.PEEK[]" in more[0]:  # type: ignore[operator]
            client.socket().close()
            raise IMAPClientAbortError("the server hung up")
        return fetch(client, uids, *more)

    monkeypatch.setattr(IMAPClient, "fetch", breaking)
    monkeypatch.setattr(fetching, "_PAGE", 5)
    dovecot.append(mails(20))
    Loop(mailbox_app).look()
    assert len(bodies(mailbox_app)) == 19
    [gap] = the_gaps(mailbox_app)
    assert gap.uid == 7


def test_a_message_over_the_limit_is_not_fetched_but_shown_at_once(
    mailbox_app: App, dovecot: Dovecot
) -> None:
    """One mail with a film in it must not fill the memory, nor go by unseen."""
    dovecot.append([*mails(1), email_bytes("word " * 5000), *mails(1)])
    mailbox_app.settings = mailbox_app.settings.model_copy(update={"imap_max_bytes": 10_000})
    look(mailbox_app)
    with mailbox_app.database.read() as session:
        [(_, disposition)] = set_aside_messages(session)
    assert "message 2 of INBOX: it is larger than is accepted" in disposition.reason


def test_a_mail_removed_between_search_and_fetch_stops_nothing(
    mailbox_app: App, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody tidies the mailbox while it is read."""
    dovecot.append(mails(3))
    sizes = fetching.FolderReader._sizes

    def removing(reader: object, client: IMAPClient, *more: object) -> object:
        with dovecot.client() as other:
            other.select_folder("INBOX")
            other.delete_messages([2])
            other.expunge()
        return sizes(reader, client, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(fetching.FolderReader, "_sizes", removing)
    assert look(mailbox_app) == 2
    assert the_gaps(mailbox_app) == ()


def test_the_count_finds_what_is_in_the_mailbox_and_not_in_the_database(
    mailbox_app: App, dovecot: Dovecot
) -> None:
    """The difference is kept and shown, and what is missing is fetched there and then."""
    dovecot.append(mails(4))
    look(mailbox_app)
    assert (count(mailbox_app).missing, count(mailbox_app).stored) == (0, 4)
    with mailbox_app.database.write() as session:
        lost = session.scalars(select(MessageRow).where(MessageRow.external_id.endswith(":3"))).one()
        session.execute(delete(AuditRow).where(AuditRow.subject == f"message:{lost.id}"))
        session.delete(lost)
    found = count(mailbox_app)
    assert (found.in_mailbox, found.stored, found.missing, found.mended) == (4, 3, 1, 1)
    assert found.missing_uids == (3,)
    shown = report(mailbox_app)
    assert shown is not None
    assert shown.counts == (found,)
    assert len(bodies(mailbox_app)) == 4


def test_doctor_shows_the_mailbox_its_count_and_a_secret_that_expires_soon(
    mailbox_app: App, dovecot: Dovecot
) -> None:
    """Every line that is wrong says what to look at."""
    dovecot.append(mails(1))
    look(mailbox_app)
    count(mailbox_app)
    soon = {"imap_login": "microsoft", "imap_oauth_secret_expires": utc_now().date() + timedelta(days=9)}
    findings = check_everything(mailbox_app.settings.model_copy(update=soon))
    lines = {finding.text: finding.well for finding in findings}
    assert lines["the mailbox's client secret expires in 9 days"] is False
    assert any(well and "last contact 0 minutes ago" in text for text, well in lines.items())
    assert any(well and text.startswith("INBOX: 1 in the mailbox = 1 stored") for text, well in lines.items())
