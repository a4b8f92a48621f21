"""Services: how soon to visit each, with every part of the figure and the concerns behind it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue

from bot.web.context import the_app, utc_now
from bot.web.desk.concerns import as_lines
from bot.web.paging import link_with, paging
from models.provider_risk import (
    BAND_STARTS,
    CONFIRMED,
    HALF_LIFE_DAYS,
    HALF_SCALE,
    RATING_WEIGHTS,
    SEVERITY_WEIGHTS,
    SUGGESTED,
    WINDOW_DAYS,
    ProviderRisk,
    ServiceSize,
    provider_risk,
)
from storage.concerns import ConcernFilter, count_concerns, list_concerns
from storage.provider_figures import (
    ConcernFigure,
    ServiceFigure,
    concern_figures,
    count_services_with,
    services_by_id,
    services_with,
)
from storage.register import provider_by_id

page = Blueprint("providers", __name__)

MOST_FOUND = 500
_SORTS = {"risk": "Figure", "change": "Change in 7 days", "name": "Name"}


@dataclass(frozen=True)
class Assessed:
    """A service with its figure."""

    service: ServiceFigure
    risk: ProviderRisk
    concerns: int


@page.get("/providers")
def show_list() -> ResponseReturnValue:
    """Services with concerns in the last year, or those that a search finds in the whole register."""
    now, words = utc_now(), request.args.get("words", "")[:100].replace("\0", " ").strip()
    sort = request.args.get("sort", "risk")
    sort = sort if sort in _SORTS else "risk"
    with the_app().database.read() as session:
        by_service = _by_service(concern_figures(session, now - timedelta(days=WINDOW_DAYS)))
        if words:
            services = services_with(session, words, limit=MOST_FOUND)
            matching = count_services_with(session, words)
        else:
            services = list(services_by_id(session, by_service).values())
            matching = len(services)
    assessed = _sorted([_assessed(one, by_service.get(one.provider_id, []), now) for one in services], sort)
    pages = paging(len(assessed))
    return render_template(
        "providers.html",
        assessed=assessed[pages.offset : pages.offset + pages.rows],
        pages=pages,
        words=words,
        sort=sort,
        sorts=[(name, title, link_with(sort=name)) for name, title in _SORTS.items()],
        left_out=matching - len(services),
    )


@page.get("/providers/<provider_id>")
def show(provider_id: str) -> ResponseReturnValue:
    """One service: its figure, part by part, and its concerns."""
    now = utc_now()
    with the_app().database.read() as session:
        row = provider_by_id(session, provider_id)
        service = services_by_id(session, [provider_id]).get(provider_id)
        if row is None or service is None:
            abort(404)
        figures = concern_figures(session, now - timedelta(days=WINDOW_DAYS), provider_id=provider_id)
        wanted = ConcernFilter(provider_id=provider_id)
        pages = paging(count_concerns(session, wanted))
        lines = as_lines(session, list_concerns(session, wanted, limit=pages.rows, offset=pages.offset), now)
    return render_template(
        "provider.html",
        provider=row,
        service=service,
        risk=_assessed(service, figures, now).risk,
        lines=lines,
        pages=pages,
        numbers=_numbers(),
    )


def _by_service(figures: list[ConcernFigure]) -> dict[str, list[ConcernFigure]]:
    grouped: dict[str, list[ConcernFigure]] = defaultdict(list)
    for figure in figures:
        if figure.provider_id:
            grouped[figure.provider_id].append(figure)
    return dict(grouped)


def _assessed(service: ServiceFigure, figures: list[ConcernFigure], now: datetime) -> Assessed:
    risk = provider_risk(figures, size=_size(service), rating=service.rating, now=now)
    return Assessed(service=service, risk=risk, concerns=len(figures))


def _size(service: ServiceFigure) -> ServiceSize:
    is_home = any(
        kind.lower().startswith(("care home", "residential", "nursing")) for kind in service.service_types
    )
    return ServiceSize(is_care_home=is_home, beds=service.beds)


def _sorted(assessed: list[Assessed], sort: str) -> list[Assessed]:
    if sort == "name":
        return sorted(assessed, key=lambda one: (one.service.name.lower(), one.service.provider_id))
    if sort == "change":
        return sorted(assessed, key=lambda one: (-one.risk.change, one.service.name.lower()))
    return sorted(assessed, key=lambda one: (-one.risk.figure, one.service.name.lower()))


def _numbers() -> list[tuple[str, str, str]]:
    """Every number of the sum, with its reason, for the page to show."""
    rows = [
        (f"{severity.label.capitalize()} concern", f"{weight.points:g} points", weight.why)
        for severity, weight in SEVERITY_WEIGHTS.items()
    ]
    rows += [("Confirmed", f"times {CONFIRMED.points:g}", CONFIRMED.why)]
    rows += [("Suggested", f"times {SUGGESTED.points:g}", SUGGESTED.why)]
    rows += [
        (name.capitalize(), f"{weight.points:g} points", weight.why)
        for name, weight in RATING_WEIGHTS.items()
    ]
    rows += [("Age", f"halves every {HALF_LIFE_DAYS} days", f"older than {WINDOW_DAYS} days is not counted")]
    rows += [
        (
            "Scale",
            f"100 x points / (points + {HALF_SCALE:g})",
            "many concerns approach 100 and none passes it",
        )
    ]
    starts = ", ".join(f"{band} from {least:g}" for least, band in BAND_STARTS)
    return [*rows, ("Band", starts, "orders visits; it is no judgement of the service")]
