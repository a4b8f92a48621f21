"""The alert for a red concern: reference, route and time, and a link; no name and nothing of the text.

It goes to the leads of the concern's category; where nobody leads that, to every lead, and says so.
"""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from bot.app import App
from bot.email_out import compose, decide_to_send
from bot.marking import thread_mail
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
{nobody}
{url}

This mail carries no details of the concern. Please read it on the desk.
"""

_NOBODY = """
Nobody leads this category, so this alert goes to every lead. Please agree who
takes it, and have the category given to somebody.
"""


def alert_leads(app: App, session: Session, concern: ConcernRow, *, now: datetime, again: str = "") -> int:
    """Decide to tell every lead of the concern's category, within the transaction; returns how many.

    Everybody is told where nobody leads that category: an alert that reaches no one is worse than one too many.
    Once a concern, and once more for each message named in `again`, which made it graver or wait again.
    """
    if concern.severity != Severity.RED.label:
        return 0
    everybody = active_leads(session)
    theirs = [lead for lead in everybody if concern.category in lead.categories]
    told = 0
    for lead in theirs or everybody:
        outgoing_id = f"alert-{concern.id}-{lead.id}" + (f"-{again[:8]}" if again else "")
        mail = write_alert(
            app.settings, concern, lead.email, outgoing_id=outgoing_id, now=now, nobody_leads_it=not theirs
        )
        thread_mail(mail, app.settings, concern.reference, concern.token)
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
    settings: Settings,
    concern: ConcernRow,
    recipient: str,
    *,
    outgoing_id: str,
    now: datetime,
    nobody_leads_it: bool = False,
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
            nobody=_NOBODY if nobody_leads_it else "",
            url=f"{settings.desk_url}/concerns/{concern.reference}",
        ),
        now=now,
    )
    mail["Auto-Submitted"] = "auto-generated"
    mail["Importance"] = "high"
    return mail
