"""The wording of automatic answers: seen by every lead, changed by those who may, every version kept."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bot.answer_texts import DEFAULT, PLACEHOLDERS, AnswerText
from bot.web.context import by_this_lead, lead_id, the_app, utc_now
from bot.wording import CATEGORY_WORDS
from storage.answer_texts import answer_texts, save_answer_text
from storage.database import Session
from storage.people import lead_by_id, names_of
from storage.tables import AnswerTextRow
from triage.vocabulary import Category

page = Blueprint("answers", __name__)

_SAMPLE_REFERENCE = "CC-2026-000123"
_TOO_LATE = (
    "Somebody else changed this text while you had it open. Nothing was saved: look at what stands now"
)


@dataclass(frozen=True)
class Version:
    """One version as the page lists it."""

    row: AnswerTextRow
    who: str


@page.get("/answers")
def show_list() -> ResponseReturnValue:
    """The text in force for each category, and who wrote it."""
    with the_app().database.read() as session:
        lines = [(category, next(iter(_versions(session, category)), None)) for category in Category]
        return render_template("answers.html", lines=lines, may_change=_may_change(session))


@page.get("/answers/<category>")
def show(category: str) -> ResponseReturnValue:
    """The text of one category with its versions."""
    known = _known(category)
    with the_app().database.read() as session:
        versions = _versions(session, known)
    return _page(known, _standing(versions))


@page.post("/answers/<category>")
def change(category: str) -> ResponseReturnValue:
    """Look at a wording as it would be sent, put it in force, or go back to the default."""
    known = _known(category)
    wording = AnswerText(_plain(request.form.get("subject", "")), _plain(request.form.get("body", "")))
    to_default = request.form.get("do") == "default"
    wording = DEFAULT if to_default else wording
    with the_app().database.read() as session:
        if not _may_change(session):
            abort(403)
    if errors := wording.errors():
        return _page(known, wording, errors=errors, code=422)
    if request.form.get("do") not in ("save", "default"):
        return _page(known, wording, preview=True)
    with the_app().database.write() as session:
        if not _may_change(session, lock=True):
            abort(403)
        versions = _versions(session, known)
        if request.form.get("seen") != str(len(versions)):
            return _page(known, wording, errors={"body": _TOO_LATE}, code=409)
        save_answer_text(
            session,
            known,
            subject=wording.subject,
            body=wording.body,
            is_default=to_default,
            audit=by_this_lead("answer_reworded", utc_now(), category=known.value, default=to_default),
        )
    words = CATEGORY_WORDS[known]
    flash(f"The default answer is in force again for {words}" if to_default else f"Saved for {words}")
    return redirect(url_for("answers.show", category=known.value), code=303)


def _page(
    category: Category,
    wording: AnswerText,
    *,
    errors: dict[str, str] | None = None,
    preview: bool = False,
    code: int = 200,
) -> ResponseReturnValue:
    app = the_app()
    with app.database.read() as session:
        versions = _versions(session, category)
        may_change = _may_change(session)
    return (
        render_template(
            "answer.html",
            category=category,
            wording=wording,
            versions=versions,
            is_default=not versions or versions[0].row.is_default,
            placeholders=PLACEHOLDERS,
            errors=errors or {},
            preview=preview,
            as_sent=wording.filled(app.settings, _SAMPLE_REFERENCE) if not errors else None,
            telling=wording.telling_words(),
            may_change=may_change,
        ),
        code,
    )


def _versions(session: Session, category: Category) -> list[Version]:
    rows = answer_texts(session, category)
    people = names_of(session, [row.written_by for row in rows])
    return [Version(row, people.get(row.written_by, "A former lead")) for row in rows]


def _standing(versions: list[Version]) -> AnswerText:
    if not versions or versions[0].row.is_default:
        return DEFAULT
    return AnswerText(versions[0].row.subject, versions[0].row.body)


def _may_change(session: Session, *, lock: bool = False) -> bool:
    lead = lead_by_id(session, lead_id(), lock=lock)
    return lead is not None and lead.may_word_answers


def _known(category: str) -> Category:
    if category not in set(Category):
        abort(404)
    return Category(category)


def _plain(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return "\n".join(line.rstrip() for line in lines.split("\n")).strip()
