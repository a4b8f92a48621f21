"""250 means stored, and any fault of ours means 451 and nothing more: the promise at the mail port."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from bot.app import App
from bot.background import TRIAGE_QUEUE, unfinished
from bot.intake import TRIAGE_JOB, Intake
from bot.smtp_in.handler import Handler
from storage.database import Database
from storage.messages import Received
from storage.tables import AuditRow, MessageRow
from tests.bot.mail_client import MailClient
from tests.bot.mail_listening import BrokenDatabase, count_of, listening, stored
from tests.waiting import wait_for
from triage.vocabulary import Channel

SECRET = "Mrs Alder of Rose Court"


def received(raw: bytes = b"x\r\n", **fields: Any) -> Received:
    """A message as a way in hands it over."""
    return Received(raw=raw, channel=Channel.EMAIL, received_at=datetime.now(UTC), **fields)


def breaking(app: App, error: Exception) -> BrokenDatabase:
    """Make the intake's writes fail from now on."""
    broken = BrokenDatabase(app.database, error)
    app.intake._database = broken  # type: ignore[assignment]
    return broken


def test_a_fault_of_ours_is_a_451_without_a_word_of_the_error(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing half-written; the session goes on, and the next try is stored."""
    broken = breaking(app, RuntimeError(SECRET))
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        reply = client.hello().deliver(SECRET.encode() + b"\r\n")
        assert reply.startswith("451")
        assert SECRET not in reply + caplog.text
        assert count_of(app.database, MessageRow) == count_of(app.database, AuditRow) == 0
        assert unfinished(app.database) == {}
        broken.broken = False
        assert client.deliver(b"again\r\n").startswith("250")
    assert stored(app) == [b"again\r\n"]


@pytest.mark.parametrize("hook", ["handle_MAIL", "handle_RCPT", "handle_DATA"])
def test_a_missing_hook_can_answer_no_250(app: App, monkeypatch: pytest.MonkeyPatch, hook: str) -> None:
    """aiosmtpd on its own says 250 where there is no hook, and drops the message."""
    monkeypatch.setattr("bot.smtp_in.handler._HOOK_NAMES", [n for n in Handler.__dict__ if n != hook])
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello()
        replies = [client.say("MAIL FROM:<a@b.example>")]
        if hook != "handle_MAIL":
            replies.append(client.say("RCPT TO:<c@d.example>"))
        if hook == "handle_DATA":
            client.say("DATA")
            replies.append(client.end_message(b"x\r\n"))
    assert replies.pop().startswith("451")
    assert all(reply.startswith("250") for reply in replies)


@pytest.mark.parametrize("answer", [None, b"250 OK", 250])
def test_a_hook_that_answers_no_text_can_answer_no_250(
    app: App, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    """Such as one that forgets to return."""

    async def forgetful(*_: object) -> object:
        return answer

    monkeypatch.setattr(Handler, "handle_DATA", forgetful)
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        assert client.hello().deliver(b"x\r\n").startswith("451")


@pytest.mark.parametrize("hook", ["handle_MAIL", "handle_RCPT", "handle_DATA"])
def test_a_hook_that_fails_is_a_451(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    """Never 5xx, never the error's text, in reply or log."""

    async def failing(*_: object) -> str:
        raise ValueError(SECRET)

    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(Handler, hook, failing)
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello()
        reply = ""
        for line in ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"):
            reply = client.say(line)
            if not reply.startswith(("250", "354")):
                break
        if reply.startswith("354"):
            reply = client.end_message(b"x\r\n")
    assert reply.startswith("451")
    assert SECRET not in reply + caplog.text


def test_no_address_and_no_word_of_a_message_reaches_the_log(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """At any level, of ours or of the libraries'."""
    caplog.set_level(logging.DEBUG)
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello().say("Alder is not a command")
        client.begin_message("alder@rose-court.example")
        assert client.end_message(b"Mrs Alder\r\n").startswith("250")
    assert "alder" not in caplog.text.lower()


def test_one_bad_message_does_not_refuse_the_others_of_its_group(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty at once, one of them with an id that is taken: nineteen are stored."""
    first = received()
    app.intake.receive(first)
    gate = _hold_up(app.intake, monkeypatch)
    promises = [app.intake.submit(received())]
    wait_for(promises[0].running, what="the first message")
    promises += [app.intake.submit(received()) for _ in range(9)]
    taken = app.intake.submit(received(message_id=first.message_id))
    promises += [app.intake.submit(received()) for _ in range(10)]
    gate.set()
    assert all(promise.result(30) for promise in promises)
    assert taken.exception(30) is not None
    assert count_of(app.database, MessageRow) == 21


def test_deliveries_that_arrive_together_share_a_transaction(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Group commit: thirty messages that wait are stored at one go."""
    commits: list[int] = []
    store = Intake._store

    def counted(self: Intake, group: Any) -> None:
        commits.append(len(group))
        store(self, group)

    monkeypatch.setattr(Intake, "_store", counted)
    gate = _hold_up(app.intake, monkeypatch)
    promises = [app.intake.submit(received())]
    wait_for(promises[0].running, what="the first message")
    promises += [app.intake.submit(received()) for _ in range(29)]
    gate.set()
    for promise in promises:
        promise.result(30)
    assert commits == [1, 29]


def test_a_client_that_hangs_up_at_the_worst_moment_stops_nobody_else(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone while its message waits: it is taken back or stored, and the intake goes on."""
    with listening(app) as listener:
        gate = _hold_up(app.intake, monkeypatch)
        clients = [MailClient(listener.bound_port) for _ in range(5)]
        for client in clients:
            client.hello().begin_message().send(b"x\r\n.\r\n")
        wait_for(lambda: app.intake._waiting.qsize() >= 1, what="the messages")
        for client in clients:
            client.close()
        wait_for(lambda: not listener.sessions.open, what="the end of the sessions")
        one = len(b"\r\nx\r\n.\r\n")
        wait_for(lambda: listener.sessions.in_flight.held == one, what="giving back the others' bytes")
        gate.set()
        wait_for(lambda: listener.sessions.in_flight.held == 0, what="giving back the bytes")
        with MailClient(listener.bound_port) as another:
            assert another.hello().deliver(b"after\r\n").startswith("250")
    assert stored(app)[-1] == b"after\r\n"


def test_a_stop_finishes_the_message_in_hand_and_sends_the_idle_away(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 for what is stored, 421 for who waits."""
    replies: list[str] = []
    with listening(app) as listener:
        idle, busy = MailClient(listener.bound_port), MailClient(listener.bound_port)
        gate = _hold_up(app.intake, monkeypatch)
        busy.hello().begin_message().send(b"x\r\n.\r\n")
        wait_for(lambda: any(session.busy for session in listener.sessions.open), what="the message")
        threading.Timer(0.5, gate.set).start()
        reader = threading.Thread(target=lambda: replies.append(busy.reply()))
        reader.start()
        listener.stop()
        reader.join(20)
        assert idle.reply().startswith("421")
        idle.close()
        busy.close()
    assert replies[0].startswith("250")
    assert stored(app) == [b"x\r\n"]


def test_twenty_senders_at_once_are_all_stored_once(either_app: App) -> None:
    """On both databases: as many messages, audit entries and jobs as there were 250s."""
    with listening(either_app) as listener:
        codes = _send_from_many(listener.bound_port, senders=20, each=5)
    assert codes == ["250"] * 100
    assert len(set(stored(either_app))) == count_of(either_app.database, MessageRow) == 100
    assert count_of(either_app.database, AuditRow) == 100
    assert unfinished(either_app.database) == {"ENQUEUED": 100}


def test_many_jobs_at_once_are_the_same_rows_as_one_by_one(either_app: App) -> None:
    """Every column of the engine's tables, but for ids and times; asked again, nothing changes."""
    app = either_app
    with app.database.write() as session:
        app.background.enqueue(session, TRIAGE_QUEUE, TRIAGE_JOB, "a" * 32)
        app.background.enqueue_many(session, TRIAGE_QUEUE, TRIAGE_JOB, ["b" * 32, "c" * 32])
    alone, *together = _job_rows(app.database)
    assert [row["inputs"].count(letter * 32) for row, letter in zip(together, "bc", strict=True)] == [1, 1]
    for row, letter in zip(together, "bc", strict=True):
        like_the_first = {
            column: value.replace(letter * 32, "a" * 32) if isinstance(value, str) else value
            for column, value in row.items()
        }
        assert like_the_first == alone
    with app.database.write() as session:
        app.background.enqueue_many(session, TRIAGE_QUEUE, TRIAGE_JOB, ["a" * 32, "b" * 32])
    assert _job_rows(app.database) == [alone, *together]


def _job_rows(database: Database) -> list[dict[str, Any]]:
    schema = "" if database.is_sqlite else "dbos."
    query = (
        f"select s.*, i.inputs as inputs from {schema}workflow_status s "
        f"join {schema}workflow_input i using (workflow_uuid) order by workflow_uuid"
    )
    passing = {"created_at", "updated_at", "creator_xid", "retention_timestamp"}
    with database.read() as session:
        rows = [dict(row) for row in session.execute(text(query)).mappings()]
    assert all(row["created_at"] and row["creator_xid"] for row in rows)
    return [{name: value for name, value in row.items() if name not in passing} for row in rows]


def test_an_id_that_is_no_plain_word_is_not_copied_into_many_jobs(app: App) -> None:
    """It could change the meaning of the row it is put into."""
    with app.database.write() as session, pytest.raises(ValueError, match="letters and digits"):
        app.background.enqueue_many(session, TRIAGE_QUEUE, TRIAGE_JOB, ['a","b'])


def _hold_up(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Keep the intake busy with one message until the event is set."""
    gate, store = threading.Event(), intake._store

    def waiting(group: Any) -> None:
        gate.wait(30)
        store(group)

    monkeypatch.setattr(intake, "_store", waiting)
    return gate


def _send_from_many(port: int, *, senders: int, each: int) -> list[str]:
    codes: list[str] = []

    def send(number: int) -> None:
        with MailClient(port) as client:
            client.hello()
            codes.extend(client.deliver(b"message %d of %d\r\n" % (n, number))[:3] for n in range(each))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return codes
