"""Logging in and out."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user

from bot.web.context import by_this_lead, the_app, utc_now
from bot.web.guard import as_logged_in
from storage.audit import record
from storage.people import check_login

page = Blueprint("login", __name__)

# Checking a password costs memory and time on purpose: one at a time, so that guesses cannot starve the pages.
_one_at_a_time = threading.Lock()

_REFUSED = "The email address or the password is wrong, or the account is locked for a while"


@page.get("/login")
def show() -> ResponseReturnValue:
    """The log-in form."""
    if current_user.is_authenticated:
        return redirect(url_for("concerns.show"))
    return render_template("login.html", error="", email="", after=_safe(request.args.get("next", "")))


@page.post("/login")
def enter() -> ResponseReturnValue:
    """Log in, with one answer to whatever was wrong."""
    app, email = the_app(), request.form.get("email", "")[:254]
    after = _safe(request.form.get("next", ""))
    with _one_at_a_time:
        lead = check_login(app.database, email, request.form.get("password", "")[:1000], now=utc_now())
    if lead is None:
        return render_template("login.html", error=_REFUSED, email=email, after=after), 422
    # A fresh session: nothing that was there before the log-in stays in force after it.
    session.clear()
    session.permanent = True
    login_user(as_logged_in(lead, _key()))
    return redirect(after or url_for("concerns.show"))


@page.post("/logout")
def leave() -> ResponseReturnValue:
    """Log out."""
    now = utc_now()
    with the_app().database.write() as transaction:
        entry = by_this_lead("logged_out", now)
        record(transaction, entry, f"lead:{entry.actor}")
    logout_user()
    session.clear()
    return redirect(url_for("login.show"))


def _key() -> bytes:
    key = current_app.secret_key
    return key if isinstance(key, bytes) else str(key).encode()


def _safe(address: str) -> str:
    """The address when it is a page of ours, or nothing: a link must not lead a fresh log-in elsewhere."""
    parts = urlsplit(address.replace("\\", "/"))
    ours = (
        address.startswith("/")
        and not address.startswith(("//", "/\\"))
        and not (parts.scheme or parts.netloc)
    )
    return address if ours and address.isprintable() else ""
