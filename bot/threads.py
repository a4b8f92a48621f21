"""One matter, one concern: further mail goes to the concern that it belongs to, or a person is asked.

Our mail carries a token in its Reply-To address and its subject. Who answers with it, or with a reply to
a message that we sent or hold, is added to the concern if their address takes part in it already. A
stranger's message is a concern of its own with a link, until a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import Any

from bot.alerts import alert_leads
from bot.app import App
from bot.due import due_time
from bot.scanning import keep_files
from bot.sender_trust import gateway_trust
from bot.slack_out import alert_channel
from storage.audit import MACHINE, Audit
from storage.database import Session
from storage.messages import dispose, save_reading
from storage.tables import ConcernRow
from storage.threads import (
    DueFor,
    LinkKind,
    add_reply,
    answers_read_before,
    ask,
    candidates_for,
    concern_of_answer,
    concern_of_token,
    locked_concern,
    note_answered,
    takes_part,
)
from triage.belonging import Arrival, Why, references_in, tokens_in
from triage.lifecycle import Disposition
from triage.vocabulary import Assessment, Channel, Decision, MatchAdvice, Message, TrustVerdict

# Where servers on the way write down for whom a mail was meant.
_DELIVERED = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Original-Delivered-To")
_HEAD_BYTES = 65536
_MOST_ADDRESSES = 200


@dataclass(frozen=True)
class Understood:
    """A message of which everything is known that its concern needs to know."""

    message_id: str
    message: Message
    envelope: dict[str, Any]
    raw: bytes
    received_at: datetime
    assessment: Assessment
    decision: Decision


@dataclass(frozen=True)
class Home:
    """The concern, locked, that a message answers, and why it may not be added to it without a person."""

    concern: ConcernRow
    doubts: tuple[Why, ...]

    @property
    def is_known(self) -> bool:
        """Whether its writer takes part in the concern beyond doubt."""
        return not self.doubts


def due_for(app: App, received_at: datetime) -> DueFor:
    """The latest moment for a first look at what came then, by its severity."""
    return lambda severity: due_time(app, severity, received_at)


def find_home(app: App, session: Session, item: Understood) -> Home | None:
    """The concern that the mail answers; None when it answers none that stands."""
    message = item.message
    if message.channel is not Channel.EMAIL:
        return None
    tokens = tokens_in(_addresses(message, item.envelope, item.raw), message.subject)
    by_token = concern_of_token(session, tokens)
    concern_id = by_token or concern_of_answer(session, message.in_reply_to)
    concern = locked_concern(session, concern_id) if concern_id is not None else None
    if concern is None:
        return None
    if not takes_part(session, app.keys, concern, message.sender):
        return Home(concern, (Why.STRANGER_ANSWERS_US if by_token else Why.STRANGER_ANSWERS_THEM,))
    # A token proves that they have our mail. Without one, the address must be theirs as far as is known.
    unproven = by_token is None and _is_unproven(app, item)
    return Home(concern, (Why.UNPROVEN_SENDER,) if unproven else ())


def _is_unproven(app: App, item: Understood) -> bool:
    if not app.settings.trusted_authserv_ids:
        return False
    return gateway_trust(item.raw, item.message, app.settings).verdict is TrustVerdict.UNPROVEN


def _addresses(message: Message, envelope: dict[str, Any], raw: bytes) -> list[str]:
    """Every address that the mail may have been sent to, the envelope's first."""
    wrote = [address.address for address in (*message.to, *message.cc)]
    return [*map(str, envelope.get("rcpt_tos") or ()), *_delivered_to(raw), *wrote][:_MOST_ADDRESSES]


def _delivered_to(raw: bytes) -> list[str]:
    headers = BytesHeaderParser().parsebytes(raw[:_HEAD_BYTES])
    values = [str(value) for name in _DELIVERED for value in headers.get_all(name, [])]
    return [address for _, address in getaddresses(values[:_MOST_ADDRESSES])]


def add_to_home(app: App, session: Session, home: Home, item: Understood, *, now: datetime) -> None:
    """Add the message to the concern that it answers, and say so to those who must know."""
    concern = home.concern
    save_reading(session, app.keys, item.message_id, item.message, now)
    keep_files(app, session, item.message_id, item.message, now=now)
    note_answered(session, app.keys, item.message_id, item.message.in_reply_to)
    added = add_reply(
        session,
        concern,
        item.message_id,
        item.assessment,
        item.decision,
        due_for=due_for(app, item.received_at),
        audit=Audit(at=now, actor=MACHINE, action="message_added"),
    )
    dispose(
        session,
        item.message_id,
        Disposition.CONCERN,
        audit=Audit(at=now, actor=MACHINE, action="triaged", details={"concern": concern.reference}),
        concern_id=concern.id,
    )
    if added.new_matter:
        ask(
            session,
            LinkKind.NEW_MATTER,
            message_id=item.message_id,
            concern_id=concern.id,
            other_id=None,
            reasons=added.new_matter,
            audit=Audit(at=now, actor=MACHINE, action="link_suggested"),
        )
    if added.raised or added.waits_again:
        alert_leads(app, session, concern, now=now, again=item.message_id)
        alert_channel(app, session, concern, now=now, again=item.message_id)


def suggest_homes(
    app: App, session: Session, concern: ConcernRow, home: Home | None, item: Understood, *, now: datetime
) -> None:
    """Ask a person whether the message that has just become this concern belongs to another one."""
    note_answered(session, app.keys, item.message_id, item.message.in_reply_to)
    asked: set[str] = set()

    def suggest(kind: LinkKind, message_id: str, from_id: str, to_id: str, reasons: tuple[Why, ...]) -> None:
        audit = Audit(at=now, actor=MACHINE, action="link_suggested")
        ask(
            session,
            kind,
            message_id=message_id,
            concern_id=from_id,
            other_id=to_id,
            reasons=reasons,
            audit=audit,
        )

    if home is not None:
        suggest(LinkKind.STRANGER, item.message_id, concern.id, home.concern.id, home.doubts)
        asked.add(home.concern.id)
    for candidate, reasons in _candidates(app, session, concern, item):
        if candidate not in asked:
            suggest(LinkKind.SUGGESTION, item.message_id, concern.id, candidate, reasons)
    if item.message.message_id:
        early = answers_read_before(session, app.keys, item.message.message_id, concern.id)
        for message_id, other_id in early:
            suggest(LinkKind.SUGGESTION, message_id, other_id, concern.id, (Why.ANSWERED_BEFORE,))


def _candidates(
    app: App, session: Session, concern: ConcernRow, item: Understood
) -> list[tuple[str, tuple[Why, ...]]]:
    best = item.assessment.provider.best
    is_suggested = best is not None and item.assessment.provider.advice is MatchAdvice.SUGGEST
    arrival = Arrival(
        at=item.received_at,
        provider_id=best.provider_id if best is not None and is_suggested else None,
        subject=item.message.subject,
        references=tuple(references_in(f"{item.message.subject}\n{item.message.text}")),
    )
    found = candidates_for(
        session,
        app.keys,
        arrival,
        item.message.sender,
        own_id=concern.id,
        since=item.received_at - timedelta(days=app.settings.belonging_days),
    )
    return [(candidate.concern_id, reasons) for candidate, reasons in found]
