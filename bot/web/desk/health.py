"""Whether anything is lost or stuck: for people in numbers, for machines in one word."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from bot.background import unfinished
from bot.liveness import signs_of_life
from bot.scanning import check_scanner
from bot.web.context import the_app, utc_now
from storage.attachments import scan_figures
from storage.database import ping
from storage.mailboxes import mailbox_reports
from storage.outgoing import OutgoingState, count_by_state
from storage.oversight import conservation, live_workers
from storage.slack import last_slack_message, slack_contacts

page = Blueprint("health", __name__)

_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
JOB_WORDS = {
    "ENQUEUED": "waiting for a worker",
    "PENDING": "in hand",
    "DELAYED": "waiting for their next try",
    "ERROR": "failed",
}
MAIL_WORDS = {
    OutgoingState.WAITING: "waiting to be sent",
    OutgoingState.SENDING: "being sent",
    OutgoingState.SENT: "sent",
    OutgoingState.UNKNOWN: "perhaps sent: the relay did not answer",
    OutgoingState.FAILED: "could not be sent",
}


@page.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Plain ok when the database answers, and nothing else."""
    try:
        ping(the_app().database)
    except Exception:  # noqa: BLE001  whatever it was, the answer is that we cannot work
        return "not ok\n", 503, _PLAIN
    return "ok\n", 200, _PLAIN


@page.get("/health")
def show() -> ResponseReturnValue:
    """Messages by what became of them, jobs, workers and mail."""
    app, now = the_app(), utc_now()
    silence = timedelta(seconds=app.settings.worker_silence_seconds)
    with app.database.read() as session:
        context = {
            "messages": conservation(session),
            "workers": live_workers(session, now - silence),
            "mail": count_by_state(session),
            "signs": signs_of_life(session, app.settings, now),
            "mailboxes": mailbox_reports(session),
            "slack": slack_contacts(session) if app.settings.slack_is_set else None,
            "slack_message_at": last_slack_message(session) if app.settings.slack_is_set else None,
        }
        scans = scan_figures(session)
    return render_template(
        "health.html",
        **context,
        scanner=list(check_scanner(app.settings, scans)),
        jobs=unfinished(app.database),
        job_words=JOB_WORDS,
        mail_words={state.value: words for state, words in MAIL_WORDS.items()},
    )
