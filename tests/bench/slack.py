"""Slack: how soon an event is stored and acknowledged, at the pace of a busy day."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from bot.app import build_app, prepare
from bot.settings import Settings
from bot.slack_in import SlackPart
from tests.bench.measured import Measured
from tests.bot.slack.speed import EVENTS_PER_SECOND, SECONDS, bare_client, percentiles, post_steadily
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids


def slack() -> Iterator[Measured]:
    """From the sending of an event to its acknowledgement, with a bare client of Slack's own beside it."""
    with tempfile.TemporaryDirectory() as folder, SlackDouble() as double, SlackDouble() as other:
        settings = Settings(
            data_dir=Path(folder) / "var",
            demonstration=False,
            slack_bot_token=SecretStr(ids.BOT_TOKEN),
            slack_app_token=SecretStr(ids.APP_TOKEN),
            slack_channels=(ids.CHANNEL,),
            slack_api_url=double.api_url,
        )
        prepare(settings)
        app = build_app(settings)
        part = SlackPart(app)
        part.start()
        try:
            double.sockets.wait_for_connection()
            with bare_client(other, Path(folder) / "bare"):
                post_steadily(double, other)
        finally:
            part.stop()
            app.close()
        (p50, p99), (bare_p50, bare_p99) = percentiles(double), percentiles(other)
    yield Measured(
        f"Slack stored and acknowledged, p99 at {EVENTS_PER_SECOND} events a second for {SECONDS} s",
        p99 * 1_000,
        "ms",
        f"p50 {p50 * 1_000:.0f} ms; bare client p50 {bare_p50 * 1_000:.0f}, p99 {bare_p99 * 1_000:.0f} ms",
        at_most=300,
    )
