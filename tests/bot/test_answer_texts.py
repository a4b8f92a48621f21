"""The wording of automatic answers: safe by default, checked when a council writes its own."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from bot.answer_texts import DEFAULT, MOST_BODY, AnswerText, text_in_force
from bot.app import App
from bot.printing import give_wording_right
from bot.settings import Settings
from storage.answer_texts import answer_texts, save_answer_text
from storage.audit import Audit
from storage.outgoing import outgoing_by_id
from tests.factories import GREEN_TEXT, NOW, RED_TEXT, email_bytes, lead, triaged
from triage.belonging import subject_tag
from triage.errors import BadInput
from triage.vocabulary import Category

OWN = AnswerText(
    "Thank you ({reference})", "Dear writer, {reference}.\n\n{emergency}\n\n{council} {telephone}"
)


def sent(app: App, text: str, *, sender: str = "susan@family.example") -> tuple[str, str]:
    """Subject and body of the answer to a mail, with the reference and the mark of its thread taken out."""
    concern = triaged(app, email_bytes(text, sender=sender), mail_from=sender)
    with app.database.read() as session:
        mail = outgoing_by_id(session, app.keys, f"acknowledgement-{concern.id}")
    assert mail is not None
    read = message_from_bytes(mail.content, policy=policy.default)
    return (
        read["Subject"].replace(subject_tag(concern.reference, concern.token), "[CC]"),
        read.get_content().replace(concern.reference, "CC").strip(),
    )


def reworded(app: App, category: Category, wording: AnswerText) -> None:
    """A lead puts the wording in force."""
    by = lead(app, f"{category.value}@council.example")
    with app.database.write() as session:
        audit = Audit(at=NOW, actor=by.id, action="answer_reworded")
        save_answer_text(session, category, subject=wording.subject, body=wording.body, audit=audit)


def test_the_default_says_the_same_whatever_the_matter_is(app: App) -> None:
    """Who reads it over a shoulder learns nothing from it, nor from how it differs from another."""
    texts = (RED_TEXT, GREEN_TEXT, "Could we have a shower rail for dad?", "Our newsletter is out.")
    answers = {sent(app, text, sender=f"s{number}@family.example") for number, text in enumerate(texts)}
    assert len(answers) == 1
    assert DEFAULT.telling_words() == []
    assert DEFAULT.errors() == {}


def test_the_council_s_own_text_is_sent_for_its_category_alone(either_app: App) -> None:
    """With the placeholders filled, and nothing else changed."""
    reworded(either_app, Category.CARE_CONCERN, OWN)
    subject, body = sent(either_app, GREEN_TEXT)
    assert subject == "Thank you [CC]"
    assert body.startswith("Dear writer, CC.")
    assert "call 999" in body
    assert body.endswith("Example Council 01632 960001")
    assert sent(either_app, RED_TEXT, sender="b@b.example")[0] == "We have received your message [CC]"


@pytest.mark.parametrize(
    ("subject", "body", "field", "says"),
    [
        ("", OWN.body, "subject", "Enter a subject"),
        ("x" * 200, OWN.body, "subject", "Shorten"),
        ("a\nBcc: b@c.example", OWN.body, "subject", "one line"),
        ("{emergency}", OWN.body, "subject", "several lines"),
        ("{sender}", OWN.body, "subject", "{sender} cannot be used"),
        ("ok", "", "body", "Enter a text"),
        ("ok", "x" * (MOST_BODY + 1), "body", "Shorten"),
        ("ok", "{reference} only", "body", "Put {emergency}"),
        ("ok", "{emergency} only", "body", "Put {reference}"),
        ("ok", OWN.body + "{text}", "body", "{text} cannot be used"),
        ("ok", OWN.body + "{reference.__class__}", "body", "cannot be used"),
        ("ok", OWN.body + "{reference[0]}", "body", "cannot be used"),
        ("ok", OWN.body + "{reference!r}", "body", "cannot be used"),
        ("ok", OWN.body + "{reference:>99999999}", "body", "cannot be used"),
        ("ok", OWN.body + "{}", "body", "cannot be used"),
        ("ok", OWN.body + " { alone", "body", "stands alone"),
        ("ok", OWN.body + "\x07", "body", "no text"),
    ],
)
def test_a_text_that_would_not_do_is_refused_with_what_to_do(
    subject: str, body: str, field: str, says: str
) -> None:
    """Only the placeholders of the list, the reference and the emergency text always, plain text."""
    assert says in AnswerText(subject, body).errors()[field]


def test_brackets_of_one_s_own_are_written_twice() -> None:
    """And are no placeholder."""
    wording = AnswerText("ok", OWN.body + " {{text}}")
    assert wording.errors() == {}
    assert wording.filled(Settings(), "CC-1").body.endswith(" {text}")


def test_a_council_s_name_with_brackets_is_filled_in_as_it_is() -> None:
    """What is filled in is never read for placeholders again."""
    filled = OWN.filled(Settings(council_name="{reference.__class__}"), "CC-1")
    assert "{reference.__class__} 01632" in filled.body


def test_words_that_tell_what_the_matter_is_are_named() -> None:
    """The council may use them, and is told."""
    assert AnswerText("Safeguarding", "your complaint of neglect").telling_words() == [
        "complaint",
        "neglect",
        "safeguarding",
    ]


def test_a_kept_text_that_no_longer_does_gives_way_to_the_default(app: App) -> None:
    """An answer is never sent with holes in it."""
    reworded(app, Category.CARE_CONCERN, AnswerText("ok", "{reference} {emergency} {gone}"))
    with app.database.read() as session:
        assert text_in_force(session, Category.CARE_CONCERN) == DEFAULT
        assert len(answer_texts(session, Category.CARE_CONCERN)) == 1


def test_the_right_to_reword_is_given_and_taken_at_the_command_line(app: App) -> None:
    """And is written down."""
    who = lead(app)
    assert "may change" in give_wording_right(app, who.email, may=True, now=NOW)
    assert "no longer" in give_wording_right(app, who.email, may=False, now=NOW)
    with pytest.raises(BadInput, match="no lead"):
        give_wording_right(app, "nobody@council.example", may=True, now=NOW)
