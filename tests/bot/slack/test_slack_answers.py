"""What we say in Slack: reference, category and RAG, at most once a concern, and never anything else."""

from __future__ import annotations

import re

import pytest

from bot.slack_out import POST_JOB
from storage.slack import answer_place
from tests.bot.slack.desk import RED_TEXT, Desk
from tests.factories import GREEN_TEXT, triaged
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids

ANSWER = re.compile(
    r"Reference: CC-\d{4}-\d{6}\. "
    r"Category: (safeguarding|care concern|social care referral|not a concern)\. "
    r"RAG: (red|amber|green|not rated)\."
)


def triage(desk: Desk) -> None:
    """Do all the work but the posting."""
    desk.slack.settle()
    desk.work("triage_message")


def test_the_answer_is_reference_category_and_rag_in_the_thread(desk: Desk, slack: SlackDouble) -> None:
    """Word for word, below the post; where it landed is kept."""
    ts = slack.post(GREEN_TEXT)
    desk.take_in()
    (concern,) = desk.concerns()
    (answer,) = desk.posts_of_bot()
    assert answer["text"] == f"Reference: {concern.reference}. Category: care concern. RAG: green."
    assert answer["thread_ts"] == ts
    with desk.app.database.read() as session:
        assert answer_place(session, f"slack-answer-{concern.id}") == (ids.CHANNEL, answer["ts"])


def test_a_post_that_is_no_concern_is_answered_too(desk: Desk, slack: SlackDouble) -> None:
    """Nobody is left without a reference."""
    slack.post("Thanks, all.")
    desk.take_in()
    assert desk.posts_of_bot()[0]["text"].endswith("Category: not a concern. RAG: not rated.")


def test_a_red_concern_is_told_to_the_alert_channel_with_a_link(desk: Desk, slack: SlackDouble) -> None:
    """The same words, and where to read it."""
    slack.post(RED_TEXT)
    desk.take_in()
    (concern,) = desk.concerns()
    (alert,) = desk.posts_of_bot(ids.ALERTS)
    assert alert["text"] == (
        f"Reference: {concern.reference}. Category: safeguarding. RAG: red. "
        f"https://desk.council.example/concerns/{concern.reference}"
    )


def test_a_red_concern_from_email_is_told_there_as_well(desk: Desk) -> None:
    """The alert channel is for every way in."""
    from tests.factories import email_bytes

    concern = triaged(desk.app, email_bytes(RED_TEXT))
    desk.work(POST_JOB)
    (alert,) = desk.posts_of_bot(ids.ALERTS)
    assert concern.reference in alert["text"]


def test_nobody_and_no_words_are_ever_named(desk: Desk, slack: SlackDouble) -> None:
    """Over every kind of report, all that the bot says is made of reference, category, RAG and link."""
    root = slack.post(f"{RED_TEXT} Her son Tobias Quill told me.")
    slack.post("Nurse Quill knows.", user=ids.BEN, thread_ts=root)
    slack.edit(root, f"{RED_TEXT} Her son Tobias told me.")
    slack.settle()
    slack.shortcut(root, channel=ids.CHANNEL, user=ids.BEN)
    slack.command("Tobias Quill")
    slack.settle()
    slack.submit(slack.workspace.views[0], "Tobias Quill assaulted her", service="Rose Court")
    desk.take_in()
    said = [post["text"] for channel in slack.workspace.channels for post in desk.posts_of_bot(channel)]
    link = r" https://desk\.council\.example/concerns/CC-\d{4}-\d{6}"
    assert len(said) == 4
    assert all(re.fullmatch(f"{ANSWER.pattern}({link})?", text) for text in said)


def test_an_answer_whose_fate_is_unknown_is_looked_for_and_not_posted_twice(
    desk: Desk, slack: SlackDouble
) -> None:
    """The connection broke after Slack had posted: the next attempt finds it."""
    slack.post(GREEN_TEXT)
    triage(desk)
    slack.faults.lost_answers.add("chat.postMessage")
    assert len(desk.work(POST_JOB, rounds=1)) == 1
    assert desk.work(POST_JOB) == []
    assert len(desk.posts_of_bot()) == 1
    assert list(desk.outgoing().values()) == ["sent"]


def test_an_alert_whose_fate_is_unknown_is_looked_for_as_well(desk: Desk, slack: SlackDouble) -> None:
    """In the channel's history."""
    slack.post(RED_TEXT)
    triage(desk)
    for _ in range(2):
        slack.faults.lost_answers.add("chat.postMessage")
        desk.work(POST_JOB, rounds=1)
    desk.work(POST_JOB)
    assert len(desk.posts_of_bot(ids.ALERTS)) == len(desk.posts_of_bot()) == 1


def test_an_answer_that_never_reached_slack_is_posted_at_the_next_attempt(
    desk: Desk, slack: SlackDouble
) -> None:
    """Slack was away; nothing is lost and nothing doubled."""
    slack.post(GREEN_TEXT)
    triage(desk)
    slack.faults.outages.add("chat.postMessage")
    assert len(desk.work(POST_JOB, rounds=1)) == 1
    assert desk.posts_of_bot() == []
    slack.faults.outages.clear()
    desk.work(POST_JOB)
    assert len(desk.posts_of_bot()) == 1


def test_a_direct_answer_whose_fate_is_unknown_is_not_posted_twice(desk: Desk, slack: SlackDouble) -> None:
    """It cannot be looked for: rather none than two, and it says so."""
    slack.command()
    slack.settle()
    slack.submit(slack.workspace.views[0], GREEN_TEXT)
    triage(desk)
    slack.faults.lost_answers.add("chat.postMessage")
    for _ in range(2):
        desk.work(POST_JOB, rounds=1)
    assert len(desk.posts_of_bot("D0ADA")) == 1
    assert list(desk.outgoing().values()) == ["unknown"]


def test_posting_waits_for_as_long_as_slack_asks(desk: Desk, slack: SlackDouble) -> None:
    """Attempts before that time do not reach Slack at all."""
    slack.post(GREEN_TEXT)
    triage(desk)
    slack.faults.rate_limits["chat.postMessage"] = [30]
    for _ in range(3):
        assert len(desk.work(POST_JOB, rounds=1)) == 1
    assert len(slack.web.calls_of("chat.postMessage")) == 1
    assert list(desk.outgoing().values()) == ["waiting"]


def test_an_answer_that_slack_refuses_is_shown_as_failed(desk: Desk, slack: SlackDouble) -> None:
    """The post was deleted before it was answered: no endless attempts, and the desk can see it."""
    ts = slack.post(GREEN_TEXT)
    triage(desk)
    slack.workspace.remove(ids.CHANNEL, ts)
    desk.work()
    assert list(desk.outgoing().values()) == ["failed"]
    assert len(desk.audit("slack_answer_failed")) == 1


@pytest.mark.parametrize("times", [2, 5])
def test_a_job_done_again_posts_nothing(desk: Desk, slack: SlackDouble, times: int) -> None:
    """The engine may repeat it."""
    slack.post(GREEN_TEXT)
    desk.take_in()
    job = desk._jobs[POST_JOB]
    for _ in range(times):
        job.run(f"slack-answer-{desk.concerns()[0].id}")
    assert len(desk.posts_of_bot()) == 1
