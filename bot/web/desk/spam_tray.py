"""The spam tray: what the gateway marked and nothing hinted at a concern in; one press makes a concern of it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from bot.background import TRIAGE_QUEUE
from bot.spam_tray import RESCUE_JOB
from bot.web.context import by_this_lead, the_app, utc_now
from bot.web.paging import paging
from storage.audit import record
from storage.desk_pages import MessageFacts, spam_page
from storage.messages import NoSuchMessage, Reading, disposition_of, latest_reading
from storage.oversight import conservation
from triage.lifecycle import Disposition

page = Blueprint("spam_tray", __name__)

MOST_CHARACTERS = 1500


@dataclass(frozen=True)
class Item:
    """One message in the tray as the page shows it; `text` is its beginning."""

    facts: MessageFacts
    reading: Reading | None
    text: str
    cut: bool


@page.get("/spam")
def show_list() -> ResponseReturnValue:
    """The messages in the tray, the latest first."""
    app = the_app()
    with app.database.read() as session:
        pages = paging(conservation(session).spam)
        found = spam_page(session, limit=pages.rows, offset=pages.offset)
        items = [_item(facts, latest_reading(session, app.keys, facts.message_id)) for facts in found]
    return render_template("spam_tray.html", items=items, pages=pages)


def _item(facts: MessageFacts, reading: Reading | None) -> Item:
    text = reading.text if reading is not None else ""
    return Item(facts, reading, text[:MOST_CHARACTERS], len(text) > MOST_CHARACTERS)


@page.post("/spam/<message_id>/concern")
def make_concern(message_id: str) -> ResponseReturnValue:
    """Say that a message in the tray is a concern; who said so is written down, and a worker opens it."""
    app = the_app()
    with app.database.write() as session:
        known = disposition_of(session, message_id)
        if known is None or known.kind != Disposition.SPAM:
            raise NoSuchMessage(f"message {message_id} is not in the spam tray")
        record(session, by_this_lead("called_a_concern", utc_now()), f"message:{message_id}")
        app.background.enqueue(session, TRIAGE_QUEUE, RESCUE_JOB, message_id)
    flash("The message becomes a concern. It is on the list in a moment")
    return redirect(url_for("spam_tray.show_list"), code=303)
