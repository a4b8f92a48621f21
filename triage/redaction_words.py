"""The word lists of triage/redaction_words.toml, by name."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from triage.provider_words import FIRST_NAMES as NAMES_IN_PROVIDERS

_LISTS = {
    name: frozenset(words.split())
    for name, words in tomllib.loads(
        (files("triage") / "redaction_words.toml").read_text(encoding="utf-8")
    ).items()
}

TITLES = _LISTS["titles"]
TITLES_THAT_ARE_WORDS = _LISTS["titles_that_are_words"]
KIN = _LISTS["kin"]
ROLES = _LISTS["roles"]
LABELS = _LISTS["labels"]
LABELS_OF_THINGS = _LISTS["labels_of_things"]
CLOSINGS = _LISTS["closings"]
GREETINGS = _LISTS["greetings"]
PERSON_VERBS = _LISTS["person_verbs"]
PERSON_PREPS = _LISTS["person_preps"]
PERSON_THINGS = _LISTS["person_things"]
PLACES = _LISTS["places"]
PLACES_THAT_ARE_SURNAMES = _LISTS["places_that_are_surnames"]
FUNCTION_WORDS = _LISTS["function_words"]
NOT_NAMES = _LISTS["not_names"]
PARTICLES = _LISTS["particles"]
NOT_INITIALS = _LISTS["not_initials"]
NOT_DOTTED_INITIALS = _LISTS["not_dotted_initials"]
HOPEFUL_NAMES = _LISTS["hopeful_names"]
BEING_VERBS = _LISTS["being_verbs"]
THINGS_CALLED = _LISTS["things_called"]
PLAIN_STREET_TYPES = _LISTS["plain_street_types"]
ORDINARY_WORDS = _LISTS["ordinary"] | FUNCTION_WORDS
NAMES_THAT_ARE_WORDS = _LISTS["first_names_that_are_words"]
FIRST_NAMES = (_LISTS["first_names"] | NAMES_IN_PROVIDERS) - NAMES_THAT_ARE_WORDS - NOT_NAMES - ORDINARY_WORDS
SURNAMES = _LISTS["surnames"] - NOT_NAMES - ORDINARY_WORDS
SURNAMES_THAT_ARE_WORDS = _LISTS["surnames_that_are_words"]
