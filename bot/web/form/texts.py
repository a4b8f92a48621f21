"""The words of the form in every language that there is, from the one file that holds them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.settings import Settings

FIRST_LANGUAGE = "en"
_FILE = Path(__file__).with_name("texts.toml")

Texts = Mapping[str, Any]


def load_texts(settings: Settings, source: str | None = None) -> dict[str, Texts]:
    """All words by language, with the council's own filled in; a language's gaps are filled with English."""
    languages = tomllib.loads(source if source is not None else _FILE.read_text(encoding="utf-8"))
    known = {
        "council": settings.council_name,
        "office_phone": settings.form_office_phone,
        "phone": settings.out_of_hours_phone,
        "most_files": settings.form_most_files,
        "file_megabytes": settings.form_file_megabytes,
        "files_megabytes": settings.form_files_megabytes,
        "draft_hours": settings.form_draft_hours,
    }
    first = languages[FIRST_LANGUAGE]
    return {name: _filled(_merged(first, words), known) for name, words in languages.items()}


def _merged(first: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for key, value in other.items():
        inside = first.get(key)
        merged[key] = (
            _merged(inside, value) if isinstance(value, dict) and isinstance(inside, dict) else value
        )
    return merged


def _filled(value: Any, known: Mapping[str, object]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inside, known) for key, inside in value.items()}
    if isinstance(value, list):
        return [_filled(inside, known) for inside in value]
    return value.format_map(known) if isinstance(value, str) else value
