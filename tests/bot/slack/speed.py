"""Posts at a steady pace, and how soon each is acknowledged, beside Slack's own client that stores 4 KiB a post."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from tests.factories import GREEN_TEXT
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids

EVENTS_PER_SECOND, SECONDS = 20, 10


def post_steadily(*doubles: SlackDouble) -> None:
    """Post in each workspace at the rate, and wait until all is acknowledged."""
    begun = time.monotonic()
    for number in range(EVENTS_PER_SECOND * SECONDS):
        time.sleep(max(0.0, begun + number / EVENTS_PER_SECOND - time.monotonic()))
        for double in doubles:
            double.post(f"{GREEN_TEXT} ({number})", user=(ids.ADA, ids.BEN)[number % 2])
    for double in doubles:
        double.settle(60)


@contextmanager
def bare_client(double: SlackDouble, path: Path) -> Iterator[None]:
    """Slack's own client, which writes 4 KiB to the disk for each event and acknowledges it."""
    client = SocketModeClient(app_token=ids.APP_TOKEN, web_client=WebClient(base_url=double.api_url))
    with path.open("wb", buffering=0) as file:

        def heard(client: SocketModeClient, request: SocketModeRequest) -> None:
            file.write(bytes(4096))
            os.fsync(file.fileno())
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id))

        client.socket_mode_request_listeners.append(heard)  # type: ignore[arg-type]
        client.connect()
        double.sockets.wait_for_connection()
        try:
            yield
        finally:
            client.close()


def percentiles(double: SlackDouble) -> tuple[float, float]:
    """The 50th and the 99th of the seconds from sending to acknowledgement."""
    ordered = sorted(envelope.seconds for envelope in double.envelopes)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
