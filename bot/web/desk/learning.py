"""How the models learn and how they do: what to label, what has changed, which model and costs are in force."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bot.app import costs_in_force, model_folder
from bot.settings import Settings
from bot.shadow_report import shadow_state
from bot.web.context import by_this_lead, the_app, utc_now
from bot.web.desk.concerns import as_lines
from models.drift import CONFIDENCE, LEAST, NAMES, RECENT_WEEKS, WEEKS, by_week, changes
from models.manifest import costs_of, read_manifest
from storage.concerns import concern_by_reference
from storage.labelled_examples import learn_never
from storage.learning import Undecided, assessed_since, undecided
from triage.errors import CareConcernsError
from triage.vocabulary import Severity

page = Blueprint("learning", __name__)

_MOST_REDS = 50
_OFFERED = 10


@dataclass(frozen=True)
class ClassLine:
    """One class with the share of it that may be missed, and the line that follows."""

    label: str
    share: float
    line: float


@page.get("/learning")
def show_offers() -> ResponseReturnValue:
    """What to confirm or correct so that the models learn most: reds, the most uncertain, a random share."""
    now = utc_now()
    with the_app().database.read() as session:
        offers = undecided(session)
        reds = [one for one in offers if one.concern.severity == Severity.RED.label]
        groups = {
            "reds": reds[:_MOST_REDS],
            "uncertain": sorted(offers, key=lambda one: one.sureness)[:_OFFERED],
            "random": _random_share(offers, now),
        }
        lines = {
            name: as_lines(session, [one.concern for one in group], now) for name, group in groups.items()
        }
    return render_template("learning.html", lines=lines, waiting=len(offers), reds=len(reds))


def _random_share(offers: Sequence[Undecided], now: datetime) -> list[Undecided]:
    """The same few all day long, others tomorrow."""

    def lot(one: Undecided) -> bytes:
        return hashlib.sha256(f"{now:%Y-%m-%d}{one.concern.id}".encode()).digest()

    return sorted(offers, key=lot)[:_OFFERED]


@page.get("/learning/drift")
def show_drift() -> ResponseReturnValue:
    """Shares, confidence and corrections by week, with a mark where they are other lately; by model where asked."""
    app, now = the_app(), utc_now()
    with app.database.read() as session:
        everything = assessed_since(session, now - timedelta(weeks=WEEKS + 1))
    versions = sorted({one.model_version for one in everything})
    asked = request.args.get("version", "")
    chosen = [one for one in everything if not asked or one.model_version == asked]
    return render_template(
        "learning_drift.html",
        changes=changes(chosen, now=now),
        weeks=by_week(chosen, now=now, zone=ZoneInfo(app.settings.timezone)),
        names=NAMES,
        confidence=CONFIDENCE,
        versions=versions,
        asked=asked if asked in versions else "",
        recent_weeks=RECENT_WEEKS,
        earlier_weeks=WEEKS - RECENT_WEEKS,
        least=LEAST,
    )


@page.get("/learning/model")
def show_model() -> ResponseReturnValue:
    """The model and the table of costs in force, and what came of a candidate in the shadow."""
    app = the_app()
    with app.database.read() as session:
        state = shadow_state(session)
    return render_template("learning_model.html", **_in_force(app.settings), state=state)


def _in_force(settings: Settings) -> dict[str, Any]:
    """What the page says of the model; only what is wrong, in words, where it cannot be used."""
    try:
        manifest, costs = read_manifest(model_folder(settings)), costs_in_force(settings)
        mode = "blend" if settings.encoder and "blend" in manifest["modes"] else "lexical"
        version, lines = manifest["version"], manifest["modes"][mode]["thresholds"]
        if costs.as_json() != costs_of(manifest).as_json():
            version, lines = _redrawn(settings)
    except CareConcernsError as error:
        return {"problem": str(error)}
    shares = costs.as_json()
    return {
        "manifest": manifest,
        "version": version,
        "mode": mode,
        "drawn_on": manifest["modes"][mode].get("drawn_on", "messages that no weight was learned from"),
        "costs": costs,
        "classes": [
            ClassLine(label, share, lines[section][label])
            for section in shares
            for label, share in shares[section].items()
        ],
    }


def _redrawn(settings: Settings) -> tuple[str, dict[str, Any]]:
    from models.artifact import read_lines  # noqa: PLC0415  the pages do without the learning libraries
    from models.lines import as_manifest  # noqa: PLC0415

    lines = read_lines(model_folder(settings), encoder=settings.encoder, costs=costs_in_force(settings))
    return lines.version, as_manifest(lines.thresholds)


@page.post("/concerns/<reference>/learning")
def choose(reference: str) -> ResponseReturnValue:
    """Keep the concern out of everything that the models learn from, or let it in again."""
    never = request.form.get("do") != "let"
    action = "never_learn" if never else "may_learn"
    with the_app().database.write() as session:
        concern = concern_by_reference(session, reference, lock=True)
        if concern.never_learn != never:
            learn_never(session, concern, never=never, audit=by_this_lead(action, utc_now()))
    flash(f"The models {'never' if never else 'may'} learn from {concern.reference}")
    return redirect(url_for("concern.show", reference=concern.reference), code=303)
