"""A visit to the form: the token that the browser holds, the draft behind it, and proof that a page is ours."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Response, current_app, g, request

from bot.web.context import the_app, utc_now
from bot.web.form.texts import FIRST_LANGUAGE, Texts
from storage.drafts import Draft, draft_of, save_answers, sent_as

TEXTS = "careconcerns_form_texts"
TOKEN_FIELD = "token"  # noqa: S105  the name of a field
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def begin_visit() -> None:
    """Find the browser's token, or make one that the answer will carry."""
    sent = request.cookies.get(_cookie_name(), "")
    g.token = sent if _TOKEN.fullmatch(sent) else secrets.token_urlsafe(32)
    g.token_is_new = g.token != sent


def begin_anew() -> None:
    """Give the browser another token: what it did before cannot be opened from here any more."""
    g.token, g.token_is_new = secrets.token_urlsafe(32), True


def carry_token(response: Response) -> Response:
    """Hand a new token to the browser, for as long as the browser is open."""
    if g.get("token_is_new") and not g.get("token_dropped"):
        response.set_cookie(_cookie_name(), g.token, **_cookie_rules())
    return response


def drop_token(response: Response) -> Response:
    """Take the token from the browser."""
    g.token_dropped = True
    response.delete_cookie(_cookie_name(), **_cookie_rules())
    return response


def _cookie_name() -> str:
    # The prefix makes browsers refuse the cookie from another host or over plain HTTP.
    return "__Host-report" if current_app.config["SESSION_COOKIE_SECURE"] else "report"


def _cookie_rules() -> dict[str, Any]:
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    return {"httponly": True, "samesite": "Lax", "secure": secure, "path": "/"}


def draft_id() -> str:
    """What the draft of this browser is kept under."""
    return hashlib.sha256(g.token.encode()).hexdigest()


def page_token() -> str:
    """Proof for a form that a page of ours showed it to this browser; good for as long as its token."""
    key = current_app.secret_key
    secret = key if isinstance(key, bytes) else str(key).encode()
    return hmac.new(secret, b"report form:" + g.token.encode(), hashlib.sha256).hexdigest()


def is_our_page() -> bool:
    """Whether what was sent carries the proof; never for a browser that came without its token."""
    sent = request.form.get(TOKEN_FIELD, "")
    return not g.token_is_new and hmac.compare_digest(sent.encode(), page_token().encode())


def kept_since(now: datetime) -> datetime:
    """Drafts that were not touched since then are gone."""
    return now - timedelta(hours=the_app().settings.form_draft_hours)


def load_draft() -> Draft | None:
    """The draft of this browser; None when there is none."""
    app = the_app()
    with app.database.read() as session:
        return draft_of(session, app.keys, draft_id(), since=kept_since(utc_now()))


def was_sent() -> bool:
    """Whether the answers of this browser were sent already."""
    return sent_message() is not None


def sent_message() -> str | None:
    """The id of the message that the answers of this browser became."""
    with the_app().database.read() as session:
        return sent_as(session, draft_id())


def save_draft(changes: Mapping[str, Any]) -> None:
    """Put answers into the draft of this browser."""
    app, now = the_app(), utc_now()
    with app.database.write() as session:
        save_answers(session, app.keys, draft_id(), changes, now=now, since=kept_since(now))


def all_texts() -> Mapping[str, Texts]:
    """The words of every language."""
    return cast("Mapping[str, Texts]", current_app.extensions[TEXTS])


def language() -> str:
    """The language that the address asks for, English when we do not have it."""
    asked = request.args.get("lang", FIRST_LANGUAGE)
    return asked if asked in all_texts() else FIRST_LANGUAGE


def texts() -> Texts:
    """The words of the language that was asked for."""
    return all_texts()[language()]
