"""Who may come in: pages ask for a log-in, forms for their token, and nothing tells who exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from desk_samples import PASSWORD, Visitor, add_concern, add_set_aside, build_desk, seen_text, token_on

from bot.app import App
from bot.web import build_web
from bot.web.guard import OPEN_PAGES, OPEN_TO_ALL, session_key
from bot.web.server import WebServer, serve_web
from storage.audit import Audit
from storage.people import lead_by_email, set_password


def test_nobody_logged_out_sees_a_page(desk: App, visitor: Visitor) -> None:
    """Every address of the application leads to the log-in, but for those that are open on purpose."""
    reference, message_id = add_concern(desk), add_set_aside(desk)
    values = {
        "reference": reference,
        "message_id": message_id,
        "provider_id": "1-9000000001",
        "name": "medication",
        "filename": "x",
    }
    flask = build_web(desk)
    tried = 0
    for rule in flask.url_map.iter_rules():
        if rule.endpoint in OPEN_TO_ALL or rule.endpoint.partition(".")[0] in OPEN_PAGES:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values.get(found.group(1), "0" * 32), rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = visitor.http.request(method, path, follow_redirects=False)
            assert answer.status_code == 302, (method, path)
            assert answer.headers["location"].startswith("/login"), (method, path)
            assert "Larch" not in answer.text
            tried += 1
    assert tried >= 15


def test_an_unknown_address_tells_a_stranger_nothing(visitor: Visitor) -> None:
    """Somebody who is logged out cannot tell an address that exists from one that does not."""
    answer = visitor.http.get("/concerns/CC-2026-999999", follow_redirects=False)
    assert answer.status_code == visitor.http.get("/no/such/page", follow_redirects=False).status_code == 302


def test_a_log_in_leads_to_the_page_that_was_asked_for(desk: App, visitor: Visitor) -> None:
    """A link from an alert works after the log-in."""
    reference = add_concern(desk)
    page = visitor.http.get(f"/concerns/{reference}")
    assert "Log in" in page.text
    after = re.search(r'name="next" value="([^"]*)"', page.text)
    assert after
    answer = visitor.post(
        "/login", {"email": "ada@council.example", "password": PASSWORD, "next": after.group(1)}
    )
    assert answer.url.path == f"/concerns/{reference}"


@pytest.mark.parametrize(
    "address", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "evil"]
)
def test_a_log_in_never_leads_to_another_place(visitor: Visitor, address: str) -> None:
    """A crafted link cannot send a fresh log-in to somebody else's page."""
    visitor.http.follow_redirects = False
    answer = visitor.post("/login", {"email": "ada@council.example", "password": PASSWORD, "next": address})
    assert answer.status_code == 302
    assert answer.headers["location"] == "/"


def test_every_wrong_log_in_gets_the_same_answer(visitor: Visitor) -> None:
    """An unknown address, a wrong password and a locked account cannot be told apart."""

    def answer(email: str, password: str) -> str:
        response = visitor.post("/login", {"email": email, "password": password})
        assert response.status_code == 422
        return seen_text(response.text)

    unknown = answer("nobody@council.example", "wrong")
    wrong = answer("ada@council.example", "wrong")
    for _ in range(5):
        answer("ada@council.example", "wrong")
    locked = answer("ada@council.example", PASSWORD)
    assert unknown == wrong == locked
    assert "email address or the password is wrong" in unknown


def test_a_post_without_its_token_is_refused(desk: App, ada: Visitor) -> None:
    """Another site cannot send a form in a lead's name."""
    reference = add_concern(desk)
    for path in ("confirm", "correct", "move", "sender"):
        answer = ada.http.post(f"/concerns/{reference}/{path}", data={"seen": "0-new", "to": "closed"})
        assert answer.status_code == 400
        assert "open for too long" in answer.text
    assert ada.http.post("/logout").status_code == 400
    assert "Waiting" in seen_text(ada.get(f"/concerns/{reference}"))
    assert "Margaret Ashdown" not in ada.get(f"/concerns/{reference}")


def test_a_log_in_without_its_token_is_refused(visitor: Visitor) -> None:
    """Nobody can be logged in as somebody else by another site."""
    answer = visitor.http.post("/login", data={"email": "ada@council.example", "password": PASSWORD})
    assert answer.status_code == 400


def test_a_token_of_one_person_does_not_serve_another(desk: App, ada: Visitor, grace: Visitor) -> None:
    """A form token belongs to one session."""
    reference = add_concern(desk)
    token = token_on(grace.get(f"/concerns/{reference}"))
    answer = ada.http.post(f"/concerns/{reference}/confirm", data={"csrf_token": token, "seen": "0-new"})
    assert answer.status_code == 400


def test_logging_out_ends_the_session(ada: Visitor) -> None:
    """After logging out, pages ask for the log-in again."""
    assert ada.post("/logout", {}, page="/").url.path == "/login"
    assert ada.http.get("/").url.path == "/login"


def test_a_new_password_ends_sessions_that_stand(desk: App, ada: Visitor) -> None:
    """Somebody who stole a session is out as soon as the password is changed."""
    with desk.database.write() as session:
        lead = lead_by_email(session, "ada@council.example")
        assert lead is not None
        from bot.web.context import utc_now

        set_password(
            session, lead, "another long password", audit=Audit(at=utc_now(), actor="test", action="changed")
        )
    assert ada.http.get("/").url.path == "/login"


def test_a_lead_who_left_is_out_at_once(desk: App, ada: Visitor) -> None:
    """A session of a lead who is no longer active opens nothing."""
    with desk.database.write() as session:
        lead = lead_by_email(session, "ada@council.example")
        assert lead is not None
        lead.active = False
    assert ada.http.get("/").url.path == "/login"


def test_a_lead_who_does_nothing_is_logged_out(desk: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session ends after the minutes of the setting, counted from the last page."""
    import itsdangerous.timed

    clock = [1_800_000_000]
    monkeypatch.setattr(itsdangerous.timed.TimestampSigner, "get_timestamp", lambda _self: clock[0])
    client = build_web(desk).test_client()
    token = token_on(client.get("/login").get_data(as_text=True))
    values = {"email": "ada@council.example", "password": PASSWORD, "csrf_token": token}
    assert client.post("/login", data=values).status_code == 302
    for _ in range(3):
        clock[0] += 55 * 60
        assert client.get("/").status_code == 200
    clock[0] += 61 * 60
    assert client.get("/").status_code == 302


def test_cookies_cannot_be_read_by_scripts_or_sent_by_other_sites(visitor: Visitor) -> None:
    """The session cookie is HttpOnly and SameSite=Lax."""
    cookie = visitor.http.get("/login").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_behind_https_the_cookie_is_secure_and_forms_work_without_a_referer(tmp_path: Path) -> None:
    """The setting makes the cookie Secure with the host prefix, and form tokens need no Referer header."""
    app = build_desk(tmp_path, web_secure_cookies=True)
    try:
        client = build_web(app).test_client()
        page = client.get("/login", base_url="https://desk.example")
        assert page.headers["Set-Cookie"].startswith("__Host-careconcerns=")
        assert "Secure" in page.headers["Set-Cookie"]
        values = {
            "email": "ada@council.example",
            "password": PASSWORD,
            "csrf_token": token_on(page.get_data(as_text=True)),
        }
        assert client.post("/login", data=values, base_url="https://desk.example").status_code == 302
    finally:
        app.close()


def test_sessions_are_signed_with_a_key_of_their_own(desk: App) -> None:
    """The key that signs cookies comes from the key ring and is not the key of lookups itself."""
    key = session_key(desk.keys.lookup_key)
    assert key == session_key(desk.keys.lookup_key) != desk.keys.lookup_key
    assert len(key) == 32
    assert build_web(desk).secret_key == key


def test_logging_in_and_out_is_written_down(desk: App, ada: Visitor) -> None:
    """The audit trail knows who was here."""
    from storage.tables import AuditRow

    ada.post("/logout", {}, page="/")
    with desk.database.read() as session:
        actions = [row.action for row in session.query(AuditRow).order_by(AuditRow.number)]
    assert actions[-2:] == ["logged_in", "logged_out"]


def test_a_stopped_server_gives_back_its_port(desk: App) -> None:
    """Stopping ends the thread and frees the port, and starting again on it works."""
    first = serve_web(desk, host="127.0.0.1", port=0)
    port = first.port
    first.stop()
    second: WebServer = serve_web(desk, host="127.0.0.1", port=port)
    try:
        assert Visitor(second).http.get("/healthz").text == "ok\n"
    finally:
        second.stop()
