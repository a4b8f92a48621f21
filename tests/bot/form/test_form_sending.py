"""The promise of the receipt: shown only for what is stored, once however often it is sent, and nothing lost."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from form_samples import (
    JPEG,
    PHONE,
    STORY,
    Person,
    database_away,
    draft_counts,
    messages,
    raw_messages,
    receipt_on,
    seen_text,
    token_on,
)

from bot.app import App
from bot.form_reading import read_form
from bot.web.form import sending
from bot.web.server import WebServer
from triage.errors import TryAgainLater

Opener = Callable[..., tuple[App, WebServer]]


def test_nothing_stored_means_no_receipt(app: App, person: Person) -> None:
    """While messages cannot be stored, the page says so with the telephone number, and the answers stay."""
    person.answer("story", story=STORY)
    person.add_file(JPEG)
    with database_away(app, "messages"):
        refused = person.send()
        assert refused.status_code == 503
        assert receipt_on(refused.text) is None
        text = seen_text(refused.text)
        assert "Your report has not been sent yet" in text
        assert PHONE in text
        assert draft_counts(app) == (1, 1)
        # The page of answers would be where one looks for a receipt.
        assert receipt_on(person.get("/report/received")) is None
    again = person.http.post("/report/send", data={"token": token_on(refused.text)})
    assert receipt_on(again.text)
    assert len(messages(app)) == 1
    assert STORY in read_form(raw_messages(app)[0]).text


def test_a_receipt_is_shown_only_after_the_door_says_stored(
    app: App, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong at the door, nobody is thanked."""
    person.answer("story", story=STORY)

    def refuse(*_: Any, **__: Any) -> str:
        raise TryAgainLater("the door is shut")

    monkeypatch.setattr(app.intake, "receive", refuse)
    refused = person.send()
    assert (refused.status_code, receipt_on(refused.text)) == (503, None)
    assert receipt_on(person.get("/report/received")) is None
    assert draft_counts(app) == (1, 0)


def test_an_answer_that_cannot_be_kept_is_shown_again(app: App, person: Person) -> None:
    """With the database away, the words are still on the page, with what to do and whom to call."""
    page = person.get("/report/story")
    with database_away(app, "drafts"):
        refused = person.http.post("/report/story", data={"token": token_on(page), "story": STORY})
        assert refused.status_code == 503
        text = seen_text(refused.text)
        assert "We could not save this just now" in text
        assert PHONE in text
        assert STORY in text
        assert person.http.get("/report/story").status_code == 503
        # What to do in danger is shown whatever is away.
        start = person.http.get("/report")
        assert (start.status_code, "Call 999" in start.text) == (200, True)
    person.http.post("/report/story", data={"token": token_on(refused.text), "story": STORY})
    assert STORY in seen_text(person.get("/report/check"))


def test_a_double_press_is_one_message(app: App, person: Person) -> None:
    """Two presses at the same moment, and a third later, show one receipt for one stored message."""
    person.answer("story", story=STORY)
    token = token_on(person.get("/report/check"))
    cookies = dict(person.http.cookies)
    gate, answers = threading.Barrier(4), []

    def press() -> None:
        gate.wait()
        url = f"{person.http.base_url}/report/send"
        with httpx.Client(cookies=cookies, follow_redirects=True, timeout=60) as client:
            answers.append(client.post(url, data={"token": token}).text)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.append(person.http.post("/report/send", data={"token": token}).text)
    assert len(messages(app)) == 1
    assert {receipt_on(answer) for answer in answers} == {read_form(raw_messages(app)[0]).message_id}


def test_a_press_whose_draft_lingered_is_still_one_message(
    app: App, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the draft could not be deleted after sending, sending it again gives the same receipt."""
    person.answer("story", story=STORY)
    monkeypatch.setattr(sending, "delete_draft", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError))
    first = receipt_on(person.send().text)
    assert draft_counts(app) == (1, 0)
    assert first == receipt_on(person.send().text)
    assert first is not None
    assert len(messages(app)) == 1


def test_changed_answers_are_never_taken_for_the_same_report(
    app: App, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who goes back, adds to the story and sends again has sent two reports."""
    person.answer("story", story=STORY)
    monkeypatch.setattr(sending, "delete_draft", lambda *_: None)
    first = receipt_on(person.send().text)
    more = STORY + " It happened again tonight."
    person.answer("story", story=more)
    second = receipt_on(person.send().text)
    assert first != second
    assert {read_form(raw).text for raw in raw_messages(app)} == {STORY, more}


def test_the_same_words_of_two_people_are_two_reports(app: App, person: Person, server: WebServer) -> None:
    """Two neighbours who copy one text are heard twice."""
    other = Person(server)
    for one in (person, other):
        one.answer("story", story="The bell is not answered at night.")
        assert receipt_on(one.send().text)
    assert len({row.digest for row in messages(app)}) == 2
    other.close()


def test_the_receipt_page_can_be_opened_again_and_tells_nothing(app: App, person: Person) -> None:
    """It shows the receipt after a reload, and no word of the report."""
    person.answer("about", about="Mrs Ashdown")
    person.answer("story", story=STORY)
    receipt = receipt_on(person.send().text)
    page = seen_text(person.get("/report/received"))
    assert receipt is not None
    assert receipt in page
    assert "Ashdown" not in page
    assert "wet bed" not in page
    assert person.http.get("/report/story").url.path == "/report/received"
    assert person.http.get("/report/check").url.path == "/report/received"


def test_what_no_page_of_ours_sent_is_refused_and_given_back(app: App, person: Person) -> None:
    """Another site cannot fill in the form; a person without the token gets the words back, not a dead end."""
    for token in ("", "0" * 64, "ä"):
        refused = person.http.post("/report/story", data={"token": token, "story": STORY})
        assert refused.status_code == 400
        assert STORY in seen_text(refused.text)
    for path in ("/report/send", "/report/forget", "/report/another"):
        assert person.http.post(path, data={}).status_code == 400
    assert draft_counts(app) == (0, 0)
    with httpx.Client(base_url=person.http.base_url) as stranger:
        refused = stranger.post("/report/story", data={"token": "x", "story": STORY})
        again = stranger.post("/report/story", data={"token": token_on(refused.text), "story": STORY})
    assert again.status_code == 303
    assert draft_counts(app) == (1, 0)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(open_form: Opener) -> None:
    """It is random, ends with the browser's session, and behind HTTPS it goes nowhere else."""
    _, server = open_form(web_secure_cookies=True)
    header = httpx.get(f"http://127.0.0.1:{server.port}/report").headers["set-cookie"]
    name, _, rest = header.partition("=")
    assert name == "__Host-report"
    assert len(rest.partition(";")[0]) == 43
    assert {part.strip().lower() for part in rest.split(";")[1:]} == {
        "secure", "httponly", "path=/", "samesite=lax",
    }  # fmt: skip


def test_too_much_at_once_is_refused_and_the_story_stays(open_form: Opener) -> None:
    """One address meets the limit with its words given back; another address does not."""
    app, server = open_form(form_posts_per_minute=3, web_trusted_proxy="127.0.0.1")
    person = Person(server, headers={"x-forwarded-for": "198.51.100.7"})
    for _ in range(3):
        assert person.answer("about", about="Mrs Ashdown").status_code == 200
    refused = person.answer("story", story=STORY)
    assert refused.status_code == 429
    assert STORY in seen_text(refused.text)
    assert PHONE in seen_text(refused.text)
    sent = person.send()
    assert sent.status_code == 429
    assert "Answers that you gave before are kept" in seen_text(sent.text)
    other = Person(server, headers={"x-forwarded-for": "198.51.100.8"})
    assert other.answer("story", story=STORY).status_code == 200
    assert draft_counts(app) == (2, 0)
    for one in (person, other):
        one.close()


def test_an_address_that_no_proxy_vouches_for_is_not_believed(open_form: Opener) -> None:
    """Whoever invents a new address for each page is still one address."""
    _, server = open_form(form_posts_per_minute=2)
    person = Person(server)
    codes = []
    for number in range(4):
        person.http.headers["x-forwarded-for"] = f"198.51.100.{number}"
        codes.append(person.answer("about", about="Mrs Ashdown").status_code)
    assert codes == [200, 200, 429, 429]
    person.close()


def test_searches_have_a_limit_of_their_own(open_form: Opener) -> None:
    """The register cannot be read out through the search, and the form goes on working."""
    _, server = open_form(form_searches_per_minute=2)
    person = Person(server)
    token = token_on(person.get("/report/service"))
    codes = [
        person.http.post("/report/services", data={"q": "larch", "token": token}).status_code
        for _ in range(3)
    ]
    assert codes == [200, 200, 429]
    assert person.answer("story", story=STORY).status_code == 200
    person.close()


def test_a_flood_of_text_is_refused_with_a_page(person: Person) -> None:
    """Megabytes in one answer end in the form's own words."""
    refused = person.answer("story", story="a" * 3_000_000)
    assert refused.status_code == 413
    assert "That was too much at once" in seen_text(refused.text)
