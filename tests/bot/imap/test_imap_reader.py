"""The loop: it wakes, recovers, waits, and says how it stands, on a real Dovecot."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from bot.app import App
from bot.imap_in import MailboxReader, Waits
from bot.imap_in.lease import Lease
from bot.settings import Settings
from storage.mailboxes import take_lease
from storage.tables import MailboxLeaseRow
from tests.bot.dovecot import Dovecot
from tests.bot.imap.conftest import QUICK
from tests.bot.imap.looking import bodies, report, state
from tests.factories import email_bytes
from tests.waiting import wait_for
from triage.errors import BadInput

Start = Callable[..., MailboxReader]


def test_idle_wakes_the_reader_within_seconds(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start
) -> None:
    """The next look by the clock would be ten minutes away."""
    start_reader(imap_poll_seconds=600)
    wait_for(lambda: state(mailbox_app) == "connected", what="the first contact")
    wait_for(lambda: report(mailbox_app).counts, what="the first count")  # type: ignore[union-attr]
    time.sleep(0.5)
    dovecot.append([email_bytes()])
    began = time.monotonic()
    wait_for(lambda: len(bodies(mailbox_app)) == 1, seconds=20, what="the mail")
    assert time.monotonic() - began < 10


def test_mail_comes_by_the_clock_where_the_server_announces_nothing(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IDLE is a convenience: some servers have none, others forget to speak."""
    from bot.imap_in import reader

    monkeypatch.setattr(reader, "_is_news", lambda _: False)
    start_reader(imap_poll_seconds=1)
    wait_for(lambda: state(mailbox_app) == "connected", what="the first contact")
    dovecot.append([email_bytes()])
    wait_for(lambda: len(bodies(mailbox_app)) == 1, seconds=20, what="the mail")


def test_a_server_that_is_restarted_is_found_again(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start
) -> None:
    """While it is away the state says so; then everything that came meanwhile is there, once."""
    dovecot.append([email_bytes()])
    start_reader()
    wait_for(lambda: len(bodies(mailbox_app)) == 1, what="the first mail")
    dovecot.stop()
    wait_for(lambda: state(mailbox_app) == "away", what="the notice that the server is away")
    dovecot.start()
    dovecot.append([email_bytes()])
    wait_for(lambda: len(bodies(mailbox_app)) == 2, what="the second mail")
    wait_for(lambda: state(mailbox_app) == "connected", what="the notice that it is back")
    assert len(bodies(mailbox_app)) == 2


def test_a_new_process_goes_on_where_the_last_one_stopped(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start
) -> None:
    """The cursor is in the database."""
    dovecot.append([email_bytes(), email_bytes()])
    first = start_reader()
    wait_for(lambda: len(bodies(mailbox_app)) == 2, what="the first mails")
    first.stop()
    dovecot.append([email_bytes()])
    start_reader()
    wait_for(lambda: len(bodies(mailbox_app)) == 3, what="the third mail")


def test_a_wrong_password_is_said_clearly_and_tried_seldom(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start
) -> None:
    """No storm of log-ins that locks the account, no process that dies and comes back."""
    rarely = Waits(refused_first=60, refused_longest=60)
    reader = start_reader(waits=rarely, imap_password=SecretStr("wrong"))
    wait_for(lambda: state(mailbox_app) == "refused", what="the refusal")
    found = report(mailbox_app)
    assert found is not None
    assert "refused the log-in" in found.problem
    time.sleep(1)
    assert dovecot.log().count("auth failed") == 1
    began = time.monotonic()
    reader.stop()
    assert time.monotonic() - began < 5


def test_the_reader_comes_in_when_the_account_is_put_right(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start
) -> None:
    """Nobody has to restart anything."""
    users = dovecot.folder / "users"
    right = users.read_text()
    users.write_text("desk:another\n")
    time.sleep(1.1)  # Dovecot looks at its file of users once a second
    start_reader()
    wait_for(lambda: state(mailbox_app) == "refused", what="the refusal")
    users.write_text(right)
    wait_for(lambda: state(mailbox_app) == "connected", what="the log-in")


def test_a_server_that_falls_silent_is_cut_and_called_again(
    app: App, start_silent: Callable[[], int]
) -> None:
    """A firewall has forgotten the connection: no packet comes, and no end either."""
    port = start_silent()
    changes = {
        "imap_host": "127.0.0.1",
        "imap_port": port,
        "imap_security": "none",
        "imap_user": "desk",
        "imap_password": SecretStr("x"),
        "imap_timeout_seconds": 1,
    }
    app.settings = app.settings.model_copy(update=changes)
    reader = MailboxReader(app, waits=Waits(first=0.1, longest=0.1))
    reader.start()
    wait_for(lambda: state(app) == "away", seconds=20, what="the end of waiting")
    reader.stop()


def test_a_connection_without_progress_is_cut_by_the_watchdog(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte a minute keeps every time-out content, and brings no mail."""
    from bot.imap_in.fetching import FolderReader

    release = threading.Event()
    real = FolderReader.read

    def stuck(reader: FolderReader, client: object) -> int:
        if not release.is_set():
            client.socket().settimeout(None)  # type: ignore[attr-defined]
            client.socket().recv(1)  # type: ignore[attr-defined]
        return real(reader, client)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderReader, "read", stuck)
    dovecot.append([email_bytes()])
    start_reader(waits=Waits(first=0.1, longest=0.1, stalled=1))
    wait_for(lambda: state(mailbox_app) == "away", seconds=20, what="the cut")
    release.set()
    wait_for(lambda: len(bodies(mailbox_app)) == 1, seconds=20, what="the mail")


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_comes_over_an_encrypted_connection_whose_certificate_is_trusted(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start, security: str
) -> None:
    """Implicit TLS, and STARTTLS."""
    dovecot.append([email_bytes()])
    port = dovecot.tls_port if security == "tls" else dovecot.port
    start_reader(
        imap_host="localhost", imap_port=port, imap_security=security, imap_ca_file=dovecot.certificate
    )
    wait_for(lambda: len(bodies(mailbox_app)) == 1, seconds=20, what="the mail")


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_password_is_sent(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start
) -> None:
    """Whoever stands between must not learn the password."""
    before = dovecot.log()
    start_reader(imap_host="localhost", imap_port=dovecot.tls_port, imap_security="tls")
    wait_for(lambda: state(mailbox_app) == "away", seconds=20, what="the refusal")
    found = report(mailbox_app)
    assert found is not None
    assert "certificate is not trusted" in found.problem
    assert "Login: user" not in dovecot.log().removeprefix(before)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"imap_user": ""}, "IMAP_USER"),
        ({"imap_password": SecretStr("")}, "IMAP_PASSWORD"),
        ({"imap_host": "imap.council.example", "imap_security": "none"}, "IMAP_SECURITY"),
        ({"imap_login": "microsoft"}, "IMAP_OAUTH_TENANT"),
        ({"imap_processed_folder": "INBOX"}, "IMAP_PROCESSED_FOLDER"),
    ],
)
def test_a_setting_that_is_missing_is_named_at_the_start(
    app: App, settings: Settings, changes: dict[str, object], named: str
) -> None:
    """Such a mistake is a person's, and passes by no waiting."""
    good = {"imap_host": "127.0.0.1", "imap_user": "desk", "imap_password": SecretStr("x")}
    app.settings = settings.model_copy(update=good | changes)
    with pytest.raises(BadInput, match=named):
        MailboxReader(app)


@pytest.fixture
def start_silent() -> Callable[[], int]:
    """A server that greets and then says no more."""

    def start() -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            held = []
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"* OK at your service\r\n")
                held.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    return start


def test_two_readers_of_one_mailbox_never_work_at_once(
    mailbox_app: App, dovecot: Dovecot, start_reader: Start
) -> None:
    """The second waits, and takes over as soon as the first stops."""
    waits = replace(QUICK, held=0.1)
    first = start_reader(waits)
    dovecot.append([email_bytes("one", message_id="<1@x.example>")])
    wait_for(lambda: len(bodies(mailbox_app)) == 1, what="the first mail")
    second = start_reader(waits)
    dovecot.append([email_bytes("two", message_id="<2@x.example>")])
    wait_for(lambda: len(bodies(mailbox_app)) == 2, what="the second mail")
    assert first._client is not None
    assert second._client is None
    first.stop()
    dovecot.append([email_bytes("three", message_id="<3@x.example>")])
    wait_for(lambda: len(bodies(mailbox_app)) == 3, what="the third mail")
    assert second._client is not None


def test_a_reader_that_loses_its_lease_stops_reading(
    mailbox_app: App, start_reader: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen for longer than its lease, it must not go on beside the one that took over."""
    monkeypatch.setattr("bot.imap_in.lease._RENEW_SECONDS", 0.0)
    reader = start_reader(replace(QUICK, held=0.1))
    wait_for(lambda: reader._client is not None, what="the connection")
    far = datetime.now(UTC) + timedelta(days=1)
    with mailbox_app.database.write() as session:
        row = session.get_one(MailboxLeaseRow, reader.account)
        row.holder, row.until = "another-machine/1/x", far
    wait_for(lambda: reader._client is None, what="the end of the connection")
    with mailbox_app.database.write() as session:
        assert session.get_one(MailboxLeaseRow, reader.account).holder == "another-machine/1/x"
        session.get_one(MailboxLeaseRow, reader.account).until = datetime.now(UTC) - timedelta(seconds=1)
    wait_for(lambda: reader._client is not None, what="the connection again")


def test_a_reader_that_was_killed_on_this_machine_is_followed_at_once(mailbox_app: App) -> None:
    """Its process is gone: nobody waits for its lease to end."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    now = datetime.now(UTC)
    with mailbox_app.database.write() as session:
        holder = f"{socket.gethostname()[:60]}/{gone.pid}/x"
        take_lease(session, "a", holder, now=now, until=now + timedelta(hours=1))
        take_lease(session, "b", "elsewhere/1/x", now=now, until=now + timedelta(hours=1))
    assert Lease(mailbox_app, "a", lambda: now).take()
    assert not Lease(mailbox_app, "b", lambda: now).take()
    assert Lease(mailbox_app, "b", lambda: now + timedelta(hours=2)).take()
