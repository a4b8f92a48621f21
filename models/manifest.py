"""What an artefact says of itself: read and checked without any of the libraries that its numbers need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triage.costs import Costs, parse_costs, shipped_costs
from triage.errors import BadInput, CareConcernsError
from triage.vocabulary import AbuseType, Category, Severity, Theme

FORMAT = 1
_ALWAYS = {"lexical.npz", "vocabulary.json.gz", "rarity.npz"}
LABELS = {
    "category": [category.value for category in Category],
    "severity": [severity.label for severity in Severity],
    "themes": [theme.value for theme in Theme],
    "abuse_types": [kind.value for kind in AbuseType],
}


class ModelRefused(CareConcernsError):
    """The artefact is damaged, was changed, or was made for other labels or another format."""


def shipped_model() -> Path:
    """The folder of the model that comes with the program."""
    return Path(__file__).with_name("shipped")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, checked against this program and every file it names; ModelRefused when it does not fit."""
    try:
        manifest: Any = json.loads((folder / "manifest.json").read_text())
    except FileNotFoundError:
        raise BadInput(f"there is no trained model in {folder}: run `careconcerns train`") from None
    except (OSError, ValueError):
        raise ModelRefused(f"{folder}: the manifest cannot be read") from None
    if not isinstance(manifest, dict):
        raise ModelRefused(f"{folder}: the manifest cannot be read")
    if manifest.get("format") != FORMAT:
        raise ModelRefused(f"{folder}: made in format {manifest.get('format')}, this program reads {FORMAT}")
    if manifest.get("labels") != LABELS:
        raise ModelRefused(f"{folder}: made for other labels than this program's")
    files = manifest.get("files", {})
    if not _ALWAYS | {f"{mode}.npz" for mode in manifest.get("modes", {})} <= set(files):
        raise ModelRefused(f"{folder}: the manifest does not name every file that is used")
    for name, expected in files.items():
        path = folder / Path(name).name
        if not path.is_file() or sha256_of(path) != expected:
            raise ModelRefused(f"{folder}: {Path(name).name} is missing or was changed")
    return dict(manifest)


def costs_of(manifest: Mapping[str, Any]) -> Costs:
    """The table of costs that the artefact's own lines were drawn by."""
    stored = manifest.get("costs")
    return shipped_costs() if stored is None else parse_costs(stored, origin="the artefact's")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
