"""What a person decides: confirm or correct the labels, close the concern or open it again."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from bot.due import due_time
from bot.web.context import by_this_lead, lead_id, the_app, utc_now
from bot.web.desk.concern import concern_page
from bot.web.desk.decision_form import DecisionForm, standing
from storage.concerns import concern_by_reference
from storage.corrections import Labels, decide, labels_of, move
from storage.database import Session
from storage.tables import ConcernRow
from triage.errors import BadInput, CareConcernsError
from triage.lifecycle import ConcernState, MoveRefused

page = Blueprint("decisions", __name__)

_TOO_LATE = (
    "Somebody else decided while you had this page open, or a message came."
    " Nothing was saved: look at what stands now"
)
_MOVED = {ConcernState.CLOSED: ("closed", "is closed"), ConcernState.REVIEWED: ("reopened", "is open again")}


class DecidedMeanwhile(CareConcernsError):
    """Another person decided after the page was opened."""


@page.post("/concerns/<reference>/confirm")
def confirm(reference: str) -> ResponseReturnValue:
    """Confirm the labels that stand, service included."""
    try:
        with the_app().database.write() as session:
            concern = _unchanged(session, reference, request.form.get("seen", ""))
            _refuse_if_closed(concern)
            _decide(session, concern, labels_of(concern), "")
    except (DecidedMeanwhile, MoveRefused, BadInput) as error:
        return concern_page(reference, problem=str(error), code=409)
    flash(f"You confirmed the labels of {concern.reference}")
    return _back_to(concern)


@page.post("/concerns/<reference>/correct")
def correct(reference: str) -> ResponseReturnValue:
    """Give other labels; or look for a service by name, which saves nothing."""
    form = DecisionForm.sent(request.form)
    if request.form.get("do") == "find":
        errors = {} if form.search else {"search": "Enter a name, town or postcode to search for"}
        return concern_page(reference, form=form, errors=errors)
    if errors := form.errors():
        return concern_page(reference, form=form, errors=errors, code=422)
    try:
        with the_app().database.write() as session:
            concern = _unchanged(session, reference, form.seen)
            _refuse_if_closed(concern)
            kind = _decide(session, concern, form.labels(), form.note)
    except BadInput as error:
        return concern_page(reference, form=form, errors={"provider": str(error)}, code=422)
    except (DecidedMeanwhile, MoveRefused) as error:
        return concern_page(reference, form=form, problem=str(error), code=409)
    flash(f"You {kind} the labels of {concern.reference}")
    return _back_to(concern)


@page.post("/concerns/<reference>/move")
def move_to(reference: str) -> ResponseReturnValue:
    """Close the concern, or open it again."""
    wanted = request.form.get("to", "")
    if wanted not in set(_MOVED):
        return concern_page(reference, problem="Select whether to close or to open", code=422)
    state = ConcernState(wanted)
    action, words = _MOVED[state]
    try:
        with the_app().database.write() as session:
            concern = _unchanged(session, reference, request.form.get("seen", ""))
            _refuse_if_there(concern, state, words)
            move(session, concern, state, audit=by_this_lead(action, utc_now()))
    except (DecidedMeanwhile, MoveRefused) as error:
        return concern_page(reference, problem=str(error), code=409)
    flash(f"{concern.reference} {words}")
    return _back_to(concern)


def _unchanged(session: Session, reference: str, seen: str) -> ConcernRow:
    """The concern, locked; DecidedMeanwhile when it is no longer as the person had it in sight."""
    concern = concern_by_reference(session, reference, lock=True)
    if seen != standing(session, concern):
        raise DecidedMeanwhile(_TOO_LATE)
    return concern


def _refuse_if_closed(concern: ConcernRow) -> None:
    if concern.state == ConcernState.CLOSED:
        raise MoveRefused(f"{concern.reference} is closed: open it again first")


def _refuse_if_there(concern: ConcernRow, state: ConcernState, words: str) -> None:
    if concern.state == state:
        raise MoveRefused(f"{concern.reference} {words} already")


def _decide(session: Session, concern: ConcernRow, labels: Labels, note: str) -> str:
    now = utc_now()
    due = due_time(the_app(), labels.severity, concern.opened_at)
    return decide(session, concern, labels, lead_id=lead_id(), now=now, due_at=due, note=note).kind


def _back_to(concern: ConcernRow) -> ResponseReturnValue:
    return redirect(url_for("concern.show", reference=concern.reference), code=303)
