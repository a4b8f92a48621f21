"""Figures by hand, the gate that protects recall, and labelled messages read with care."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.evaluate import Answer, as_table, compare, evaluate
from models.labelled import CORPUS, FROZEN, LabelledMessage, load_corpus, parse_labelled, read_labelled
from triage.errors import BadInput
from triage.vocabulary import AbuseType, Category, Severity, Theme

S, C, R, N = Category
GREEN, AMBER, RED = Severity


def labelled(
    category: Category, severity: Severity | None, *, pair: str | None = None, invariant: str | None = None
) -> LabelledMessage:
    """A message with these labels."""
    return LabelledMessage(
        message_id=f"{category}-{severity}-{pair}",
        channel="email",
        subject="",
        text="text",
        category=category,
        severity=severity,
        themes=frozenset({Theme.STAFFING, Theme.RECORDS}),
        abuse_types=frozenset({AbuseType.NEGLECT}) if category is S else frozenset(),
        pair=pair,
        invariant=invariant,
    )


def said(category: Category, severity: Severity | None, *, review: bool = False) -> Answer:
    """An answer with these labels, sure of them to .7."""
    return Answer(
        category=category,
        severity=severity,
        themes=frozenset({Theme.STAFFING}),
        abuse_types=frozenset({AbuseType.NEGLECT, AbuseType.SEXUAL}) if category is S else frozenset(),
        needs_review=review,
        category_probabilities={label: 0.7 if label is category else 0.1 for label in Category},
        severity_probabilities=dict.fromkeys(Severity, 1 / 3),
    )


MESSAGES = [
    labelled(S, RED, pair="p"),
    labelled(S, RED, pair="p"),
    labelled(S, AMBER, invariant="i"),
    labelled(C, GREEN, invariant="i"),
    labelled(N, None),
]
ANSWERS = [
    said(S, RED),
    said(C, GREEN),
    said(C, RED, review=True),
    said(C, RED),
    said(N, None),
]


def test_the_figures_are_those_that_one_gets_by_hand() -> None:
    """Five messages, three of them safeguarding, of which one was called."""
    figures = evaluate(MESSAGES, ANSWERS)
    safeguarding = figures["category"]["classes"]["safeguarding"]
    assert safeguarding == {
        "precision": 1.0,
        "recall": pytest.approx(1 / 3),
        "f1": pytest.approx(1 / 2),
        "messages": 3,
    }
    assert figures["category"]["classes"]["care_concern"]["precision"] == pytest.approx(1 / 3)
    # F1 of the four classes: 1/2, 1/2, 0, 1.
    assert figures["category"]["macro_f1"] == pytest.approx(0.5)
    assert figures["category"]["confusion"]["rows"] == [
        [1, 2, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
    ]
    # Severity over the four concerns: green, amber, red against red, green, red, red.
    assert figures["severity"]["confusion"]["rows"] == [
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [1, 0, 1, 0],
        [0, 0, 0, 0],
    ]
    assert figures["severity"]["classes"]["red"]["recall"] == 0.5
    # Of two themes one was named, four times: 2 * 4 / (8 + 4).
    assert figures["themes_micro_f1"] == pytest.approx(2 / 3)
    # Over three safeguarding messages: one hit of three wanted and two said.
    assert figures["abuse_types_micro_f1"] == pytest.approx(2 / 5)
    assert figures["safeguarding_recall_called"] == pytest.approx(1 / 3)
    assert figures["safeguarding_recall_called_or_review"] == pytest.approx(2 / 3)
    assert figures["red_recall_called"] == figures["red_recall_called_or_review"] == 0.5
    assert figures["red_hidden"] == [MESSAGES[1].message_id]
    assert figures["review_share"] == pytest.approx(0.2)
    # Three of five right at .7.
    assert figures["category_calibration_error"] == pytest.approx(0.1)
    assert figures["pairs_wholly_right"] == 0.0
    assert figures["invariant_one_answer"] == 1.0


def test_the_table_says_what_the_figures_say() -> None:
    """For people."""
    table = as_table(evaluate(MESSAGES, ANSWERS))
    for line in ("messages: 5", "red recall, called", "safeguarding", "is / called"):
        assert line in table
    assert "0.333" in table


def test_figures_of_messages_without_concerns_are_no_fault() -> None:
    """Nothing to recall is nothing missed."""
    figures = evaluate([labelled(N, None)], [said(N, None)])
    assert figures["red_recall_called"] == 1.0
    assert figures["pairs_wholly_right"] is None
    assert as_table(figures)


@pytest.mark.parametrize(
    "figure",
    [
        "safeguarding_recall_called",
        "safeguarding_recall_called_or_review",
        "red_recall_called",
        "red_recall_called_or_review",
    ],
)
def test_a_candidate_that_misses_more_is_refused_by_name(figure: str) -> None:
    """However good it is at everything else."""
    current = evaluate(MESSAGES, ANSWERS)
    worse = current | {figure: current[figure] - 0.001, "category": {"macro_f1": 1.0}}
    [refusal] = compare(worse, current)
    assert figure.replace("_", " ") in refusal
    assert compare(current, current) == []
    assert compare(current | {figure: 1.0}, current) == []


def test_a_candidate_that_hides_more_reds_is_refused() -> None:
    """Called green or dropped, and not in review."""
    current = evaluate(MESSAGES, ANSWERS)
    [refusal] = compare(current | {"red_hidden": ["a", "b"]}, current)
    assert "red messages" in refusal


GOOD: dict[str, Any] = {
    "id": "1",
    "channel": "email",
    "subject": None,
    "text": "She fell.",
    "category": "safeguarding",
    "severity": "red",
    "themes": ["falls_handling"],
    "abuse_types": ["neglect"],
    "evidence": [[0, 3]],
}


def test_a_labelled_message_is_read_with_all_its_labels() -> None:
    """Missing fields are empty."""
    message = parse_labelled(json.dumps(GOOD))
    assert (message.message_id, message.subject, message.category, message.severity) == ("1", "", S, RED)
    assert message.themes == {Theme.FALLS_HANDLING}
    assert message.evidence == ((0, 3),)
    assert message.group == "1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": None}, "id is missing"),
        ({"id": 7}, "id is missing"),
        ({"text": " "}, "text is missing"),
        ({"channel": None}, "channel is missing"),
        ({"category": "abuse"}, "category 'abuse'"),
        ({"category": None}, "category"),
        ({"severity": "orange"}, "orange"),
        ({"severity": None}, "severity goes with"),
        ({"category": "not_a_concern"}, "severity goes with"),
        ({"category": "care_concern"}, "abuse_types go with"),
        ({"themes": ["parking"]}, "themes"),
        ({"themes": "staffing"}, "themes"),
        ({"themes": 7}, "themes"),
        ({"abuse_types": ["verbal"]}, "abuse_types"),
        ({"evidence": [[1]]}, "evidence"),
        ({"evidence": 7}, "evidence"),
    ],
)
def test_a_message_that_breaks_the_guide_is_refused_by_field(changes: dict[str, Any], words: str) -> None:
    """So that it can be put right."""
    with pytest.raises(BadInput, match=words):
        parse_labelled(json.dumps(GOOD | changes))


@pytest.mark.parametrize("line", ["", "{", "[]", "7", "[" * 100_000])
def test_a_line_that_is_no_message_is_refused(line: str) -> None:
    """Not with a traceback."""
    with pytest.raises(BadInput, match="JSON"):
        parse_labelled(line)


def test_a_file_is_read_line_by_line_by_number(tmp_path: Path) -> None:
    """Bad lines are told, blank ones skipped, odd line ends within a message kept."""
    odd = GOOD | {"text": "one\u2028two\x85three\x0cfour"}
    path = tmp_path / "messages.jsonl"
    lines = [
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        b"",
        b"{",
        json.dumps(odd, ensure_ascii=False).encode(),
    ]
    path.write_bytes(b"\r\n".join([*lines, b'{"id": "\xe9"}']) + b"\n")
    found = dict(read_labelled(path))
    assert list(found) == [1, 3, 4, 5]
    assert isinstance(found[1], LabelledMessage)
    assert isinstance(found[3], BadInput)
    message = found[4]
    assert isinstance(message, LabelledMessage)
    assert message.text == odd["text"]
    assert "UTF-8" in str(found[5])
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_labelled(tmp_path / "nothing.jsonl"))


@pytest.mark.parametrize("folder", [CORPUS, FROZEN], ids=["corpus", "frozen"])
def test_every_message_that_is_learned_from_or_measured_on_keeps_to_the_guide(folder: Path) -> None:
    """Ids are unique, evidence lies in the text, no more themes and types than the guide allows."""
    messages = load_corpus(folder)
    assert len(messages) >= 300
    assert len({message.message_id for message in messages}) == len(messages)
    for message in messages:
        assert len(message.themes) <= 4, message.message_id
        assert len(message.abuse_types) <= 3, message.message_id
        for start, end in message.evidence:
            assert 0 <= start < end <= len(message.text), message.message_id


def test_nothing_that_is_measured_on_is_learned_from() -> None:
    """Neither by id nor by text."""
    corpus, frozen = load_corpus(CORPUS), load_corpus(FROZEN)
    assert not {m.message_id for m in corpus} & {m.message_id for m in frozen}
    assert not {m.text.strip() for m in corpus} & {m.text.strip() for m in frozen}
    assert not {m.pair for m in corpus if m.pair} & {m.pair for m in frozen if m.pair}


def test_a_corpus_with_a_bad_line_is_refused_with_its_place(tmp_path: Path) -> None:
    """And an empty one too."""
    with pytest.raises(BadInput, match="no corpus"):
        load_corpus(tmp_path)
    (tmp_path / "a.jsonl").write_text(json.dumps(GOOD) + "\n{\n")
    with pytest.raises(BadInput, match=r"a\.jsonl, line 2"):
        load_corpus(tmp_path)
