"""Outgoing mail: decided once, sealed, followed to its end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from sqlalchemy import select

from bot.app import App
from storage.outgoing import (
    OutgoingKind,
    OutgoingState,
    add_outgoing,
    count_by_state,
    is_decided,
    mark_outgoing,
    outgoing_by_id,
    sent_lately,
)
from storage.tables import AuditRow, OutgoingRow
from tests.factories import NOW


def decide(app: App, outgoing_id: str = "alert-1", *, recipient: str = "ada@council.example") -> bool:
    """Decide to send an alert."""
    with app.database.write() as session:
        return add_outgoing(
            session,
            app.keys,
            outgoing_id=outgoing_id,
            kind=OutgoingKind.ALERT,
            subject_id="concern:1",
            recipient=recipient,
            content=b"RED",
            now=NOW,
        )


def audited(app: App) -> list[str]:
    """What the trail says."""
    with app.database.read() as session:
        return list(session.scalars(select(AuditRow.action).order_by(AuditRow.number)))


def test_a_mail_is_decided_once(either_app: App) -> None:
    """The second time nothing is added, the trail included."""
    assert decide(either_app)
    assert not decide(either_app, recipient="other@council.example")
    with either_app.database.read() as session:
        mail = outgoing_by_id(session, either_app.keys, "alert-1")
        assert is_decided(session, "alert-1")
        assert not is_decided(session, "alert-2")
        assert outgoing_by_id(session, either_app.keys, "alert-2") is None
    assert mail is not None
    assert (mail.recipient, mail.content, mail.state) == (
        "ada@council.example",
        b"RED",
        OutgoingState.WAITING,
    )
    assert audited(either_app) == ["alert_decided"]


def test_a_mail_is_decided_once_by_eight_threads_together(either_app: App) -> None:
    """One is told yes, the others no, and none fails."""
    together = Barrier(8)

    def ask(_number: int) -> bool:
        together.wait()
        return decide(either_app)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(ask, range(8))) == [False] * 7 + [True]
    assert audited(either_app) == ["alert_decided"]


def test_recipient_and_content_are_sealed(app: App) -> None:
    """The row says nothing to somebody without the keys."""
    decide(app)
    with app.database.read() as session:
        row = session.get_one(OutgoingRow, "alert-1")
    assert b"ada" not in row.recipient
    assert b"RED" not in row.content
    assert "ada" not in row.recipient_lookup


def test_the_end_of_the_way_is_audited_and_the_steps_before_are_not(app: App) -> None:
    """Sent, failed and unknown are ends."""
    decide(app)
    with app.database.write() as session:
        mark_outgoing(session, "alert-1", OutgoingState.SENDING, now=NOW)
        mark_outgoing(session, "alert-1", OutgoingState.WAITING, now=NOW, failure="x" * 300)
        mark_outgoing(session, "alert-1", OutgoingState.SENT, now=NOW + timedelta(seconds=1))
    with app.database.read() as session:
        row = session.get_one(OutgoingRow, "alert-1")
        assert count_by_state(session) == {"sent": 1}
    assert row.sent_at == NOW + timedelta(seconds=1)
    assert audited(app) == ["alert_decided", "alert_sent"]


def test_whether_somebody_was_written_to_lately_goes_by_address_kind_and_time(either_app: App) -> None:
    """Without regard to case."""
    decide(either_app)
    cases = {
        ("ADA@council.example", OutgoingKind.ALERT, 1): True,
        ("ada@council.example", OutgoingKind.ACKNOWLEDGEMENT, 1): False,
        ("bob@council.example", OutgoingKind.ALERT, 1): False,
        ("ada@council.example", OutgoingKind.ALERT, 25): False,
    }
    with either_app.database.read() as session:
        for (recipient, kind, hours_later), expected in cases.items():
            now = NOW + timedelta(hours=hours_later)
            assert sent_lately(session, either_app.keys, recipient, kind, now=now, hours=24) is expected
