"""The automatic answer to a sender: a reference and what happens next, and never a word of what they wrote.

Somebody who harms the adult may read it, so it says nothing of the matter. RFC 3834 decides who gets one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

from bot.answer_texts import AnswerText, text_in_force
from bot.app import App
from bot.email_out import compose, decide_to_send
from bot.marking import thread_mail
from bot.settings import Settings
from storage.database import Session
from storage.outgoing import OutgoingKind, one_at_a_time_to, sent_lately
from storage.tables import ConcernRow
from triage.belonging import without_tag
from triage.vocabulary import Address, Category, Channel, Message

_ONE_IN_HOURS = 24
_ANSWERED_WITHIN = timedelta(days=3)
_ROBOTS = (
    "mailer-daemon",
    "postmaster",
    "no-reply",
    "noreply",
    "do-not-reply",
    "donotreply",
    "bounce",
    "listserv",
    "majordomo",
    "mailman",
    "owner-",
)
_LIST_ENDINGS = ("-request", "-owner", "-bounces", "-bounce", "-noreply", "-no-reply")


def acknowledge(
    app: App,
    session: Session,
    concern: ConcernRow,
    message: Message,
    envelope: dict[str, Any],
    *,
    now: datetime,
) -> bool:
    """Decide to answer the sender, within the session's transaction; False when nobody should be answered."""
    recipient = answer_to(message, envelope, app.settings)
    if recipient is None or _came_long_ago(envelope, now):
        return False
    one_at_a_time_to(session, app.keys, recipient.address)
    if sent_lately(
        session, app.keys, recipient.address, OutgoingKind.ACKNOWLEDGEMENT, now=now, hours=_ONE_IN_HOURS
    ):
        return False
    outgoing_id = f"acknowledgement-{concern.id}"
    mail = write_acknowledgement(
        app.settings,
        text_in_force(session, Category(concern.category)).filled(app.settings, concern.reference),
        recipient.address,
        message,
        outgoing_id=outgoing_id,
        now=now,
    )
    thread_mail(mail, app.settings, concern.reference, concern.token)
    return decide_to_send(
        app,
        session,
        mail,
        outgoing_id=outgoing_id,
        kind=OutgoingKind.ACKNOWLEDGEMENT,
        subject_id=f"concern:{concern.id}",
        now=now,
    )


def answer_to(message: Message, envelope: dict[str, Any], settings: Settings) -> Address | None:
    """Where an automatic answer may go; None where RFC 3834 or good sense forbids one.

    Not to automatic mail, bounces, lists or bulk, the null sender, robots, or ourselves.
    """
    if message.channel is not Channel.EMAIL or message.auto_reply or message.bounce or message.bulk:
        return None
    return_path = str(envelope.get("mail_from") or "").strip().lower()
    written_by = message.sender.address.lower() if message.sender is not None else ""
    if not _is_plain_address(return_path):
        return None
    if any(_is_robot(one) or _is_ours(one, settings) for one in (return_path, written_by) if one):
        return None
    # RFC 3834, section 4: the answer goes to the envelope's return path, not to what a header claims.
    return Address("", return_path)


def _is_ours(address: str, settings: Settings) -> bool:
    own = settings.all_own_addresses
    return address in own or without_tag(address) in own


def _is_robot(address: str) -> bool:
    local = address.partition("@")[0]
    return local.startswith(_ROBOTS) or local.endswith(_LIST_ENDINGS)


def _came_long_ago(envelope: dict[str, Any], now: datetime) -> bool:
    # The first look at a mailbox brings years of mail: nobody must get an answer to all of it now.
    arrived = envelope.get("internal_date")
    return bool(arrived) and now - datetime.fromisoformat(str(arrived)) > _ANSWERED_WITHIN


def _is_plain_address(address: str) -> bool:
    local, at, domain = address.rpartition("@")
    return bool(at and local and "." in domain) and not any(c.isspace() or c in "<>,;" for c in address)


def write_acknowledgement(
    settings: Settings,
    words: AnswerText,
    recipient: str,
    message: Message,
    *,
    outgoing_id: str,
    now: datetime,
) -> EmailMessage:
    """The answer itself: plain text, marked as automatic, threaded to the message that it answers."""
    mail = compose(
        settings,
        outgoing_id=outgoing_id,
        recipient=recipient,
        subject=words.subject,
        body=words.body,
        now=now,
    )
    # Only the council's name: the name of the desk would say over a shoulder what the mail is about.
    mail.replace_header("From", f"{settings.council_name} <{settings.desk_address}>")
    mail["Auto-Submitted"] = "auto-replied"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.message_id:
        mail["In-Reply-To"] = message.message_id
        mail["References"] = message.message_id
    return mail
