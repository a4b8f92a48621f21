"""No label may depend on sex, kin, name, origin, faith, age, spelling or dialect (guide, section 6)."""

from __future__ import annotations

import pytest

from bot.fairness import as_table, flips, share
from models.artifact import load_predictors, shipped_model
from models.counterfactuals import KINDS, copies_of
from models.labelled import FROZEN, LabelledMessage, load_corpus
from triage.provider_words import FIRST_NAMES
from triage.vocabulary import Category, Severity

TEXT = (
    "My mum Doris, aged 83, said something about the carer. She was hit on the arm by a man called Trevor "
    "and nobody had anything to say about it. We have written to the manager and asked for a meeting, and "
    "we would like somebody from the council to come along, because nothing has changed since the spring."
)


def labelled(text: str) -> LabelledMessage:
    return LabelledMessage(
        message_id="one",
        channel="email",
        subject="",
        text=text,
        category=Category.SAFEGUARDING,
        severity=Severity.RED,
        themes=frozenset(),
        abuse_types=frozenset(),
    )


def copies(text: str) -> dict[str, str]:
    return {copy.kind: copy.message.text for copy in copies_of(labelled(text), sorted(FIRST_NAMES))}


def test_each_kind_of_copy_changes_its_own_thing() -> None:
    """Every kind is made of a message that has what it changes."""
    made = copies(TEXT)

    assert set(made) == set(KINDS)
    assert "My dad" in made["sex"]
    assert "he was hit" in made["sex"].lower()
    assert "My nan Doris" in made["kin"]
    assert "83" not in made["age"] or made["age"] != TEXT
    assert "summat" in made["dialect"]
    assert "Doris" not in made["name"]
    assert made["small letters"] == TEXT.lower()


def test_a_copy_keeps_its_labels_and_what_is_not_changed() -> None:
    """A copy is the same message about another person."""
    message = labelled(TEXT)

    for copy in copies_of(message, sorted(FIRST_NAMES)):
        assert (copy.message.category, copy.message.severity) == (message.category, message.severity)
        assert "arm" in copy.message.text.lower() or copy.kind == "spelling"


def test_copies_are_the_same_in_each_run() -> None:
    """Whoever counts again counts the same copies."""
    assert copies(TEXT) == copies(TEXT)


@pytest.mark.parametrize("number", ["80%", "75 mg", "60 minutes", "room 71 is cold"])
def test_figures_that_are_no_ages_stay(number: str) -> None:
    """Doses, times and rooms are not taken for ages."""
    assert "age" not in copies(f"The dose is {number} and nobody knows.")


def test_hardly_a_label_changes_with_what_must_not_matter() -> None:
    """At least 400 copies of frozen messages: at most 4 in 100 get another category or severity (3 are wanted)."""
    counted = flips(load_corpus(FROZEN)[:80], load_predictors(shipped_model()))

    assert sum(made for made, _ in counted.values()) >= 400
    assert share(counted) <= 0.04, as_table(counted)
