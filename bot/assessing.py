"""`assess`, `evaluate` and `parse` of the command line: they need no database and no running service."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from models.evaluate import Answer, evaluate
from models.labelled import LabelledMessage, read_labelled
from storage.concerns import reason_details
from storage.register_import import read_register
from triage.assess import Predictors, assess
from triage.decide import decide
from triage.errors import BadInput
from triage.provider_match import Register
from triage.vocabulary import Assessment, Channel, Decision, MatchAdvice, Message

_EMPTY = Register.of(())
# How `lines_of` shows bytes that are not UTF-8.
_BYTES_THAT_ARE_NO_TEXT = re.compile("[\udc80-\udcff]")
_HALVES = re.compile("[\ud800-\udfff]")


def as_message(channel: str, subject: str, text: str) -> Message:
    """A message from plain fields; the text is all its writer's own."""
    try:
        known = Channel(channel)
    except ValueError:
        raise BadInput(f"channel {channel!r} is unknown: email, form, slack or by_hand") from None
    return Message(channel=known, subject=subject, text=text, new_text=text)


def assess_line(line: str, *, predictors: Predictors, register: Register) -> dict[str, Any]:
    """The answer to one JSON line; BadInput when the line is no message."""
    if _BYTES_THAT_ARE_NO_TEXT.search(line):
        raise BadInput("not UTF-8 text")
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise BadInput("not JSON") from None
    if not isinstance(fields, dict):
        raise BadInput("not a JSON object")
    text, subject = fields.get("text"), fields.get("subject")
    if not isinstance(text, str):
        raise BadInput("text is missing")
    if subject is not None and not isinstance(subject, str):
        raise BadInput("subject is not text")
    if not isinstance(fields.get("id"), str | int):
        raise BadInput("id is missing")
    message = as_message(str(fields.get("channel") or Channel.EMAIL), _whole(subject or ""), _whole(text))
    assessment = assess(message, register=register, predictors=predictors)
    return {"id": fields["id"]} | as_answer(assessment, decide(assessment))


def _whole(text: str) -> str:
    """The text with every half of a pair of surrogates, which is no character, replaced by one that is."""
    return _HALVES.sub("\ufffd", text)


def as_answer(assessment: Assessment, decision: Decision) -> dict[str, Any]:
    """An assessment and its decision as the command line's contract words them."""
    prediction = assessment.prediction
    return {
        "category": decision.category.value,
        "category_probabilities": {k.value: round(p, 4) for k, p in prediction.category.items()},
        "severity": decision.severity.label if decision.severity is not None else None,
        "severity_probabilities": {k.label: round(p, 4) for k, p in prediction.severity.items()},
        "themes": [theme.value for theme in decision.themes],
        "abuse_types": [kind.value for kind in decision.abuse_types],
        "provider": _provider(assessment),
        "needs_review": decision.needs_review,
        "review_reasons": list(decision.review_reasons),
        "could_also_be": list(decision.could_also_be),
        "reasons": [reason_details(reason) for reason in decision.reasons],
        "redirect": decision.redirect or None,
        "model_version": prediction.model_version,
    }


def _provider(assessment: Assessment) -> dict[str, Any] | None:
    matches = assessment.provider
    best = matches.best
    if best is not None and matches.advice in (MatchAdvice.SUGGEST, MatchAdvice.SHORTLIST, MatchAdvice.ASK):
        return {
            "mention": best.mention or matches.mention,
            "id": best.provider_id,
            "name": best.name,
            "score": round(best.score, 3),
        }
    if matches.mention:
        return {"mention": matches.mention, "id": None, "name": None, "score": 0.0}
    return None


def answer_of(message: LabelledMessage, *, predictors: Predictors) -> Answer:
    """The labels that the program gives to a labelled message."""
    assessment = assess(
        as_message(message.channel, message.subject, message.text), register=_EMPTY, predictors=predictors
    )
    return answer_from(assessment, decide(assessment))


def answer_from(assessment: Assessment, decision: Decision) -> Answer:
    """What is compared with a person's labels."""
    return Answer(
        category=decision.category,
        severity=decision.severity,
        themes=frozenset(decision.themes),
        abuse_types=frozenset(decision.abuse_types),
        needs_review=decision.needs_review,
        category_probabilities=assessment.prediction.category,
        severity_probabilities=assessment.prediction.severity,
        reasons=[
            (reason.start, reason.end)
            for reason in assessment.prediction.reasons
            if 0 <= reason.start < reason.end
        ],
    )


def evaluate_messages(messages: Sequence[LabelledMessage], predictors: Predictors) -> dict[str, Any]:
    """The figures of `models.evaluate.evaluate` for these messages."""
    return evaluate(messages, [answer_of(message, predictors=predictors) for message in messages])


def evaluate_file(path: Path, predictors: Predictors) -> tuple[dict[str, Any], int]:
    """The figures for a file of labelled messages, and how many of its lines were no such message."""
    messages, bad = [], 0
    for number, item in read_labelled(path):
        if isinstance(item, BadInput):
            bad += 1
            print(f"line {number}: {item}", file=sys.stderr)  # noqa: T201
        else:
            messages.append(item)
    if not messages:
        raise BadInput(f"{path} holds no labelled message")
    return evaluate_messages(messages, predictors), bad


def register_from(path: Path | None) -> Register:
    """The register of a file, or an empty one; BadInput when the file is no register."""
    return Register.of(read_register(path).providers) if path is not None else _EMPTY


def lines_of(source: BinaryIO) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank; a line that is not UTF-8 text is left for `assess_line` to refuse."""
    with TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as text:
        for number, line in enumerate(text, start=1):
            if line.strip():
                yield number, line


def answer_lines(
    lines: Iterable[tuple[int, str]], answer: Callable[[str], dict[str, Any]], *, out: TextIO | None = None
) -> int:
    """Write an answer for each line that has one, report each that has none; returns how many had none."""
    bad = 0
    for number, line in lines:
        try:
            result = answer(line)
        except BadInput as error:
            bad += 1
            print(f"line {number}: {error}", file=sys.stderr)  # noqa: T201
            continue
        print(json.dumps(result, ensure_ascii=False), file=out or sys.stdout, flush=True)
    return bad
