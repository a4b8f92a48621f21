"""What every page needs of the request: the App, the moment, and who is asking."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import current_app, request
from flask_login import current_user

from bot.app import App
from storage.audit import Audit

EXTENSION = "careconcerns"


def the_app() -> App:
    """The open App that the pages stand on."""
    app: App = current_app.extensions[EXTENSION]
    return app


def utc_now() -> datetime:
    """The moment it is, with its zone."""
    return datetime.now(UTC)


def lead_id() -> str:
    """The id of the lead who is logged in."""
    return str(current_user.lead_id)


def by_this_lead(action: str, now: datetime, **details: object) -> Audit:
    """The audit entry of something that the lead who is logged in does."""
    return Audit(at=now, actor=lead_id(), action=action, details=details)


def page_number() -> int:
    """The page of a list that was asked for, 1 when that is no number."""
    asked = request.args.get("page", "1")
    return max(int(asked), 1) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1
