"""The labels are those of the coding guide, no more and no fewer."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from triage.vocabulary import AbuseType, Category, Severity, Theme

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "labelling.md").read_text()


def section(number: int) -> str:
    """The text of a numbered section of the guide."""
    return GUIDE.partition(f"\n## {number}.")[2].partition("\n## ")[0]


def first_column(text: str) -> list[str]:
    """What stands in backquotes at the beginning of each row of a table."""
    return re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)


def test_the_categories_are_the_guides_in_its_order() -> None:
    """The most protective first."""
    assert first_column(section(1)) == [category.value for category in Category]
    assert [category.protection for category in Category] == [3, 2, 1, 0]


def test_the_severities_are_the_guides() -> None:
    """Ordered, and found by name."""
    assert first_column(section(2)) == [severity.label for severity in reversed(Severity)]
    assert Severity.GREEN < Severity.AMBER < Severity.RED
    assert [Severity.from_label(severity.label) for severity in Severity] == list(Severity)
    with pytest.raises(ValueError, match="orange"):
        Severity.from_label("orange")


def test_the_types_of_abuse_are_the_ten_of_the_guide() -> None:
    """In its order."""
    named = re.findall(r"`(\w+)`", section(4).partition(": the ten of")[0].partition("`safeguarding`")[2])
    assert named == [kind.value for kind in AbuseType]
    assert len(named) == 10


def test_the_themes_are_the_guides() -> None:
    """In its order."""
    assert first_column(section(5)) == [theme.value for theme in Theme]


def test_every_red_flag_names_a_row_that_the_guide_has() -> None:
    """Rows are counted as they stand in section 3; some flags come from the words of section 2."""
    rows = section(3).count("\n| ") - 2
    table = tomllib.loads((ROOT / "triage" / "red_flags.toml").read_text())
    for flag in table["flag"]:
        row = flag["row"]
        assert row == "section 2" or 1 <= int(row.removeprefix("r")) <= rows, flag["name"]
