"""What people see when something cannot be done: plain pages that say what to do and show nothing inside."""

from __future__ import annotations

import logging
import traceback

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from storage.attachments import NoSuchAttachment
from storage.concerns import NoSuchConcern
from storage.database import is_passing
from storage.messages import NoSuchMessage
from triage.errors import TryAgainLater

log = logging.getLogger(__name__)

_WORDS = {
    400: ("Something was wrong with what was sent", "Go back, reload the page and try again."),
    403: ("You cannot see this page", "Ask the person who runs the desk if you need it."),
    404: (
        "Page not found",
        "Check the address. A concern can be found by its reference in the list of concerns.",
    ),
    405: ("This address only takes a form", "Go back to the list of concerns and start from there."),
    413: ("That was too much text", "Go back and shorten what you wrote."),
    500: ("Sorry, there is a problem with the desk", "Nothing was lost. Try again in a few minutes."),
    503: ("Sorry, the desk is not available for the moment", "Nothing was lost. Try again in a few minutes."),
}
_TOKEN_WORDS = (
    "This page was open for too long",
    "Nothing was saved. Go back, reload the page and try again.",
)


def add_error_pages(flask: Flask) -> None:
    """A page for every error, and a line in the log without any content for those that are faults."""
    flask.register_error_handler(CSRFError, _bad_token)
    flask.register_error_handler(HTTPException, _refused)
    flask.register_error_handler(NoSuchConcern, _not_found)
    flask.register_error_handler(NoSuchMessage, _not_found)
    flask.register_error_handler(NoSuchAttachment, _not_found)
    flask.register_error_handler(Exception, _failed)


def _page(code: int, title: str, advice: str) -> ResponseReturnValue:
    return render_template("error.html", title=title, advice=advice), code


def _refused(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code < 400:
        return error.get_response()
    return _page(code, *_WORDS.get(code, _WORDS[400 if code < 500 else 500]))


def _bad_token(_error: CSRFError) -> ResponseReturnValue:
    return _page(400, *_TOKEN_WORDS)


def _not_found(_error: Exception) -> ResponseReturnValue:
    return _page(404, *_WORDS[404])


def _failed(error: Exception) -> ResponseReturnValue:
    note_fault(error)
    code = 503 if is_passing(error) or isinstance(error, TryAgainLater) else 500
    return _page(code, *_WORDS[code])


def note_fault(error: Exception) -> None:
    """Write down the kind and the place of a fault, and nothing else: its own text may quote a message."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno}"
    log.error("%s failed: %s at %s", request.endpoint, type(error).__name__, where)
