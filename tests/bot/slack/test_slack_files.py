"""Files that come with posts: fetched after the post is safe, kept sealed, described, and never larger than we said."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from bot.slack_calls import SlackCalls, SlackRefused
from bot.slack_files import FILES_JOB
from storage.attachments import attachments_of, content_of
from storage.rotation import reseal_all
from storage.slack import FileState, files_of, slack_message_id
from storage.tables import AttachmentRow
from tests.bot.file_samples import docx
from tests.bot.slack.desk import RED_TEXT, Desk
from tests.factories import GREEN_TEXT
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids
from tests.waiting import wait_for

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


def test_a_photo_is_kept_sealed_and_described(desk: Desk, slack: SlackDouble) -> None:
    """Its bytes come back as they were; the reading has its name, type, size and digest."""
    slack.post(GREEN_TEXT, files=[slack.file("ceiling.jpg", PHOTO)], subtype="file_share")
    desk.take_in()
    home = desk.messages()[0].id
    with desk.app.database.read() as session:
        (file,) = files_of(session, home)
        (kept,) = attachments_of(session, desk.app.keys, [home])
        content = content_of(session, desk.app.keys, kept.attachment_id)
        row = session.get_one(AttachmentRow, kept.attachment_id)
        assert PHOTO not in row.content
        assert b"ceiling" not in row.name
    (described,) = desk.reading(home).attachments
    assert (file.state, kept.state, content) == (FileState.KEPT, "kept", PHOTO)
    assert (kept.name, kept.sniffed_type) == ("ceiling.jpg", "image/jpeg")
    assert described == {
        "filename": "ceiling.jpg",
        "content_type": "image/jpeg",
        "bytes": len(PHOTO),
        "sha256": hashlib.sha256(PHOTO).hexdigest(),
    }
    assert reseal_all(desk.app.database) == 0


def test_the_post_is_on_the_desk_before_its_files_are_fetched(desk: Desk, slack: SlackDouble) -> None:
    """A file that takes its time holds up nothing."""
    slack.faults.rate_limits["file"] = [30]
    slack.post(GREEN_TEXT, files=[slack.file("ceiling.jpg", PHOTO)])
    slack.settle()
    later = desk.work()
    assert len(desk.concerns()) == 1
    assert desk.reading(desk.messages()[0].id).attachments[0]["filename"] == "ceiling.jpg"
    assert [key.partition(":")[0] for key in later] == [FILES_JOB]


@pytest.mark.parametrize("declared", [None, 10])
def test_a_file_that_is_too_large_is_described_and_not_kept(
    make_desk: Callable[..., Desk], slack: SlackDouble, declared: int | None
) -> None:
    """Whether it says so itself or is found out on the way."""
    desk = make_desk(slack_file_max_bytes=1000)
    facts = slack.file("long.mp4", PHOTO, content_type="video/mp4")
    facts["size"] = declared or facts["size"]
    slack.post(GREEN_TEXT, files=[facts])
    desk.take_in()
    (file,) = desk.files()
    assert file.state == FileState.TOO_LARGE
    assert desk.reading(desk.messages()[0].id).defects == ["file_not_kept"]


def test_a_file_that_is_gone_is_noted_as_gone(desk: Desk, slack: SlackDouble) -> None:
    """No attempt without end."""
    facts = slack.file("ceiling.jpg", PHOTO)
    del slack.workspace.files[facts["id"]]
    slack.post(GREEN_TEXT, files=[facts])
    desk.take_in()
    assert [file.state for file in desk.files()] == [FileState.GONE]


def test_slacks_log_in_page_is_not_mistaken_for_a_file(desk: Desk, slack: SlackDouble) -> None:
    """What Slack answers, with 200, to a bot that may not read files."""
    facts = slack.file("ceiling.jpg", PHOTO)
    slack.workspace.files[facts["id"]].content_type = "text/html"
    slack.post(GREEN_TEXT, files=[facts])
    desk.take_in()
    assert [file.state for file in desk.files()] == [FileState.REFUSED]


def test_a_file_elsewhere_is_not_fetched(desk: Desk, slack: SlackDouble) -> None:
    """A link to somebody else's store."""
    facts = slack.file("plan.docx", PHOTO) | {"is_external": True}
    slack.post(GREEN_TEXT, files=[facts])
    desk.take_in()
    assert [file.state for file in desk.files()] == [FileState.ELSEWHERE]
    assert slack.web.calls_of("file") == []


def test_a_file_that_slack_only_hints_at_is_asked_for(desk: Desk, slack: SlackDouble) -> None:
    """In shared channels an event has the id alone."""
    facts = slack.file("ceiling.jpg", PHOTO)
    slack.post(GREEN_TEXT, files=[{"id": facts["id"], "file_access": "check_file_info"}])
    desk.take_in()
    assert [file.state for file in desk.files()] == [FileState.KEPT]


@pytest.mark.parametrize(
    "url",
    [
        "https://files.slack.com.evil.example/x",
        "https://evil.example/?.slack.com",
        "http://files.slack.com/x",
        "file:///etc/passwd",
        "http://127.0.0.1:1/api/",
    ],
)
def test_the_token_goes_to_slack_alone(desk: Desk, url: str) -> None:
    """An address in a payload cannot lead it elsewhere."""
    with pytest.raises(SlackRefused, match="not_at_slack"):
        SlackCalls(desk.app.settings).file(url, most_bytes=10)


def test_files_are_fetched_once(desk: Desk, slack: SlackDouble) -> None:
    """When the job is repeated, or an edit names them again."""
    facts = slack.file("ceiling.jpg", PHOTO)
    ts = slack.post(GREEN_TEXT, files=[facts])
    desk.take_in()
    slack.edit(ts, RED_TEXT)
    desk.take_in()
    desk._jobs[FILES_JOB].run(slack_message_id(f"{ids.CHANNEL}/{ts}"))
    reading = desk.reading(slack_message_id(f"{ids.CHANNEL}/{ts}"))
    assert len(slack.web.calls_of("file")) == 1
    assert reading.text == RED_TEXT
    assert reading.attachments[0]["sha256"] == hashlib.sha256(PHOTO).hexdigest()


def test_files_that_can_never_be_fetched_are_said_to_be_missing(desk: Desk, slack: SlackDouble) -> None:
    """When all attempts have failed."""
    ts = slack.post(GREEN_TEXT, files=[slack.file("ceiling.jpg", PHOTO)])
    slack.settle()
    desk.work("triage_message")
    home = slack_message_id(f"{ids.CHANNEL}/{ts}")
    desk._jobs[FILES_JOB].give_up(home, "TryAgainLater")
    assert [file.state for file in desk.files()] == [FileState.REFUSED]
    wait_for(lambda: desk.reading(home).defects == ["file_not_kept"], seconds=2)


def test_what_a_document_says_raises_the_concern(desk: Desk, slack: SlackDouble) -> None:
    """The post says little; the words of its file are understood with it, and the leads are told."""
    slack.post("Please see the letter.", files=[slack.file("letter.docx", docx(RED_TEXT))])
    desk.take_in()
    (concern,) = desk.concerns()
    assert (concern.category, concern.severity) == ("safeguarding", "red")
    assert [entry.details["raised"] for entry in desk.audit("files_read")] == [True]


def test_a_document_that_cannot_be_read_needs_a_person(desk: Desk, slack: SlackDouble) -> None:
    """Whatever the post says."""
    slack.post(GREEN_TEXT, files=[slack.file("scan.pdf", b"%PDF-1.4 broken")])
    desk.take_in()
    (concern,) = desk.concerns()
    assert concern.needs_review
