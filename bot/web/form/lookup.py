"""What the form's script asks for while somebody writes: services of the register, and keeping what is written."""

from __future__ import annotations

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from bot.web.context import the_app
from bot.web.form.questions import QUESTIONS
from bot.web.form.visit import load_draft, save_draft, texts, was_sent
from storage.register import find_providers

_MOST_FOUND = 10
_MOST_WORDS = 100
FEWEST_LETTERS = 3


def find_services(wanted: str) -> list[tuple[str, str]]:
    """Names and towns of registered services with those words, and nothing else of them."""
    with the_app().database.read() as session:
        rows = find_providers(session, wanted[:_MOST_WORDS].replace("\0", " "), limit=_MOST_FOUND)
        return list(dict.fromkeys((row.name, row.town) for row in rows if row.listed))


def services() -> ResponseReturnValue:
    """Services as somebody types; sent as a form, so that what is typed stands in no address."""
    wanted = request.form.get("q", "").strip()
    found = find_services(wanted) if len(wanted) >= FEWEST_LETTERS else []
    return jsonify(services=[{"name": name, "town": town} for name, town in found])


def autosave() -> ResponseReturnValue:
    """Keep what is written so far; nothing is kept of what would be refused, or once it was sent."""
    question = QUESTIONS.get(request.form.get("step", ""))
    if question is None or not question.typed:
        return "", 422
    values = {name: value for name, value in question.read(request.form).items() if value}
    if not values or question.errors(values, texts()) or (load_draft() is None and was_sent()):
        return "", 422
    save_draft(values)
    return "", 204
