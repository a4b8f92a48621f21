"""What we say in Slack: reference, category and RAG, once a concern; and for a red one the same with a link.

No name, no service and no word of the text is ever part of it: whoever reads the channel learns
nothing of who reported what about whom.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime

from bot.app import App
from bot.background import ALERT_QUEUE, MAIL_QUEUE
from bot.slack_calls import RateLimited, SlackCalls, SlackRefused
from bot.wording import CATEGORY_WORDS
from storage.database import Session
from storage.outgoing import (
    Outgoing,
    OutgoingKind,
    OutgoingState,
    add_outgoing,
    mark_outgoing,
    outgoing_by_id,
)
from storage.slack import claim_thread, note_answer
from storage.tables import ConcernRow
from triage.vocabulary import Category, Severity

log = logging.getLogger(__name__)

POST_JOB = "post_to_slack"
_NOT_RATED = "not rated"
# A post in doubt is looked for so far back in its channel.
_LOOK_BACK_SECONDS = 7 * 86_400

Clock = Callable[[], datetime]


def answer_text(concern: ConcernRow) -> str:
    """The answer to a report: its reference, category and RAG."""
    category = CATEGORY_WORDS[Category(concern.category)]
    return f"Reference: {concern.reference}. Category: {category}. RAG: {concern.severity or _NOT_RATED}."


def alert_text(concern: ConcernRow, desk_url: str) -> str:
    """The alert for a red concern: the same, and where to read it."""
    return f"{answer_text(concern)} {desk_url}/concerns/{concern.reference}"


def decide_to_answer(
    app: App, session: Session, concern: ConcernRow, *, channel: str, thread_ts: str, now: datetime
) -> bool:
    """Decide to answer in the thread (or, with a user's id as channel, to them alone); False when decided before."""
    return _decide(
        app,
        session,
        concern,
        outgoing_id=f"slack-answer-{concern.id}",
        kind=OutgoingKind.SLACK_ANSWER,
        post={"channel": channel, "thread_ts": thread_ts, "text": answer_text(concern)},
        now=now,
    )


def alert_channel(app: App, session: Session, concern: ConcernRow, *, now: datetime, again: str = "") -> bool:
    """Decide to tell the alert channel of a red concern, whatever way it came; False when there is nothing to tell.

    Once a concern, and once more for each message named in `again`.
    """
    settings = app.settings
    if concern.severity != Severity.RED.label or not settings.slack_alert_channel:
        return False
    if not settings.slack_bot_token.get_secret_value():
        return False
    text = alert_text(concern, settings.desk_url)
    return _decide(
        app,
        session,
        concern,
        outgoing_id=f"slack-alert-{concern.id}" + (f"-{again}" if again else ""),
        kind=OutgoingKind.SLACK_ALERT,
        post={"channel": settings.slack_alert_channel, "thread_ts": "", "text": text},
        now=now,
    )


def _decide(
    app: App,
    session: Session,
    concern: ConcernRow,
    *,
    outgoing_id: str,
    kind: OutgoingKind,
    post: dict[str, str],
    now: datetime,
) -> bool:
    added = add_outgoing(
        session,
        app.keys,
        outgoing_id=outgoing_id,
        kind=kind,
        subject_id=f"concern:{concern.id}",
        recipient=f"slack:{post['channel']}/{post['thread_ts']}",
        content=json.dumps(post | {"reference": concern.reference, "concern": concern.id}).encode(),
        now=now,
    )
    if added:
        queue = ALERT_QUEUE if kind is OutgoingKind.SLACK_ALERT else MAIL_QUEUE
        app.background.enqueue(session, queue, POST_JOB, outgoing_id)
    return added


class SlackPoster:
    """Posts what was decided, each at most once, also when it is stopped in the middle."""

    def __init__(self, app: App, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._calls = SlackCalls(app.settings)

    def post(self, outgoing_id: str) -> None:
        """Post it unless it was posted; TryAgainLater while Slack is away or wants to be left alone."""
        with self._app.database.read() as session:
            outgoing = outgoing_by_id(session, self._app.keys, outgoing_id)
        if outgoing is None or outgoing.state not in (OutgoingState.WAITING, OutgoingState.SENDING):
            return
        try:
            self._post(outgoing, json.loads(outgoing.content))
        except SlackRefused as error:
            log.warning("%s was refused: %s", outgoing_id, error.code)
            self._mark(outgoing_id, OutgoingState.FAILED, f"Slack answered {error.code}")

    def give_up(self, outgoing_id: str, why: str) -> None:
        """Note that it could not be posted; the desk and `doctor` show it."""
        self._mark(outgoing_id, OutgoingState.FAILED, why)

    def _post(self, outgoing: Outgoing, post: dict[str, str]) -> None:
        if outgoing.state is OutgoingState.SENDING:
            # The time before, we were stopped, or Slack fell silent, between asking and knowing.
            place = self._find(post)
            if place is not None:
                self._note(outgoing.outgoing_id, post, place)
                return
            if _is_direct(post):
                # Direct messages cannot be looked through: rather none than two.
                self._mark(outgoing.outgoing_id, OutgoingState.UNKNOWN, "stopped while posting")
                return
        self._mark(outgoing.outgoing_id, OutgoingState.SENDING)
        try:
            place = self._calls.post(post["channel"], post["text"], thread_ts=post["thread_ts"])
        except RateLimited:
            self._mark(outgoing.outgoing_id, OutgoingState.WAITING, "Slack asks to wait")
            raise
        self._note(outgoing.outgoing_id, post, place)

    def _find(self, post: dict[str, str]) -> tuple[str, str] | None:
        """Where an earlier attempt landed: a post of ours in that place with this reference."""
        if _is_direct(post):
            return None
        channel, thread_ts = post["channel"], post["thread_ts"]
        own = self._calls.own_identity()
        oldest = f"{self._clock().timestamp() - _LOOK_BACK_SECONDS:.6f}"
        pages = (
            self._calls.replies(channel, thread_ts)
            if thread_ts
            else self._calls.history(channel, oldest=oldest)
        )
        for page in pages:
            for message in page:
                if own.wrote(message) and post["reference"] in str(message.get("text")):
                    return channel, str(message["ts"])
        return None

    def _note(self, outgoing_id: str, post: dict[str, str], place: tuple[str, str]) -> None:
        with self._app.database.write() as session:
            mark_outgoing(session, outgoing_id, OutgoingState.SENT, now=self._clock())
            note_answer(session, outgoing_id, *place, now=self._clock())
            if _is_direct(post):
                # What they write below it belongs to the same concern.
                thread = claim_thread(session, *place)
                thread.concern_id = thread.concern_id or post["concern"]

    def _mark(self, outgoing_id: str, state: OutgoingState, failure: str = "") -> None:
        with self._app.database.write() as session:
            mark_outgoing(session, outgoing_id, state, now=self._clock(), failure=failure)


def _is_direct(post: dict[str, str]) -> bool:
    return post["channel"].startswith(("U", "W"))
