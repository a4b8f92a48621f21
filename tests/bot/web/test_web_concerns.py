"""The list of concerns: what waits first, nothing hidden, narrowed as asked."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from desk_samples import BRIGHTWAY, LARCH, NOW, Sample, Visitor, add_concern, add_set_aside, seen_text

from bot.app import App
from storage.messages import Received, keep
from storage.people import active_leads
from triage.vocabulary import Category, Channel, Severity


def _references(page: str) -> list[str]:
    table = page.partition("<tbody")[2]
    return re.findall(r">(CC-\d{4}-\d{6})<", table)


def test_the_most_urgent_stand_first(desk: App, ada: Visitor) -> None:
    """Reds before ambers before greens, what is due first before what is due later."""
    green = add_concern(desk, Sample(severity=Severity.GREEN))
    late = add_concern(desk, Sample(severity=Severity.RED, due_at=NOW + timedelta(days=2)))
    soon = add_concern(desk, Sample(severity=Severity.RED, due_at=NOW + timedelta(days=1)))
    amber = add_concern(desk, Sample(severity=Severity.AMBER))
    assert _references(ada.get("/")) == [soon, late, amber, green]


def test_a_row_says_all_that_a_lead_needs_to_choose(desk: App, ada: Visitor) -> None:
    """Reference, category, severity in words, themes, service and whether it is sure, times, state, overdue."""
    reference = add_concern(desk, Sample(due_at=NOW - timedelta(hours=1)))
    text = seen_text(ada.get("/"))
    row = text[text.index(reference) :]
    for words in (
        "Amber",
        "Safeguarding",
        "medication, health access",
        "Larch House",
        "suggested",
        "Overdue",
        "Needs review",
        "Waiting",
    ):
        assert words in row
    assert re.search(r"\d{1,2} \w+ \d{4}, \d{1,2}:\d\d(am|pm)", row)


def test_a_service_that_is_only_named_is_shown_as_named(desk: App, ada: Visitor) -> None:
    """Words that fit no service of the register are not dropped."""
    add_concern(desk, Sample(provider=None, mention="the home on Mill Road"))
    assert "named: the home on Mill Road" in seen_text(ada.get("/"))


def test_what_is_not_on_the_list_is_said_above_it(desk: App, ada: Visitor) -> None:
    """Messages that wait for the machine and messages that could not be read are counted on the page."""
    add_set_aside(desk)
    with desk.database.write() as session:
        waiting = [
            Received(raw=b"x%d" % number, channel=Channel.EMAIL, received_at=NOW) for number in range(2)
        ]
        keep(session, desk.keys, waiting)
    text = seen_text(ada.get("/"))
    assert "2 messages are waiting to be read by the machine" in text
    assert "1 message could not be read" in text


def test_each_view_says_how_many_it_holds(desk: App, ada: Visitor) -> None:
    """The counts of the views are those of the lists behind them."""
    add_concern(desk, Sample(severity=Severity.RED, due_at=NOW - timedelta(hours=1)))
    add_concern(desk, Sample(severity=Severity.GREEN, needs_review=False))
    text = seen_text(ada.get("/"))
    views = "Waiting (2) Red (1) Overdue (1) Needs review (1) Reviewed (0) Closed (0)"
    assert f"{views} May belong together (0) All (2)" in text
    for view, count in {"red": 1, "overdue": 1, "needs-review": 1, "reviewed": 0, "all": 2}.items():
        assert len(_references(ada.get(f"/?view={view}"))) == count


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("category=referral", 1),
        ("category=safeguarding", 1),
        ("severity=green", 1),
        ("severity=red", 0),
        ("words=wheelchair", 1),
        ("words=100%25", 0),
        ("provider=1-9000000004", 1),
        ("provider=nothing", 0),
        ("category=nonsense&severity=nonsense&view=nonsense", 2),
        ("words=%00", 2),
    ],
)
def test_the_list_is_narrowed_to_what_is_asked(desk: App, ada: Visitor, query: str, expected: int) -> None:
    """Each filter narrows, and a nonsense value narrows nothing."""
    add_concern(desk, Sample(severity=Severity.AMBER))
    add_concern(
        desk,
        Sample(
            text="He needs a wheelchair.",
            category=Category.REFERRAL,
            severity=Severity.GREEN,
            abuse_types=(),
            provider=BRIGHTWAY,
        ),
    )
    assert len(_references(ada.get(f"/?{query}"))) == expected


def test_filters_stay_when_the_page_is_turned(desk: App, ada: Visitor) -> None:
    """Thirty concerns take two pages; the link to the second keeps the words, and no concern is missed."""
    added = {add_concern(desk) for _ in range(30)}
    first = ada.get("/?words=tablets")
    link = re.search(r'href="([^"]*page=2[^"]*)"', first)
    assert link
    assert "words=tablets" in link.group(1)
    second = ada.get(link.group(1).replace("&amp;", "&"))
    assert len(_references(first)) == 25
    assert set(_references(first)) | set(_references(second)) == added
    assert _references(ada.get("/?page=999")) == _references(second)


def test_a_narrowed_list_leads_back_to_the_whole(desk: App, ada: Visitor) -> None:
    """Nobody forgets a filter: the page says it and offers the way back."""
    add_concern(desk)
    page = ada.get(f"/?provider={LARCH.provider_id}")
    assert "Only about Larch House" in seen_text(page)
    assert "Show the whole list" in page


def test_the_words_of_a_search_are_shown_and_inert(ada: Visitor) -> None:
    """What somebody types comes back as text, never as markup."""
    page = ada.http.get("/", params={"words": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_desk_says_which_category_nobody_leads(desk: App, ada: Visitor) -> None:
    """Its alerts go to everybody, and no digest lists it: somebody must put that right."""
    assert "Nobody leads" not in seen_text(ada.get("/"))
    with desk.database.write() as session:
        for row in active_leads(session):
            row.categories = ["safeguarding", "referral"]
    assert "Nobody leads care concern: alerts of such concerns go to every lead" in seen_text(ada.get("/"))
