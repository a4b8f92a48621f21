"""How the form's pages are put together: a question with its answers and errors, and pages for faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from bot.web.form.questions import NONE_OF_THESE, QUESTIONS, Answers, step_before
from bot.web.form.texts import FIRST_LANGUAGE
from bot.web.form.visit import TOKEN_FIELD, all_texts, language, page_token, texts
from storage.drafts import Draft

_OWN_TEMPLATES = ("danger", "service", "files", "you", "contact")
FROM_CHECK = "check"


def words() -> dict[str, Any]:
    """What every template of the form needs."""
    return {
        "t": texts(),
        "language": language(),
        "languages": {name: known["language_name"] for name, known in all_texts().items()},
        "token_field": TOKEN_FIELD,
        "page_token": page_token,
        "none_of_these": NONE_OF_THESE,
    }


def keep_language(_endpoint: str, values: dict[str, Any]) -> None:
    """Carry the language along in every link of the form."""
    if language() != FIRST_LANGUAGE:
        values.setdefault("lang", language())


def comes_from_check() -> bool:
    """Whether the question was opened from the answers that are being checked."""
    return request.args.get("back") == FROM_CHECK


def question_page(
    step: str,
    values: Answers,
    *,
    draft: Draft | None = None,
    errors: Mapping[str, str] | None = None,
    problem: str = "",
    found: Sequence[tuple[str, str]] | None = None,
    code: int = 200,
) -> ResponseReturnValue:
    """The page of a question; `problem` is what is wrong on our side, `found` services of a search."""
    name = step if step in _OWN_TEMPLATES else "question"
    body = render_template(
        f"form/{name}.html",
        step=step,
        question=QUESTIONS[step],
        values=values,
        errors=errors or {},
        problem=problem,
        found=found,
        begun=draft is not None or bool(request.form.get("begun")),
        files=draft.files if draft else (),
        action=url_for("form.answer", step=step, back=FROM_CHECK if comes_from_check() else None),
        back=_back(step),
    )
    return body, code


def _back(step: str) -> str:
    before = step_before(step)
    if comes_from_check():
        return url_for("form.check")
    return url_for("form.ask", step=before) if before else url_for("form.start")


def fault_page(title: str, advice: str, *, code: int, send_again: bool = False) -> ResponseReturnValue:
    """A page that says what could not be done, with the telephone number; without a look at the database."""
    return render_template("form/fault.html", title=title, advice=advice, send_again=send_again), code
