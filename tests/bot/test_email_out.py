"""Outgoing mail: to a folder or a real relay, once, and what happens when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy

import pytest

from bot.app import App
from bot.email_out import compose, decide_to_send, deliver, give_up
from storage.outgoing import OutgoingKind, OutgoingState, mark_outgoing, outgoing_by_id
from storage.tables import OutgoingRow
from tests.bot.mail_relay import Relay
from tests.factories import NOW
from tests.journeys.service import free_port
from triage.errors import TryAgainLater

KINDS = [OutgoingKind.ACKNOWLEDGEMENT, OutgoingKind.ALERT, OutgoingKind.DIGEST]


def clock() -> datetime:
    """A moment that stands still."""
    return NOW


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay that listens."""
    with Relay() as listening:
        yield listening


def with_relay(app: App, port: int) -> App:
    """The same App, whose mail goes to the relay at the port."""
    settings = app.settings.model_copy(
        update={"mail_relay_host": "127.0.0.1", "mail_relay_port": port, "mail_relay_security": "none"}
    )
    return replace(app, settings=settings)


def decided(app: App, kind: OutgoingKind = OutgoingKind.ALERT) -> str:
    """The id of a mail that waits."""
    outgoing_id = f"{kind.value}-1"
    mail = compose(
        app.settings, outgoing_id=outgoing_id, recipient="ada@home.example", subject="S", body="B", now=NOW
    )
    with app.database.write() as session:
        assert decide_to_send(
            app, session, mail, outgoing_id=outgoing_id, kind=kind, subject_id="concern:1", now=NOW
        )
    return outgoing_id


def state(app: App, outgoing_id: str) -> str:
    """How far the mail has come."""
    with app.database.read() as session:
        return session.get_one(OutgoingRow, outgoing_id).state


def test_without_a_relay_mail_lands_in_the_outbox(app: App) -> None:
    """Whole, as a file that every mail program opens."""
    outgoing_id = decided(app)
    deliver(app, outgoing_id, clock=clock)
    [path] = app.settings.outbox.iterdir()
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert path.name == "alert-1.eml"
    assert (mail["To"], mail["Subject"], mail.get_content().strip()) == ("ada@home.example", "S", "B")
    assert mail["Message-ID"] == "<alert-1@council.example>"
    assert mail["From"] == "Example Council care concerns <care.concerns@council.example>"
    assert state(app, outgoing_id) == "sent"


def test_a_mail_is_handed_to_the_relay_once(app: App, relay: Relay) -> None:
    """However often it is asked for."""
    there = with_relay(app, relay.port)
    outgoing_id = decided(there)
    for _ in range(3):
        deliver(there, outgoing_id, clock=clock)
    assert len(relay.taken) == 1
    assert relay.taken[0].rcpt_tos == ["ada@home.example"]
    assert relay.mail()["Message-ID"] == "<alert-1@council.example>"
    assert state(app, outgoing_id) == "sent"
    assert not app.settings.outbox.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_an_automatic_answer_goes_out_with_the_null_sender_and_no_other_mail(
    app: App, relay: Relay, kind: OutgoingKind
) -> None:
    """So that nothing can answer it (RFC 3834, 3.3)."""
    there = with_relay(app, relay.port)
    deliver(there, decided(there, kind), clock=clock)
    expected = "<>" if kind is OutgoingKind.ACKNOWLEDGEMENT else app.settings.desk_address
    assert relay.taken[0].mail_from == expected


@pytest.mark.parametrize(
    ("rcpt", "data"),
    [("450 4.2.1 greylisted", ""), ("", "451 4.3.0 later"), ("421 4.3.2 closing", "")],
)
def test_a_refusal_for_now_is_tried_again_later(app: App, relay: Relay, rcpt: str, data: str) -> None:
    """The mail waits meanwhile, and goes out when the relay takes it."""
    there = with_relay(app, relay.port)
    outgoing_id = decided(there, OutgoingKind.ACKNOWLEDGEMENT)
    relay.rcpt, relay.data = rcpt, data
    with pytest.raises(TryAgainLater, match=outgoing_id):
        deliver(there, outgoing_id, clock=clock)
    assert state(app, outgoing_id) == "waiting"
    relay.rcpt = relay.data = ""
    deliver(there, outgoing_id, clock=clock)
    assert state(app, outgoing_id) == "sent"
    assert len(relay.taken) == 1


@pytest.mark.parametrize(("rcpt", "data"), [("550 5.1.1 no such person", ""), ("", "554 5.7.1 spam")])
def test_a_refusal_for_good_is_not_tried_again(app: App, relay: Relay, rcpt: str, data: str) -> None:
    """The desk shows it as failed, with the code and no word of the mail."""
    there = with_relay(app, relay.port)
    outgoing_id = decided(there)
    relay.rcpt, relay.data = rcpt, data
    deliver(there, outgoing_id, clock=clock)
    assert state(app, outgoing_id) == "failed"
    with app.database.read() as session:
        assert session.get_one(OutgoingRow, outgoing_id).failure == f"the relay answered {(rcpt or data)[:3]}"
    relay.rcpt = relay.data = ""
    deliver(there, outgoing_id, clock=clock)
    assert relay.taken == []


def test_a_relay_that_is_away_is_tried_again_later(app: App) -> None:
    """Nobody listens."""
    there = with_relay(app, free_port())
    outgoing_id = decided(there)
    with pytest.raises(TryAgainLater, match=outgoing_id):
        deliver(there, outgoing_id, clock=clock)
    assert state(app, outgoing_id) == "waiting"


def test_a_relay_without_tls_gets_nothing_when_tls_is_wanted(app: App, relay: Relay) -> None:
    """Not even the recipient's address."""
    settings = with_relay(app, relay.port).settings.model_copy(update={"mail_relay_security": "starttls"})
    there = replace(app, settings=settings)
    outgoing_id = decided(there)
    with pytest.raises(TryAgainLater):
        deliver(there, outgoing_id, clock=clock)
    assert relay.taken == []
    assert state(app, outgoing_id) == "waiting"


def test_an_outbox_that_cannot_be_written_is_tried_again_later(app: App) -> None:
    """No half a file is left."""
    app.settings.outbox.write_text("in the way")
    outgoing_id = decided(app)
    with pytest.raises(TryAgainLater):
        deliver(app, outgoing_id, clock=clock)
    app.settings.outbox.unlink()
    deliver(app, outgoing_id, clock=clock)
    assert [path.name for path in app.settings.outbox.iterdir()] == ["alert-1.eml"]


def test_an_answer_in_the_act_of_being_sent_at_a_kill_is_in_doubt_and_not_sent_again(
    app: App, relay: Relay
) -> None:
    """Two answers trouble a person more than none."""
    there = with_relay(app, relay.port)
    outgoing_id = decided(there, OutgoingKind.ACKNOWLEDGEMENT)
    killed_while_sending(there, outgoing_id)
    deliver(there, outgoing_id, clock=clock)
    deliver(there, outgoing_id, clock=clock)
    assert relay.taken == []
    assert state(app, outgoing_id) == "unknown"


@pytest.mark.parametrize("kind", [OutgoingKind.ALERT, OutgoingKind.DIGEST])
def test_an_alert_in_the_act_of_being_sent_at_a_kill_is_sent_again(
    app: App, relay: Relay, kind: OutgoingKind
) -> None:
    """A missed alert costs more than a second one, which has the same Message-ID."""
    there = with_relay(app, relay.port)
    outgoing_id = decided(there, kind)
    killed_while_sending(there, outgoing_id)
    deliver(there, outgoing_id, clock=clock)
    assert len(relay.taken) == 1
    assert relay.mail()["Message-ID"] == f"<{outgoing_id}@council.example>"
    assert state(app, outgoing_id) == "sent"


def killed_while_sending(app: App, outgoing_id: str) -> None:
    """As a kill leaves it."""
    with app.database.write() as session:
        mark_outgoing(session, outgoing_id, OutgoingState.SENDING, now=NOW)


def test_a_mail_that_nobody_decided_on_is_no_fault(app: App) -> None:
    """It may have been purged."""
    deliver(app, "alert-unknown", clock=clock)


def test_giving_up_is_noted(app: App) -> None:
    """When all attempts failed."""
    outgoing_id = decided(app)
    give_up(app, outgoing_id, "ConnectionRefusedError", clock=clock)
    assert state(app, outgoing_id) == "failed"


def test_the_relays_password_is_used(app: App, relay: Relay) -> None:
    """A relay that wants none and is given one is tried again later, not failed for good."""
    settings = with_relay(app, relay.port).settings.model_copy(update={"mail_relay_user": "desk"})
    there = replace(app, settings=settings)
    outgoing_id = decided(there)
    with pytest.raises(TryAgainLater):
        deliver(there, outgoing_id, clock=clock)
    with app.database.read() as session:
        mail = outgoing_by_id(session, app.keys, outgoing_id)
    assert mail is not None
    assert mail.state is OutgoingState.WAITING
