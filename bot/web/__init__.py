"""The desk in the browser: where its pages, its guards and its looks are put together."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader

from bot.app import App
from bot.web.context import EXTENSION
from bot.web.desk import PAGES
from bot.web.errors import add_error_pages
from bot.web.form import add_form
from bot.web.guard import add_guards
from bot.web.showing import add_words

MOST_FORM_BYTES = 1_000_000
_STATIC_SECONDS = 3600

__all__ = ["build_web"]


def build_web(app: App) -> Flask:
    """The web application over an open App; it stores nothing of its own."""
    flask = Flask(__name__, template_folder="desk", static_folder="static")
    flask.extensions[EXTENSION] = app
    flask.config["MAX_CONTENT_LENGTH"] = MOST_FORM_BYTES
    flask.config["SEND_FILE_MAX_AGE_DEFAULT"] = _STATIC_SECONDS
    _find_templates(flask)
    add_guards(flask, app)
    add_words(flask, app.settings)
    for page in PAGES:
        flask.register_blueprint(page)
    if app.settings.form_open:
        add_form(flask, app)
    add_error_pages(flask)
    return flask


def _find_templates(flask: Flask) -> None:
    govuk = PrefixLoader(
        {
            "govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja"),
            "form": FileSystemLoader(Path(__file__).with_name("form") / "templates"),
        }
    )
    own = flask.jinja_loader
    flask.jinja_env.loader = ChoiceLoader([*([own] if own else []), govuk])
    flask.jinja_env.trim_blocks = True
    flask.jinja_env.lstrip_blocks = True
