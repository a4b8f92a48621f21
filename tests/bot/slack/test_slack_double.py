"""The stand-in keeps Slack's contract, as Slack's own clients see it."""

from __future__ import annotations

import queue
import time
import urllib.request
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.webhook import WebhookClient

from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids
from tests.waiting import wait_for


@pytest.fixture
def client(slack: SlackDouble) -> WebClient:
    """Slack's own client with the bot's token."""
    return WebClient(ids.BOT_TOKEN, base_url=slack.api_url)


class Listening:
    """Slack's own Socket Mode client, which acknowledges what it gets if told to."""

    def __init__(self, slack: SlackDouble, *, acknowledge: bool = True) -> None:
        self.requests: queue.SimpleQueue[SocketModeRequest] = queue.SimpleQueue()
        self._acknowledge = acknowledge
        self.client = SocketModeClient(
            app_token=ids.APP_TOKEN, web_client=WebClient(base_url=slack.api_url), ping_interval=1
        )
        self.client.socket_mode_request_listeners.append(self._heard)  # type: ignore[arg-type]
        self.client.connect()

    def _heard(self, client: SocketModeClient, request: SocketModeRequest) -> None:
        self.requests.put(request)
        if self._acknowledge:
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id, {"text": "heard"}))


def test_a_token_says_who_it_belongs_to(client: WebClient, slack: SlackDouble) -> None:
    """auth.test, and its refusal of another token."""
    assert client.auth_test()["user_id"] == ids.BOT_USER
    with pytest.raises(SlackApiError) as caught:
        WebClient("xoxb-other", base_url=slack.api_url).auth_test()
    assert caught.value.response["error"] == "invalid_auth"


def test_posts_are_found_in_history_and_threads(client: WebClient) -> None:
    """The latest first in a channel, the first first in a thread; replies only there."""
    root = client.chat_postMessage(channel=ids.CHANNEL, text="root")["ts"]
    client.chat_postMessage(channel=ids.CHANNEL, text="reply", thread_ts=root)
    client.chat_postMessage(channel=ids.CHANNEL, text="later")
    history = client.conversations_history(channel=ids.CHANNEL)["messages"]
    thread = client.conversations_replies(channel=ids.CHANNEL, ts=root)["messages"]
    assert [post["text"] for post in history] == ["later", "root"]
    assert [post["text"] for post in thread] == ["root", "reply"]
    assert history[1]["latest_reply"] == thread[1]["ts"]


def test_history_comes_in_pages_from_a_time_on(client: WebClient) -> None:
    """`oldest` is left out unless `inclusive`; the cursor leads to the end."""
    stamps = [client.chat_postMessage(channel=ids.CHANNEL, text=f"{n}")["ts"] for n in range(5)]
    texts = [
        post["text"]
        for page in client.conversations_history(channel=ids.CHANNEL, oldest=stamps[1], limit=2)
        for post in page["messages"]
    ]
    inclusive = client.conversations_history(channel=ids.CHANNEL, oldest=stamps[1], inclusive=True)
    assert texts == ["4", "3", "2"]
    assert len(inclusive["messages"]) == 4


def test_mistakes_are_refused_in_slacks_words(client: WebClient) -> None:
    """Unknown channels, threads and users, and no text."""
    calls: list[tuple[str, dict[str, Any], str]] = [
        ("chat.postMessage", {"channel": "C9", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": ids.CHANNEL, "text": ""}, "no_text"),
        ("chat.postMessage", {"channel": ids.CHANNEL, "text": "x", "thread_ts": "1.0"}, "thread_not_found"),
        ("users.info", {"user": "U9"}, "user_not_found"),
        ("conversations.history", {"channel": "C9"}, "channel_not_found"),
        ("files.info", {"file": "F9"}, "file_not_found"),
    ]
    for method, arguments, code in calls:
        with pytest.raises(SlackApiError) as caught:
            client.api_call(method, params=arguments)
        assert caught.value.response["error"] == code


def test_a_rate_limit_says_how_long_to_wait(client: WebClient, slack: SlackDouble) -> None:
    """429 with Retry-After, once for each wait that was set."""
    slack.faults.rate_limits["users.info"] = [7]
    with pytest.raises(SlackApiError) as caught:
        client.users_info(user=ids.ADA)
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    assert client.users_info(user=ids.ADA)["user"]["team_id"] == ids.TEAM
    assert client.conversations_info(channel=ids.CHANNEL)["channel"]["id"] == ids.CHANNEL


def test_views_whispers_answers_and_files_are_kept_or_given(client: WebClient, slack: SlackDouble) -> None:
    """Each where the tests look for it."""
    view = client.views_open(trigger_id="t", view={"type": "modal", "title": {}, "blocks": []})["view"]
    client.chat_postEphemeral(channel=ids.CHANNEL, user=ids.ADA, text="psst")
    WebhookClient(f"{slack.web.address}/response/1").send(text="thanks")
    url = slack.file("a.txt", b"content", content_type="text/plain")["url_private"]
    request = urllib.request.Request(  # noqa: S310  the loopback
        url, headers={"Authorization": f"Bearer {ids.BOT_TOKEN}"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.read() == b"content"
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        assert answer.headers.get_content_type() == "text/html"
    assert slack.workspace.views[0]["id"] == view["id"]
    assert slack.workspace.ephemerals[0]["text"] == "psst"
    assert slack.workspace.responses[0]["text"] == "thanks"


def test_an_event_reaches_a_socket_and_its_acknowledgement_comes_back(slack: SlackDouble) -> None:
    """With the payload of the acknowledgement."""
    listening = Listening(slack)
    slack.sockets.wait_for_connection()
    slack.post("words")
    request = listening.requests.get(timeout=5)
    slack.settle()
    assert (request.type, request.payload["event"]["text"]) == ("events_api", "words")
    assert slack.envelopes[0].answer == {"text": "heard"}
    listening.client.close()


def test_what_is_not_acknowledged_comes_again_and_says_so(slack: SlackDouble) -> None:
    """The same envelope, with the number of the attempt."""
    listening = Listening(slack, acknowledge=False)
    slack.sockets.wait_for_connection()
    slack.post("words")
    first, second = (listening.requests.get(timeout=10) for _ in range(2))
    assert first.envelope_id == second.envelope_id
    assert (first.retry_attempt, second.retry_attempt) == (0, 1)
    listening.client.close()


@pytest.mark.parametrize("fault", ["refresh", "drop"])
def test_a_client_comes_back_after_a_refresh_and_after_a_drop(slack: SlackDouble, fault: str) -> None:
    """A second hello, and events go to the new socket."""
    listening = Listening(slack)
    slack.sockets.wait_for_connection()
    getattr(slack.sockets, fault)()
    wait_for(lambda: slack.sockets.hellos >= 2, seconds=30, what="the second hello")
    time.sleep(0.2)
    slack.post("words")
    slack.settle()
    listening.client.close()


def test_deliveries_can_be_doubled_and_turned_round(slack: SlackDouble) -> None:
    """Copies have one event id; what is held comes when it is let go."""
    listening = Listening(slack)
    slack.sockets.wait_for_connection()
    slack.faults.copies, slack.faults.holding = 2, True
    slack.post("first")
    slack.post("second")
    slack.release(backwards=True)
    heard = [listening.requests.get(timeout=5).payload for _ in range(4)]
    assert [payload["event"]["text"] for payload in heard] == ["second", "second", "first", "first"]
    assert len({payload["event_id"] for payload in heard}) == 2
    listening.client.close()
