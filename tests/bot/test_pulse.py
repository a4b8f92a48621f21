"""The pulse and the signs of life: what is late turns amber, then red, on the desk and in `doctor`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.app import App
from bot.doctor import check_everything
from bot.liveness import Level, signs_of_life, worst_of
from bot.pulse import is_pulse, send_pulse, write_pulse
from bot.smtp_in import Listener
from bot.workflows import triage_message
from storage.oversight import conservation, note_heartbeat
from storage.signs import PULSE, note_sign, sign_of
from storage.tables import AuditRow, ConcernRow, MessageRow
from tests.bot.mail_listening import count_of, listening
from tests.factories import NOW, email_bytes, received, stored
from triage.errors import CannotRead

QUIET = timedelta(minutes=10)


def triage_all(app: App, now: datetime = NOW) -> None:
    """What a worker does."""
    with app.database.read() as session:
        ids = [message_id for (message_id,) in session.query(MessageRow.id)]
    for message_id in ids:
        triage_message(app, message_id, now=now)


def signs(app: App, now: datetime) -> dict[str, Level]:
    """What is said at that moment, and how bad it is."""
    with app.database.read() as session:
        return {sign.text: sign.level for sign in signs_of_life(session, app.settings, now)}


def all_well(app: App, now: datetime) -> None:
    """Every part gives its sign."""
    with app.database.write() as session:
        for name in ("smtp", "web", PULSE):
            note_sign(session, name, now, silence=QUIET)
        note_heartbeat(session, "here-worker-1", now)


@pytest.mark.parametrize(
    "changes", [{}, {"smtp_accept_for": "desk@council.example"}, {"smtp_accept_from": "10.0.0.0/8"}]
)
def test_a_pulse_goes_the_whole_way_and_leaves_nothing_but_its_time(
    either_app: App, changes: dict[str, str]
) -> None:
    """In by the mail port, stored, read, understood; then neither message nor concern nor entry is left."""
    app = either_app
    app.settings = type(app.settings)(**(app.settings.model_dump() | changes))
    with listening(app, **changes) as listener:
        send_pulse(app, listener.bound_port, now=NOW)
    with app.database.read() as session:
        assert conservation(session).waiting == 1
        assert sign_of(session, PULSE) is None
    triage_all(app)
    with app.database.read() as session:
        sign = sign_of(session, PULSE)
        assert sign is not None
        assert sign.at == NOW
        assert conservation(session).received == 0
    assert count_of(app.database, AuditRow) == count_of(app.database, ConcernRow) == 0


def test_only_our_own_bytes_are_a_pulse(app: App) -> None:
    """A stranger who has seen one can hide nothing in it."""
    pulse = write_pulse(app.keys, NOW)
    assert is_pulse(app.keys, pulse)
    others = (
        pulse + b"She was punched.\r\n",
        pulse.replace(b"The program", b"My carer"),
        b"Subject: help\r\n" + pulse,
        pulse.replace(b"T10:30:00", b"T10:31:00"),
        email_bytes("She was punched.", X_Care_Concerns_Pulse=f"{NOW.isoformat()} {'0' * 64}"),
    )
    for raw in others:
        assert not is_pulse(app.keys, raw)
        stored(app, received(raw))
    triage_all(app)
    with app.database.read() as session:
        assert conservation(session).concerns == len(others)
        assert sign_of(session, PULSE) is None


def test_a_pulse_that_cannot_be_read_is_seen(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is broken: no pulse comes through, and the message stands where people see it."""

    def broken(*_: object, **__: object) -> None:
        raise CannotRead("reading it stopped the reader")

    message_id = stored(app, received(write_pulse(app.keys, NOW)))
    with monkeypatch.context() as patch:
        patch.setattr("bot.workflows.parse_email_safely", broken)
        triage_all(app)
    with app.database.read() as session:
        assert conservation(session).set_aside == 1
        assert sign_of(session, PULSE) is None
    # Mended, read again by a person, and once more by a worker that was killed after it.
    for _ in range(2):
        triage_message(app, message_id, now=NOW)
    with app.database.read() as session:
        assert conservation(session).received == 0
        assert sign_of(session, PULSE) is not None


def test_what_is_late_is_amber_and_then_red(app: App) -> None:
    """Pulse, oldest message, workers and parts, each after its own time."""
    all_well(app, NOW)
    stored(app, received(received_at=NOW))
    assert worst_of_at(app, NOW) is Level.GREEN
    for minutes, pulse, oldest, port in (
        (2, Level.GREEN, Level.GREEN, Level.AMBER),
        (6, Level.GREEN, Level.AMBER, Level.RED),
        (11, Level.AMBER, Level.AMBER, Level.RED),
        (31, Level.RED, Level.RED, Level.RED),
    ):
        said = signs(app, NOW + timedelta(minutes=minutes))
        assert said[f"last pulse through the whole way: {minutes} minutes ago"] is pulse
        assert said[f"1 messages wait for triage, the oldest came {minutes} minutes ago"] is oldest
        assert said[f"the mail port: last sign of life {minutes} minutes ago"] is port
        assert said["0 workers alive"] is Level.RED


def worst_of_at(app: App, now: datetime) -> Level:
    """The worst of what is said at that moment."""
    with app.database.read() as session:
        return worst_of(signs_of_life(session, app.settings, now))


def test_a_mail_port_that_has_just_come_back_has_time_for_its_first_pulse(app: App) -> None:
    """A service that was stopped for the night is not red in the morning; one whose pulses do not arrive is."""
    all_well(app, NOW)
    morning = NOW + timedelta(hours=12)
    with app.database.write() as session:
        note_sign(session, "smtp", morning, silence=QUIET)
    text = "last pulse through the whole way: 720 minutes ago"
    assert signs(app, morning)[text] is Level.GREEN
    for minutes in range(1, 22):
        with app.database.write() as session:
            note_sign(session, "smtp", morning + timedelta(minutes=minutes), silence=QUIET)
    assert (
        signs(app, morning + timedelta(minutes=21))["last pulse through the whole way: 741 minutes ago"]
        is Level.RED
    )


def test_doctor_says_what_is_late(app: App) -> None:
    """Each as a finding of its own."""
    all_well(app, datetime.now(UTC) - timedelta(minutes=40))
    wrong = {finding.text for finding in check_everything(app.settings) if not finding.well}
    assert "last pulse through the whole way: 40 minutes ago" in wrong
    assert "the mail port: last sign of life 40 minutes ago" in wrong
    assert "0 workers alive" in wrong


def test_the_setting_0_means_no_pulse(app: App) -> None:
    """And none is missed."""
    app.settings = app.settings.model_copy(update={"pulse_minutes": 0})
    all_well(app, NOW)
    assert not [text for text in signs(app, NOW + timedelta(days=1)) if "pulse" in text]


def test_the_listener_takes_no_pulse_for_anything_but_mail(app: App) -> None:
    """It is stored as it came, like any other: there is no way around."""
    with listening(app) as listener:
        assert isinstance(listener, Listener)
        send_pulse(app, listener.bound_port, now=NOW)
    with app.database.read() as session:
        [row] = session.query(MessageRow)
    assert row.size == len(write_pulse(app.keys, NOW))
