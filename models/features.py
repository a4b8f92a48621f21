"""Text made into numbers, the lexical view: words, pairs of words and pieces of words, weighed by rarity.

The same cleaning serves training and prediction. Sex is taken out of pronouns, and figures are made
alike, because no label may depend on them (guide, section 6).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from triage.phrases import english

_ALIKE = {
    "she": "they_s", "he": "they_s", "her": "them_s", "him": "them_s", "his": "them_s", "hers": "them_s",
    "herself": "self_s", "himself": "self_s", "mrs": "title_s", "mr": "title_s", "ms": "title_s", "miss": "title_s",
}  # fmt: skip
_WORD = re.compile(r"[a-z_']+|0+")
_DIGITS = re.compile(r"\d+")
_MOST_CHARACTERS = 20_000

Matrix = Any


def as_read(subject: str, text: str) -> str:
    """What the models read of a message: subject and text in one, in lower case, figures and sex made alike."""
    joined = f"{subject}\n{text}" if subject else text
    lowered = _DIGITS.sub("0", joined[:_MOST_CHARACTERS].lower().replace("’", "'"))
    return _WORD.sub(lambda match: _ALIKE.get(match.group(), match.group()), lowered)


@cache
def _tokenizer() -> Callable[[str], Any]:
    return english().make_doc


def words_and_pairs(text: str) -> list[str]:
    """The words of a text as spaCy cuts them, and each with its neighbour."""
    words = [token.text for token in _tokenizer()(text) if not token.is_space and not token.is_punct]
    return words + [f"{first} {second}" for first, second in pairwise(words)]


@dataclass
class LexicalView:
    """Two fitted vectorisers side by side; a text becomes one sparse row."""

    vectorisers: tuple[TfidfVectorizer, ...]

    @classmethod
    def fit(cls, texts: Sequence[str], *, rarest_word: int = 2, rarest_piece: int = 4) -> LexicalView:
        """Learn the vocabulary from texts that went through `as_read`."""
        vectorisers = (_words(min_df=rarest_word), _pieces(min_df=rarest_piece))
        for vectoriser in vectorisers:
            vectoriser.fit(texts)
        return cls(vectorisers)

    def transform(self, texts: Iterable[str]) -> Matrix:
        """One row a text, one column a feature."""
        prepared = list(texts)
        return csr_matrix(hstack([vectoriser.transform(prepared) for vectoriser in self.vectorisers]))

    @property
    def size(self) -> int:
        """How many features there are."""
        return sum(len(vectoriser.vocabulary_) for vectoriser in self.vectorisers)

    def state(self) -> tuple[list[list[str]], list[np.ndarray]]:
        """All that was learned: the terms of each vectoriser in order of column, and their weights."""
        terms = [
            sorted(vectoriser.vocabulary_, key=vectoriser.vocabulary_.__getitem__)
            for vectoriser in self.vectorisers
        ]
        return terms, [vectoriser.idf_.astype(np.float32) for vectoriser in self.vectorisers]

    @classmethod
    def from_state(cls, terms: Sequence[Sequence[str]], weights: Sequence[np.ndarray]) -> LexicalView:
        """The view again from `state`."""
        vectorisers = []
        for make, known, idf in zip((_words, _pieces), terms, weights, strict=True):
            vectoriser = make(vocabulary={term: column for column, term in enumerate(known)})
            vectoriser.idf_ = idf.astype(np.float64)
            vectorisers.append(vectoriser)
        return cls(tuple(vectorisers))


def _words(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=words_and_pairs, sublinear_tf=True, **options)


def _pieces(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, lowercase=False, **options
    )
