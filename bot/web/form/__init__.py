"""The public form "Report a concern about an adult": one question a page, for anybody, with or without scripts.

Nothing of who visits is kept: no address, no browser, no log-in. The one cookie is a random token
that finds the answers given so far, and it goes with the browser's session.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, abort, current_app, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from bot.app import App
from bot.web.context import the_app
from bot.web.errors import note_fault
from bot.web.form import asking, lookup, sending
from bot.web.form.adding_files import MEGABYTE
from bot.web.form.limits import RateLimit
from bot.web.form.questions import QUESTIONS
from bot.web.form.showing import fault_page, keep_language, question_page, words
from bot.web.form.texts import load_texts
from bot.web.form.visit import TEXTS, begin_visit, carry_token, is_our_page, texts

_LIMITS = "careconcerns_form_limits"
_MOST_ANSWER_BYTES = 2 * MEGABYTE
_BY_SCRIPT = ("form.services", "form.autosave")

page = Blueprint("form", __name__, url_prefix="/report")

page.add_url_rule("", "start", asking.start)
page.add_url_rule("/call-999", "call", asking.call)
page.add_url_rule("/leave", "leave", asking.leave)
page.add_url_rule("/forget", "forget", asking.forget, methods=["POST"])
page.add_url_rule("/services", "services", lookup.services, methods=["POST"])
page.add_url_rule("/autosave", "autosave", lookup.autosave, methods=["POST"])
page.add_url_rule("/check", "check", sending.check)
page.add_url_rule("/send", "send", sending.send, methods=["POST"])
page.add_url_rule("/received", "received", sending.received)
page.add_url_rule("/another", "another", sending.another, methods=["POST"])
page.add_url_rule("/<step>", "ask", asking.ask)
page.add_url_rule("/<step>", "answer", asking.answer, methods=["POST"])
page.url_defaults(keep_language)
page.context_processor(words)


def add_form(flask: Flask, app: App) -> None:
    """Show the form at /report, to everybody."""
    settings = app.settings
    flask.extensions[TEXTS] = load_texts(settings)
    flask.extensions[_LIMITS] = {
        "posts": RateLimit(settings.form_posts_per_minute, settings.form_all_posts_per_minute),
        "searches": RateLimit(settings.form_searches_per_minute, settings.form_all_searches_per_minute),
    }
    # The form has a token of its own, which lives as long as a draft and needs no session of the desk.
    flask.extensions["csrf"].exempt(page)
    flask.register_blueprint(page)


@page.before_request
def guard() -> ResponseReturnValue | None:
    """Find the browser's token; refuse what no page of ours sent, and more than one address may send."""
    begin_visit()
    request.max_content_length = _MOST_ANSWER_BYTES + _file_bytes()
    request.max_form_memory_size = _MOST_ANSWER_BYTES
    if request.method != "POST":
        return None
    if not _is_within_limits():
        return _refuse("rate", "slow", 429)
    return None if is_our_page() else _refuse("token", "unsafe", 400)


@page.after_request
def carry(response: Response) -> Response:
    """Hand a new token to the browser."""
    return carry_token(response)


@page.errorhandler(HTTPException)
def refused(error: HTTPException) -> ResponseReturnValue:
    """What cannot be found or is too much, in the form's own words."""
    code, fault = error.code or 500, texts()["fault"]
    if code < 400:
        return error.get_response()
    kind = {404: "lost", 413: "large"}.get(code, "unsafe" if code < 500 else "away")
    return fault_page(fault[f"{kind}_title"], fault[kind], code=code)


@page.errorhandler(Exception)
def failed(error: Exception) -> ResponseReturnValue:
    """A fault of ours, said as such."""
    note_fault(error)
    fault = texts()["fault"]
    return fault_page(fault["away_title"], fault["away"], code=503)


def _file_bytes() -> int:
    is_files = (request.view_args or {}).get("step") == "files"
    return the_app().settings.form_files_megabytes * MEGABYTE if is_files else 0


def _is_within_limits() -> bool:
    kind = "searches" if request.endpoint in _BY_SCRIPT else "posts"
    limit: RateLimit = current_app.extensions[_LIMITS][kind]
    return limit.allows(request.remote_addr, cost=1 + (request.content_length or 0) // MEGABYTE)


def _refuse(question_fault: str, page_fault: str, code: int) -> ResponseReturnValue:
    """Say why; whoever wrote something gets it back to send it again."""
    if request.endpoint in _BY_SCRIPT:
        abort(code)
    fault, step = texts()["fault"], (request.view_args or {}).get("step", "")
    if step in QUESTIONS:
        problem = fault[question_fault]
        if step == "files":
            problem = f"{texts()['files']['error_again']}. {problem}"
        return question_page(step, QUESTIONS[step].read(request.form), problem=problem, code=code)
    send_again = request.endpoint == "form.send" and not g.token_is_new
    return fault_page(fault[f"{page_fault}_title"], fault[page_fault], code=code, send_again=send_again)
