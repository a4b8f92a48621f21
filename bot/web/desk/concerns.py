"""The list of concerns: what waits first, and what is not on the list said above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from bot.liveness import signs_of_life
from bot.web.context import the_app, utc_now
from bot.web.paging import link_with, paging
from bot.web.showing import is_overdue
from storage.concerns import ConcernFilter, count_concerns, list_concerns, references_of
from storage.database import Session
from storage.desk_pages import DeskCounts, desk_counts
from storage.oversight import conservation
from storage.people import categories_nobody_leads
from storage.provider_figures import services_by_id
from storage.tables import ConcernRow
from storage.threads import LinkKind, LinkShown, message_counts, open_links
from triage.lifecycle import ConcernState
from triage.vocabulary import Category, Severity

page = Blueprint("concerns", __name__)

_MOST_WORDS = 200


@dataclass(frozen=True)
class View:
    """One of the views of the list, with how many concerns it holds."""

    name: str
    title: str
    count: int
    link: str
    current: bool


@dataclass(frozen=True)
class Line:
    """One concern in a list."""

    concern: ConcernRow
    provider_name: str
    overdue: bool
    notes: tuple[str, ...] = ()


_VIEWS = {
    "waiting": ("Waiting", "waiting"),
    "red": ("Red", "red"),
    "overdue": ("Overdue", "overdue"),
    "needs-review": ("Needs review", "needs_review"),
    "reviewed": ("Reviewed", "reviewed"),
    "closed": ("Closed", "closed"),
    "linked": ("May belong together", "linked"),
    "all": ("All", "everything"),
}


@page.get("/")
def show() -> ResponseReturnValue:
    """The list of concerns, narrowed to what was asked for."""
    now, view = utc_now(), request.args.get("view", "waiting")
    view = view if view in _VIEWS else "waiting"
    wanted = _wanted(view, request.args, now)
    with the_app().database.read() as session:
        pages = paging(count_concerns(session, wanted))
        found = list_concerns(session, wanted, limit=pages.rows, offset=pages.offset)
        provider = services_by_id(session, [wanted.provider_id] if wanted.provider_id else [])
        context = {
            "lines": as_lines(session, found, now),
            "views": _views(desk_counts(session, now), view),
            "outside": conservation(session),
            "late": [sign for sign in signs_of_life(session, the_app().settings, now) if sign.level],
            "unled": categories_nobody_leads(session),
            "provider": provider.get(wanted.provider_id),
        }
    return render_template(
        "concerns.html",
        **context,
        view=view,
        title=_VIEWS[view][0],
        wanted=wanted,
        narrowed=wanted != _wanted(view, {}, now),
        pages=pages,
        categories=list(Category),
        severities=list(reversed(Severity)),
    )


def as_lines(session: Session, concerns: list[ConcernRow], now: datetime) -> list[Line]:
    """The concerns as a list shows them."""
    services = services_by_id(session, [concern.provider_id for concern in concerns if concern.provider_id])
    notes = _notes(session, concerns)
    return [
        Line(
            concern=concern,
            provider_name=services[concern.provider_id].name if concern.provider_id in services else "",
            overdue=is_overdue(concern.due_at, concern.state, now),
            notes=notes[concern.id],
        )
        for concern in concerns
    ]


def _notes(session: Session, concerns: list[ConcernRow]) -> dict[str, tuple[str, ...]]:
    """What a line says of messages that belong together, by concern."""
    ids = [concern.id for concern in concerns]
    counts, questions = message_counts(session, ids), open_links(session, ids)
    targets = references_of(session, [concern.joined_to for concern in concerns if concern.joined_to])
    return {
        concern.id: (
            *([f"{counts[concern.id]} messages"] if counts.get(concern.id, 0) > 1 else []),
            *([f"Joined to {targets[concern.joined_to]}"] if concern.joined_to else []),
            *(_question(link) for link in questions.get(concern.id, [])),
        )
        for concern in concerns
    }


def _question(link: LinkShown) -> str:
    return (
        f"May belong to {link.other}"
        if link.kind is not LinkKind.NEW_MATTER
        else "A reply may be a new matter"
    )


def _wanted(view: str, asked: Mapping[str, str], now: datetime) -> ConcernFilter:
    new = ConcernState.NEW
    views = {
        "waiting": ConcernFilter(state=new),
        "red": ConcernFilter(state=new, severity=Severity.RED),
        "overdue": ConcernFilter(state=new, overdue_at=now),
        "needs-review": ConcernFilter(state=new, needs_review=True),
        "reviewed": ConcernFilter(state=ConcernState.REVIEWED),
        "closed": ConcernFilter(state=ConcernState.CLOSED),
        "linked": ConcernFilter(has_questions=True),
        "all": ConcernFilter(everything=True),
    }
    wanted = views[view]
    category, severity = asked.get("category", ""), asked.get("severity", "")
    return replace(
        wanted,
        category=Category(category) if category in set(Category) else None,
        severity=Severity.from_label(severity) if _is_severity(severity) else wanted.severity,
        provider_id=asked.get("provider", "")[:40],
        words=asked.get("words", "")[:_MOST_WORDS].replace("\0", " ").strip(),
    )


def _is_severity(label: str) -> bool:
    return label in {severity.label for severity in Severity}


def _views(counts: DeskCounts, current: str) -> list[View]:
    return [
        View(name, title, getattr(counts, field), link_with(view=name), name == current)
        for name, (title, field) in _VIEWS.items()
    ]
