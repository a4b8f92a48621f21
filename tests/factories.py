"""Messages and concerns for tests, each with as much of the real way behind it as it needs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from itertools import count
from typing import Any

from bot.app import App
from bot.workflows import triage_message
from storage.audit import MACHINE, Audit
from storage.concerns import messages_of, open_concern
from storage.messages import Received, dispose, disposition_of, keep
from storage.people import add_lead
from storage.tables import ConcernRow, LeadRow, MessageRow
from tests.quick_predictors import prediction
from triage.lifecycle import Disposition
from triage.vocabulary import (
    Assessment,
    Category,
    Channel,
    MatchAdvice,
    Message,
    Prediction,
    ProviderMatches,
    Severity,
)

# A Friday, half past ten in the morning, in winter time.
NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
PASSWORD = "correct horse battery"
RED_TEXT = "The night carer punched my mother at Rose Court last night. She is very frightened."
GREEN_TEXT = "The carpet in the lounge at Rose Court has had a stain on it since Tuesday."

_numbers = count(1)


def email_bytes(
    text: str = GREEN_TEXT,
    *,
    subject: str = "Rose Court",
    sender: str = "Susan Hart <susan@family.example>",
    message_id: str | None = None,
    **headers: str,
) -> bytes:
    """A whole mail with a Message-ID of its own; further headers by name, `_` for `-`."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, "care.concerns@council.example", subject
    mail["Date"] = "Fri, 20 Nov 2026 10:00:00 +0000"
    mail["Message-ID"] = message_id or f"<{next(_numbers)}@family.example>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def received(
    raw: bytes | None = None,
    *,
    mail_from: str = "susan@family.example",
    received_at: datetime = NOW,
    **more: Any,
) -> Received:
    """A mail as the listener hands it over."""
    return Received(
        raw=email_bytes() if raw is None else raw,
        channel=Channel.EMAIL,
        received_at=received_at,
        envelope={"mail_from": mail_from, "rcpt_tos": ["care.concerns@council.example"], "peer": "::1"},
        **more,
    )


def message(text: str = GREEN_TEXT, *, new_text: str | None = None, **more: Any) -> Message:
    """A message as text."""
    more = {"channel": Channel.EMAIL, "subject": ""} | more
    return Message(text=text, new_text=text if new_text is None else new_text, **more)


def assessment(said: Prediction | None = None, **more: Any) -> Assessment:
    """An assessment of a text without red flags and provider, unless they are given."""
    defaults: dict[str, Any] = {
        "read_text": GREEN_TEXT,
        "red_flags": (),
        "provider": ProviderMatches(MatchAdvice.NONE),
        "prediction": said or prediction(Category.CARE_CONCERN, Severity.GREEN),
    }
    return Assessment(**(defaults | more))


def lead(
    app: App, email: str = "ada@council.example", *, categories: tuple[Category, ...] = tuple(Category)
) -> LeadRow:
    """A lead who can log in with PASSWORD."""
    with app.database.write() as session:
        return add_lead(
            session,
            email=email,
            name=email.partition("@")[0].title(),
            password=PASSWORD,
            categories=list(categories),
            audit=Audit(at=NOW, actor=MACHINE, action="lead_added"),
        )


def stored(app: App, item: Received | None = None) -> str:
    """The id of a message that is kept, with nothing done about it yet."""
    item = item or received()
    with app.database.write() as session:
        keep(session, app.keys, [item])
    return item.message_id


def triaged(app: App, raw: bytes | None = None, *, now: datetime = NOW, **more: Any) -> ConcernRow:
    """The concern of a mail that went the whole way: kept, read, understood, decided."""
    message_id = stored(app, received(raw, received_at=now, **more))
    triage_message(app, message_id, now=now)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
        assert known is not None
        assert known.concern_id is not None, known.reason
        return session.get_one(ConcernRow, known.concern_id)


def concern(
    app: App,
    *,
    category: Category = Category.CARE_CONCERN,
    severity: Severity | None = Severity.GREEN,
    opened_at: datetime = NOW,
    due_at: datetime | None = None,
    **values: Any,
) -> ConcernRow:
    """A concern with these labels, without any understanding behind it; `values` are columns to set."""
    from triage.decide import decide

    said = assessment(prediction(category, Severity.GREEN if severity is None else severity))
    message_id = stored(app, received(received_at=opened_at))
    audit = Audit(at=opened_at, actor=MACHINE, action="opened")
    with app.database.write() as session:
        row = session.get_one(MessageRow, message_id)
        opened = open_concern(session, row, said, decide(said), due_at=due_at, audit=audit)
        dispose(session, message_id, Disposition.CONCERN, audit=audit, concern_id=opened.id)
        for name, value in values.items():
            setattr(opened, name, value)
    return opened


def message_ids(app: App, concern_id: str) -> list[str]:
    """The ids of a concern's messages."""
    with app.database.read() as session:
        return [row.id for row in messages_of(session, concern_id)]


def with_share(table: str, label: str, share: float) -> str:
    """A table of costs with another share for one class."""
    changed, times = re.subn(rf"(?m)^{label} = [0-9.]+", f"{label} = {share}", table)
    assert times == 1
    return changed
