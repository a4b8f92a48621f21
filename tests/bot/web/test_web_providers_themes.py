"""Services with their figure and its parts, and themes with their numbers."""

from __future__ import annotations

import re
from datetime import timedelta

from desk_samples import BRIGHTWAY, LARCH, NOW, Sample, Visitor, add_concern, seen_text

from bot.app import App
from triage.vocabulary import Severity, Theme


def test_services_with_concerns_stand_first_by_their_figure(desk: App, ada: Visitor) -> None:
    """The list begins with the service that most needs a visit, with the parts of its figure."""
    add_concern(desk, Sample(provider=LARCH, severity=Severity.GREEN))
    for _ in range(3):
        add_concern(desk, Sample(provider=BRIGHTWAY, severity=Severity.RED))
    text = seen_text(ada.get("/providers"))
    assert text.index(BRIGHTWAY.name) < text.index(LARCH.name)
    assert "Red concerns 15.0" in text
    assert "CQC rating 5.0" in text
    assert text.index("Brightway") > text.index("no judgement")


def test_services_can_be_ordered_by_name_and_change(desk: App, ada: Visitor) -> None:
    """The order is a link, and the list follows it."""
    add_concern(desk, Sample(provider=LARCH, severity=Severity.RED))
    add_concern(desk, Sample(provider=BRIGHTWAY, severity=Severity.GREEN))
    by_name = seen_text(ada.get("/providers?sort=name"))
    assert by_name.index(BRIGHTWAY.name) < by_name.index(LARCH.name)
    by_change = seen_text(ada.get("/providers?sort=change"))
    assert by_change.index(LARCH.name) < by_change.index(BRIGHTWAY.name)


def test_a_service_without_concerns_is_found_by_name_or_town(desk: App, ada: Visitor) -> None:
    """The search goes over the whole register."""
    assert LARCH.name not in ada.get("/providers")
    assert LARCH.name in ada.get("/providers?words=larch")
    assert LARCH.name in ada.get("/providers?words=harrowmere")
    assert LARCH.name not in ada.get("/providers?words=elsewhere")


def test_a_services_page_shows_every_part_and_the_concerns_behind_it(desk: App, ada: Visitor) -> None:
    """Points, age, whether a person confirmed, the beds, the rating, and the reason of each number."""
    reference = add_concern(desk, Sample(severity=Severity.RED, opened_at=NOW - timedelta(days=90)))
    text = seen_text(ada.get(f"/providers/{LARCH.provider_id}"))
    assert re.search(rf"{reference}: 0\.89 \(90 days old, suggested\)", text)
    assert "28 beds: the points of concerns are counted for each 10 beds." in text
    assert "Rated Requires improvement by CQC" in text
    assert "only suggested so far" in text
    assert "Its concerns" in text


def test_confirming_doubles_what_a_concern_counts(desk: App, ada: Visitor) -> None:
    """A suggestion counts half until a person confirms it."""
    reference = add_concern(desk, Sample(provider=BRIGHTWAY, severity=Severity.RED))
    before = seen_text(ada.get(f"/providers/{BRIGHTWAY.provider_id}"))
    ada.post(f"/concerns/{reference}/confirm", {"seen": "0-new"}, page=f"/concerns/{reference}")
    after = seen_text(ada.get(f"/providers/{BRIGHTWAY.provider_id}"))
    assert f"{reference}: 5.00" in before
    assert f"{reference}: 9.99" in after or f"{reference}: 10.00" in after


def test_themes_count_this_month_against_the_month_before(desk: App, ada: Visitor) -> None:
    """Each theme with its two months, its change and its severities, small numbers as they are."""
    add_concern(desk, Sample(themes=(Theme.FINANCES,), severity=Severity.RED))
    add_concern(desk, Sample(themes=(Theme.FINANCES,), severity=Severity.GREEN))
    add_concern(desk, Sample(themes=(Theme.FINANCES,), opened_at=NOW - timedelta(days=40)))
    text = seen_text(ada.get("/themes"))
    assert re.search(r"Finances ?2 ?1 ?\+1 ?1 ?0 ?1", text)


def test_a_theme_leads_to_its_concerns(desk: App, ada: Visitor) -> None:
    """The numbers can be checked: the concerns behind them are one press away."""
    with_theme = add_concern(desk, Sample(themes=(Theme.FINANCES,)))
    without = add_concern(desk, Sample(themes=(Theme.FALLS_HANDLING,)))
    page = ada.get("/themes/finances")
    assert with_theme in page
    assert without not in page
    assert 'href="/themes/finances"' in ada.get("/themes")
