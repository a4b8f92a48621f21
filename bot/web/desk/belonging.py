"""What belongs together, as a person decides it: join, keep apart, split off, keep here."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from bot.alerts import alert_leads
from bot.slack_out import alert_channel
from bot.threads import due_for
from bot.web.context import by_this_lead, the_app, utc_now
from bot.web.desk.concern import concern_page
from bot.web.desk.decision_form import standing
from storage.concerns import NoSuchConcern, concern_by_reference, references_of
from storage.database import Session
from storage.tables import ConcernRow
from storage.threads import LinkKind, NoSuchLink, answer_no, both_locked, join, open_link, split
from triage.errors import BadInput, CareConcernsError
from triage.lifecycle import MoveRefused

page = Blueprint("belonging", __name__)

_TOO_LATE = "Something changed while you had this page open. Nothing was saved: look at what stands now"
_PROBLEMS = (BadInput, MoveRefused, NoSuchLink)


class ChangedMeanwhile(CareConcernsError):
    """A message came, or somebody decided, after the page was opened."""


@dataclass(frozen=True)
class _Joined:
    concern: ConcernRow
    target: ConcernRow


@page.post("/concerns/<reference>/links/<link_id>/join")
def join_link(reference: str, link_id: str) -> ResponseReturnValue:
    """Yes, it belongs there: its concern is joined to the other."""
    try:
        with the_app().database.write() as session:
            link = open_link(session, link_id)
            names = references_of(session, [link.concern_id, link.other_id or ""])
            if link.kind == LinkKind.NEW_MATTER or len(names) < 2 or reference not in names.values():
                raise NoSuchLink(_TOO_LATE)
            joined = _join(session, names[link.concern_id], names[str(link.other_id)], reference)
    except (*_PROBLEMS, ChangedMeanwhile) as error:
        return concern_page(reference, problem=str(error), code=409)
    return _back_to(joined.target, f"{joined.concern.reference} was joined to {joined.target.reference}")


@page.post("/concerns/<reference>/links/<link_id>/apart")
def refuse_link(reference: str, link_id: str) -> ResponseReturnValue:
    """No: the message stays where it is."""
    try:
        with the_app().database.write() as session:
            concern = concern_by_reference(session, reference)
            link = open_link(session, link_id)
            if concern.id not in (link.concern_id, link.other_id):
                raise NoSuchLink(_TOO_LATE)
            is_new_matter = link.kind == LinkKind.NEW_MATTER
            answer_no(session, link, audit=by_this_lead("link_refused", utc_now()))
    except _PROBLEMS as error:
        return concern_page(reference, problem=str(error), code=409)
    return _back_to(concern, "The message stays here" if is_new_matter else "They are kept apart")


@page.post("/concerns/<reference>/join")
def join_by_reference(reference: str) -> ResponseReturnValue:
    """Join the concern to one that the person names."""
    wanted = request.form.get("other", "").strip().upper()[:20]
    if not wanted:
        return concern_page(reference, errors={"other": "Enter the reference of the other concern"}, code=422)
    try:
        with the_app().database.write() as session:
            joined = _join(session, reference.strip().upper(), wanted, reference)
    except NoSuchConcern:
        return concern_page(reference, errors={"other": "There is no concern of that reference"}, code=422)
    except BadInput as error:
        return concern_page(reference, errors={"other": str(error)}, code=422)
    except (MoveRefused, ChangedMeanwhile) as error:
        return concern_page(reference, problem=str(error), code=409)
    return _back_to(joined.target, f"{joined.concern.reference} was joined to {joined.target.reference}")


@page.post("/concerns/<reference>/split")
def split_off(reference: str) -> ResponseReturnValue:
    """Give one message of the concern a concern of its own."""
    app, now = the_app(), utc_now()
    message_id = request.form.get("message", "")[:32]
    try:
        with app.database.write() as session:
            concern = concern_by_reference(session, reference, lock=True)
            _refuse_if_changed(session, concern)
            audit = by_this_lead("split_off", now)
            opened = split(session, concern, message_id, due_for=due_for(app, now), audit=audit)
            alert_leads(app, session, opened, now=now)
            alert_channel(app, session, opened, now=now)
    except (*_PROBLEMS, ChangedMeanwhile) as error:
        return concern_page(reference, problem=str(error), code=409)
    return _back_to(opened, f"The message was split off {concern.reference} and is now {opened.reference}")


def _join(session: Session, reference: str, other: str, shown: str) -> _Joined:
    app, now = the_app(), utc_now()
    concern, target = both_locked(session, reference, other)
    _refuse_if_changed(session, concern if concern.reference == shown.strip().upper() else target)
    audit = by_this_lead("joined_to", now)
    done = join(session, concern, target, due_for=due_for(app, now), audit=audit)
    if done.raised or done.waits_again:
        alert_leads(app, session, target, now=now, again=concern.id)
        alert_channel(app, session, target, now=now, again=concern.id)
    return _Joined(concern, target)


def _refuse_if_changed(session: Session, concern: ConcernRow) -> None:
    if request.form.get("seen", "") != standing(session, concern):
        raise ChangedMeanwhile(_TOO_LATE)


def _back_to(concern: ConcernRow, notice: str) -> ResponseReturnValue:
    flash(notice)
    return redirect(url_for("concern.show", reference=concern.reference), code=303)
