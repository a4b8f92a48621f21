"""A Slack stand-in, an App that is set to it, and its way in connected."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.app import App, build_app
from bot.settings import Settings
from bot.slack_in import SlackPart
from tests.bot.slack.desk import Desk
from tests.quick_predictors import QuickPredictors
from tests.slack_double import SlackDouble
from tests.slack_double import workspace as ids


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    """A running stand-in that delivers again what is not acknowledged within a second and a half."""
    with SlackDouble(ack_seconds=1.5) as double:
        yield double


@pytest.fixture
def slack_settings(settings: Settings, slack: SlackDouble) -> dict[str, Any]:
    """What the settings say of the stand-in."""
    return {
        "slack_bot_token": ids.BOT_TOKEN,
        "slack_app_token": ids.APP_TOKEN,
        "slack_signing_secret": ids.SIGNING_SECRET,
        "slack_channels": ids.CHANNEL,
        "slack_alert_channel": ids.ALERTS,
        "slack_api_url": slack.api_url,
        "slack_http_port": 0,
        "slack_catch_up_seconds": 3600,
        "desk_url": "https://desk.council.example",
    }


@pytest.fixture
def make_desk(
    settings: Settings, slack_settings: dict[str, Any], slack: SlackDouble, prepared_folder: Path
) -> Iterator[Callable[..., Desk]]:
    """Makes a desk with these settings, connected; the data folder is one and the same."""
    made: list[tuple[Desk, App]] = []

    def make(*, connected: bool = True, **more: Any) -> Desk:
        if not settings.data_dir.exists():
            shutil.copytree(prepared_folder, settings.data_dir)
        base = {"data_dir": settings.data_dir, "demonstration": False}
        app = build_app(Settings(**(base | slack_settings | more)))
        app._predictors = QuickPredictors()
        desk = Desk(app, slack, SlackPart(app))
        made.append((desk, app))
        if connected:
            desk.connect()
        return desk

    yield make
    for desk, app in made:
        desk.disconnect()
        app.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk that is connected to the stand-in by Socket Mode."""
    return make_desk()
