"""What people decide: held to the coding guide, append-only, with the machine's first guess kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.app import App
from storage.audit import Audit
from storage.concerns import assessments_of, concern_by_id, history_of
from storage.corrections import Labels, corrections_since, decide, labels_of, move
from storage.tables import CorrectionRow, LeadRow
from tests.factories import NOW, concern, lead
from triage.errors import BadInput
from triage.lifecycle import CONCERN_MOVES, ConcernState, MoveRefused
from triage.vocabulary import AbuseType, Category, Severity, Theme

RED = Labels(
    category=Category.SAFEGUARDING,
    severity=Severity.RED,
    themes=(Theme.STAFF_CONDUCT,),
    abuse_types=(AbuseType.PHYSICAL,),
    provider_id=None,
)


@pytest.fixture
def ada(app: App) -> LeadRow:
    """A lead who decides."""
    return lead(app)


def decide_so(app: App, concern_id: str, labels: Labels, ada: LeadRow, **more: Any) -> CorrectionRow:
    """The lead decides."""
    with app.database.write() as session:
        return decide(
            session,
            concern_by_id(session, concern_id),
            labels,
            lead_id=ada.id,
            now=NOW + timedelta(hours=1),
            due_at=NOW + timedelta(hours=6),
            **more,
        )


def test_a_correction_changes_the_labels_and_keeps_the_machines_first_guess(app: App, ada: LeadRow) -> None:
    """Before and after are both there, and the assessment is untouched."""
    opened = concern(app, needs_review=True)
    correction = decide_so(app, opened.id, RED, ada, note="seen by phone")
    assert correction.kind == "corrected"
    assert (correction.before["category"], correction.before["severity"]) == ("care_concern", "green")
    assert (correction.after["category"], correction.after["severity"]) == ("safeguarding", "red")
    with app.database.read() as session:
        stands = concern_by_id(session, opened.id)
        [assessment] = assessments_of(session, opened.id)
        entries, corrections = history_of(session, opened.id)
    assert labels_of(stands) == RED
    assert (stands.state, stands.needs_review, stands.reviewed_by) == ("reviewed", False, ada.id)
    assert stands.due_at == NOW + timedelta(hours=6)
    assert (assessment.category, assessment.severity) == ("care_concern", "green")
    assert [entry.action for entry in entries] == ["opened", "corrected"]
    assert entries[-1].actor == ada.id
    assert [row.note for row in corrections] == ["seen by phone"]


def test_the_same_labels_are_a_confirmation(app: App, ada: LeadRow) -> None:
    """Which is worth knowing too."""
    opened = concern(app)
    assert decide_so(app, opened.id, labels_of(opened), ada).kind == "confirmed"


def test_a_second_correction_is_added_to_the_first(app: App, ada: LeadRow) -> None:
    """Nothing is written over."""
    opened = concern(app)
    before = labels_of(opened)
    decide_so(app, opened.id, RED, ada)
    decide_so(app, opened.id, before, ada)
    with app.database.read() as session:
        _, corrections = history_of(session, opened.id)
        assert len(corrections_since(session, NOW)) == 2
        assert corrections_since(session, NOW + timedelta(hours=2)) == []
    assert [row.after["category"] for row in corrections] == ["safeguarding", "care_concern"]
    assert corrections[0].before["category"] == "care_concern"


def test_a_decision_and_its_audit_entry_land_together_or_not_at_all(app: App, ada: LeadRow) -> None:
    """A lead who does not exist cannot decide, and nothing is changed."""
    opened = concern(app)
    ada.id = "nobody"
    with pytest.raises(Exception, match="FOREIGN KEY"):
        decide_so(app, opened.id, RED, ada)
    with app.database.read() as session:
        assert concern_by_id(session, opened.id).category == "care_concern"
        assert session.scalar(select(func.count()).select_from(CorrectionRow)) == 0
        entries, _ = history_of(session, opened.id)
    assert [entry.action for entry in entries] == ["opened"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"severity": None}, "Select red, amber or green"),
        ({"category": Category.NOT_A_CONCERN, "abuse_types": ()}, "no severity and no themes"),
        (
            {"category": Category.NOT_A_CONCERN, "abuse_types": (), "severity": None},
            "no severity and no themes",
        ),
        ({"category": Category.CARE_CONCERN}, "safeguarding only"),
        ({"category": Category.REFERRAL}, "safeguarding only"),
        ({"themes": tuple(Theme)[:5]}, "no more than 4 themes"),
        ({"abuse_types": tuple(AbuseType)[:4]}, "no more than 3 types"),
    ],
    ids=[
        "concern-without-severity",
        "severity-on-no-concern",
        "themes-on-no-concern",
        "abuse-on-care",
        "abuse-on-referral",
        "five-themes",
        "four-types",
    ],
)
def test_labels_that_break_the_guide_are_refused_in_a_sentence(
    changes: dict[str, Any], sentence: str
) -> None:
    """Sections 1, 2, 4 and 5."""
    from dataclasses import asdict

    with pytest.raises(BadInput, match=sentence):
        Labels(**(asdict(RED) | changes))


def test_a_provider_that_is_not_in_the_register_is_refused(app: App, ada: LeadRow) -> None:
    """With nothing changed."""
    opened = concern(app)
    wrong = Labels(Category.CARE_CONCERN, Severity.GREEN, (), (), "1-999")
    with pytest.raises(BadInput, match="in the register"):
        decide_so(app, opened.id, wrong, ada)


@pytest.mark.parametrize("after", list(ConcernState))
@pytest.mark.parametrize("before", list(ConcernState))
def test_a_concern_moves_only_by_the_table(
    app: App, ada: LeadRow, before: ConcernState, after: ConcernState
) -> None:
    """Every pair of states."""
    opened = concern(app, state=before.value)
    audit = Audit(at=NOW, actor=ada.id, action="moved")
    allowed = after in CONCERN_MOVES[before]
    with app.database.write() as session:
        row = concern_by_id(session, opened.id)
        if allowed:
            move(session, row, after, audit=audit)
        else:
            with pytest.raises(MoveRefused):
                move(session, row, after, audit=audit)
    with app.database.read() as session:
        assert concern_by_id(session, opened.id).state == (after if allowed else before)
        entries, _ = history_of(session, opened.id)
    assert ("moved" in [entry.action for entry in entries]) is allowed
