"""The end of the form: answers checked, the report stored, and its receipt, shown only once it is stored."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from bot.entering import store_report
from bot.form_reading import EnclosedFile, write_form
from bot.receipts import receipt_of
from bot.web.context import the_app, utc_now
from bot.web.errors import note_fault
from bot.web.form.files import numbered_name
from bot.web.form.questions import NAMED, QUESTIONS, STEPS
from bot.web.form.showing import FROM_CHECK, fault_page, question_page
from bot.web.form.texts import Texts
from bot.web.form.visit import begin_anew, draft_id, load_draft, sent_message, texts, was_sent
from storage.drafts import Draft, delete_draft, file_contents
from triage.vocabulary import Channel


def check() -> ResponseReturnValue:
    """All answers, each with a way to change it."""
    draft = load_draft()
    if draft is None:
        return redirect(url_for("form.received" if was_sent() else "form.start"))
    is_named = draft.answers.get("who") == NAMED
    rows = [
        (step, texts()[step]["short"], shown_answer(step, draft, texts()))
        for step in STEPS
        if step != "contact" or is_named
    ]
    return render_template("form/check.html", draft=draft, rows=rows, from_check=FROM_CHECK)


def shown_answer(step: str, draft: Draft, words: Texts) -> str:
    """An answer as people see it; empty when there is none."""
    answers = draft.answers
    if step == "danger":
        return str(words["danger"].get(answers.get("danger", ""), ""))
    if step == "files":
        return "\n".join(file.name for file in draft.files)
    if step == "you":
        return str(words["you"].get(answers.get("who", ""), ""))
    if step == "contact":
        given = (answers.get(name, "") for name in ("name", "email", "phone", "reach"))
        return "\n".join(value for value in given if value)
    return str(answers.get(step, ""))


def send() -> ResponseReturnValue:
    """Store the report, and only then say so; sent twice, it is one report."""
    try:
        draft = load_draft()
        if draft is None:
            return redirect(url_for("form.received" if was_sent() else "form.start"), code=303)
        if not draft.answers.get("story"):
            errors = QUESTIONS["story"].errors({"story": ""}, texts())
            return question_page("story", draft.answers, draft=draft, errors=errors, code=422)
        _store(draft)
    except Exception as error:  # noqa: BLE001  whatever it was, nobody may believe that the report was sent
        note_fault(error)
        fault = texts()["fault"]
        return fault_page(fault["not_sent_title"], fault["not_sent"], code=503, send_again=True)
    _delete_quietly()
    return redirect(url_for("form.received"), code=303)


def received() -> ResponseReturnValue:
    """The receipt of what this browser sent; nothing on the page tells what it was."""
    try:
        message_id = sent_message()
    except Exception as error:  # noqa: BLE001  the report may well be stored: the page says how to find out
        note_fault(error)
        fault = texts()["fault"]
        return fault_page(fault["not_confirmed_title"], fault["not_confirmed"], code=503)
    if message_id is None:
        return redirect(url_for("form.check"))
    return render_template("form/received.html", receipt=receipt_of(message_id, Channel.FORM))


def another() -> ResponseReturnValue:
    """Begin another report."""
    begin_anew()
    return redirect(url_for("form.start"), code=303)


def _store(draft: Draft) -> None:
    app = the_app()
    with app.database.read() as session:
        contents = file_contents(session, app.keys, draft.draft_id)
    answers, files = _answers(draft), _files(draft, contents)
    trapped = bool(draft.answers.get("trapped"))
    store_report(
        app,
        Channel.FORM,
        lambda receipt: write_form(answers, files, receipt=receipt, trapped=trapped),
        entry=draft.draft_id,
        now=utc_now(),
    )


def _answers(draft: Draft) -> dict[str, str]:
    names = [answer.name for question in QUESTIONS.values() for answer in question.answers]
    return {name: str(draft.answers.get(name, "")) for name in names}


def _files(draft: Draft, contents: list[bytes]) -> list[EnclosedFile]:
    # A file's own name can tell whose it is.
    is_named = draft.answers.get("who") == NAMED
    return [
        EnclosedFile(file.name if is_named else numbered_name(number, file.name), file.content_type, content)
        for number, (file, content) in enumerate(zip(draft.files, contents, strict=True), start=1)
    ]


def _delete_quietly() -> None:
    # The report is stored: that its draft lingers until the clock deletes it must not be shown as a failure.
    try:
        with the_app().database.write() as session:
            delete_draft(session, draft_id())
    except Exception as error:  # noqa: BLE001
        note_fault(error)
