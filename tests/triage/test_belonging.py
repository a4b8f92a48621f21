"""The rules of what belongs together: each explains itself, and none is fooled by what looks alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.factories import NOW
from triage.belonging import (
    WHY_WORDS,
    Arrival,
    Candidate,
    Labelled,
    Why,
    are_close,
    references_in,
    subject_tag,
    tag_of,
    tokens_in,
    why_a_new_matter,
    why_it_may_belong,
    with_tag,
    without_tag,
)
from triage.vocabulary import AbuseType, Category, Decision, Severity, Theme

TOKEN = "abcdefghij234567klmn"
ARRIVAL = Arrival(at=NOW, provider_id="1-1", subject="Rose Court: cold dinners again")
FIRST = Candidate(
    "c1",
    "CC-2026-000001",
    "1-1",
    NOW - timedelta(days=3),
    same_sender=False,
    subjects=("Cold dinners at Rose Court",),
)
BEFORE = Labelled(Category.CARE_CONCERN, Severity.GREEN, frozenset({"nutrition"}), frozenset(), "1-1")


def decision(
    category: Category = Category.CARE_CONCERN,
    severity: Severity | None = Severity.GREEN,
    themes: tuple[Theme, ...] = (Theme.NUTRITION,),
    abuse_types: tuple[AbuseType, ...] = (),
) -> Decision:
    """A decision with these labels."""
    return Decision(category, severity, themes, abuse_types, False, (), (), ())


def test_a_token_comes_back_out_of_address_and_subject() -> None:
    """Whatever a mail program puts around them."""
    address = with_tag("care.concerns@council.example", TOKEN)
    assert tag_of(address) == TOKEN
    assert without_tag(address) == "care.concerns@council.example"
    subject = f"RE: SV: We have it {subject_tag('CC-2026-000001', TOKEN)} (urgent)"
    assert tokens_in([], subject) == [TOKEN]
    assert tokens_in([address.upper()], subject.upper()) == [TOKEN]


@pytest.mark.parametrize(
    "subject",
    [
        "CC-2026-000001",
        "[CC-2026-000001]",
        f"[{TOKEN}]",
        f"CC-2026-000001 {TOKEN}",
        f"[CC-2026-000001 {TOKEN}x]",
        f"[CC-2026-000001 {TOKEN[:-1]}]",
        "[CC-2026-000001 abcdefghij012345klmn]",
    ],
)
def test_what_is_no_whole_mark_of_ours_is_none(subject: str) -> None:
    """A reference alone least of all."""
    assert tokens_in(["care+news@council.example", "x", "", "+@", f"{TOKEN}@c.example"], subject) == []


def test_references_are_found_in_running_text() -> None:
    """Each once, the first few."""
    text = "As in cc-2026-000007, and (CC-2026-000007). Not CC-26-1. " + " ".join(
        f"CC-2026-{number:06d}" for number in range(100, 120)
    )
    assert references_in(text)[:2] == ["CC-2026-000007", "CC-2026-000100"]
    assert len(references_in(text)) == 5


@pytest.mark.parametrize(
    ("one", "other", "close"),
    [
        ("Re: Cold dinners at Rose Court", "Rose Court: cold dinners again", True),
        ("Cold dinners at Rose Court", "Missing tablets at Rose Court and the night shift", False),
        ("Urgent concern, please help", "Urgent concern, please help", False),
        ("", "", False),
        ("Dinner", "Dinner", False),
    ],
)
def test_subjects_are_close_by_the_words_that_say_something(one: str, other: str, close: bool) -> None:
    """Two at least, and half of all."""
    assert are_close(one, other) is close


def test_each_reason_speaks_for_itself() -> None:
    """And none speaks for what is old, but for a reference."""
    assert why_it_may_belong(ARRIVAL, FIRST, within_days=30) == (Why.SAME_SERVICE_AND_SUBJECT,)
    other_service = replace(FIRST, provider_id="1-2")
    assert why_it_may_belong(ARRIVAL, other_service, within_days=30) == ()
    assert why_it_may_belong(ARRIVAL, replace(other_service, same_sender=True), within_days=30) == (
        Why.SAME_SENDER,
    )
    old = replace(FIRST, same_sender=True, last_at=NOW - timedelta(days=31))
    assert why_it_may_belong(ARRIVAL, old, within_days=30) == ()
    quoting = replace(ARRIVAL, references=("CC-2026-000001",))
    assert why_it_may_belong(quoting, old, within_days=30) == (Why.QUOTES_REFERENCE,)
    assert why_it_may_belong(replace(ARRIVAL, provider_id=None), FIRST, within_days=30) == ()


def test_a_new_matter_is_another_service_or_something_graver() -> None:
    """More of the same is none, and neither is something milder."""
    assert why_a_new_matter(BEFORE, decision(), "1-1") == ()
    assert why_a_new_matter(BEFORE, decision(), "1-2") == (Why.OTHER_SERVICE,)
    assert why_a_new_matter(BEFORE, decision(severity=Severity.RED), None) == ()
    assert why_a_new_matter(BEFORE, decision(severity=Severity.RED, themes=(Theme.MEDICATION,)), None) == (
        Why.GRAVER_WITH_OTHER_THEMES,
    )
    assert why_a_new_matter(BEFORE, decision(themes=(Theme.MEDICATION,)), None) == ()
    grave = decision(Category.SAFEGUARDING, Severity.AMBER, abuse_types=(AbuseType.FINANCIAL,))
    assert why_a_new_matter(BEFORE, grave, "1-1") == (Why.GRAVER_ROUTE,)
    hit = replace(BEFORE, category=Category.SAFEGUARDING, abuse_types=frozenset({"physical"}))
    assert why_a_new_matter(hit, grave, None) == (Why.GRAVER_WITH_OTHER_ABUSE,)
    milder = decision(Category.NOT_A_CONCERN, None, themes=())
    assert why_a_new_matter(hit, milder, None) == ()


def test_every_reason_has_words() -> None:
    """A page would otherwise show the name of a rule."""
    assert set(WHY_WORDS) == set(Why)
