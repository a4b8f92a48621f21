"""Concerns: references that are never given twice, an order that helps, a history that is never changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select

from bot.app import App
from storage.concerns import (
    ConcernFilter,
    NoSuchConcern,
    add_assessment,
    assessments_of,
    concern_by_id,
    concern_by_reference,
    count_concerns,
    list_concerns,
    next_reference,
)
from storage.tables import AssessmentRow, AuditRow, ConcernRow
from tests.factories import NOW, assessment, concern, email_bytes, message_ids, triaged
from tests.quick_predictors import prediction
from triage.decide import decide
from triage.lifecycle import ConcernState
from triage.vocabulary import Category, Severity

THREADS = 8
EACH = 6


def test_references_are_unique_and_without_gaps_under_eight_threads(either_app: App) -> None:
    """Also for the first messages of a year, which no row counts yet."""
    together = Barrier(THREADS)

    def take(_number: int) -> list[str]:
        together.wait()
        taken = []
        for _ in range(EACH):
            with either_app.database.write() as session:
                taken.append(next_reference(session, 2027))
        return taken

    with ThreadPoolExecutor(THREADS) as threads:
        references = [reference for taken in threads.map(take, range(THREADS)) for reference in taken]
    assert sorted(references) == [f"CC-2027-{number:06d}" for number in range(1, THREADS * EACH + 1)]


def test_the_number_of_a_failed_write_is_used_again(app: App) -> None:
    """People ask after a missing number."""
    with app.database.write() as session:
        next_reference(session, 2026)
        session.rollback()
    with app.database.write() as session:
        assert next_reference(session, 2026) == "CC-2026-000001"


def test_each_year_counts_from_one(app: App) -> None:
    """The reference says its year."""
    with app.database.write() as session:
        assert [next_reference(session, year) for year in (2026, 2027, 2026)] == [
            "CC-2026-000001",
            "CC-2027-000001",
            "CC-2026-000002",
        ]


def test_a_concern_its_assessment_and_its_audit_entry_land_together(app: App) -> None:
    """When the audit entry cannot be written, nothing is."""
    opened = triaged(app)
    with app.database.read() as session:
        [stored] = assessments_of(session, opened.id)
        actions = list(session.scalars(select(AuditRow.action).order_by(AuditRow.number)))
    assert stored.version == 1
    assert stored.details["category_probabilities"].keys() == set(Category)
    assert actions == ["received", "opened", "triaged", "acknowledgement_decided"]

    from storage.audit import MACHINE, Audit
    from storage.concerns import open_concern
    from storage.tables import MessageRow

    said = assessment()
    unstorable = Audit(at=NOW, actor=MACHINE, action="opened", details={"not": object()})
    with pytest.raises(Exception, match="JSON"), app.database.write() as session:
        row = session.scalars(select(MessageRow)).one()
        open_concern(session, row, said, decide(said), due_at=None, audit=unstorable)
    with app.database.read() as session:
        assert session.scalar(select(func.count()).select_from(ConcernRow)) == 1
        assert session.scalar(select(func.count()).select_from(AssessmentRow)) == 1


def test_a_second_assessment_is_added_and_the_first_one_stays(app: App) -> None:
    """Every version is kept."""
    opened = triaged(app)
    [message_id] = message_ids(app, opened.id)
    again = assessment(prediction(Category.SAFEGUARDING, Severity.RED, version="quick-2"))
    with app.database.write() as session:
        add_assessment(session, concern_by_id(session, opened.id), message_id, again, decide(again), NOW)
    with app.database.read() as session:
        rows = assessments_of(session, opened.id)
    assert [(row.version, row.model_version, row.category) for row in rows] == [
        (2, "quick-2", "safeguarding"),
        (1, "quick-1", "care_concern"),
    ]


def test_a_concern_is_found_by_its_reference_however_it_is_typed(app: App) -> None:
    """And a wrong one is refused by name."""
    opened = concern(app)
    with app.database.read() as session:
        assert concern_by_reference(session, f" {opened.reference.lower()} ").id == opened.id
        with pytest.raises(NoSuchConcern, match="CC-2026-999999"):
            concern_by_reference(session, "CC-2026-999999")
        with pytest.raises(NoSuchConcern):
            concern_by_id(session, "nothing")


def test_the_list_begins_with_what_waits_reds_first_then_by_due_time(either_app: App) -> None:
    """What is reviewed comes last, however red."""
    later = NOW + timedelta(days=2)
    made = {
        "reviewed red": concern(
            either_app, severity=Severity.RED, due_at=NOW, state=ConcernState.REVIEWED.value
        ),
        "green": concern(either_app, severity=Severity.GREEN, due_at=NOW),
        "nothing": concern(either_app, category=Category.NOT_A_CONCERN, severity=None, due_at=NOW),
        "red later": concern(either_app, severity=Severity.RED, due_at=later),
        "amber": concern(either_app, severity=Severity.AMBER, due_at=NOW),
        "red": concern(either_app, severity=Severity.RED, due_at=NOW),
    }
    with either_app.database.read() as session:
        order = [row.id for row in list_concerns(session, ConcernFilter())]
    names = {row.id: name for name, row in made.items()}
    assert [names[concern_id] for concern_id in order] == [
        "red",
        "red later",
        "amber",
        "green",
        "nothing",
        "reviewed red",
    ]


def test_every_filter_narrows_the_list_and_the_count_alike(either_app: App) -> None:
    """Alone and together."""
    red = concern(
        either_app, category=Category.SAFEGUARDING, severity=Severity.RED, due_at=NOW, needs_review=True
    )
    green = concern(either_app, opened_at=NOW + timedelta(days=1), due_at=NOW + timedelta(days=8))
    cases = {
        ConcernFilter(category=Category.SAFEGUARDING): {red.id},
        ConcernFilter(severity=Severity.GREEN): {green.id},
        ConcernFilter(severity=Severity.AMBER): set(),
        ConcernFilter(state=ConcernState.NEW): {red.id, green.id},
        ConcernFilter(needs_review=True): {red.id},
        ConcernFilter(overdue_at=NOW + timedelta(hours=1)): {red.id},
        ConcernFilter(opened_from=NOW + timedelta(hours=1)): {green.id},
        ConcernFilter(opened_before=NOW + timedelta(hours=1)): {red.id},
        ConcernFilter(categories=("care_concern", "referral")): {green.id},
        ConcernFilter(words=red.reference[-3:]): {red.id},
        ConcernFilter(category=Category.SAFEGUARDING, severity=Severity.GREEN): set(),
    }
    with either_app.database.read() as session:
        for wanted, expected in cases.items():
            assert {row.id for row in list_concerns(session, wanted)} == expected, wanted
            assert count_concerns(session, wanted) == len(expected), wanted


@pytest.mark.parametrize("words", ["CARPET", "stain on", "rose court"])
def test_words_are_found_in_subject_and_text_without_regard_to_case(either_app: App, words: str) -> None:
    """On both databases alike."""
    opened = triaged(either_app)
    triaged(either_app, email_bytes("The garden gate squeaks.", subject="gate"), mail_from="b@b.example")
    with either_app.database.read() as session:
        found = list_concerns(session, ConcernFilter(words=words))
    assert [row.id for row in found] == [opened.id]


@pytest.mark.parametrize("words", ["%", "_", "100%", "\\"])
def test_signs_of_the_query_language_are_searched_for_as_they_are(either_app: App, words: str) -> None:
    """They find what holds them, not everything."""
    triaged(either_app)
    with either_app.database.read() as session:
        assert list_concerns(session, ConcernFilter(words=words)) == []
