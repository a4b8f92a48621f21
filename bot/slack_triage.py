"""What becomes of a stored Slack delivery: a new concern, a further message of one, a version, or a mark.

The order in which deliveries are triaged means nothing: a reply before its post, an edit before what it
edits, or a deletion before both end in the same concern with the same newest words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.alerts import alert_leads
from bot.app import App
from bot.background import FILE_QUEUE
from bot.due import due_time
from bot.slack_files import FILES_JOB
from bot.slack_out import alert_channel, decide_to_answer
from bot.slack_reading import SlackFacts, SlackKind, facts_of, load_payload, read_slack
from storage.audit import MACHINE, Audit, record
from storage.concerns import open_concern
from storage.database import Session
from storage.erasing import is_erased, link_erased_copy
from storage.messages import dispose, disposition_of, raw_of, save_reading
from storage.slack import claim_post, claim_thread, concern_of_thread
from storage.tables import ConcernRow, SlackPostRow, SlackThreadRow
from storage.threads import add_to_concern, concern_of_message, is_graver_than
from triage.assess import assess
from triage.decide import decide
from triage.errors import CannotRead
from triage.lifecycle import ConcernState, Disposition
from triage.vocabulary import Assessment, Decision, Message

DELETED = "deleted_in_slack"
_LATER = "a later version: edited in Slack"
_EARLIER = "an earlier version of what was read before"
_DELETED_REASON = "deleted in Slack; what was written is kept"
_UNKNOWN_DELETION = "it says that a post was deleted which never reached us"


def triage_slack(app: App, message_id: str, raw: bytes, *, now: datetime) -> None:
    """Settle what a stored delivery means, in one transaction; CannotRead when it has no message in it."""
    facts = facts_of(load_payload(raw))
    if facts is None:
        raise CannotRead("it is a Slack payload without a message")
    message = read_slack(raw)
    assessment = assess(message, register=app.register(), predictors=app.predictors())
    understood = _Understood(facts, message, assessment, decide(assessment))
    with app.database.write() as session:
        known = disposition_of(session, message_id)
        if known is None or known.kind == Disposition.SET_ASIDE:
            _Settling(app, session, message_id, understood, now).settle()


@dataclass(frozen=True)
class _Understood:
    facts: SlackFacts
    message: Message
    assessment: Assessment
    decision: Decision


class _Settling:
    """One delivery within one transaction."""

    def __init__(
        self,
        app: App,
        session: Session,
        message_id: str,
        understood: _Understood,
        now: datetime,
    ) -> None:
        self._app = app
        self._session = session
        self._message_id = message_id
        self._understood = understood
        self._facts = understood.facts
        self._now = now
        _, _, self._row = raw_of(session, app.keys, message_id)

    def settle(self) -> None:
        """Find out what the delivery is to what is known, and do it."""
        if self._facts.kind is SlackKind.FORM:
            concern = self._open()
            self._become(concern, deleted=False)
            self._tell(concern)
            return
        thread = claim_thread(self._session, self._facts.channel, self._facts.root_ts)
        post = claim_post(self._session, self._facts.channel, self._facts.ts, self._facts.root_ts)
        if post.message_id is not None and is_erased(self._session, post.message_id):
            self._forget(post.message_id)
        elif self._facts.kind is SlackKind.DELETION:
            self._delete(thread, post)
        elif post.message_id is None:
            self._first_sight(thread, post)
        elif self._facts.version_ts > post.version_ts:
            self._later_version(thread, post, post.message_id)
        else:
            self._link(post.message_id, _EARLIER)

    def _forget(self, erased_id: str) -> None:
        """A version of what a person erased: known, counted, and nothing of it kept."""
        audit = Audit(at=self._now, actor=MACHINE, action="linked_erased")
        link_erased_copy(self._session, self._app.keys, self._message_id, erased_id, audit=audit)

    def _first_sight(self, thread: SlackThreadRow, post: SlackPostRow) -> None:
        concern = self._standing_concern(thread)
        if concern is None:
            concern = self._open_for(thread)
        else:
            self._add(concern, self._message_id, "message_added", raise_labels=True)
        post.message_id, post.version_ts = self._message_id, self._facts.version_ts
        self._become(concern, deleted=post.deleted_at is not None)
        self._tell(concern, answer=post.deleted_at is None)

    def _later_version(self, thread: SlackThreadRow, post: SlackPostRow, home_id: str) -> None:
        # A person may have split the post off its thread's concern: its versions go where it is.
        concern = concern_of_message(self._session, home_id)
        if concern is None or (not _is_new(concern) and is_graver_than(concern, self._understood.decision)):
            # A person has already decided the concern as it was: what is graver now gets a look of its own.
            concern = self._open_for(thread)
            post.message_id, post.version_ts = self._message_id, self._facts.version_ts
            self._become(concern, deleted=post.deleted_at is not None)
        else:
            post.version_ts = self._facts.version_ts
            self._add(concern, home_id, "message_edited", raise_labels=_is_new(concern))
            self._read(home_id, deleted=post.deleted_at is not None)
            self._link(home_id, _LATER)
        self._fetch_files()
        self._tell(concern)

    def _delete(self, thread: SlackThreadRow, post: SlackPostRow) -> None:
        has_words = bool(self._understood.message.text or self._facts.files)
        post.deleted_at = post.deleted_at or self._now
        if post.message_id is None and has_words:
            self._first_sight(thread, post)
        elif post.message_id is None:
            self._set_aside()
        else:
            self._mark_deleted(post, post.message_id, has_words=has_words)

    def _mark_deleted(self, post: SlackPostRow, home_id: str, *, has_words: bool) -> None:
        concern = concern_of_thread(self._session, post.channel, post.root_ts)
        if concern is not None:
            audit = Audit(at=self._now, actor=MACHINE, action=DELETED, details={"message": home_id})
            record(self._session, audit, f"concern:{concern.id}")
        if has_words and self._facts.version_ts >= post.version_ts:
            self._read(home_id, deleted=True)
        else:
            self._read_again(home_id)
        self._link(home_id, _DELETED_REASON)

    def _read_again(self, home_id: str) -> None:
        """The message as it stands, with the mark; the deletion itself has no newer words."""
        raw, _, _ = raw_of(self._session, self._app.keys, home_id)
        save_reading(self._session, self._app.keys, home_id, _marked(read_slack(raw)), self._now)

    def _standing_concern(self, thread: SlackThreadRow) -> ConcernRow | None:
        """The thread's concern while nobody has decided it; a decided one would hide what is added to it."""
        concern = concern_of_thread(self._session, thread.channel, thread.root_ts)
        return concern if concern is not None and _is_new(concern) else None

    def _open_for(self, thread: SlackThreadRow) -> ConcernRow:
        before = concern_of_thread(self._session, thread.channel, thread.root_ts)
        concern = self._open()
        thread.concern_id = concern.id
        if before is not None:
            audit = Audit(
                at=self._now, actor=MACHINE, action="continued", details={"concern": concern.reference}
            )
            record(self._session, audit, f"concern:{before.id}")
        return concern

    def _open(self) -> ConcernRow:
        decision = self._understood.decision
        details = {"category": decision.category.value, "needs_review": decision.needs_review}
        return open_concern(
            self._session,
            self._row,
            self._understood.assessment,
            decision,
            due_at=due_time(self._app, decision.severity, self._row.received_at),
            audit=Audit(at=self._now, actor=MACHINE, action="opened", details=details),
        )

    def _add(self, concern: ConcernRow, message_id: str, action: str, *, raise_labels: bool) -> None:
        decision = self._understood.decision
        add_to_concern(
            self._session,
            concern,
            message_id,
            self._understood.assessment,
            decision,
            due_at=due_time(self._app, decision.severity, self._row.received_at),
            raise_labels=raise_labels,
            audit=Audit(at=self._now, actor=MACHINE, action=action),
        )

    def _become(self, concern: ConcernRow, *, deleted: bool) -> None:
        self._read(self._message_id, deleted=deleted)
        dispose(
            self._session,
            self._message_id,
            Disposition.CONCERN,
            audit=Audit(
                at=self._now, actor=MACHINE, action="triaged", details={"concern": concern.reference}
            ),
            concern_id=concern.id,
        )
        self._fetch_files()

    def _link(self, home_id: str, reason: str) -> None:
        details = {"duplicate_of": home_id, "reason": reason}
        audit = Audit(at=self._now, actor=MACHINE, action="linked_version", details=details)
        dispose(
            self._session,
            self._message_id,
            Disposition.DUPLICATE,
            audit=audit,
            duplicate_of=home_id,
            reason=reason,
        )

    def _set_aside(self) -> None:
        details = {"reason": _UNKNOWN_DELETION}
        audit = Audit(at=self._now, actor=MACHINE, action="set_aside", details=details)
        dispose(self._session, self._message_id, Disposition.SET_ASIDE, audit=audit, reason=_UNKNOWN_DELETION)

    def _read(self, message_id: str, *, deleted: bool) -> None:
        message = self._understood.message
        message = _marked(message) if deleted else message
        save_reading(self._session, self._app.keys, message_id, message, self._now)

    def _fetch_files(self) -> None:
        if self._facts.files:
            self._app.background.enqueue(self._session, FILE_QUEUE, FILES_JOB, self._message_id)

    def _tell(self, concern: ConcernRow, *, answer: bool = True) -> None:
        alert_leads(self._app, self._session, concern, now=self._now)
        alert_channel(self._app, self._session, concern, now=self._now)
        if not answer:
            return  # whoever took a post back wants nothing below it
        in_the_open = self._facts.channel in self._app.settings.slack_channels
        if self._facts.kind in (SlackKind.FORM, SlackKind.REPORT) and not in_the_open:
            # Those who wrote what was reported may be reading there: only the reporter is told.
            channel, thread_ts = self._facts.user, ""
        else:
            channel, thread_ts = self._facts.channel, self._facts.root_ts
        decide_to_answer(
            self._app, self._session, concern, channel=channel, thread_ts=thread_ts, now=self._now
        )


def _is_new(concern: ConcernRow) -> bool:
    return concern.state == ConcernState.NEW


def _marked(message: Message) -> Message:
    return replace(message, defects=(*message.defects, DELETED))
