"""The table of what may be missed: a council's own is checked, and a mistake is named in words."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.factories import with_share
from triage.costs import SHIPPED, parse_costs, read_costs, shipped_costs
from triage.errors import BadInput
from triage.vocabulary import Category, Severity


def test_the_programs_own_table_protects_safeguarding_and_red_most() -> None:
    """Every class has its share."""
    costs = shipped_costs()
    assert set(costs.category) == set(Category)
    assert set(costs.severity) == set(Severity)
    assert costs.category[Category.SAFEGUARDING] == min(costs.category.values())
    assert costs.severity[Severity.RED] == min(costs.severity.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.pop("severity"), r"\[severity\] is missing: it needs red, amber, green"),
        (lambda table: table["severity"].pop("red"), r"\[severity\] red is missing"),
        (lambda table: table["category"].update(abuse=0.1), r"\[category\] abuse is unknown"),
        (lambda table: table.update(themes={}), r"\[themes\] is unknown"),
        (lambda table: table["severity"].update(red="few"), r"red must be a share between 0 and 0\.10"),
        (lambda table: table["severity"].update(red=0.2), r"red must be a share between 0 and 0\.10"),
        (lambda table: table["category"].update(safeguarding=0.11), r"safeguarding must be a share"),
        (lambda table: table["category"].update(referral=-0.1), r"referral must be a share"),
        (lambda table: table["category"].update(referral=5), r"referral must be a share between 0 and 0\.25"),
        (lambda table: table["category"].update(referral=True), r"referral must be a share"),
        (lambda table: table["category"].update(referral=float("nan")), r"referral must be a share"),
    ],
)
def test_a_mistake_is_named_in_words(change: Any, words: str) -> None:
    """What must never be hidden cannot be made easy to miss either."""
    table = tomllib.loads(SHIPPED.read_text())
    change(table)
    with pytest.raises(BadInput, match=words):
        parse_costs(table, origin="the council's own")


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    """With its path, in one line."""
    path = tmp_path / "costs.toml"
    with pytest.raises(BadInput, match="cannot be read"):
        read_costs(path, origin="own")
    path.write_text("[category\nsafeguarding = 0,02")
    with pytest.raises(BadInput, match=r"costs\.toml is no table of costs"):
        read_costs(path, origin="own")
    path.write_text(with_share(SHIPPED.read_text(), "red", 0.45))
    with pytest.raises(BadInput, match=r"costs\.toml: \[severity\] red must be"):
        read_costs(path, origin="own")


def test_tables_with_the_same_numbers_have_the_same_mark(tmp_path: Path) -> None:
    """Whatever stands in their comments."""
    path = tmp_path / "costs.toml"
    path.write_text("# ours\n" + SHIPPED.read_text())
    own = read_costs(path, origin="the council's own")
    assert own.mark == shipped_costs().mark
    path.write_text(with_share(SHIPPED.read_text(), "red", 0.02))
    assert read_costs(path, origin="the council's own").mark != shipped_costs().mark
