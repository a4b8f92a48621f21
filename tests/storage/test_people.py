"""Leads: who may log in, and what stops somebody who guesses."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.app import App
from storage.audit import MACHINE, Audit
from storage.people import (
    FAILURES_BEFORE_LOCK,
    LOCK_MINUTES,
    active_leads,
    add_lead,
    check_login,
    lead_by_email,
    lead_by_id,
    set_password,
)
from storage.tables import AuditRow, LeadRow
from tests.factories import NOW, PASSWORD, lead
from triage.errors import BadInput


def log_in(app: App, password: str, *, email: str = "ada@council.example", minutes: float = 0) -> bool:
    """Whether the log-in succeeds."""
    return check_login(app.database, email, password, now=NOW + timedelta(minutes=minutes)) is not None


def test_the_right_password_logs_in_whatever_the_case_of_the_address(app: App) -> None:
    """And is audited; nothing of it is stored."""
    ada = lead(app)
    assert log_in(app, PASSWORD, email=" ADA@council.example ")
    assert PASSWORD not in ada.password_hash
    assert ada.password_hash.startswith("$argon2id$")
    with app.database.read() as session:
        assert "logged_in" in set(session.scalars(select(AuditRow.action)))


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@council.example", "wrong"),
        ("ada@council.example", ""),
        ("ada@council.example", PASSWORD + " "),
        ("nobody@council.example", PASSWORD),
        ("", ""),
    ],
)
def test_anything_else_does_not(app: App, email: str, password: str) -> None:
    """Without a word about what was wrong."""
    lead(app)
    assert not log_in(app, password, email=email)


def test_a_lead_who_left_cannot_log_in(app: App) -> None:
    """And is found no more."""
    ada = lead(app)
    with app.database.write() as session:
        session.get_one(LeadRow, ada.id).active = False
    assert not log_in(app, PASSWORD)
    with app.database.read() as session:
        assert lead_by_id(session, ada.id) is None
        assert lead_by_email(session, ada.email) is None
        assert active_leads(session) == []


def test_five_failures_lock_the_log_in_for_a_quarter_of_an_hour(app: App) -> None:
    """Even for the right password, and then no longer."""
    lead(app)
    for _ in range(FAILURES_BEFORE_LOCK):
        assert not log_in(app, "wrong")
    assert not log_in(app, PASSWORD, minutes=LOCK_MINUTES - 1)
    assert log_in(app, PASSWORD, minutes=LOCK_MINUTES + 1)
    with app.database.read() as session:
        assert "login_locked" in set(session.scalars(select(AuditRow.action)))


def test_fewer_failures_do_not_lock_and_a_success_begins_the_count_anew(app: App) -> None:
    """People mistype."""
    lead(app)
    for _ in range(2):
        for _ in range(FAILURES_BEFORE_LOCK - 1):
            assert not log_in(app, "wrong")
        assert log_in(app, PASSWORD)


def test_another_password_ends_a_lock(app: App) -> None:
    """The old one no longer works."""
    ada = lead(app)
    for _ in range(FAILURES_BEFORE_LOCK):
        log_in(app, "wrong")
    with app.database.write() as session:
        row = session.get_one(LeadRow, ada.id)
        audit = Audit(at=NOW, actor=MACHINE, action="password_set")
        set_password(session, row, "another long password", audit=audit)
        with pytest.raises(BadInput, match="12 characters"):
            set_password(session, row, "short", audit=audit)
    assert log_in(app, "another long password")
    assert not log_in(app, PASSWORD)


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    [
        ("ada@council.example", PASSWORD, "already"),
        ("ADA@council.example", PASSWORD, "already"),
        ("ada", PASSWORD, "not an email address"),
        ("a da@council.example", PASSWORD, "not an email address"),
        ("bob@council.example", "short", "12 characters"),
        ("b" * 250 + "@council.example", PASSWORD, "254 characters"),
    ],
)
def test_a_lead_that_cannot_be_added_is_refused_in_a_sentence(
    app: App, email: str, password: str, sentence: str
) -> None:
    """And not added."""
    lead(app)
    audit = Audit(at=NOW, actor=MACHINE, action="lead_added")
    with pytest.raises(BadInput, match=sentence), app.database.write() as session:
        add_lead(session, email=email, name="X", password=password, categories=[], audit=audit)
    with app.database.read() as session:
        assert len(active_leads(session)) == 1
