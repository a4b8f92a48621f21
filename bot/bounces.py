"""Bounces of our own mail: tied to it, shown on its concern, and never answered.

A bounce is a message like any other: it is counted, kept and shown. What is not about a mail of ours, or
says something graver than its concern does, goes to the desk as everything else does, since anybody can
write something that looks like a bounce.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.app import App
from bot.threads import Understood
from storage.audit import MACHINE, Audit, record
from storage.database import Session
from storage.messages import dispose, save_reading
from storage.outgoing import OutgoingState, mark_outgoing, outgoing_bounced
from storage.tables import OutgoingRow
from storage.threads import is_graver_than, locked_concern
from triage.lifecycle import Disposition
from triage.vocabulary import Channel, DeliveryReport

_COMES_BACK_WITHIN = timedelta(days=6)
_MACHINES = ("mailer-daemon@", "postmaster@", "mail-daemon@", "microsoftexchange")


def tie_bounce(app: App, session: Session, item: Understood, *, now: datetime) -> bool:
    """Tie a bounce to our mail and its concern; False when it goes to the desk as an ordinary message."""
    report = item.message.delivery
    if item.message.channel is not Channel.EMAIL or report is None or not _is_by_a_machine(item):
        return False
    since = now - _COMES_BACK_WITHIN
    outgoing = outgoing_bounced(session, app.keys, report.original_ids, report.recipients, since=since)
    if outgoing is None:
        return False
    _note_failure(session, outgoing, report, now)
    kind, _, concern_id = outgoing.subject_id.partition(":")
    concern = locked_concern(session, concern_id) if kind == "concern" else None
    if concern is None or _says_more(item) or is_graver_than(concern, item.decision):
        return False
    save_reading(session, app.keys, item.message_id, item.message, now)
    details = {"outgoing": outgoing.id, "action": report.action, "status": report.status}
    record(session, Audit(at=now, actor=MACHINE, action="bounced", details=details), f"concern:{concern.id}")
    dispose(
        session,
        item.message_id,
        Disposition.CONCERN,
        audit=Audit(at=now, actor=MACHINE, action="linked_bounce", details={"concern": concern.reference}),
        concern_id=concern.id,
        reason=f"a bounce: {report.action} {report.status}".strip(),
    )
    return True


def _is_by_a_machine(item: Understood) -> bool:
    sender = str(item.envelope.get("mail_from") or "").lower()
    return not sender or sender.startswith(_MACHINES)


def _says_more(item: Understood) -> bool:
    return any(flag.stands for flag in item.assessment.red_flags)


def _note_failure(session: Session, outgoing: OutgoingRow, report: DeliveryReport, now: datetime) -> None:
    if report.action == "failed" and outgoing.state != OutgoingState.FAILED:
        failure = f"it came back: {report.status}" if report.status else "it came back"
        mark_outgoing(session, outgoing.id, OutgoingState.FAILED, now=now, failure=failure)
