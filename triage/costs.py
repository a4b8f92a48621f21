"""The table of costs: which share of each class may be missed; shipped in costs.toml, a council may have its own."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from triage.errors import BadInput
from triage.vocabulary import Category, Severity

SHIPPED = Path(__file__).with_name("costs.toml")

# What must never be hidden may not be made easy to miss, whatever a table says.
_MOST = 0.25
_MOST_GRAVE = 0.10
_GRAVE = (Category.SAFEGUARDING.value, Severity.RED.label)
_CATEGORIES = [category.value for category in Category]
_SEVERITIES = [severity.label for severity in reversed(Severity)]


@dataclass(frozen=True)
class Costs:
    """The share of each class, 0 to 1, that may be missed; `origin` says whose table it is."""

    category: Mapping[Category, float]
    severity: Mapping[Severity, float]
    origin: str

    @property
    def mark(self) -> str:
        """Eight letters that differ between tables with different numbers."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:8]

    def as_json(self) -> dict[str, dict[str, float]]:
        """The numbers as a manifest keeps them."""
        return {
            "category": {label.value: share for label, share in self.category.items()},
            "severity": {label.label: share for label, share in self.severity.items()},
        }


@cache
def shipped_costs() -> Costs:
    """The program's own table."""
    return read_costs(SHIPPED, origin="the program's own")


def read_costs(path: Path, *, origin: str) -> Costs:
    """The table of a file; BadInput naming the line's entry and what it must be."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {type(error).__name__}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no table of costs: {error}") from None
    try:
        return parse_costs(table, origin=origin)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def parse_costs(table: Mapping[str, Any], *, origin: str) -> Costs:
    """The table from TOML or a manifest; BadInput for a class that is missing, unknown, or out of bounds."""
    for name in table:
        if name not in ("category", "severity"):
            raise BadInput(f"[{name}] is unknown: there are [category] and [severity]")
    category, severity = (
        _shares(table, name, known) for name, known in (("category", _CATEGORIES), ("severity", _SEVERITIES))
    )
    return Costs(
        category={label: category[label.value] for label in Category},
        severity={label: severity[label.label] for label in Severity},
        origin=origin,
    )


def _shares(table: Mapping[str, Any], name: str, known: list[str]) -> dict[str, float]:
    section = table.get(name)
    if not isinstance(section, dict):
        raise BadInput(f"[{name}] is missing: it needs {', '.join(known)}")
    for label in section:
        if label not in known:
            raise BadInput(f"[{name}] {label} is unknown: there are {', '.join(known)}")
    for label in known:
        if label not in section:
            raise BadInput(f"[{name}] {label} is missing")
    return {label: _share(f"[{name}] {label}", label, section[label]) for label in known}


def _share(place: str, label: str, value: Any) -> float:
    most = _MOST_GRAVE if label in _GRAVE else _MOST
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise BadInput(f"{place} must be a share between 0 and {most:.2f}, such as 0.02; it is {value!r}")
    return float(value)
