"""Outgoing mail: composed, kept sealed, then delivered to the relay, or to a folder in the demonstration."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from pathlib import Path

from bot.app import App
from bot.background import ALERT_QUEUE, MAIL_QUEUE
from bot.settings import Settings
from bot.steps import Step, reached
from storage.database import Session
from storage.outgoing import (
    Outgoing,
    OutgoingKind,
    OutgoingState,
    add_outgoing,
    mark_outgoing,
    outgoing_by_id,
)
from triage.errors import TryAgainLater

SEND_JOB = "send_mail"
_TIMEOUT_SECONDS = 30

Clock = Callable[[], datetime]


def compose(
    settings: Settings, *, outgoing_id: str, recipient: str, subject: str, body: str, now: datetime
) -> EmailMessage:
    """A plain mail from the desk; its Message-ID follows from the id, so that a repeat is known as one."""
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = f"{settings.council_name} care concerns <{settings.desk_address}>"
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = f"<{outgoing_id}@{settings.desk_address.rpartition('@')[2]}>"
    mail.set_content(body)
    return mail


def decide_to_send(
    app: App,
    session: Session,
    mail: EmailMessage,
    *,
    outgoing_id: str,
    kind: OutgoingKind,
    subject_id: str,
    now: datetime,
) -> bool:
    """Keep the mail and ask for its delivery, within the session's transaction; False when decided before."""
    added = add_outgoing(
        session,
        app.keys,
        outgoing_id=outgoing_id,
        kind=kind,
        subject_id=subject_id,
        recipient=str(mail["To"]),
        content=mail.as_bytes(),
        now=now,
        header_id=str(mail["Message-ID"]),
    )
    if added:
        queue = ALERT_QUEUE if kind is OutgoingKind.ALERT else MAIL_QUEUE
        app.background.enqueue(session, queue, SEND_JOB, outgoing_id)
    return added


def deliver(app: App, outgoing_id: str, *, clock: Clock) -> None:
    """Send the mail unless it was sent; TryAgainLater when the relay is away.

    A kill between sending and marking leaves it unknown whether the mail went out. An
    acknowledgement is then not sent twice; an alert or a digest is, since a missed one costs more.
    """
    with app.database.read() as session:
        mail = outgoing_by_id(session, app.keys, outgoing_id)
    if mail is None or mail.state not in (OutgoingState.WAITING, OutgoingState.SENDING):
        return
    if mail.state is OutgoingState.SENDING and mail.kind is OutgoingKind.ACKNOWLEDGEMENT:
        _mark(app, outgoing_id, OutgoingState.UNKNOWN, clock, "stopped while sending")
        return
    _mark(app, outgoing_id, OutgoingState.SENDING, clock)
    try:
        _hand_over(app.settings, mail)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        code = _answer(error)
        if code >= 500:
            _mark(app, outgoing_id, OutgoingState.FAILED, clock, f"the relay answered {code}")
            return
        _put_back(app, outgoing_id, clock, f"the relay answered {code}")
    except (OSError, smtplib.SMTPException) as error:
        # A relay that is away, or that refuses us and not this mail: a person may put that right.
        _put_back(app, outgoing_id, clock, type(error).__name__)
    else:
        reached(Step.RELAYED)
        _mark(app, outgoing_id, OutgoingState.SENT, clock)


def _answer(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values())
    return error.smtp_code


def give_up(app: App, outgoing_id: str, why: str, *, clock: Clock) -> None:
    """Note that the mail could not be sent; the desk and `doctor` show it."""
    _mark(app, outgoing_id, OutgoingState.FAILED, clock, why)


def _put_back(app: App, outgoing_id: str, clock: Clock, why: str) -> None:
    _mark(app, outgoing_id, OutgoingState.WAITING, clock, why)
    raise TryAgainLater(f"outgoing mail {outgoing_id}: {why}")


def _mark(app: App, outgoing_id: str, state: OutgoingState, clock: Clock, failure: str = "") -> None:
    with app.database.write() as session:
        mark_outgoing(session, outgoing_id, state, now=clock(), failure=failure)


def _hand_over(settings: Settings, mail: Outgoing) -> None:
    if settings.mail_relay_host:
        _to_relay(settings, mail)
    else:
        _to_folder(settings.outbox, mail)


def _to_folder(folder: Path, mail: Outgoing) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{mail.outgoing_id.replace(':', '-')}.eml"
    aside = path.with_suffix(f".{os.getpid()}.part")
    aside.write_bytes(mail.content)
    aside.replace(path)


def _to_relay(settings: Settings, mail: Outgoing) -> None:
    # An automatic answer goes out with the null sender, so that nothing can answer it (RFC 3834, 3.3).
    envelope_from = "" if mail.kind is OutgoingKind.ACKNOWLEDGEMENT else settings.desk_address
    tls = ssl.create_default_context()
    address = (settings.mail_relay_host, settings.mail_relay_port)
    if settings.mail_relay_security == "tls":
        relay: smtplib.SMTP = smtplib.SMTP_SSL(*address, timeout=_TIMEOUT_SECONDS, context=tls)
    else:
        relay = smtplib.SMTP(*address, timeout=_TIMEOUT_SECONDS)
    with relay:
        if settings.mail_relay_security == "starttls":
            relay.starttls(context=tls)
        if settings.mail_relay_user:
            relay.login(settings.mail_relay_user, settings.mail_relay_password.get_secret_value())
        reached(Step.SENDING)
        relay.sendmail(envelope_from, [mail.recipient], mail.content)
