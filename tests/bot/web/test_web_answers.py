"""What every answer carries, and what people see when something goes wrong."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from desk_samples import Visitor, add_concern, seen_text

import bot.web.desk.concerns
import bot.web.desk.health
from bot.app import App
from bot.web.server import WebServer


def test_no_page_has_a_script_or_a_style_inside(desk: App, ada: Visitor) -> None:
    """The content policy forbids inline code, and no page needs any."""
    reference = add_concern(desk)
    for path in ("/", f"/concerns/{reference}", "/providers", "/themes", "/set-aside", "/health", "/nowhere"):
        answer = ada.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "<style" not in answer.text
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text
        for script in answer.text.split("<script")[1:]:
            assert script.partition(">")[0].count("src=") == 1
            assert script.partition(">")[2].startswith("</script>")


def test_pages_are_kept_by_no_cache_and_sniffed_by_no_browser(ada: Visitor) -> None:
    """Pages hold personal matters: no-store, nosniff and no referrer on each, errors too."""
    for path in ("/", "/login", "/nowhere", "/healthz"):
        headers = ada.http.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers or "waitress" not in headers["server"].lower()


def test_styles_hold_no_crown_and_no_typeface_of_gov_uk(visitor: Visitor) -> None:
    """A council outside gov.uk may use neither."""
    page = visitor.get("/login")
    styles = visitor.http.get("/static/vendor/govuk-frontend.min.css")
    assert styles.status_code == 200
    assert "GDS Transport" not in styles.text
    assert "@font-face" not in styles.text
    assert "url(" not in styles.text
    assert "crown" not in page.lower()
    assert "<svg" not in page


def test_what_is_fetched_is_pinned_and_tied_to_no_registry() -> None:
    """The lock file holds exact versions and checksums, and works with any mirror."""
    root = Path(__file__).parents[3]
    lock = (root / "package-lock.json").read_text()
    assert "http" not in lock
    wanted = json.loads((root / "package.json").read_text())
    assert wanted["dependencies"] == {"govuk-frontend": "6.3.0"}
    assert wanted["devDependencies"]["axe-core"][0].isdigit()
    for name, package in json.loads(lock)["packages"].items():
        assert not name or package["integrity"].startswith("sha512-")


def test_an_unknown_page_says_so_plainly(ada: Visitor) -> None:
    """404 in the same layout, with a way on."""
    for path in ("/nowhere", "/concerns/CC-2026-000404", "/providers/none", "/themes/none"):
        answer = ada.http.get(path)
        assert answer.status_code == 404
        assert "Page not found" in seen_text(answer.text)


def test_a_form_address_opened_as_a_page_is_explained(desk: App, ada: Visitor) -> None:
    """Reloading after a time-out does not end in a bare error."""
    answer = ada.http.get(f"/concerns/{add_concern(desk)}/confirm")
    assert answer.status_code == 405
    assert "only takes a form" in answer.text


def test_a_fault_shows_nothing_inside_and_logs_no_content(
    ada: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug that quotes a message tells neither the page nor the log what it quotes."""

    def broken(*_args: object, **_more: object) -> None:
        raise ValueError("Margaret said that her mother was hit")

    monkeypatch.setattr(bot.web.desk.concerns, "list_concerns", broken)
    with caplog.at_level(logging.DEBUG):
        answer = ada.http.get("/")
    assert answer.status_code == 500
    assert "there is a problem with the desk" in answer.text
    assert "Margaret" not in answer.text
    assert "Traceback" not in answer.text
    assert "ValueError" in caplog.text
    assert "Margaret" not in caplog.text


def test_healthz_says_ok_only_while_the_database_answers(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that watches sees 200 and ok, or 503, and learns nothing else."""
    assert visitor.http.get("/healthz").text == "ok\n"

    def away(_database: object) -> None:
        raise OSError("secret-host:5432 refused")

    monkeypatch.setattr(bot.web.desk.health, "ping", away)
    answer = visitor.http.get("/healthz")
    assert answer.status_code == 503
    assert answer.text == "not ok\n"


def test_a_database_that_is_away_gives_a_plain_page(server: WebServer, desk: App, ada: Visitor) -> None:
    """503 with words a person understands, even though nobody can be looked up."""
    before = desk.database._readers
    elsewhere = desk.settings.data_dir / "gone" / "nothing.db"
    from storage.database import Database

    away = Database(f"sqlite:///{elsewhere}", desk.keys)
    desk.database._readers = away._readers
    try:
        answer = ada.http.get("/")
    finally:
        desk.database._readers = before
        away.close()
    assert answer.status_code == 503
    assert "not available" in answer.text


def test_too_long_a_form_is_refused(desk: App, ada: Visitor) -> None:
    """A megabyte of note is not taken in."""
    reference = add_concern(desk)
    answer = ada.post(
        f"/concerns/{reference}/correct", {"note": "x" * 1_200_000}, page=f"/concerns/{reference}"
    )
    assert answer.status_code == 413
