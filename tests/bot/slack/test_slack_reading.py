"""Slack's markup and payloads as plain messages."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack_reading import facts_of, plain_text, read_slack
from triage.errors import CannotRead


def event(**fields: Any) -> dict[str, Any]:
    """A post's payload."""
    post = {"type": "message", "channel": "C1", "user": "U1", "text": "words", "ts": "1795000000.000100"}
    return {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": post | fields}


def read(**fields: Any) -> Any:
    """The message in a post's payload."""
    return read_slack(json.dumps(event(**fields)).encode())


@pytest.mark.parametrize(
    ("mrkdwn", "plain"),
    [
        ("*bold* and _soft_ and ~gone~ and `code`", "bold and soft and gone and code"),
        ("*_both_*", "both"),
        ("```\ntwo\nlines\n```", "two\nlines"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("<@U123> said", "@U123 said"),
        ("<@U123|ada> said", "@ada said"),
        ("in <#C1|concerns> <#C2>", "in #concerns #C2"),
        ("<!here> <!subteam^S1|@leads> <!channel|channel>", "@here @leads @channel"),
        ("<!date^1392734382^{date}|18 February 2014>", "18 February 2014"),
        ("<https://rose.example/a_b_c|our page>", "our page (https://rose.example/a_b_c)"),
        ("<https://rose.example>", "https://rose.example"),
        ("<mailto:ada@x.example|ada@x.example> <tel:+44123|+44123>", "ada@x.example +44123"),
        ("Tom &amp; Jo &lt;3 &amp;lt;", "Tom & Jo <3 &lt;"),
        ("&gt; quoted\nnew", "> quoted\nnew"),
        ("*see <https://x.example|this>*", "see this (https://x.example)"),
    ],
)
def test_markup_becomes_what_a_person_reads(mrkdwn: str, plain: str) -> None:
    """Marks off, mentions and links readable, entities resolved once."""
    assert plain_text(mrkdwn) == plain


def test_a_post_is_a_message_with_its_writer_time_and_thread() -> None:
    """Each in its field."""
    message = read(thread_ts="1794000000.000000")
    assert (message.channel, message.text, message.new_text) == ("slack", "words", "words")
    assert message.sender.name == "U1"
    assert message.sender.address == "slack:T1/U1"
    assert message.message_id == "slack:C1/1795000000.000100"
    assert message.in_reply_to == ("slack:C1/1794000000.000000",)
    assert message.date == datetime.fromtimestamp(1795000000.0001, UTC)


def test_words_that_stand_only_in_blocks_or_in_a_shared_message_are_read() -> None:
    """And a web page's preview is not: nobody wrote it."""
    blocks = [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"text": "in a block"}]}],
        }
    ]
    shared = [{"is_share": True, "text": "she *fell*"}, {"from_url": "https://x.example", "text": "a page"}]
    assert read(text="", blocks=blocks).text == "in a block"
    assert read(attachments=shared).text == "words\n\nShared message:\nshe fell"


def test_files_are_described() -> None:
    """Name, type, size."""
    (attachment,) = read(
        files=[{"id": "F1", "name": "a.jpg", "mimetype": "image/jpeg", "size": 7}]
    ).attachments
    assert (attachment.filename, attachment.content_type, attachment.size) == ("a.jpg", "image/jpeg", 7)


@pytest.mark.parametrize("subtype", ["channel_join", "channel_topic", "reminder_add", "message_replied"])
def test_slacks_own_noise_is_no_message(subtype: str) -> None:
    """Joins, topics, reminders."""
    assert facts_of(event(subtype=subtype)) is None


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"[" * 100_000, b'{"type":"event_callback"}', b"\xff"])
def test_what_is_no_payload_cannot_be_read(raw: bytes) -> None:
    """And says so in one way."""
    with pytest.raises(CannotRead):
        read_slack(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["subtype", "text", "user", "ts", "thread_ts", "files", "blocks", "attachments", "message",
             "previous_message", "edited", "deleted_ts", "bot_id", "channel"]
        ),
        _JSON | st.sampled_from(["message_changed", "message_deleted", "file_share"]),
    )
)  # fmt: skip
def test_a_payload_of_any_shape_is_read_or_refused(fields: dict[str, Any]) -> None:
    """Nothing else ever comes out of it."""
    with suppress(CannotRead):
        read(**fields)
