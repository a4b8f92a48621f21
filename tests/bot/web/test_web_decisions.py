"""What a person decides: kept with the first guess, checked against the guide, never over another's head."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from desk_samples import BRIGHTWAY, LARCH, Sample, Visitor, add_concern, seen_text

from bot.app import App
from storage.concerns import assessments_of, concern_by_reference, history_of
from storage.tables import ConcernRow, CorrectionRow
from triage.vocabulary import Category, Severity, Theme

RIGHT: dict[str, Any] = {
    "seen": "0-new",
    "category": "safeguarding",
    "severity": "red",
    "themes": ["medication", "health_access"],
    "abuse_types": ["neglect"],
    "provider": LARCH.provider_id,
    "note": "The hospital called.",
}


def _send(
    visitor: Visitor, reference: str, changes: dict[str, Any], *, to: str = "correct"
) -> httpx.Response:
    page = f"/concerns/{reference}"
    return visitor.post(f"{page}/{to}", {**RIGHT, **changes}, page=page)


def _stored(app: App, reference: str) -> tuple[ConcernRow, list[CorrectionRow]]:
    with app.database.read() as session:
        concern = concern_by_reference(session, reference)
        return concern, history_of(session, concern.id)[1]


def test_one_press_confirms_labels_and_service(desk: App, ada: Visitor) -> None:
    """The labels stay, and now they are a person's, with name and time."""
    reference = add_concern(desk)
    answer = ada.post(f"/concerns/{reference}/confirm", {"seen": "0-new"}, page=f"/concerns/{reference}")
    text = seen_text(answer.text)
    assert f"You confirmed the labels of {reference}" in text
    assert re.search(r"Labels by ?Ada Lead, \d", text)
    assert "Larch House, confirmed" in text
    concern, corrections = _stored(desk, reference)
    assert concern.state == "reviewed"
    assert not concern.needs_review
    assert [row.kind for row in corrections] == ["confirmed"]


def test_a_correction_keeps_the_first_guess(desk: App, ada: Visitor) -> None:
    """The new labels stand; the machine's stay in the assessment, the correction and the history."""
    reference = add_concern(desk)
    text = seen_text(_send(ada, reference, {"themes": ["medication"]}).text)
    assert f"You corrected the labels of {reference}" in text
    assert "Severity: amber became red" in text
    assert "Themes: medication, health access became medication" in text
    assert "Note: The hospital called." in text
    assert "Its first guess is: safeguarding, amber" in text
    concern, corrections = _stored(desk, reference)
    assert (concern.category, concern.severity, concern.themes) == ("safeguarding", "red", ["medication"])
    assert corrections[0].before["severity"] == "amber"
    with desk.database.read() as session:
        assert assessments_of(session, concern.id)[0].severity == "amber"


def test_a_correction_moves_the_time_to_look(desk: App, ada: Visitor) -> None:
    """The due time follows the severity that a person gave, by the rule of the guide."""
    reference = add_concern(desk, Sample(severity=Severity.RED))
    before, _ = _stored(desk, reference)
    _send(ada, reference, {"severity": "green"})
    after, _ = _stored(desk, reference)
    assert before.due_at is not None
    assert after.due_at is not None
    assert (after.due_at - after.opened_at).days >= 4


def test_what_is_not_a_concern_loses_severity_and_themes(desk: App, ada: Visitor) -> None:
    """As the form says: severity and themes are left out with that category."""
    reference = add_concern(desk)
    _send(ada, reference, {"category": "not_a_concern", "abuse_types": [], "provider": "none"})
    concern, _ = _stored(desk, reference)
    assert (concern.category, concern.severity, concern.themes) == ("not_a_concern", None, [])
    assert concern.provider_id is None
    assert concern.provider_confirmed


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"category": ""}, "category", "Select a category"),
        ({"category": "nonsense"}, "category", "Select a category"),
        ({"severity": "none"}, "severity", "Select red, amber or green"),
        ({"severity": "purple"}, "severity", "Select red, amber or green"),
        ({"themes": [theme.value for theme in list(Theme)[:5]]}, "themes", "Select no more than 4 themes"),
        ({"themes": ["nonsense"]}, "themes", "Select themes from the list"),
        (
            {"abuse_types": ["neglect", "physical", "sexual", "financial"]},
            "abuse_types",
            "Select no more than 3 types of abuse",
        ),
        ({"category": "care_concern"}, "abuse_types", "Types of abuse go with safeguarding only"),
        ({"provider": ""}, "provider", "Select a service, or say that there is none"),
        ({"provider": "1-404"}, "provider", "Select a provider that is in the register"),
        ({"note": "x" * 2001}, "note", "The note must be 2000 characters or fewer"),
    ],
)
def test_a_wrong_form_says_what_to_do_and_keeps_its_values(
    desk: App, ada: Visitor, changes: dict[str, Any], field: str, words: str
) -> None:
    """The error stands in the summary with a link to the field, nothing is saved, nothing typed is lost."""
    reference = add_concern(desk)
    answer = _send(ada, reference, {"note": "Do not lose this", **changes})
    assert answer.status_code == 422
    assert re.search(rf'<a href="#{field}">{re.escape(words)}', answer.text)
    assert f'id="{field}"' in answer.text
    assert answer.text.count(words) >= 2
    assert "Error: " in answer.text[: answer.text.index("</title>")]
    assert ("x" * 2001 if field == "note" else "Do not lose this") in answer.text
    if field not in ("severity", "category"):
        assert re.search(r'value="red"\s+checked', answer.text)
    concern, corrections = _stored(desk, reference)
    assert (concern.state, corrections) == ("new", [])


def test_the_second_of_two_people_is_told(desk: App, ada: Visitor, grace: Visitor) -> None:
    """Both open the page, one decides, the other's press saves nothing and keeps what they chose."""
    reference = add_concern(desk)
    ada.get(f"/concerns/{reference}")
    ada.post(f"/concerns/{reference}/confirm", {"seen": "0-new"}, page=f"/concerns/{reference}")
    answer = _send(grace, reference, {"severity": "green", "note": "My own view"})
    assert answer.status_code == 409
    assert "Somebody else decided while you had this page open" in answer.text
    assert "My own view" in answer.text
    assert re.search(r'value="green"\s+checked', answer.text)
    concern, corrections = _stored(desk, reference)
    assert (concern.severity, len(corrections)) == ("amber", 1)
    confirmed = grace.post(f"/concerns/{reference}/confirm", {"seen": "0-new"}, page=f"/concerns/{reference}")
    assert confirmed.status_code == 409


def test_after_being_told_the_second_can_still_decide(desk: App, ada: Visitor, grace: Visitor) -> None:
    """The page with the warning carries the new state, so that sending it again counts."""
    reference = add_concern(desk)
    ada.post(f"/concerns/{reference}/confirm", {"seen": "0-new"}, page=f"/concerns/{reference}")
    told = _send(grace, reference, {"severity": "green"})
    assert 'name="seen" value="1-reviewed"' in told.text
    assert _send(grace, reference, {"severity": "green", "seen": "1-reviewed"}).status_code == 200
    concern, corrections = _stored(desk, reference)
    assert concern.severity == "green"
    assert len({row.lead_id for row in corrections}) == 2


def test_another_service_is_found_without_saving_anything(desk: App, ada: Visitor) -> None:
    """Find offers services of the register by name, keeps the rest of the form, and saves nothing."""
    reference = add_concern(desk, Sample(provider=None))
    answer = _send(ada, reference, {"do": "find", "search": "brightway wexley", "provider": ""})
    assert answer.status_code == 200
    assert BRIGHTWAY.provider_id in answer.text
    assert "1 service found" in seen_text(answer.text)
    assert "The hospital called." in answer.text
    assert _stored(desk, reference)[1] == []
    _send(ada, reference, {"provider": BRIGHTWAY.provider_id})
    assert _stored(desk, reference)[0].provider_id == BRIGHTWAY.provider_id


def test_finding_without_words_asks_for_them(desk: App, ada: Visitor) -> None:
    """An empty search says what to enter."""
    answer = _send(ada, add_concern(desk), {"do": "find", "search": " "})
    assert '<a href="#search">Enter a name, town or postcode' in answer.text


def test_a_reviewed_concern_is_closed_and_opened_again(desk: App, ada: Visitor) -> None:
    """Each move is offered when it is allowed, and stands in the history with who did it."""
    reference = add_concern(desk)
    page = f"/concerns/{reference}"
    assert "Close the concern" not in ada.get(page)
    ada.post(f"{page}/confirm", {"seen": "0-new"}, page=page)
    closed = ada.post(f"{page}/move", {"seen": "1-reviewed", "to": "closed"}, page=page)
    assert "Open the concern again" in closed.text
    assert "Correct the labels" not in seen_text(closed.text)
    opened = seen_text(ada.post(f"{page}/move", {"seen": "1-closed", "to": "reviewed"}, page=page).text)
    assert re.search(r"Ada Lead ?Closed the concern", opened)
    assert re.search(r"Ada Lead ?Opened the concern again", opened)


@pytest.mark.parametrize(("to", "code"), [("closed", 409), ("reviewed", 409), ("new", 422), ("", 422)])
def test_a_move_that_is_not_allowed_is_refused(desk: App, ada: Visitor, to: str, code: int) -> None:
    """A concern that nobody decided about cannot be closed, whatever is sent."""
    reference = add_concern(desk)
    if to == "reviewed":
        ada.post(f"/concerns/{reference}/confirm", {"seen": "0-new"}, page=f"/concerns/{reference}")
    answer = _send(
        ada, reference, {"to": to, "seen": "1-reviewed" if to == "reviewed" else "0-new"}, to="move"
    )
    assert answer.status_code == code
    assert _stored(desk, reference)[0].state in ("new", "reviewed")


def test_a_closed_concern_is_not_decided_about(desk: App, ada: Visitor) -> None:
    """A form that was open while a colleague closed the concern changes nothing."""
    reference = add_concern(desk)
    page = f"/concerns/{reference}"
    ada.post(f"{page}/confirm", {"seen": "0-new"}, page=page)
    ada.post(f"{page}/move", {"seen": "1-reviewed", "to": "closed"}, page=page)
    for seen in ("1-reviewed", "1-closed"):
        assert ada.post(f"{page}/confirm", {"seen": seen}, page="/").status_code == 409
        assert ada.post(f"{page}/correct", {**RIGHT, "seen": seen}, page="/").status_code == 409
    assert _stored(desk, reference)[0].state == "closed"


def test_a_note_is_shown_and_inert(desk: App, ada: Visitor) -> None:
    """A colleague's note is text."""
    reference = add_concern(desk)
    answer = _send(ada, reference, {"note": "<script>alert(1)</script>"})
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_every_category_can_be_given(desk: App, ada: Visitor) -> None:
    """The form offers the four routes of the guide."""
    page = ada.get(f"/concerns/{add_concern(desk)}")
    for category in Category:
        assert f'name="category" type="radio" value="{category.value}"' in page
