"""A database that is locked, full or read-only: Slack hears no acknowledgement, and delivers again."""

from __future__ import annotations

import pytest

from tests.bot.slack.desk import Desk
from tests.bot.storage_faults import KINDS, storage_fault
from tests.factories import GREEN_TEXT
from tests.slack_double import SlackDouble
from tests.waiting import wait_for


@pytest.mark.parametrize("kind", KINDS)
def test_a_post_is_acknowledged_only_when_it_is_stored(desk: Desk, slack: SlackDouble, kind: str) -> None:
    """The history is left out of it, so that the redelivery alone can bring the post."""
    slack.faults.outages.add("conversations.history")
    with storage_fault(desk.app, kind):
        slack.post(GREEN_TEXT + " Again and again." * 12_000)
        wait_for(lambda: slack.envelopes and slack.envelopes[0].attempts >= 2, what="a second delivery")
        assert not slack.envelopes[0].acked.is_set()
        assert desk.messages() == []
    slack.settle()
    assert slack.envelopes[0].acked.is_set()
    assert len(desk.messages()) == 1
