"""The way through the public form without scripts, and what becomes of the answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from form_samples import (
    JPEG,
    PHONE,
    STORY,
    Person,
    draft_counts,
    messages,
    raw_messages,
    receipt_on,
    seen_text,
    token_on,
)

from bot.app import App
from bot.form_reading import read_form
from bot.receipts import id_start
from bot.web.form.questions import STEPS
from bot.web.form.texts import load_texts
from bot.web.server import WebServer
from bot.workflows import delete_old_drafts
from storage.tables import AuditRow, DraftFileRow, DraftRow


def test_the_whole_form_works_without_scripts(app: App, person: Person) -> None:
    """Every question is answered in turn, the answers are shown, and the stored report holds all of them."""
    assert seen_text(person.answer("danger", danger="no").text).count("Who are you worried about?") > 0
    person.answer("about", about="Mrs Ashdown, 84, in room 4")
    person.answer("story", story=STORY)
    found = person.answer("service", service="larch", do="find")
    assert "Larchwood Lodge" in found.text
    person.answer("service", service="larch", pick="Larch House, Harrowmere")
    person.answer("where", where="In her room")
    person.answer("when", when="Last Tuesday")
    person.answer("known", known="The manager")
    person.add_file(JPEG)
    person.answer("files")
    assert person.answer("you", who="named").url.path == "/report/contact"
    checked = person.answer(
        "contact", name="Margaret", email="m@home.example", phone="01632 960123", reach="Mornings"
    )
    assert checked.url.path == "/report/check"
    for shown in ("Mrs Ashdown", STORY, "Larch House, Harrowmere", "photo.jpg", "m@home.example"):
        assert shown in seen_text(checked.text)
    sent = person.send()
    message = read_form(raw_messages(app)[0])
    assert receipt_on(sent.text) == message.message_id
    assert message.text.startswith(STORY)
    for line in (
        "Is anyone at immediate risk? No.",
        "Who it is about: Mrs Ashdown, 84, in room 4",
        "Care service: Larch House, Harrowmere",
        "Where it happened: In her room",
        "When it happened: Last Tuesday",
        "Who knows already: The manager",
    ):
        assert line in message.text.splitlines()
    assert message.sender is not None
    assert (message.sender.name, message.sender.address) == ("Margaret", "m@home.example")
    assert message.reply_to is not None
    assert (message.reply_to.name, message.reply_to.address) == ("Mornings", "01632 960123")
    assert [(file.filename, file.content_type) for file in message.attachments] == [
        ("photo.jpg", "image/jpeg")
    ]


def test_only_the_story_must_be_told(app: App, person: Person) -> None:
    """Every other question can be passed by without a word."""
    for step in STEPS:
        answered = person.answer(step, **({"story": STORY} if step == "story" else {}))
        assert "There is a problem" not in answered.text
    assert receipt_on(person.send().text)
    assert read_form(raw_messages(app)[0]).text == STORY


@pytest.mark.parametrize("story", ["", "  \n "])
def test_an_untold_story_is_asked_for_with_a_linked_error(app: App, person: Person, story: str) -> None:
    """The summary links to the field, the title says that there is an error, and nothing is sent without it."""
    answered = person.answer("story", story=story)
    assert answered.status_code == 422
    assert '<a href="#story">Tell us what happened</a>' in answered.text
    assert "<title>Error: What happened?" in " ".join(answered.text.split())
    person.answer("about", about="Mrs Ashdown")
    sent = person.send()
    assert sent.status_code == 422
    assert "Tell us what happened" in sent.text
    assert messages(app) == []


def test_danger_leads_to_999_before_anything_else(person: Person) -> None:
    """The first page and the first question name 999 and the out-of-hours number; a yes says to call now."""
    start = seen_text(person.get("/report"))
    assert start.index("Call 999") < start.index("Before you start")
    assert PHONE in start
    answered = person.answer("danger", danger="yes")
    assert answered.url.path == "/report/call-999"
    assert "Call 999 now" in seen_text(answered.text)


def test_answers_can_be_changed_from_the_check_page(person: Person) -> None:
    """The link opens the question with its answer, and pressing Continue comes back with the new one."""
    person.answer("story", story=STORY)
    checked = person.get("/report/check")
    assert 'href="/report/story?back=check"' in checked
    assert STORY in seen_text(person.get("/report/story?back=check"))
    changed = person.post(
        "/report/story?back=check", {"story": "It was Wednesday"}, page="/report/story?back=check"
    )
    assert changed.url.path == "/report/check"
    assert "It was Wednesday" in seen_text(changed.text)


def test_a_wrong_email_address_is_told_and_none_is_needed(person: Person) -> None:
    """The error stands at the field, what was written stays, and an empty field is no error."""
    answered = person.answer("contact", name="Margaret", email="margaret at home")
    assert answered.status_code == 422
    assert '<a href="#email">' in answered.text
    assert 'value="margaret at home"' in answered.text
    assert person.answer("contact", name="Margaret").url.path == "/report/check"


def test_too_long_an_answer_is_shown_again_in_full(person: Person) -> None:
    """Nothing of what was written is cut off by us."""
    long = "word " * 1200
    answered = person.answer("about", about=long)
    assert answered.status_code == 422
    assert "Shorten your answer to 5,000 characters" in answered.text
    assert long.strip() in answered.text


def test_markup_in_answers_is_inert(app: App, person: Person) -> None:
    """What looks like a script is text on every page that shows it, errors included."""
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    person.answer("story", story=evil)
    pages = [person.get("/report/story"), person.get("/report/check")]
    pages.append(person.answer("service", service=evil, do="find").text)
    pages.append(person.answer("contact", name=evil, email=evil).text)
    pages.append(person.add_file(b"MZ", name=evil).text)
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "onerror=alert(2)" in page
    assert "script-src" not in person.http.get("/report").headers["content-security-policy"]
    assert "unsafe" not in person.http.get("/report").headers["content-security-policy"]
    assert evil in read_form(raw_messages(app)[0]).text if receipt_on(person.send().text) else False


def test_the_search_of_the_register_gives_names_and_towns_only(person: Person) -> None:
    """No address, number or owner of a service leaves us, and no service that closed is offered."""
    token = token_on(person.get("/report/service"))
    answer = person.http.post("/report/services", data={"q": "larch", "token": token})
    assert answer.json() == {
        "services": [
            {"name": "Larch House", "town": "Harrowmere"},
            {"name": "Larchwood Lodge", "town": "Wexley"},
        ]
    }
    assert person.http.post("/report/services", data={"q": "la", "token": token}).json() == {"services": []}
    assert person.http.post("/report/services", data={"q": "larch"}).status_code == 400


def test_a_search_that_finds_nothing_loses_nothing(person: Person) -> None:
    """The words stay, it is said, and they can be used as they are."""
    answered = person.answer("service", service="A place by the river", do="find")
    assert "We found no service" in seen_text(answered.text)
    person.answer("service", service="A place by the river")
    assert "A place by the river" in person.get("/report/check")


def test_what_is_typed_is_kept_before_anybody_presses_continue(person: Person) -> None:
    """The script's saving keeps the story, so that a closed page or a time-out loses nothing."""
    token = token_on(person.get("/report/story"))
    saved = person.http.post("/report/autosave", data={"step": "story", "story": STORY, "token": token})
    assert saved.status_code == 204
    assert STORY in seen_text(person.get("/report/story"))
    refused = person.http.post(
        "/report/autosave", data={"step": "contact", "name": "Margaret", "token": token}
    )
    assert refused.status_code == 422


def test_answers_are_sealed_and_found_by_the_browser_alone(
    app: App, person: Person, server: WebServer
) -> None:
    """The table holds no word of them and not the token; another browser finds nothing."""
    person.answer("story", story=STORY)
    person.add_file(JPEG + b"a tell-tale in the photograph")
    token = person.http.cookies["report"]
    content = b"".join(path.read_bytes() for path in app.settings.data_dir.glob("careconcerns.db*"))
    for secret in (b"wet bed", b"a tell-tale in the photograph", b"photo.jpg", token.encode()):
        assert secret not in content
    other = Person(server)
    assert STORY not in other.get("/report/story")
    assert other.http.get("/report/check").url.path == "/report"
    other.close()


def test_drafts_are_deleted_when_they_were_not_touched_for_a_day(app: App, person: Person) -> None:
    """A younger one stays; an older one goes with its files, even where the page is opened before the clock."""
    person.answer("story", story=STORY)
    person.add_file(JPEG)
    now = datetime.now(UTC)
    delete_old_drafts(app, now + timedelta(hours=23, minutes=55))
    assert draft_counts(app) == (1, 1)
    with app.database.write() as session:
        session.query(DraftRow).update({"touched_at": now - timedelta(hours=24, minutes=1)})
    assert STORY not in person.get("/report/story")
    delete_old_drafts(app, now)
    assert draft_counts(app) == (0, 0)


def test_answers_lost_to_time_are_said_to_be_lost(app: App, person: Person) -> None:
    """Somebody who comes back a day later and writes on learns that the earlier answers are gone."""
    person.answer("story", story=STORY)
    page = person.get("/report/where")
    with app.database.write() as session:
        session.query(DraftRow).update({"touched_at": datetime.now(UTC) - timedelta(hours=25)})
    person.http.post("/report/where", data={"token": token_on(page), "begun": "1", "where": "Her room"})
    checked = seen_text(person.get("/report/check"))
    assert "Your earlier answers were deleted" in checked
    assert "Her room" in checked
    assert STORY not in checked


def test_a_draft_is_deleted_when_it_is_sent_or_the_person_says_so(app: App, person: Person) -> None:
    """Nothing of it stays behind, and its files neither."""
    person.answer("story", story=STORY)
    person.add_file(JPEG)
    person.send()
    assert draft_counts(app) == (0, 0)
    person.post("/report/another", page="/report/received")
    person.answer("story", story="Another story")
    person.post("/report/forget", page="/report/check")
    assert draft_counts(app) == (0, 0)
    assert "Another story" not in person.get("/report/story")


def test_leaving_hides_the_answers_from_this_device_without_scripts(app: App, person: Person) -> None:
    """The link on every page goes to the harmless site, even with the database away, and takes the cookie."""
    person.answer("story", story=STORY)
    for path in ("/report", "/report/story", "/report/check", "/report/call-999"):
        assert re.search(r'<a [^>]*href="/report/leave"[^>]*data-leave', person.get(path), re.DOTALL)
    left = person.http.get("/report/leave", follow_redirects=False)
    assert (left.status_code, left.headers["location"]) == (303, "https://weather.example/")
    assert left.headers["cache-control"] == "no-store"
    assert "report" not in person.http.cookies
    assert STORY not in person.get("/report/story")


def test_anonymous_stores_nothing_of_the_sender(app: App, server: WebServer) -> None:
    """Neither name, address, browser nor file name, even where the fields were filled in before."""
    marks = {"user-agent": "TellTaleBrowser/9", "x-forwarded-for": "203.0.113.77", "accept-language": "tlh"}
    person = Person(server, headers=marks)
    person.answer("story", story=STORY)
    person.add_file(JPEG, name="Margarets phone.jpg")
    person.answer("contact", name="Margaret Telltale", email="m@telltale.example")
    assert "Margaret Telltale" in person.get("/report/check")
    assert person.answer("you", who="anonymous").url.path == "/report/check"
    assert "Margaret Telltale" not in person.get("/report/contact")
    assert receipt_on(person.send().text)
    row, raw = messages(app)[0], raw_messages(app)[0]
    message = read_form(raw)
    assert (message.sender, message.reply_to) == (None, None)
    assert [file.filename for file in message.attachments] == ["file-1.jpg"]
    envelope = app.keys.unseal(row.envelope, place=f"messages.envelope:{row.id}")
    assert envelope == b"{}"
    everything = raw + b"".join(path.read_bytes() for path in app.settings.data_dir.glob("careconcerns.db*"))
    for mark in (b"Margaret", b"telltale", b"TellTale", b"203.0.113", b"127.0.0.1", b"tlh"):
        assert mark not in everything
    with app.database.read() as session:
        details = [row.details for row in session.query(AuditRow).filter(AuditRow.action == "received")]
    assert details == [{"channel": "form", "bytes": len(raw)}]
    person.close()


def test_details_without_a_choice_count_as_a_yes(app: App, person: Person) -> None:
    """Somebody who fills in a number wants to be called, whatever they chose before."""
    person.answer("story", story=STORY)
    person.answer("you", who="anonymous")
    person.answer("contact", phone="01632 960123")
    person.send()
    message = read_form(raw_messages(app)[0])
    assert message.sender is not None
    assert message.sender.address == "01632 960123"


def test_the_hidden_field_marks_a_report_and_never_drops_it(app: App, person: Person) -> None:
    """What fills in everything gets its receipt like everybody else, and the desk sees the mark."""
    person.answer("story", story=STORY)
    person.answer("you", website="https://spam.example")
    assert receipt_on(person.send().text)
    assert read_form(raw_messages(app)[0]).defects == ("hidden_field_filled",)


def test_the_receipt_leads_to_the_message(app: App, person: Person) -> None:
    """Read out over the telephone, in small letters and with O for 0, it still names the one message."""
    person.answer("story", story=STORY)
    receipt = receipt_on(person.send().text)
    assert receipt is not None
    assert messages(app)[0].id.startswith(id_start(receipt.lower().replace("0", "o").replace("-", " ")))


def test_an_unknown_page_of_the_form_is_no_way_to_the_desk(person: Person) -> None:
    """It says so in the form's own words, with the way to the start."""
    answer = person.http.get("/report/nowhere")
    assert answer.status_code == 404
    assert "Go to the start of the form" in answer.text
    assert "/login" not in answer.text


def test_another_language_fills_its_gaps_with_english(app: App) -> None:
    """All words stand in one file; a language that lacks some still has whole pages."""
    english = '[en]\nback = "Back"\n[en.story]\ntitle = "What happened?"\nhint = "Call {phone}"\n'
    source = english + '[cy.story]\ntitle = "Beth?"\n'
    texts = load_texts(app.settings, source)
    assert texts["cy"]["story"] == {"title": "Beth?", "hint": f"Call {PHONE}"}
    assert texts["cy"]["back"] == "Back"


def test_the_form_can_be_closed(open_form) -> None:  # type: ignore[no-untyped-def]
    """A council that does not want it shows a log-in where it was."""
    _, server = open_form(form_open=False)
    person = Person(server)
    assert person.http.get("/report").url.path == "/login"
    person.close()


def test_files_of_other_drafts_cannot_be_removed(app: App, person: Person, server: WebServer) -> None:
    """Whoever guesses the id of a file still needs the browser that added it."""
    person.answer("story", story=STORY)
    person.add_file(JPEG)
    with app.database.read() as session:
        file_id = session.query(DraftFileRow.id).scalar()
    other = Person(server)
    other.post("/report/files", {"do": f"remove:{file_id}"}, page="/report/files")
    assert draft_counts(app) == (1, 1)
    person.post("/report/files", {"do": f"remove:{file_id}"}, page="/report/files")
    assert draft_counts(app) == (1, 0)
    other.close()
