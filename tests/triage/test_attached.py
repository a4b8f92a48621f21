"""Words of attached files: they can add to what a message says, and cannot drown it."""

from __future__ import annotations

import pytest

from tests.factories import message
from tests.quick_predictors import QuickPredictors, prediction
from triage.assess import assess
from triage.attached import file_heading, has_unread_files, text_with_files
from triage.decide import decide
from triage.provider_match import Register
from triage.vocabulary import Assessment, Attachment, Category, Decision, FileSign, Prediction, Severity

RED = "On Sunday the night carer punched my mother at Rose Court."
LEAFLET = "Our training course on safeguarding adults takes place in May. " * 200
COVER = "Please see the attached letter."


def file(text: str = "", *signs: FileSign, size: int = 1000, kind: str = "application/pdf") -> Attachment:
    """A file with these words."""
    return Attachment("letter.docx", kind, size, "0" * 64, sniffed_type=kind, signs=signs, text=text)


def understood(text: str, *files: Attachment) -> tuple[Assessment, Decision]:
    """What is understood and decided of a message with files."""
    assessment = assess(
        message(text, attachments=files), register=Register.of(()), predictors=QuickPredictors()
    )
    return assessment, decide(assessment)


def test_what_a_file_says_counts_as_said() -> None:
    """By a rule, with the words in their place."""
    assessment, decision = understood(COVER, file(RED))
    assert (decision.category, decision.severity) == (Category.SAFEGUARDING, Severity.RED)
    [span] = assessment.files
    assert assessment.read_text[span.start : span.end] == RED
    placed = [reason for reason in decision.reasons if reason.end >= 0]
    assert placed
    for reason in placed:
        assert assessment.read_text[reason.start : reason.end] == reason.text
    assert any(span.start <= reason.start < span.end for reason in placed)


def test_what_the_models_say_of_a_file_counts() -> None:
    """Without any rule; the explanation stands in the file."""
    assessment, decision = understood(COVER, file(), file("The purse is gone and nobody knows where."))
    assert decision.category is Category.SAFEGUARDING
    [reason] = [reason for reason in decision.reasons if reason.text == "purse"]
    [span] = assessment.files
    assert span.number == 2
    assert span.start <= reason.start < span.end


@pytest.mark.parametrize("leaflet", [LEAFLET, LEAFLET * 20, "carpet " * 5000])
def test_a_long_file_does_not_drown_the_message(leaflet: str) -> None:
    """The message alone is red, whatever goes with it."""
    _, alone = understood(RED)
    _, decision = understood(RED, file(leaflet))
    assert (decision.category, decision.severity) == (alone.category, alone.severity)
    assert decision.category is Category.SAFEGUARDING
    assert [reason.text for reason in alone.reasons if reason.text in RED]


def test_route_and_urgency_are_each_the_most_protective() -> None:
    """An amber message with a file of a graver route keeps at least its urgency."""
    _, decision = understood("There were late visits all week.", file("The shower rail. " * 3))
    assert (decision.category, decision.severity) == (Category.CARE_CONCERN, Severity.AMBER)


def test_the_words_of_files_stand_under_headings_by_number() -> None:
    """Not by name, which may be a person's."""
    text, spans = text_with_files("Hello", [file("one"), file(), file("three")])
    assert text == f"Hello\n\n{file_heading(1)}\n\none\n\n{file_heading(3)}\n\nthree"
    assert [(span.number, text[span.start : span.end]) for span in spans] == [(1, "one"), (3, "three")]


@pytest.mark.parametrize(
    "sign",
    [FileSign.LOCKED, FileSign.NO_TEXT, FileSign.UNREADABLE, FileSign.ARCHIVE, FileSign.NOT_UNPACKED],
)
def test_a_file_that_could_not_be_read_needs_a_person(sign: FileSign) -> None:
    """Whatever the message says beside it."""
    _, decision = understood(
        "The carpet in the lounge has had a stain on it since last Tuesday.", file("", sign)
    )
    assert decision.needs_review
    assert "an attached file could not be read" in decision.review_reasons


@pytest.mark.parametrize(
    ("text", "attached", "unread"),
    [
        (COVER, file(kind="image/jpeg", size=90_000), True),
        (COVER, file(kind="audio/mpeg", size=90_000), True),
        (COVER, file(kind="image/png", size=4_000), False),
        ("word " * 40, file(kind="image/jpeg", size=90_000), False),
        (COVER, file("It says something"), False),
    ],
)
def test_a_photograph_without_a_story_needs_a_person(text: str, attached: Attachment, unread: bool) -> None:
    """A logo does not, nor a photograph beside an account of what happened."""
    assert has_unread_files(message(text, attachments=(attached,))) is unread


def test_a_message_without_files_is_understood_as_before() -> None:
    """No file, no second opinion."""
    assessment, _ = understood(RED)
    assert assessment.alone is None
    assert assessment.files == ()


def test_office_business_in_a_file_takes_nothing_back_of_what_the_message_says() -> None:
    """Words of an office make the models sure of no concern; the message alone says more."""

    class SureOfOfficeBusiness:
        version = "sure"

        def predict(self, subject: str, text: str) -> Prediction:
            sure = 0.97 if "training course" in text else 0.6
            return prediction(Category.NOT_A_CONCERN, Severity.GREEN, sure=sure)

    leaflet = file("You are invited to a training course. Book your place on the training course by Friday.")
    mail = message(RED, attachments=(leaflet,))
    assessment = assess(mail, register=Register.of(()), predictors=SureOfOfficeBusiness())
    assert assessment.alone is not None
    assert decide(assessment).category is Category.SAFEGUARDING
