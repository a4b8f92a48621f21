"""What keeps a message that is marked as spam on the desk: any hint that it may be a concern."""

from __future__ import annotations

from triage.vocabulary import Assessment, Category, Decision, MatchAdvice, Message, Severity


def hints_of_a_concern(
    message: Message, assessment: Assessment, decision: Decision, *, most_chance: float
) -> tuple[str, ...]:
    """Why a person must see it among the concerns, in words; empty when there is nothing to be found.

    `most_chance` is the highest probability, of safeguarding and of red, that counts as nothing.
    """
    chances = assessment.prediction.category
    concern = 1.0 - chances[Category.NOT_A_CONCERN]
    red = concern * assessment.prediction.severity[Severity.RED]
    checks = (
        (bool(assessment.red_flags), "a rule saw something in it"),
        (bool(assessment.steering), "it tries to steer the labels"),
        (decision.category is not Category.NOT_A_CONCERN, "the machine takes it for a concern"),
        (decision.needs_review, "a concern cannot be ruled out"),
        (chances[Category.SAFEGUARDING] > most_chance, "it could be safeguarding"),
        (red > most_chance, "it could be red"),
        (assessment.provider.advice is MatchAdvice.SUGGEST, "it names a service of the register"),
        (bool(message.attachments), "a file came with it"),
        (not message.text.strip() or "encrypted" in message.defects, "there is little in it to read"),
        (bool(message.in_reply_to), "it answers another mail"),
    )
    return tuple(words for holds, words in checks if holds)
