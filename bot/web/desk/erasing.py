"""Erasing a concern's content, by the people who may, with a reason that stays."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bot.web.context import by_this_lead, lead_id, the_app, utc_now
from storage.concerns import concern_by_reference
from storage.database import Session
from storage.erasing import LONGEST_BECAUSE, erase
from storage.people import lead_by_id
from storage.tables import ConcernRow
from triage.errors import BadInput
from triage.lifecycle import CONCERN_MOVES, ConcernState, MoveRefused

page = Blueprint("erasing", __name__)

_NOT_SURE = "Confirm that the content is to be erased for ever"


def may_erase(session: Session) -> bool:
    """Whether the lead who is logged in may erase."""
    lead = lead_by_id(session, lead_id())
    return lead is not None and lead.may_erase


@page.get("/concerns/<reference>/erase")
def show(reference: str) -> ResponseReturnValue:
    """What erasing means, and the reason for it."""
    with the_app().database.read() as session:
        concern = _erasable(session, reference)
    return _page(concern.reference)


@page.post("/concerns/<reference>/erase")
def confirm(reference: str) -> ResponseReturnValue:
    """Erase the concern's content; nothing brings it back."""
    app = the_app()
    reference = reference.strip().upper()
    because = request.form.get("because", "").replace("\r\n", "\n").replace("\0", " ").strip()
    sure = request.form.get("sure") == "yes"
    try:
        with app.database.write() as session:
            concern = _erasable(session, reference, lock=True)
            if sure:
                erase(session, app.keys, concern, because=because, audit=by_this_lead("erased", utc_now()))
    except (BadInput, MoveRefused) as error:
        return _page(reference, because=because, errors={"because": str(error)}), 422
    if not sure:
        return _page(reference, because=because, errors={"sure": _NOT_SURE}), 422
    flash(f"The content of {concern.reference} was erased")
    return redirect(url_for("concern.show", reference=concern.reference), code=303)


def _erasable(session: Session, reference: str, *, lock: bool = False) -> ConcernRow:
    if not may_erase(session):
        abort(403)
    concern = concern_by_reference(session, reference, lock=lock)
    if ConcernState.ERASED not in CONCERN_MOVES[ConcernState(concern.state)]:
        abort(404)
    return concern


def _page(reference: str, *, because: str = "", errors: dict[str, str] | None = None) -> str:
    return render_template(
        "erase.html", reference=reference, because=because, errors=errors or {}, longest=LONGEST_BECAUSE
    )
