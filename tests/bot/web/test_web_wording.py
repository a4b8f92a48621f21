"""The desk's page for the wording of automatic answers."""

from __future__ import annotations

import pytest
from desk_samples import NOW, Visitor, seen_text
from sqlalchemy import select

from bot.answer_texts import DEFAULT
from bot.app import App
from storage.answer_texts import answer_texts
from storage.audit import MACHINE, Audit
from storage.people import let_word_answers
from storage.tables import AuditRow, LeadRow
from triage.vocabulary import Category

PATH = "/answers/safeguarding"
OWN = {
    "subject": "Thank you ({reference})",
    "body": "Dear writer, {reference}.\r\n\r\n{emergency}",
    "seen": "0",
}


@pytest.fixture
def wording_ada(desk: App, ada: Visitor) -> Visitor:
    """A lead who may change the wording."""
    with desk.database.write() as session:
        row = session.scalars(select(LeadRow).where(LeadRow.email == "ada@council.example")).one()
        let_word_answers(session, row, may=True, audit=Audit(at=NOW, actor=MACHINE, action="given"))
    return ada


def versions(app: App) -> list[tuple[int, str, bool]]:
    """Number, body and whether it is the default, of each version for safeguarding."""
    with app.database.read() as session:
        return [
            (row.version, row.body, row.is_default) for row in answer_texts(session, Category.SAFEGUARDING)
        ]


def test_every_category_has_the_default_until_somebody_changes_it(ada: Visitor) -> None:
    """And the page shows it as it is sent."""
    assert seen_text(ada.get("/answers")).count("The default") == len(Category)
    text = seen_text(ada.get(PATH))
    assert "The default text is in force" in text
    assert "We have received your message (CC-2026-000123)" in text


def test_a_lead_without_the_right_reads_and_changes_nothing(desk: App, ada: Visitor) -> None:
    """There is no form, and sending one is refused."""
    assert "ask whoever runs the program" in seen_text(ada.get(PATH))
    assert 'name="body"' not in ada.get(PATH)
    for do in ("save", "default", "preview"):
        assert ada.post(PATH, OWN | {"do": do}, page="/by-hand").status_code == 403
    assert versions(desk) == []


def test_a_preview_shows_what_would_be_sent_and_saves_nothing(desk: App, wording_ada: Visitor) -> None:
    """Placeholders filled, and a warning where it tells what the matter is."""
    answer = wording_ada.post(PATH, OWN | {"do": "preview", "subject": "Your safeguarding report"}, page=PATH)
    text = seen_text(answer.text)
    assert "nothing is saved yet" in text
    assert "Dear writer, CC-2026-000123." in text
    assert "learns what the matter is: safeguarding" in text
    assert versions(desk) == []


def test_a_saved_text_is_in_force_and_every_version_is_kept_with_who_and_when(
    desk: App, wording_ada: Visitor
) -> None:
    """Back to the default is a version too."""
    saved = wording_ada.post(PATH, OWN | {"do": "save"}, page=PATH)
    assert "Version 1 is in force" in seen_text(saved.text)
    again = wording_ada.post(PATH, OWN | {"do": "default", "seen": "1"}, page=PATH)
    text = seen_text(again.text)
    assert "The default text is in force" in text
    assert "Version 1: Ada" in text
    assert "Version 2, the default: Ada" in text
    assert [(number, is_default) for number, _, is_default in versions(desk)] == [(2, True), (1, False)]
    assert versions(desk)[1][1] == "Dear writer, {reference}.\n\n{emergency}"
    with desk.database.read() as session:
        entries = session.scalars(select(AuditRow).where(AuditRow.action == "answer_reworded")).all()
    assert [entry.subject for entry in entries] == ["answer:safeguarding"] * 2
    assert all(entry.actor != MACHINE for entry in entries)


def test_a_text_that_would_not_do_is_shown_again_with_what_is_wrong(desk: App, wording_ada: Visitor) -> None:
    """Nothing that was written is lost, and nothing is saved."""
    answer = wording_ada.post(PATH, OWN | {"do": "save", "body": "{sender_text} <b>x</b>"}, page=PATH)
    assert answer.status_code == 422
    assert "{sender_text} cannot be used here" in seen_text(answer.text)
    assert "&lt;b&gt;x&lt;/b&gt;" in answer.text
    assert versions(desk) == []


def test_two_who_write_at_once_do_not_overwrite_each_other(desk: App, wording_ada: Visitor) -> None:
    """The second is told, with their text kept on the page."""
    wording_ada.post(PATH, OWN | {"do": "save"}, page=PATH)
    answer = wording_ada.post(PATH, OWN | {"do": "save", "body": "Mine. {reference} {emergency}"}, page=PATH)
    assert answer.status_code == 409
    assert "Somebody else changed this text" in seen_text(answer.text)
    assert "Mine. {reference}" in answer.text
    assert len(versions(desk)) == 1


def test_an_unknown_category_is_not_found(ada: Visitor) -> None:
    """Nor is one that is made up."""
    assert ada.http.get("/answers/nonsense").status_code == 404
    assert DEFAULT.body
