"""The way through the questions: the start, one question after the other, and the ways out."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bot.web.context import the_app
from bot.web.errors import note_fault
from bot.web.form.adding_files import change_files
from bot.web.form.lookup import FEWEST_LETTERS, find_services
from bot.web.form.questions import QUESTIONS, step_after
from bot.web.form.showing import FROM_CHECK, comes_from_check, question_page
from bot.web.form.visit import begin_anew, draft_id, drop_token, load_draft, save_draft, texts, was_sent
from storage.drafts import Draft, delete_draft

# A field that people do not see: what fills it in is marked, and never dropped.
TRAP = "website"


def start() -> ResponseReturnValue:
    """What the form is for, what to do in danger, and a way back to answers that are kept."""
    try:
        draft = load_draft()
    except Exception as error:  # noqa: BLE001  what to do in danger must be shown whatever is away
        note_fault(error)
        return render_template("form/start.html", draft=None)
    if draft is None:
        begin_anew()
    return render_template("form/start.html", draft=draft)


def ask(step: str) -> ResponseReturnValue:
    """A question with the answer that is kept, if any."""
    if step not in QUESTIONS:
        abort(404)
    draft = load_draft()
    if draft is None and was_sent():
        return redirect(url_for("form.received"))
    return question_page(step, draft.answers if draft else {}, draft=draft)


def answer(step: str) -> ResponseReturnValue:
    """Keep an answer and go on; what was written is shown again whenever it cannot be kept."""
    if step not in QUESTIONS:
        abort(404)
    values = QUESTIONS[step].read(request.form)
    try:
        draft = load_draft()
        if step == "files":
            return change_files(draft) or _onwards(step, values)
        if step == "service" and request.form.get("do") == "find":
            return _show_services(values, draft)
        if errors := QUESTIONS[step].errors(values, texts()):
            return question_page(step, values, draft=draft, errors=errors, code=422)
        save_draft({**values, **_marks(draft)})
    except Exception as error:  # noqa: BLE001  whatever it was, the answer is shown again
        note_fault(error)
        return question_page(step, values, problem=not_saved(step), code=503)
    return _onwards(step, values)


def not_saved(step: str) -> str:
    """What to say when an answer could not be kept; a file cannot be shown again."""
    fault = texts()["fault"]["not_saved"]
    return f"{texts()['files']['error_again']}. {fault}" if step == "files" else fault


def _marks(draft: Draft | None) -> dict[str, Any]:
    """What is noted beside the answers: a filled trap, and answers that were deleted meanwhile."""
    marks: dict[str, Any] = {"trapped": True} if request.form.get(TRAP) else {}
    if draft is None and request.form.get("begun"):
        marks["lost_earlier"] = True
    return marks


def _onwards(step: str, values: dict[str, str]) -> ResponseReturnValue:
    if step == "danger" and values["danger"] == "yes":
        return redirect(url_for("form.call"), code=303)
    following = step_after(step, values)
    if following is None or (comes_from_check() and step != "you"):
        return redirect(url_for("form.check"), code=303)
    back = FROM_CHECK if comes_from_check() else None
    return redirect(url_for("form.ask", step=following, back=back), code=303)


def _show_services(values: dict[str, str], draft: Draft | None) -> ResponseReturnValue:
    # What was typed is kept first: a search must not lose it.
    wanted = request.form.get("service", "").strip()
    if len(wanted) < FEWEST_LETTERS:
        errors = {"service": texts()["service"]["error_find"]}
        return question_page("service", values, draft=draft, errors=errors, code=422)
    if errors := QUESTIONS["service"].errors(values, texts()):
        return question_page("service", values, draft=draft, errors=errors, code=422)
    save_draft({**values, **_marks(draft)})
    return question_page("service", values, draft=load_draft(), found=find_services(wanted))


def call() -> ResponseReturnValue:
    """Call 999: shown to whoever says that somebody is in danger now."""
    return render_template("form/call.html")


def leave() -> ResponseReturnValue:
    """Away to a harmless page, at once: the database is not asked, and the browser forgets the draft."""
    response = redirect(the_app().settings.form_leave_to, code=303)
    return drop_token(response)  # type: ignore[arg-type]


def forget() -> ResponseReturnValue:
    """Delete what was answered."""
    with the_app().database.write() as session:
        delete_draft(session, draft_id())
    begin_anew()
    return redirect(url_for("form.start"), code=303)
