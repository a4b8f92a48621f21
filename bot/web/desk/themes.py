"""Themes: what concerns were about in the last 30 days, against the 30 before."""

from __future__ import annotations

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue

from bot.web.context import the_app, utc_now
from bot.web.desk.concerns import as_lines
from bot.web.paging import paging
from models.trends import PERIOD_DAYS, period_starts, theme_trends
from storage.provider_figures import concern_figures
from storage.trend_counts import concerns_with_theme
from triage.vocabulary import Severity, Theme

page = Blueprint("themes", __name__)


@page.get("/themes")
def show_list() -> ResponseReturnValue:
    """Every theme with its numbers."""
    now = utc_now()
    with the_app().database.read() as session:
        figures = concern_figures(session, period_starts(now)[1])
    return render_template(
        "themes.html",
        trends=theme_trends(figures, now=now),
        severities=list(reversed(Severity)),
        days=PERIOD_DAYS,
    )


@page.get("/themes/<name>")
def show(name: str) -> ResponseReturnValue:
    """The concerns with the theme in the last 60 days."""
    if name not in set(Theme):
        abort(404)
    now = utc_now()
    with the_app().database.read() as session:
        found = concerns_with_theme(session, Theme(name), opened_from=period_starts(now)[1])
        pages = paging(len(found))
        lines = as_lines(session, found[pages.offset : pages.offset + pages.rows], now)
    return render_template("theme.html", theme=name, lines=lines, pages=pages, days=2 * PERIOD_DAYS)
