"""The pages about learning: what to label, what has changed, and which model and costs are in force."""

from __future__ import annotations

import re
from datetime import timedelta

from desk_samples import NOW, Sample, Visitor, add_concern, seen_text

from bot.app import App
from storage.audit import Audit
from storage.concerns import concern_by_reference
from storage.shadow import start_run
from tests.factories import with_share
from triage.costs import SHIPPED, shipped_costs
from triage.vocabulary import Category, Severity


def section(page: str, name: str) -> str:
    """What stands in one section of the page."""
    start = page.index(f'aria-labelledby="{name}"')
    return page[start : page.index("</section>", start)]


def test_reds_the_uncertain_and_a_random_few_are_offered(desk: App, ada: Visitor) -> None:
    """Every red, and not what is green."""
    red = add_concern(desk, Sample(severity=Severity.RED))
    green = add_concern(desk, Sample(severity=Severity.GREEN))
    page = ada.get("/learning")
    assert red in section(page, "reds")
    assert green not in section(page, "reds")
    assert green in section(page, "uncertain")
    assert green in section(page, "random")


def test_the_least_certain_stand_first(desk: App, ada: Visitor) -> None:
    """By the chance that category and severity are both right."""
    amber = add_concern(desk, Sample(severity=Severity.AMBER))
    green = add_concern(desk, Sample(severity=Severity.GREEN))
    part = section(ada.get("/learning"), "uncertain")
    assert part.index(green) < part.index(amber)


def test_what_a_person_decided_or_kept_out_is_offered_no_more(desk: App, ada: Visitor) -> None:
    """Whoever confirms has labelled it; whoever says never has said so."""
    decided, never = add_concern(desk), add_concern(desk)
    ada.post(f"/concerns/{decided}/confirm", {"seen": "0-new"}, page=f"/concerns/{decided}")
    answer = ada.post(f"/concerns/{never}/learning", {"do": "never"}, page="/learning")
    assert f"The models never learn from {never}" in seen_text(answer.text)
    page = ada.get("/learning")
    assert decided not in page
    assert never not in page


def test_never_learning_is_chosen_and_undone_on_the_concern_with_who_did_it(desk: App, ada: Visitor) -> None:
    """One press each way, on record."""
    reference = add_concern(desk)
    path = f"/concerns/{reference}"
    assert "Never learn from this" not in ada.get(path)
    ada.post(f"{path}/confirm", {"seen": "0-new"}, page=path)
    assert "Never learn from this" in ada.get(path)
    ada.post(f"{path}/learning", {"do": "never"}, page=path)
    text = seen_text(ada.get(path))
    assert "The models never learn from this concern." in text
    assert "Said that the models must never learn from it" in text
    ada.post(f"{path}/learning", {"do": "let"}, page=path)
    with desk.database.read() as session:
        assert concern_by_reference(session, reference).never_learn is False


def test_drift_counts_by_week_and_by_model_and_says_when_there_is_too_little(desk: App, ada: Visitor) -> None:
    """A model that nobody knows shows nothing wrong."""
    add_concern(desk, Sample(opened_at=NOW - timedelta(days=3)))
    add_concern(desk, Sample(opened_at=NOW - timedelta(days=40), category=Category.CARE_CONCERN))
    text = seen_text(ada.get("/learning/drift"))
    assert re.search(r"Safeguarding ?100% of 1 ?0% of 1 ?too few to tell", text)
    assert "2026.11-test" in text
    assert re.search(r"Safeguarding ?100% of 1", seen_text(ada.get("/learning/drift?version=2026.11-test")))
    assert "2026.11-test" in ada.get("/learning/drift?version=%3Cscript%3E")


def test_a_flood_of_one_kind_is_marked(desk: App, ada: Visitor) -> None:
    """In a word, not by colour alone."""
    for number in range(25):
        add_concern(desk, Sample(opened_at=NOW - timedelta(days=1 + number % 20)))
        before = NOW - timedelta(days=35 + number)
        add_concern(desk, Sample(opened_at=before, category=Category.REFERRAL, abuse_types=()))
    text = seen_text(ada.get("/learning/drift"))
    assert re.search(r"Safeguarding ?100% of 25 ?0% of 25 ?Different", text)


def test_the_page_of_the_model_says_which_costs_are_in_force(desk: App, ada: Visitor) -> None:
    """The program's own until the council has a table; a mistake in it is said in words."""
    text = seen_text(ada.get("/learning/model"))
    assert "By the program's own table of costs" in text
    red = 100 * shipped_costs().severity[Severity.RED]
    assert re.search(rf"Red ?{red:.1f}%", text)
    assert "None ran yet" in text
    own = desk.settings.data_dir / "costs.toml"
    own.write_text(SHIPPED.read_text())
    assert "By the council's own table of costs" in seen_text(ada.get("/learning/model"))
    own.write_text(with_share(SHIPPED.read_text(), "red", 0.5))
    assert "red must be a share between 0 and 0.10" in seen_text(ada.get("/learning/model"))


def test_the_page_of_the_model_shows_a_candidate_and_what_the_gate_says(desk: App, ada: Visitor) -> None:
    """Its refusals in words."""
    gate = {"in_force": "2026.11-test", "refusals": ["red recall would fall"], "grounds": ["measured on 9"]}
    with desk.database.write() as session:
        start_run(session, "2026.12-new", gate, audit=Audit(at=NOW, actor="ada", action="shadow_started"))
    text = seen_text(ada.get("/learning/model"))
    assert "Candidate 2026.12-new" in text
    assert "Red recall would fall" in text
    assert "Measured on 9" in text


def test_nobody_sees_the_pages_without_logging_in(desk: App, visitor: Visitor) -> None:
    """Nor chooses what is learned from."""
    for path in ("/learning", "/learning/drift", "/learning/model"):
        assert "Log in" in visitor.get(path)
    reference = add_concern(desk)
    visitor.post(f"/concerns/{reference}/learning", {"do": "never"})
    with desk.database.read() as session:
        assert concern_by_reference(session, reference).never_learn is False
