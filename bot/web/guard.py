"""Who may come in, and what the browser may do: log-in, form tokens, cookies and headers."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFProtect

from bot.app import App
from storage.people import lead_by_id
from storage.tables import LeadRow

# What somebody who is not logged in may ask for.
OPEN_TO_ALL = frozenset({"login.show", "login.enter", "health.healthz", "static"})
# The public form, every page of it.
OPEN_PAGES = frozenset({"form"})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class LoggedIn:
    """A lead as the session knows them; `session_id` changes with the password, so that old sessions end."""

    lead_id: str
    name: str
    categories: tuple[str, ...]
    session_id: str
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    def get_id(self) -> str:
        """What the session cookie holds."""
        return self.session_id


def add_guards(flask: Flask, app: App) -> None:
    """Log-in before every page, a token in every form, safe cookies, and headers on every answer."""
    flask.secret_key = session_key(app.keys.lookup_key)
    _set_cookies(flask, app)
    manager = LoginManager(flask, add_context_processor=False)
    manager.user_loader(lambda session_id: _lead_in_session(app, session_id))
    # Before the form tokens: whoever is logged out is sent to the log-in, not told about tokens.
    flask.before_request(_ask_for_login)
    CSRFProtect(flask)
    flask.after_request(_add_headers)


def session_key(lookup_key: bytes) -> bytes:
    """The key that signs session cookies, derived so that nothing more has to be kept."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"careconcerns session cookies").derive(
        lookup_key
    )


def as_logged_in(lead: LeadRow, key: bytes) -> LoggedIn:
    """The lead as their session knows them."""
    mark = hmac.new(key, lead.password_hash.encode(), hashlib.sha256).hexdigest()[:24]
    return LoggedIn(
        lead_id=lead.id, name=lead.name, categories=tuple(lead.categories), session_id=f"{lead.id}.{mark}"
    )


def _set_cookies(flask: Flask, app: App) -> None:
    secure = app.settings.web_secure_cookies
    flask.config.update(
        # The prefix makes browsers refuse the cookie from another host or over plain HTTP.
        SESSION_COOKIE_NAME="__Host-careconcerns" if secure else "careconcerns",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        PERMANENT_SESSION_LIFETIME=timedelta(minutes=app.settings.session_minutes),
        # A token lives as long as its session; a form left open over lunch must not lose its values.
        WTF_CSRF_TIME_LIMIT=None,
        # Its check of the Referer header cannot work: our pages tell browsers to send none.
        WTF_CSRF_SSL_STRICT=False,
    )


def _lead_in_session(app: App, session_id: str) -> LoggedIn | None:
    with app.database.read() as session:
        lead = lead_by_id(session, session_id.partition(".")[0])
    if lead is None:
        return None
    known = as_logged_in(lead, session_key(app.keys.lookup_key))
    return known if hmac.compare_digest(known.session_id.encode(), session_id.encode()) else None


def _ask_for_login() -> ResponseReturnValue | None:
    if request.endpoint in OPEN_TO_ALL or request.blueprint in OPEN_PAGES:
        return None
    if current_user.is_authenticated:
        return None
    asked = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("login.show", next=asked if asked != "/" else None))


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
