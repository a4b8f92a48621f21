"""Messages that could not be read: never lost, shown with the reason, and to be tried again."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from bot.intake import triage_again
from bot.web.context import by_this_lead, the_app, utc_now
from bot.web.paging import paging
from storage.audit import record
from storage.database import Session
from storage.desk_pages import set_aside_page
from storage.messages import NoSuchMessage, disposition_of, raw_of
from storage.oversight import conservation
from storage.tables import DispositionRow
from triage.lifecycle import Disposition

page = Blueprint("set_aside", __name__)

MOST_RAW_BYTES = 20_000


@page.get("/set-aside")
def show_list() -> ResponseReturnValue:
    """The messages set aside, the latest first."""
    with the_app().database.read() as session:
        pages = paging(conservation(session).set_aside)
        messages = set_aside_page(session, limit=pages.rows, offset=pages.offset)
    return render_template("set_aside.html", messages=messages, pages=pages)


@page.post("/set-aside/<message_id>/raw")
def show_raw(message_id: str) -> ResponseReturnValue:
    """The first bytes of the message as they came; that it was asked for is written down first."""
    app = the_app()
    with app.database.write() as session:
        disposition = _set_aside(session, message_id)
        record(session, by_this_lead("viewed_raw", utc_now()), f"message:{message_id}")
    with app.database.read() as session:
        raw, _, row = raw_of(session, app.keys, message_id)
    return render_template(
        "raw_message.html",
        message=row,
        reason=disposition.reason,
        text=readable(raw[:MOST_RAW_BYTES]),
        shown=min(len(raw), MOST_RAW_BYTES),
    )


@page.post("/set-aside/<message_id>/again")
def try_again(message_id: str) -> ResponseReturnValue:
    """Ask for the message to be read once more."""
    app, now = the_app(), utc_now()
    with app.database.write() as session:
        _set_aside(session, message_id)
        record(session, by_this_lead("asked_again", now), f"message:{message_id}")
    triage_again(app.database, app.background, message_id, now)
    flash("The message will be read again. If it can be read, it becomes a concern and leaves this list")
    return redirect(url_for("set_aside.show_list"), code=303)


def readable(raw: bytes) -> str:
    """Bytes as text, with a mark for every one that is no text."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _set_aside(session: Session, message_id: str) -> DispositionRow:
    """What was said of the message; NoSuchMessage unless it is set aside, so that this door opens no other."""
    disposition = disposition_of(session, message_id)
    if disposition is None or disposition.kind != Disposition.SET_ASIDE:
        raise NoSuchMessage(f"message {message_id} is not set aside")
    return disposition
