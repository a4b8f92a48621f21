"""What the models read, and what must make no difference to them."""

from __future__ import annotations

import numpy as np
import pytest

from models.features import LexicalView, as_read, words_and_pairs
from models.swaps import swap_sex

CORPUS = ["she fell out of bed", "he fell out of bed", "the bed was wet", "nobody came at night"] * 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("She hurt herself and her arm.", "He hurt himself and his arm."),
        ("Mrs Ames and Miss Bell", "Mr Ames and Ms Bell"),
        ("It is hers.", "It is his."),
        ("He didn't come.", "SHE DIDN’T COME."),
        ("on 12 May at 9.30", "on 3 May at 11.45"),
    ],
)
def test_texts_that_differ_in_sex_case_or_figures_alone_are_one_row_of_numbers(one: str, other: str) -> None:
    """No label may depend on them (guide, section 6)."""
    assert as_read("", one) == as_read("", other)
    view = LexicalView.fit([as_read("", text) for text in CORPUS], rarest_word=1, rarest_piece=1)
    rows = view.transform([as_read("", one), as_read("", other)])
    assert (rows[0] != rows[1]).nnz == 0


def test_words_that_matter_make_a_difference() -> None:
    """Else the above would be easy."""
    assert as_read("", "she fell") != as_read("", "she fled")
    assert as_read("fall", "she fell") != as_read("", "she fell")


def test_words_hold_each_word_and_each_neighbouring_pair() -> None:
    """Without punctuation."""
    assert words_and_pairs("she fell, twice.") == ["she", "fell", "twice", "she fell", "fell twice"]


def test_a_view_is_the_same_after_it_was_stored() -> None:
    """To the last column."""
    texts = [as_read("", text) for text in CORPUS]
    view = LexicalView.fit(texts, rarest_word=1, rarest_piece=1)
    again = LexicalView.from_state(*view.state())
    assert again.size == view.size
    assert np.allclose(again.transform(texts).toarray(), view.transform(texts).toarray(), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("She fell.", "He fell."),
        ("he fell", "she fell"),
        ("I saw her.", "I saw him."),
        ("I saw her arm.", "I saw his arm."),
        ("I saw her and left.", "I saw him and left."),
        ("his arm", "her arm"),
        ("I told him.", "I told her."),
        ("MUM IS 88", "DAD IS 88"),
        ("My Mother and my father", "My Father and my mother"),
        ("Mrs Ames, a lady", "Mr Ames, a gentleman"),
        ("the theme of heroes", "the theme of heroes"),
        ("She hurt herself", "He hurt himself"),
        ("", ""),
    ],
)
def test_a_copy_is_about_a_person_of_the_other_sex(text: str, swapped: str) -> None:
    """With capitals kept and whole words alone."""
    assert swap_sex(text) == swapped


@pytest.mark.parametrize(
    "text", ["She told him that his wife fell.", "My sister and her son", "Boys and girls"]
)
def test_swapped_twice_a_plain_text_is_itself(text: str) -> None:
    """Where each word has one partner."""
    assert swap_sex(swap_sex(text)) == text
