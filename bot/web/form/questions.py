"""The questions of the form in their order: which answers each has, and what is wrong with those that were sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.form_reading import ANONYMOUS
from bot.web.form.texts import Texts

MOST_STORY = 50_000
NONE_OF_THESE = "none"
NAMED = "named"
_DETAILS = ("name", "email", "phone", "reach")
_MOST_TEXT = 5_000
_MOST_LINE = 300

Answers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """One answer that a question takes; `choices` are the only values of one that is selected."""

    name: str
    most: int = _MOST_TEXT
    choices: tuple[str, ...] = ()

    def read(self, sent: Mapping[str, str]) -> str:
        """The value as it is kept: trimmed, with plain line ends and nothing that is no text."""
        value = sent.get(self.name, "").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()
        return value if not self.choices or value in self.choices else ""


@dataclass(frozen=True)
class Question:
    """A page with one question; `typed` are answers that are saved while somebody still writes."""

    step: str
    answers: tuple[Answer, ...]
    typed: bool = False
    rows: int = 3

    def read(self, sent: Mapping[str, str]) -> dict[str, str]:
        """The answers as they are kept."""
        values = {answer.name: answer.read(sent) for answer in self.answers}
        if self.step == "service":
            return _chosen(values)
        if self.step == "you" and values["who"] == ANONYMOUS:
            return {**values, **dict.fromkeys(_DETAILS, "")}
        # Details that are given count as a yes, however somebody came to this page.
        return {**values, "who": NAMED} if self.step == "contact" and any(values.values()) else values

    def errors(self, values: Answers, texts: Texts) -> dict[str, str]:
        """What is wrong, by answer, each with what to do about it."""
        found = {
            answer.name: texts["fault"]["too_long"].format(most=f"{answer.most:,}")
            for answer in self.answers
            if len(values.get(answer.name, "")) > answer.most
        }
        if self.step == "story" and not values["story"]:
            found["story"] = texts["story"]["error_empty"]
        if self.step == "contact" and not _may_be_email(values["email"]):
            found["email"] = texts["contact"]["error_email"]
        return found


QUESTIONS: Mapping[str, Question] = {
    question.step: question
    for question in (
        Question("danger", (Answer("danger", choices=("yes", "no", "unsure")),)),
        Question("about", (Answer("about"),), typed=True),
        Question("story", (Answer("story", MOST_STORY),), typed=True, rows=12),
        Question("service", (Answer("service", _MOST_LINE), Answer("pick", _MOST_LINE)), typed=True),
        Question("where", (Answer("where"),), typed=True),
        Question("when", (Answer("when"),), typed=True),
        Question("known", (Answer("known"),), typed=True, rows=5),
        Question("files", ()),
        Question("you", (Answer("who", choices=(ANONYMOUS, NAMED)),)),
        Question(
            "contact",
            (
                Answer("name", _MOST_LINE),
                Answer("email", _MOST_LINE),
                Answer("phone", _MOST_LINE),
                Answer("reach", 1_000),
            ),
        ),
    )
}
STEPS = tuple(QUESTIONS)


def step_after(step: str, values: Answers) -> str | None:
    """The next question; None after the last, which is not asked of whoever stays anonymous."""
    if step == "you" and values["who"] != NAMED:
        return None
    following = STEPS.index(step) + 1
    return STEPS[following] if following < len(STEPS) else None


def step_before(step: str) -> str | None:
    """The question before; None before the first."""
    place = STEPS.index(step)
    return STEPS[place - 1] if place else None


def _chosen(values: dict[str, str]) -> dict[str, str]:
    """A service picked from the register stands for what was written."""
    picked = values["pick"]
    return {"service": values["service"] if picked in ("", NONE_OF_THESE) else picked}


def _may_be_email(value: str) -> bool:
    name, at, place = value.rpartition("@")
    is_one = bool(at and name and "." in place.strip(".")) and not any(letter.isspace() for letter in value)
    return is_one or not value
