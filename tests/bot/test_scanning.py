"""Attached files and the virus scanner: a real ClamAV daemon with one signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.app import App
from bot.background import unfinished
from bot.scanning import (
    Clamd,
    ClamdAway,
    ask_for_due_scans,
    check_scanner,
    is_held,
    scan_file,
)
from storage.attachments import KeptAttachment, ScanState, attachments_of, scan_figures
from tests.bot.email_bytes import attached, multipart, part
from tests.clamav import EICAR, ClamdServer
from tests.factories import NOW, message_ids, triaged

LATER = NOW + timedelta(hours=2)


@pytest.fixture(scope="module")
def clamd() -> Iterator[ClamdServer]:
    """The running daemon."""
    server = ClamdServer().start()
    yield server
    server.close()


def guarded(app: App, address: str) -> App:
    """The App with that scanner."""
    return replace(app, settings=app.settings.model_copy(update={"clamd_address": address}))


def mail(content: bytes) -> bytes:
    """A mail with a file."""
    return multipart("mixed", part("See attached."), attached(content, "application/zip", "a.zip"))


def file_of(app: App, content: bytes) -> KeptAttachment:
    """The file of a mail that went the whole way."""
    return again(app, triaged(app, mail(content)).id)


def again(app: App, concern_id: str) -> KeptAttachment:
    """The file as it now stands."""
    with app.database.read() as session:
        [file] = attachments_of(session, app.keys, message_ids(app, concern_id))
    return file


def scanned(app: App, file: KeptAttachment, *, now: datetime = NOW) -> KeptAttachment:
    """The file after the job that scans it."""
    scan_file(app, file.attachment_id, clock=lambda: now)
    with app.database.read() as session:
        [file] = attachments_of(session, app.keys, [file.message_id])
    return file


def test_a_file_is_held_until_the_scanner_says_that_it_is_clean(app: App, clamd: ClamdServer) -> None:
    """Its scan is asked for with the message's own transaction."""
    app = guarded(app, clamd.address)
    file = file_of(app, b"PK harmless")
    assert is_held(file, has_scanner=True)
    assert unfinished(app.database)["ENQUEUED"] == 2
    file = scanned(app, file)
    assert (file.scan_state, file.scanned_at) == (ScanState.CLEAN, NOW)
    assert not is_held(file, has_scanner=True)


def test_an_infected_file_is_kept_and_never_opened(app: App, clamd: ClamdServer) -> None:
    """Not even when the scanner is taken away; the mail itself is on the desk."""
    app = guarded(app, clamd.address)
    file = scanned(app, file_of(app, EICAR))
    assert file.scan_state is ScanState.INFECTED
    assert "Eicar-Test" in file.scan_word
    assert file.state == "kept"
    assert is_held(file, has_scanner=True)
    assert is_held(file, has_scanner=False)


def test_a_scanner_that_is_away_is_asked_again_when_it_is_back(app: App) -> None:
    """The file stays held, says why, and the clock brings the next attempt."""
    server = ClamdServer()
    app = guarded(app, server.address)
    file = scanned(app, file_of(app, b"PK harmless"))
    assert file.scan_state is ScanState.COULD_NOT_SCAN
    assert "cannot be reached" in file.scan_word
    assert is_held(file, has_scanner=True)
    with app.database.read() as session:
        findings = list(check_scanner(app.settings, scan_figures(session)))
    assert [well for well, _ in findings] == [False, False]
    waiting = unfinished(app.database)["ENQUEUED"]
    ask_for_due_scans(app, NOW)
    assert unfinished(app.database)["ENQUEUED"] == waiting
    for _ in range(2):
        ask_for_due_scans(app, LATER)
        assert unfinished(app.database)["ENQUEUED"] == waiting + 1
    server.start()
    try:
        assert scanned(app, file, now=LATER).scan_state is ScanState.CLEAN
        with app.database.read() as session:
            findings = list(check_scanner(app.settings, scan_figures(session)))
    finally:
        server.close()
    assert [well for well, _ in findings] == [True, True]
    assert "last verdict 2026-11-20 12:30" in findings[0][1]


def test_files_from_before_there_was_a_scanner_are_scanned(app: App, clamd: ClamdServer) -> None:
    """And held from the moment that it is set."""
    file = file_of(app, EICAR)
    assert not is_held(file, has_scanner=False)
    before = unfinished(app.database)["ENQUEUED"]
    ask_for_due_scans(app, LATER)
    assert unfinished(app.database)["ENQUEUED"] == before
    app = guarded(app, clamd.address)
    ask_for_due_scans(app, LATER)
    assert unfinished(app.database)["ENQUEUED"] == before + 1
    assert scanned(app, file).scan_state is ScanState.INFECTED


def test_what_is_larger_than_the_scanner_takes_is_held_and_says_so(app: App) -> None:
    """No verdict is no clean verdict."""
    server = ClamdServer(most_bytes=100_000).start()
    try:
        file = scanned(guarded(app, server.address), file_of(app, b"PK" + bytes(3_000_000)))
    finally:
        server.close()
    assert (file.scan_state, file.scan_word) == (
        ScanState.COULD_NOT_SCAN,
        "it is larger than the scanner takes",
    )


def test_a_scanner_over_the_network_is_reached_by_host_and_port() -> None:
    """Nobody listens there: that is said, and nothing else."""
    with pytest.raises(ClamdAway, match="cannot be reached: ConnectionRefusedError"):
        Clamd("127.0.0.1:9").scan(b"x")


def test_the_scanner_says_what_it_is(clamd: ClamdServer) -> None:
    """For doctor."""
    assert Clamd(clamd.address).version().startswith("ClamAV")
