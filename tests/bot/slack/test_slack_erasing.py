"""What a person erased does not come back from Slack: neither again, nor as a later version, nor with its files."""

from __future__ import annotations

from storage.audit import Audit
from storage.concerns import concern_by_reference
from storage.erasing import erase
from storage.messages import raw_of
from tests.bot.slack.desk import Desk
from tests.factories import GREEN_TEXT, NOW
from tests.slack_double import SlackDouble


def test_an_erased_post_stays_erased_when_it_comes_again_or_is_edited(desk: Desk, slack: SlackDouble) -> None:
    """The very delivery is known at the door; an edit is counted as a copy and keeps nothing."""
    ts = slack.post(GREEN_TEXT)
    desk.take_in()
    [concern] = desk.concerns()
    with desk.app.database.write() as session:
        row = concern_by_reference(session, concern.reference, lock=True)
        erase(session, desk.app.keys, row, because="by mistake", audit=Audit(NOW, "a-lead", "erased"))
    first = slack.envelopes[0]
    slack.deliver("events_api", first.payload)
    slack.edit(ts, "The carpet at Rose Court is a zebra.")
    desk.take_in()
    assert sorted(desk.dispositions().values()) == ["concern", "duplicate"]
    assert len(desk.concerns()) == 1
    with desk.app.database.read() as session:
        for message in desk.messages():
            assert raw_of(session, desk.app.keys, message.id)[0] == b""
    assert desk.accounts().holds
