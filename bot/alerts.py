"""The alert for a red concern: reference, route and time, and a link; no name and nothing of the text."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from bot.app import App
from bot.email_out import compose, decide_to_send
from bot.settings import Settings
from bot.wording import CATEGORY_WORDS, clock_time
from storage.database import Session
from storage.outgoing import OutgoingKind
from storage.people import active_leads
from storage.tables import ConcernRow
from triage.vocabulary import Category, Severity

_BODY = """\
A red concern is on the desk and waits for a person.

Reference: {reference}
Route:     {category}
Severity:  red{unsure}
Received:  {received}
Look by:   {due}

{url}

This mail carries no details of the concern. Please read it on the desk.
"""


def alert_leads(app: App, session: Session, concern: ConcernRow, *, now: datetime) -> int:
    """Decide to tell every lead of the concern's category, within the transaction; returns how many."""
    if concern.severity != Severity.RED.label:
        return 0
    told = 0
    for lead in active_leads(session):
        if concern.category not in lead.categories:
            continue
        outgoing_id = f"alert-{concern.id}-{lead.id}"
        mail = write_alert(app.settings, concern, lead.email, outgoing_id=outgoing_id, now=now)
        told += decide_to_send(
            app,
            session,
            mail,
            outgoing_id=outgoing_id,
            kind=OutgoingKind.ALERT,
            subject_id=f"concern:{concern.id}",
            now=now,
        )
    return told


def write_alert(
    settings: Settings, concern: ConcernRow, recipient: str, *, outgoing_id: str, now: datetime
) -> EmailMessage:
    """The alert mail for one lead."""
    zone = ZoneInfo(settings.timezone)
    mail = compose(
        settings,
        outgoing_id=outgoing_id,
        recipient=recipient,
        subject=f"RED: {concern.reference}, {CATEGORY_WORDS[Category(concern.category)]}",
        body=_BODY.format(
            reference=concern.reference,
            category=CATEGORY_WORDS[Category(concern.category)],
            unsure=" (the labels need a person's review)" if concern.needs_review else "",
            received=clock_time(concern.opened_at, zone),
            due=clock_time(concern.due_at, zone) if concern.due_at else "now",
            url=f"{settings.desk_url}/concerns/{concern.reference}",
        ),
        now=now,
    )
    mail["Auto-Submitted"] = "auto-generated"
    mail["Importance"] = "high"
    return mail
