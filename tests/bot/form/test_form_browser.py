"""The form in a real browser: the whole way with scripts and without, the quick way out, and no barrier."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from form_samples import JPEG, PASSWORD, STORY, database_away, messages, raw_messages
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bot.app import App
from bot.form_reading import read_form
from bot.web.form.questions import STEPS
from bot.web.server import WebServer

ROOT = Path(__file__).parents[3]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = Path("/usr/bin/chromium")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHOTO: Any = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": JPEG}

pytestmark = pytest.mark.skipif(
    not (AXE.is_file() and CHROMIUM.is_file()), reason="needs Chromium and what script/assets fetches"
)


class _Weather(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>Weather</title><h1>Fine</h1>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def weather() -> Iterator[str]:
    """The harmless page of another site."""
    site = ThreadingHTTPServer(("127.0.0.1", 0), _Weather)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_port}/weather"
    site.shutdown()
    site.server_close()


@pytest.fixture
def form(open_form: Callable[..., tuple[App, WebServer]], weather: str) -> tuple[App, WebServer]:
    """The form, whose quick way out leads to a page that there is."""
    return open_form(form_leave_to=weather)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


def _open(browser: Browser, server: WebServer, *, scripts: bool) -> BrowserContext:
    return browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}", reduced_motion="reduce", java_script_enabled=scripts
    )


@pytest.fixture
def page(browser: Browser, server: WebServer) -> Iterator[Page]:
    """A page with scripts, whose faults are watched."""
    context = _open(browser, server, scripts=True)
    opened, faults = context.new_page(), []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    yield opened
    context.close()
    # Answers that say what is wrong are shown by the browser's console as errors of loading.
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []


@pytest.fixture
def plain_page(browser: Browser, server: WebServer) -> Iterator[Page]:
    """A page in a browser that runs no scripts."""
    context = _open(browser, server, scripts=False)
    yield context.new_page()
    context.close()


def _send(page: Page, button: str) -> None:
    """Press a button and wait for the page that follows."""
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


def _press_continue(page: Page) -> None:
    page.get_by_role("button", name="Continue").click()


def _walk(page: Page, choose_service: Any) -> str:
    """Answer everything and send it; the receipt."""
    page.goto("/report")
    page.get_by_role("button", name="Start now").click()
    page.get_by_label("No", exact=True).check()
    _press_continue(page)
    page.get_by_label("Who are you worried about?").fill("Mrs Ashdown in room 4")
    _press_continue(page)
    page.get_by_label("What happened?").fill(STORY)
    _press_continue(page)
    choose_service(page)
    _press_continue(page)
    page.get_by_label("Where did it happen?").fill("Her room")
    _press_continue(page)
    page.get_by_label("When did it happen?").fill("On Tuesday")
    _press_continue(page)
    page.get_by_label("Who knows about it already?").fill("The manager")
    _press_continue(page)
    page.get_by_label("Choose files").set_input_files(PHOTO)
    page.get_by_role("button", name="Add these files").click()
    expect(page.get_by_text("photo.jpg").first).to_be_visible()
    _press_continue(page)
    page.get_by_label("No, I want to stay anonymous").check()
    _press_continue(page)
    expect(page.get_by_text(STORY)).to_be_visible()
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("We have received your report")
    return page.locator("[data-receipt]").inner_text()


def _suggested_service(page: Page) -> None:
    field = page.get_by_role("combobox")
    field.press_sequentially("larch")
    expect(page.get_by_role("option")).to_have_count(2)
    above, below = field.bounding_box(), page.get_by_role("listbox").bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"] + 1, "the suggestions hide what is typed"
    field.press("ArrowDown")
    field.press("ArrowDown")
    expect(page.get_by_role("option", name="Larchwood Lodge, Wexley")).to_have_attribute(
        "aria-selected", "true"
    )
    field.press("ArrowUp")
    field.press("Enter")
    expect(field).to_have_value("Larch House, Harrowmere")
    expect(page.get_by_role("listbox")).to_have_count(0)


def _searched_service(page: Page) -> None:
    page.get_by_label("Is a care service involved?").fill("larch")
    page.get_by_role("button", name="Search the register").click()
    page.get_by_label("Larch House").check()


def test_the_whole_way_with_scripts(app: App, page: Page) -> None:
    """A service is chosen from suggestions by the keyboard, and the stored report is whole."""
    receipt = _walk(page, _suggested_service)
    message = read_form(raw_messages(app)[0])
    assert message.message_id == receipt
    assert "Care service: Larch House, Harrowmere" in message.text
    assert message.sender is None
    assert [file.filename for file in message.attachments] == ["file-1.jpg"]


def test_the_whole_way_without_scripts(app: App, plain_page: Page) -> None:
    """A service is found by the search button, and the stored report is the same."""
    receipt = _walk(plain_page, _searched_service)
    message = read_form(raw_messages(app)[0])
    assert message.message_id == receipt
    assert "Care service: Larch House, Harrowmere" in message.text
    assert len(messages(app)) == 1


def test_two_quick_presses_of_send_are_one_report(app: App, page: Page) -> None:
    """A person who clicks twice, as many do, sends once."""
    page.goto("/report/story")
    page.get_by_label("What happened?").fill(STORY)
    _press_continue(page)
    page.goto("/report/check")
    page.get_by_role("button", name="Send the report").dblclick()
    expect(page.locator("[data-receipt]")).to_be_visible()
    assert len(messages(app)) == 1


def test_the_quick_way_out_takes_the_place_of_the_page(page: Page, weather: str) -> None:
    """After the click, the harmless page stands where the form stood, and going back does not show the answers."""
    page.goto("/report/story")
    page.get_by_label("What happened?").fill(STORY)
    _press_continue(page)
    page.goto("/report/check")
    expect(page.get_by_text(STORY)).to_be_visible()
    length = page.evaluate("history.length")
    page.get_by_role("link", name=re.compile("Leave this site")).click()
    page.wait_for_url(weather)
    assert page.evaluate("history.length") == length
    page.goto("/report/check")
    expect(page.get_by_role("heading", level=1)).to_have_text("Report a concern about an adult")
    page.goto("/report/story")
    expect(page.get_by_label("What happened?")).to_have_value("")


def test_three_presses_of_shift_leave_from_within_a_field(page: Page, weather: str) -> None:
    """The keyboard is enough, each press is announced, and capital letters do not count."""
    page.goto("/report/story")
    length = page.evaluate("history.length")
    field = page.get_by_label("What happened?")
    field.press("Shift+A")
    field.press("Shift+B")
    field.press("Shift+C")
    expect(field).to_have_value("ABC")
    expect(page.locator("[data-leave-status]")).to_have_text("")
    field.press("Shift")
    expect(page.locator("[data-leave-status]")).to_have_text("Shift, press 2 more times to leave.")
    field.press("Shift")
    field.press("Shift")
    page.wait_for_url(weather)
    assert page.evaluate("history.length") == length


def test_the_way_out_is_the_first_thing_the_keyboard_reaches(plain_page: Page, weather: str) -> None:
    """After the link past the header, and it works as a plain link."""
    plain_page.goto("/report/story")
    plain_page.keyboard.press("Tab")
    plain_page.keyboard.press("Tab")
    expect(plain_page.get_by_role("link", name=re.compile("Leave this site"))).to_be_focused()
    plain_page.keyboard.press("Enter")
    plain_page.wait_for_url(weather)


def test_what_is_typed_survives_a_closed_page(page: Page) -> None:
    """The script keeps the story by itself, and says so."""
    page.clock.install()
    page.goto("/report/story")
    page.get_by_label("What happened?").fill(STORY)
    page.clock.run_for(6000)
    expect(page.get_by_text("Saved")).to_be_visible()
    page.goto("about:blank")
    page.goto("/report/story")
    expect(page.get_by_label("What happened?")).to_have_value(STORY)


def _violations(page: Page) -> list[str]:
    # Evaluated by the browser's own tooling: the content policy would refuse a script element.
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        f"{page.url} {one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:3]}"
        for one in found["violations"]
    ]


@pytest.mark.timeout(600)  # some forty pages, each looked at by axe
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_no_page_has_a_barrier_that_axe_finds(
    app: App, browser: Browser, server: WebServer, scripts: bool
) -> None:
    """Every page: questions, errors, suggestions, files, the answers, faults, and the receipt."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", reduced_motion="reduce")
    if not scripts:
        # The checker itself is a script, so the browser runs them, but none of ours is loaded.
        context.route("**/*.js*", lambda route: route.abort())
    page, found = context.new_page(), []

    def check() -> None:
        found.extend(_violations(page))
        assert page.locator("h1").count() == 1, page.url
        assert page.locator("main").count() == 1, page.url

    for path in ("/report", "/report/call-999", "/report/nowhere", *(f"/report/{step}" for step in STEPS)):
        page.goto(path)
        check()
    page.goto("/report/story")
    _send(page, "Continue")
    check()
    page.get_by_label("What happened?").fill(STORY)
    _send(page, "Continue")
    if scripts:
        page.get_by_role("combobox").press_sequentially("larch")
        expect(page.get_by_role("option")).to_have_count(2)
        check()
        page.keyboard.press("Escape")
    else:
        page.get_by_label("Is a care service involved?").fill("larch")
    _send(page, "Search the register")
    check()
    page.goto("/report/files")
    page.get_by_label("Choose files").set_input_files({**PHOTO, "buffer": b"MZ"})
    _send(page, "Add these files")
    check()
    page.get_by_label("Choose files").set_input_files(PHOTO)
    _send(page, "Add these files")
    check()
    page.goto("/report/you")
    page.get_by_label("Yes, I will say who I am").check()
    _send(page, "Continue")
    page.get_by_label("Email address").fill("wrong")
    check()
    _send(page, "Continue")
    check()
    with database_away(app, "drafts"):
        page.goto("/report/where")
        check()
    page.goto("/report")
    check()
    page.goto("/report/check")
    check()
    with database_away(app, "messages"):
        _send(page, "Send the report")
        check()
    _send(page, "Try again")
    expect(page.locator("[data-receipt]")).to_be_visible()
    check()
    context.close()
    assert found == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_desks_record_page_has_no_barrier(browser: Browser, server: WebServer, scripts: bool) -> None:
    """Empty, and with errors."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", reduced_motion="reduce")
    if not scripts:
        context.route("**/*.js*", lambda route: route.abort())
    page = context.new_page()
    page.goto("/by-hand")
    page.get_by_label("Email address").fill("ada@council.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Record a call or letter")
    found = _violations(page)
    page.get_by_label("Day").fill("31")
    page.get_by_label("Month").fill("2")
    page.get_by_role("button", name="Store the record").click()
    expect(page.get_by_text("There is a problem")).to_be_visible()
    found += _violations(page)
    context.close()
    assert found == []


def test_narrow_and_enlarged_pages_do_not_scroll_sideways(page: Page) -> None:
    """At 320 pixels, as a telephone or 400 per cent has it, every page reflows."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/report/story")
    page.get_by_label("What happened?").fill("x" * 400)
    _press_continue(page)
    for path in ("/report", "/report/check", *(f"/report/{step}" for step in STEPS)):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
