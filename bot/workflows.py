"""What background work does, step by step, each safe to repeat: triage, mail, and what the clock brings."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.acknowledgement import acknowledge
from bot.alerts import alert_leads
from bot.app import App
from bot.background import (
    CHECK_QUEUE,
    FILE_QUEUE,
    MAIL_QUEUE,
    MANY_ATTEMPTS,
    SHADOW_QUEUE,
    TRIAGE_QUEUE,
    Job,
)
from bot.bounces import tie_bounce
from bot.digests import send_due_digests
from bot.due import due_time
from bot.email_out import SEND_JOB, deliver, give_up
from bot.email_parsing import parse_email_safely
from bot.file_reading import looked_into
from bot.form_reading import read_by_hand, read_form
from bot.intake import TRIAGE_JOB, triage_again
from bot.pulse import finish_pulse, is_pulse
from bot.scanning import SCAN_JOB, ask_for_due_scans, could_not_scan, keep_files, scan_file
from bot.sender_checks import SenderChecks
from bot.sender_trust import CHECK_JOB, note_sender_trust
from bot.shadow import SHADOW_JOB, Shadow, ask_for_shadow
from bot.slack_files import FILES_JOB, SlackFiles
from bot.slack_out import POST_JOB, SlackPoster, alert_channel
from bot.slack_reading import read_slack
from bot.slack_triage import triage_slack
from bot.spam_tray import RESCUE_JOB, put_in_tray
from bot.steps import Step, reached
from bot.threads import Understood, add_to_home, find_home, suggest_homes
from storage.audit import MACHINE, Audit
from storage.concerns import open_concern
from storage.database import Session
from storage.drafts import delete_draft, idle_drafts
from storage.erasing import erased_copy, erased_copy_in_words, link_erased_copy
from storage.messages import (
    NoSuchMessage,
    copy_in_words,
    dispose,
    disposition_of,
    earlier_copy,
    raw_of,
    save_reading,
)
from storage.oversight import untriaged_before
from storage.tables import ConcernRow
from triage.assess import assess
from triage.decide import decide
from triage.errors import CannotRead
from triage.lifecycle import Disposition
from triage.vocabulary import Channel, Decision, Message

log = logging.getLogger(__name__)

# A message that nothing became of within this time is put to triage again: its job was lost or failed.
_UNTRIAGED_AFTER = timedelta(minutes=10)
# In a backlog these are only late: asking for the oldest few at each beat costs little and reaches all in time.
_MOST_FORGOTTEN = 50


def utc_now() -> datetime:
    """The moment it is, with its zone."""
    return datetime.now(UTC)


def jobs(app: App, *, clock: Callable[[], datetime] = utc_now) -> list[Job]:
    """Everything a worker can be asked to do."""
    poster, files = SlackPoster(app, clock=clock), SlackFiles(app, clock=clock)
    senders = SenderChecks(app, clock=clock)
    shadow = Shadow(app, read=_read_with_files, clock=clock)
    return [
        Job(
            TRIAGE_JOB,
            TRIAGE_QUEUE,
            run=lambda message_id: triage_message(app, message_id, now=clock()),
            give_up=lambda message_id, why: set_aside(
                app, message_id, f"fault in triage: {why}", now=clock()
            ),
        ),
        Job(
            SEND_JOB,
            MAIL_QUEUE,
            run=lambda outgoing_id: deliver(app, outgoing_id, clock=clock),
            give_up=lambda outgoing_id, why: give_up(app, outgoing_id, why, clock=clock),
            attempts=MANY_ATTEMPTS,
        ),
        Job(POST_JOB, MAIL_QUEUE, run=poster.post, give_up=poster.give_up, attempts=MANY_ATTEMPTS),
        Job(FILES_JOB, FILE_QUEUE, run=files.fetch, give_up=files.give_up),
        Job(
            RESCUE_JOB,
            TRIAGE_QUEUE,
            run=lambda message_id: triage_message(app, message_id, now=clock(), out_of_tray=True),
            give_up=lambda message_id, why: log.error("message %s stays in the tray: %s", message_id, why),
        ),
        Job(CHECK_JOB, CHECK_QUEUE, run=senders.check, give_up=senders.give_up),
        # One attempt: what fails changes nothing, and must not keep the next ones waiting.
        Job(SHADOW_JOB, SHADOW_QUEUE, run=shadow.answer, give_up=shadow.give_up, attempts=1),
        Job(
            SCAN_JOB,
            FILE_QUEUE,
            run=lambda file_id: scan_file(app, file_id, clock=clock),
            give_up=lambda file_id, why: could_not_scan(app, file_id, why, clock=clock),
        ),
    ]


def triage_message(app: App, message_id: str, *, now: datetime, out_of_tray: bool = False) -> None:
    """Read the message, understand it and open its concern, with all that follows, in one transaction.

    `out_of_tray` where a person said that what is in the spam tray is a concern.
    """
    with app.database.read() as session:
        if _is_settled(session, message_id, out_of_tray=out_of_tray):
            return
        try:
            raw, envelope, row = raw_of(session, app.keys, message_id)
        except NoSuchMessage:
            # A pulse that had come through when the worker was killed: nothing else is ever taken out.
            return
        copy_of = earlier_copy(session, row)
        erased = erased_copy(session, app.keys, row)
    if erased is not None:
        _forget_again(app, message_id, erased, now)
        return
    if copy_of is not None:
        _link_duplicate(app, message_id, copy_of, now)
        return
    try:
        if row.channel == Channel.SLACK:
            triage_slack(app, message_id, raw, now=now)
            return
        message = _read_with_files(app, Channel(row.channel), raw)
    except CannotRead as error:
        set_aside(app, message_id, error.reason, now=now)
        return
    assessment = assess(message, register=app.register(), predictors=app.predictors())
    reached(Step.ASSESSED)
    if is_pulse(app.keys, raw):
        finish_pulse(app, message_id, now=now)
        return
    item = Understood(message_id, message, envelope, raw, row.received_at, assessment, decide(assessment))
    _settle(app, item, now, out_of_tray=out_of_tray)


def read_message(app: App, channel: Channel, raw: bytes) -> Message:
    """The message as text, by the reader of its channel; CannotRead when it cannot be read."""
    if channel is Channel.SLACK:
        return read_slack(raw)
    if channel is Channel.FORM:
        return read_form(raw)
    if channel is Channel.BY_HAND:
        return read_by_hand(raw)
    return parse_email_safely(raw, limits=app.parse_limits, channel=channel)


def _read_with_files(app: App, channel: Channel, raw: bytes) -> Message:
    return looked_into(read_message(app, channel, raw), app.parse_limits)


def set_aside(app: App, message_id: str, reason: str, *, now: datetime) -> None:
    """Put a message that cannot be read where everybody sees it: the desk and the digest count it."""
    with app.database.write() as session:
        known = disposition_of(session, message_id)
        if known is not None and known.kind != Disposition.SET_ASIDE:
            return
        audit = Audit(at=now, actor=MACHINE, action="set_aside", details={"reason": reason[:500]})
        dispose(session, message_id, Disposition.SET_ASIDE, audit=audit, reason=reason)


def _link_duplicate(app: App, message_id: str, copy_of: str, now: datetime) -> None:
    with app.database.write() as session:
        audit = Audit(at=now, actor=MACHINE, action="linked_duplicate", details={"duplicate_of": copy_of})
        dispose(session, message_id, Disposition.DUPLICATE, audit=audit, duplicate_of=copy_of)


def _forget_again(app: App, message_id: str, erased_id: str, now: datetime) -> None:
    with app.database.write() as session:
        if _is_settled(session, message_id):
            return
        audit = Audit(at=now, actor=MACHINE, action="linked_erased")
        link_erased_copy(session, app.keys, message_id, erased_id, audit=audit)


def _is_settled(session: Session, message_id: str, *, out_of_tray: bool = False) -> bool:
    known = disposition_of(session, message_id)
    if known is not None and known.kind == Disposition.SPAM:
        return not out_of_tray
    return known is not None and known.kind != Disposition.SET_ASIDE


def _settle(app: App, item: Understood, now: datetime, *, out_of_tray: bool = False) -> None:
    """Copy, spam, further message of a concern, or one of its own: decided and stored in one transaction."""
    with app.database.write() as session:
        if _is_settled(session, item.message_id, out_of_tray=out_of_tray):
            return
        if not out_of_tray and _is_copy(app, session, item, now):
            return
        note_sender_trust(app, session, item.message_id, item.raw, item.message, item.envelope, now=now)
        if tie_bounce(app, session, item, now=now):
            return
        home = find_home(app, session, item)
        if home is not None and home.is_known:
            add_to_home(app, session, home, item, now=now)
            acknowledge(app, session, home.concern, item.message, item.envelope, now=now)
            return
        if home is None and not out_of_tray and put_in_tray(app, session, item, now=now):
            return
        concern = _open(app, session, item, now, out_of_tray=out_of_tray)
        suggest_homes(app, session, concern, home, item, now=now)
        acknowledge(app, session, concern, item.message, item.envelope, now=now)
        alert_leads(app, session, concern, now=now)
        alert_channel(app, session, concern, now=now)
        reached(Step.OPENING)
    reached(Step.OPENED)


def _is_copy(app: App, session: Session, item: Understood, now: datetime) -> bool:
    """Link the message to one that says the same, or to what is left of one that was erased; False when none does."""
    copy_of = copy_in_words(session, app.keys, item.message_id, item.message)
    if copy_of is not None:
        audit = Audit(at=now, actor=MACHINE, action="linked_duplicate", details={"duplicate_of": copy_of})
        dispose(session, item.message_id, Disposition.DUPLICATE, audit=audit, duplicate_of=copy_of)
        return True
    _, _, row = raw_of(session, app.keys, item.message_id)
    # Asked again of the bytes: somebody may have erased the first one while this one was being read.
    erased = erased_copy(session, app.keys, row) or erased_copy_in_words(
        session, app.keys, item.message_id, item.message
    )
    if erased is None:
        return False
    audit = Audit(at=now, actor=MACHINE, action="linked_erased")
    link_erased_copy(session, app.keys, item.message_id, erased, audit=audit)
    return True


def _open(
    app: App, session: Session, item: Understood, now: datetime, *, out_of_tray: bool = False
) -> ConcernRow:
    _, _, row = raw_of(session, app.keys, item.message_id)
    save_reading(session, app.keys, item.message_id, item.message, now)
    keep_files(app, session, item.message_id, item.message, now=now)
    decision = _wanted_by_a_person(item.decision) if out_of_tray else item.decision
    details = {"category": decision.category.value, "needs_review": decision.needs_review}
    concern = open_concern(
        session,
        row,
        item.assessment,
        decision,
        due_at=due_time(app, decision.severity, row.received_at),
        audit=Audit(at=now, actor=MACHINE, action="opened", details=details),
    )
    dispose(
        session,
        item.message_id,
        Disposition.CONCERN,
        audit=Audit(at=now, actor=MACHINE, action="triaged", details={"concern": concern.reference}),
        concern_id=concern.id,
    )
    return concern


def _wanted_by_a_person(decision: Decision) -> Decision:
    reasons = (*decision.review_reasons, "a person took it out of the spam tray")
    return replace(decision, needs_review=True, review_reasons=reasons)


def what_the_clock_brings(app: App, now: datetime) -> None:
    """Called every few seconds by each worker: digests, forgotten messages, old drafts, scans, the shadow."""
    send_due_digests(app, now)
    with app.database.read() as session:
        forgotten = untriaged_before(session, now - _UNTRIAGED_AFTER, limit=_MOST_FORGOTTEN)
    for message_id in forgotten:
        # Named by the hour, so that workers together ask once an hour for each.
        triage_again(app.database, app.background, message_id, now.replace(minute=0))
    delete_old_drafts(app, now)
    ask_for_due_scans(app, now)
    ask_for_shadow(app)


def delete_old_drafts(app: App, now: datetime) -> None:
    """Delete answers of the public form that were not sent and not touched for the time of the setting."""
    before = now - timedelta(hours=app.settings.form_draft_hours)
    with app.database.read() as session:
        idle = idle_drafts(session, before)
    if idle:
        with app.database.write() as session:
            # Looked up again: one of them may have been touched meanwhile.
            for draft_id in idle_drafts(session, before):
                delete_draft(session, draft_id)
