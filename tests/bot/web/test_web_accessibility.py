"""Every page in a real browser: no WCAG 2.2 AA violation that axe can find, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desk_samples import (
    BRIGHTWAY,
    LARCH,
    NOW,
    PASSWORD,
    Sample,
    add_concern,
    add_second_assessment,
    add_set_aside,
    build_desk,
)
from playwright.sync_api import Browser, Page, expect, sync_playwright
from test_web_belonging import add_further, question
from test_web_spam_tray import add_spam

from bot.app import App
from bot.web.server import WebServer, serve_web
from storage.attachments import keep_attachments
from storage.audit import MACHINE, Audit
from storage.concerns import assessments_of, concern_by_reference, messages_of
from storage.erasing import erase
from storage.people import active_leads, let_erase, let_word_answers
from storage.shadow import save_answer, start_run
from storage.threads import LinkKind, join
from tests.factories import assessment
from tests.quick_predictors import prediction
from triage.belonging import Why
from triage.decide import decide
from triage.vocabulary import Attachment, Category, FileSign, Severity

ROOT = Path(__file__).parents[3]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = Path("/usr/bin/chromium")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATHS = (
    "/",
    "/?view=overdue&words=tablets",
    "/?view=closed",
    "/concerns/CC-2026-000001",
    "/concerns/CC-2026-000002",
    *(f"/concerns/CC-2026-00000{number}" for number in (5, 6, 7, 9)),
    "/concerns/CC-2026-000005/erase",
    "/?view=linked",
    "/?view=all",
    "/providers",
    "/providers?words=wexley",
    f"/providers/{LARCH.provider_id}",
    f"/providers/{BRIGHTWAY.provider_id}",
    "/themes",
    "/themes/medication",
    "/set-aside",
    "/spam",
    "/answers",
    "/answers/safeguarding",
    "/learning",
    "/learning/drift",
    "/learning/model",
    "/health",
    "/nowhere",
)

pytestmark = pytest.mark.skipif(
    not (AXE.is_file() and CHROMIUM.is_file()), reason="needs Chromium and what script/assets fetches"
)


def _attach_a_program(app: App, reference: str) -> None:
    """A file that says it is a letter."""
    signs = (FileSign.OTHER_TYPE, FileSign.PROGRAM)
    program = Attachment(
        "letter.pdf", "application/pdf", 2, "1" * 64, b"MZ", "application/x-executable", signs
    )
    with app.database.write() as session:
        [message] = messages_of(session, concern_by_reference(session, reference).id)
        keep_attachments(session, app.keys, message.id, [program], now=NOW)


@pytest.fixture(scope="module")
def desk_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A desk with concerns of every kind on a port."""
    app = build_desk(tmp_path_factory.mktemp("accessible"))
    first = add_concern(app, Sample(due_at=NOW - timedelta(hours=1)))
    add_second_assessment(app, first)
    _attach_a_program(app, first)
    add_concern(
        app,
        Sample(
            category=Category.NOT_A_CONCERN,
            severity=None,
            themes=(),
            abuse_types=(),
            provider=None,
            mention="a home on Mill Road",
            needs_review=False,
            reasons=(),
        ),
    )
    for number in range(60):
        add_concern(app, Sample(severity=list(Severity)[number % 3], provider=[LARCH, BRIGHTWAY][number % 2]))
    add_set_aside(app)
    add_spam(app)
    _ask_and_join(app)
    with app.database.write() as session:
        for who in active_leads(session):
            let_word_answers(session, who, may=True, audit=Audit(at=NOW, actor=MACHINE, action="given"))
    _run_a_candidate(app, first)
    server = serve_web(app, host="127.0.0.1", port=0)
    yield server
    server.stop()
    app.close()


def _ask_and_join(app: App) -> None:
    """A further message that may be a new matter, a stranger's concern, one that was joined, one that was erased."""
    add_further(app, "CC-2026-000005", Sample(severity=Severity.RED, provider=LARCH))
    with app.database.write() as session:
        one, other = (concern_by_reference(session, f"CC-2026-00000{number}") for number in (5, 6))
        [message] = messages_of(session, other.id)
        question(app, session, LinkKind.STRANGER, message.id, other.id, one.id, (Why.STRANGER_ANSWERS_US,))
        audit = Audit(NOW, MACHINE, "joined_to")
        gone, target = (concern_by_reference(session, f"CC-2026-00000{number}") for number in (7, 8))
        join(session, gone, target, due_for=lambda _: NOW, audit=audit)
        erased = concern_by_reference(session, "CC-2026-000009")
        erase(session, app.keys, erased, because="by mistake", audit=audit)
        for who in active_leads(session):
            let_erase(session, who, may=True, audit=audit)


def _run_a_candidate(app: App, reference: str) -> None:
    """A candidate in the shadow that the gate refuses and that differs on one concern."""
    gate = {"in_force": "2026.11", "refusals": ["red recall would fall"], "grounds": ["measured on 9"]}
    with app.database.write() as session:
        run = start_run(session, "2026.12", gate, audit=Audit(at=NOW, actor=MACHINE, action="shadow_started"))
        latest = assessments_of(session, concern_by_reference(session, reference).id)[0]
        said = decide(assessment(prediction(Category.REFERRAL, Severity.GREEN)))
        save_answer(session, run.id, latest.id, said, confidence=0.8, now=NOW)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(params=["with scripts", "without scripts"])
def page(request: pytest.FixtureRequest, browser: Browser, desk_server: WebServer) -> Iterator[Page]:
    """A page whose console is watched; without scripts, none of ours is loaded."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{desk_server.port}", reduced_motion="reduce")
    if request.param == "without scripts":
        context.route("**/*.js*", lambda route: route.abort())
    opened = context.new_page()
    yield opened
    context.close()


def _log_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Email address").fill("ada@council.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")


def _violations(page: Page) -> list[str]:
    page.wait_for_load_state("load")
    # Evaluated by the browser's own tooling: the content policy would refuse a script element.
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        f"{page.url} {one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:3]}"
        for one in found["violations"]
    ]


def test_no_page_has_a_barrier_that_axe_finds(page: Page) -> None:
    """The log-in, lists, a concern, services, themes, messages set aside, health, and an error."""
    page.goto("/login")
    found = _violations(page)
    _log_in(page)
    for path in PATHS:
        page.goto(path)
        found += _violations(page)
        assert page.locator("h1").count() == 1, path
        assert page.locator("main").count() == 1, path
    assert found == []


def test_no_answer_to_a_form_has_a_barrier(page: Page) -> None:
    """Errors with their summary, a search, the writer shown, a wrong log-in, and a message as it came."""
    page.goto("/login")
    page.get_by_role("button", name="Log in").click()
    found = _violations(page)
    _log_in(page)
    page.goto("/concerns/CC-2026-000003")
    page.get_by_label("Care concern").check()
    page.get_by_role("button", name="Save the labels").click()
    expect(page.get_by_role("alert")).to_have_count(1, timeout=15_000)
    found += _violations(page)
    page.get_by_label("Another service").fill("wexley")
    page.get_by_role("button", name="Find").click()
    found += _violations(page)
    page.goto("/concerns/CC-2026-000003")
    page.get_by_role("button", name="Show who wrote this").click()
    page.get_by_text("margaret@family.example").wait_for(state="visible", timeout=15_000)
    found += _violations(page)
    page.goto("/concerns/CC-2026-000001")
    page.get_by_role("button", name="Download file 1 of message 1").click()
    page.get_by_role("heading", name="Think before you open this file").wait_for(timeout=15_000)
    found += _violations(page)
    page.goto("/set-aside")
    page.get_by_role("button", name="Show it as it came").first.click()
    found += _violations(page)
    assert found == []


def test_a_concern_is_confirmed_with_the_keyboard_alone(page: Page) -> None:
    """The skip link leads to the content, and the button answers to Enter."""
    _log_in(page)
    page.goto("/concerns/CC-2026-000004")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Skip to main content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    button = page.get_by_role("button", name="Confirm")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You confirmed the labels of CC-2026-000004")).to_be_visible()


def test_no_page_makes_the_browser_complain(browser: Browser, desk_server: WebServer) -> None:
    """Neither the content policy nor a missing file is reported in the console."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{desk_server.port}")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "response",
        lambda answer: said.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
    )
    _log_in(page)
    for path in PATHS[:-1]:
        page.goto(path)
    context.close()
    assert said == []


def test_a_narrow_screen_needs_no_sideways_scrolling_of_the_page(
    browser: Browser, desk_server: WebServer
) -> None:
    """At 320 pixels only tables scroll, each in its own frame (WCAG 1.4.10)."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{desk_server.port}", viewport={"width": 320, "height": 800}
    )
    page = context.new_page()
    _log_in(page)
    for path in PATHS:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    context.close()
