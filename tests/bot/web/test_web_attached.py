"""Files on the desk: described, opened as downloads alone by people who are logged in, and held back when in doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from desk_samples import NOW, TEXT, Sample, Visitor, add_concern, seen_text
from sqlalchemy import select

from bot.app import App
from bot.web.desk.attached import safe_name, shown_file
from bot.web.server import WebServer, serve_web
from storage.attachments import (
    KeptAttachment,
    ScanState,
    attachment_by_id,
    keep_attachments,
    note_scan,
)
from storage.concerns import concern_by_reference, messages_of
from storage.tables import AuditRow
from triage.vocabulary import Attachment, FileSign

LETTER = Attachment("letter.pdf", "application/pdf", 8, "0" * 64, b"%PDF-1.7", "application/pdf")
PROGRAM = Attachment(
    "letter.pdf",
    "application/pdf",
    4,
    "1" * 64,
    b"MZ\0\0",
    "application/x-executable",
    (FileSign.OTHER_TYPE, FileSign.PROGRAM),
)


def add_files(app: App, *files: Attachment) -> tuple[str, list[str]]:
    """A concern whose message has these files: its reference, and the ids of the files."""
    reference = add_concern(app)
    with app.database.write() as session:
        [message] = messages_of(session, concern_by_reference(session, reference).id)
        return reference, keep_attachments(session, app.keys, message.id, files, now=NOW)


def opened(app: App) -> list[dict[str, object]]:
    """What the audit trail says of files that were opened."""
    with app.database.read() as session:
        return list(session.scalars(select(AuditRow.details).where(AuditRow.action == "opened_file")))


@pytest.fixture
def guarded(desk: App) -> Iterator[tuple[App, Visitor]]:
    """A desk with a scanner set, and somebody logged in at it."""
    app = replace(desk, settings=desk.settings.model_copy(update={"clamd_address": "127.0.0.1:9"}))
    server: WebServer = serve_web(app, host="127.0.0.1", port=0)
    person = Visitor(server).log_in()
    yield app, person
    person.close()
    server.stop()


def test_the_page_says_what_each_file_is_and_that_it_is_not_scanned(desk: App, ada: Visitor) -> None:
    """Name, kind, size, and what to know of it, in words."""
    photo = Attachment("room.jpg", "image/jpeg", 4, "2" * 64, b"jpeg", "image/jpeg", (FileSign.HOLDS_PLACE,))
    reference, _ = add_files(desk, LETTER, PROGRAM, photo)
    text = seen_text(ada.get(f"/concerns/{reference}"))
    assert "1: letter.pdf A PDF, 8 bytes Not scanned" in text
    assert "Says it is a PDF, but is a program" in text
    assert "It can run commands on your computer" in text
    assert "Holds a place: it shows where it was taken" in text


def test_a_file_is_a_download_that_no_browser_opens(desk: App, ada: Visitor) -> None:
    """Its bytes as they came, as a stream of bytes with a name, sandboxed; and who opened it is in the history."""
    reference, [file_id] = add_files(desk, replace(LETTER, filename="Häuser \u202efdp.exe"))
    answer = ada.post(f"/files/{file_id}", {}, page=f"/concerns/{reference}")
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.headers["Content-Disposition"]
    assert said.startswith('attachment; filename="Hauser fdp.exe"')
    assert "filename*=UTF-8''H%C3%A4user%20fdp.exe" in said
    assert opened(desk) == [{"attachment": file_id, "number": 1}]
    assert "Opened a file that came with the message: number 1" in seen_text(
        ada.get(f"/concerns/{reference}")
    )


def test_a_file_is_only_for_those_who_are_logged_in(desk: App, visitor: Visitor) -> None:
    """Everybody else is sent to the log-in, and nothing of it is told."""
    _, [file_id] = add_files(desk, LETTER)
    answer = visitor.post(f"/files/{file_id}", {})
    assert answer.url.path == "/login"
    assert b"%PDF" not in answer.content
    assert opened(desk) == []


def test_a_file_is_not_given_to_a_link(desk: App, ada: Visitor) -> None:
    """Only to a form of ours: what is looked at ahead by a browser would be in the history."""
    _, [file_id] = add_files(desk, LETTER)
    assert ada.http.get(f"/files/{file_id}").status_code == 405
    assert ada.http.post(f"/files/{file_id}").status_code == 400
    assert opened(desk) == []


def test_a_program_is_warned_of_first(desk: App, ada: Visitor) -> None:
    """What it is, and a second press that is meant."""
    reference, [file_id] = add_files(desk, PROGRAM)
    page = ada.post(f"/files/{file_id}", {}, page=f"/concerns/{reference}")
    text = seen_text(page.text)
    assert "Opening this file may harm your computer" in text
    assert "says it is a PDF, but is a program" in text
    assert opened(desk) == []
    answer = ada.post(f"/files/{file_id}", {"sure": "yes"}, page=f"/concerns/{reference}")
    assert answer.content == b"MZ\0\0"
    assert len(opened(desk)) == 1


@pytest.mark.parametrize(
    ("state", "words", "given"),
    [
        (ScanState.UNSCANNED, "Waits for the scan", False),
        (ScanState.COULD_NOT_SCAN, "Could not be scanned, tried again: away", False),
        (ScanState.INFECTED, "Infected: Eicar", False),
        (ScanState.CLEAN, "Scanned: nothing found", True),
    ],
)
def test_a_file_is_held_until_it_is_clean(
    guarded: tuple[App, Visitor], state: ScanState, words: str, given: bool
) -> None:
    """The page says why, and the door is shut as well."""
    app, ada = guarded
    reference, [file_id] = add_files(app, LETTER)
    if state is not ScanState.UNSCANNED:
        word = {ScanState.INFECTED: "Eicar", ScanState.COULD_NOT_SCAN: "away"}.get(state, "")
        with app.database.write() as session:
            note_scan(session, file_id, state, word, now=NOW)
    page = ada.get(f"/concerns/{reference}")
    assert words in seen_text(page)
    assert (f"/files/{file_id}" in page) is given
    answer = ada.post(f"/files/{file_id}", {"sure": "yes"}, page=f"/concerns/{reference}")
    assert (answer.content == b"%PDF-1.7") is given
    assert answer.status_code == (200 if given else 403)
    assert len(opened(app)) == given


def test_an_infected_file_stays_shut_without_a_scanner(desk: App, ada: Visitor) -> None:
    """Taking the setting away opens nothing that was found out."""
    reference, [file_id] = add_files(desk, LETTER)
    with desk.database.write() as session:
        note_scan(session, file_id, ScanState.INFECTED, "Eicar", now=NOW)
    assert ada.post(f"/files/{file_id}", {}, page=f"/concerns/{reference}").status_code == 403


def test_health_says_when_the_scanner_is_away(guarded: tuple[App, Visitor]) -> None:
    """And how many files wait for it."""
    app, ada = guarded
    add_files(app, LETTER)
    text = seen_text(ada.get("/health"))
    assert "Wrong Virus scanner: the scanner cannot be reached" in text
    assert "1 attached files are held back until they are scanned" in text


def test_a_file_that_is_not_there_is_not_found(ada: Visitor) -> None:
    """A page that says so."""
    assert ada.post("/files/nothing", {}, page="/by-hand").status_code == 404


def test_the_reasons_say_in_which_file_the_words_stand(desk: App, ada: Visitor) -> None:
    """The words of a file stand below the message, and are marked there."""
    from storage.tables import AssessmentRow

    reference = add_concern(desk, Sample(text=TEXT))
    start = TEXT.index("was given the wrong tablets")
    with desk.database.write() as session:
        row = session.scalars(select(AssessmentRow)).one()
        row.details = {**row.details, "files": [{"number": 1, "start": start, "end": len(TEXT)}]}
    text = seen_text(ada.get(f"/concerns/{reference}"))
    assert "wrong tablets twice Attached file 1 Rule" in text


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("letter.pdf", "letter.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a"b;c\r\nSet-Cookie: x.txt', "a_b;cSet-Cookie_ x.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("con.txt", "_con.txt"),
        ("...", "file-1"),
        ("", "file-1"),
        ("é" * 300 + ".docx", "é" * 115 + ".docx"),
        ("\u200bname .txt ", "name .txt"),
    ],
)
def test_names_are_made_safe(make_file: Callable[[str], KeptAttachment], name: str, safe: str) -> None:
    """No paths, no turned writing, no line ends, no name that Windows keeps for itself, no endless one."""
    assert safe_name(make_file(name)) == safe
    assert shown_file(make_file(name), has_scanner=False).name == safe


@pytest.fixture
def make_file(desk: App) -> Callable[[str], KeptAttachment]:
    """A kept file of a given name."""
    _, [file_id] = add_files(desk, LETTER)
    with desk.database.read() as session:
        file = attachment_by_id(session, desk.keys, file_id)
    return lambda name: replace(file, name=name)
