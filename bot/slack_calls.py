"""Calls to Slack's Web API, with its refusals and limits told apart: wait, try later, or never.

After a `429` a method is left alone until its Retry-After has passed, whoever asks.
"""

from __future__ import annotations

import http.client
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.settings import Settings
from triage.errors import CareConcernsError, TryAgainLater

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 10
_UNKNOWN_WAIT_SECONDS = 30.0
_PAGE = 200
_CHUNK_BYTES = 65_536
_PASSING = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"}
)

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class BotIdentity:
    """Who we are in Slack."""

    team: str
    enterprise: str
    user: str
    bot: str

    def wrote(self, message: Answer) -> bool:
        """Whether the post is one of ours."""
        return message.get("user") == self.user or (bool(self.bot) and message.get("bot_id") == self.bot)


class RateLimited(TryAgainLater):
    """Slack wants to be left alone for `seconds`."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(f"Slack {method}: asked to wait {seconds:.0f} s")
        self.seconds = seconds


class SlackRefused(CareConcernsError):
    """Slack said no, and will say no again; `code` is its own word for why."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack {method}: {code}")
        self.code = code


class FileTooLarge(CareConcernsError):
    """A file is larger than we keep."""


class SlackCalls:
    """The calls we make; each raises TryAgainLater, RateLimited or SlackRefused. Safe from any thread."""

    def __init__(self, settings: Settings, *, timeout_seconds: int = _TIMEOUT_SECONDS) -> None:
        self._settings = settings
        self._token = settings.slack_bot_token.get_secret_value()
        self._timeout_seconds = timeout_seconds
        self._client = web_client(settings, token=self._token, timeout_seconds=timeout_seconds)
        self._not_before: dict[str, float] = {}

    def own_identity(self) -> BotIdentity:
        """Who the token's owner is, by auth.test."""
        answer = self._call("auth.test", self._client.auth_test)
        team, enterprise, user, bot = (
            str(answer.get(name) or "") for name in ("team_id", "enterprise_id", "user_id", "bot_id")
        )
        return BotIdentity(team, enterprise, user, bot)

    def user(self, user_id: str) -> Answer:
        """The user object of users.info."""
        return _map(self._call("users.info", self._client.users_info, user=user_id).get("user"))

    def post(self, channel: str, text: str, *, thread_ts: str = "") -> tuple[str, str]:
        """Post plain text; returns the channel and ts where it landed. A user's id as channel is a direct message."""
        answer = self._call(
            "chat.postMessage",
            self._client.chat_postMessage,
            channel=channel,
            text=text,
            thread_ts=thread_ts or None,
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(answer.get("channel") or channel), str(answer.get("ts") or "")

    def whisper(self, channel: str, user: str, text: str, *, thread_ts: str = "") -> None:
        """Post what only one user sees."""
        self._call(
            "chat.postEphemeral",
            self._client.chat_postEphemeral,
            channel=channel,
            user=user,
            text=text,
            thread_ts=thread_ts or None,
        )

    def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> None:
        """Show a modal to who pressed."""
        self._call("views.open", self._client.views_open, trigger_id=trigger_id, view=dict(view))

    def history(self, channel: str, *, oldest: str) -> Iterator[list[Answer]]:
        """Pages of the channel's posts from `oldest` on, the latest first; replies are not among them."""
        yield from self._pages(
            "conversations.history",
            self._client.conversations_history,
            channel=channel,
            oldest=oldest,
            inclusive=True,
        )

    def replies(self, channel: str, root_ts: str, *, oldest: str = "0") -> Iterator[list[Answer]]:
        """Pages of a thread from `oldest` on; its first post always comes with them."""
        yield from self._pages(
            "conversations.replies",
            self._client.conversations_replies,
            channel=channel,
            ts=root_ts,
            oldest=oldest,
            inclusive=True,
        )

    def file_facts(self, file_id: str) -> Answer:
        """The file object of files.info, for files that Slack only hints at."""
        return _map(self._call("files.info", self._client.files_info, file=file_id).get("file"))

    def file(self, url: str, *, most_bytes: int) -> tuple[bytes, str]:
        """The bytes of a file and their declared type; FileTooLarge as soon as there are more than `most_bytes`."""
        if not self._is_slacks(url):
            raise SlackRefused("file", "not_at_slack")  # the token goes to nobody else
        self._keep_waiting("file")
        request = urllib.request.Request(  # noqa: S310  the address was checked above
            url, headers={"Authorization": f"Bearer {self._token}"}
        )
        opener = urllib.request.build_opener(_StayAtSlack(self._is_slacks))
        try:
            with opener.open(request, timeout=self._timeout_seconds) as answer:
                return _read_up_to(answer, most_bytes), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            raise self._file_error(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise TryAgainLater(f"Slack file: {type(error).__name__}") from None

    def _file_error(self, error: urllib.error.HTTPError) -> CareConcernsError:
        if error.code == 429:
            return self._limited("file", error.headers.get("Retry-After"))
        if error.code >= 500:
            return TryAgainLater(f"Slack file: {error.code}")
        return SlackRefused("file", f"http_{error.code}")

    def _is_slacks(self, url: str) -> bool:
        parts, api = urlsplit(url), urlsplit(self._settings.slack_api_url)
        if (parts.scheme, parts.netloc) == (api.scheme, api.netloc):
            return True
        return parts.scheme == "https" and (parts.hostname or "").endswith(".slack.com")

    def _pages(self, method: str, function: Callable[..., Any], **arguments: Any) -> Iterator[list[Answer]]:
        cursor = ""
        while True:
            page = self._call(method, function, limit=_PAGE, cursor=cursor or None, **arguments)
            yield [message for message in page.get("messages") or [] if isinstance(message, Mapping)]
            cursor = str(_map(page.get("response_metadata")).get("next_cursor") or "")
            if not cursor:
                return

    def _call(self, method: str, function: Callable[..., Any], **arguments: Any) -> Answer:
        self._keep_waiting(method)
        try:
            return _map(function(**arguments).data)
        except SlackApiError as error:
            raise self._api_error(method, error) from None
        except (OSError, ValueError, http.client.HTTPException, SlackClientError) as error:
            raise TryAgainLater(f"Slack {method}: {type(error).__name__}") from None

    def _keep_waiting(self, method: str) -> None:
        wait = self._not_before.get(method, 0.0) - time.monotonic()
        if wait > 0:
            raise RateLimited(method, wait)

    def _api_error(self, method: str, error: SlackApiError) -> CareConcernsError:
        status, answer = error.response.status_code, _map(error.response.data)
        if status == 429:
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return self._limited(method, headers.get("retry-after"))
        code = str(answer.get("error") or f"http_{status}")
        if status >= 500 or code in _PASSING:
            return TryAgainLater(f"Slack {method}: {code}")
        return SlackRefused(method, code)

    def _limited(self, method: str, retry_after: str | None) -> RateLimited:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else _UNKNOWN_WAIT_SECONDS
        self._not_before[method] = time.monotonic() + seconds
        log.warning("Slack asks to leave %s alone for %.0f s", method, seconds)
        return RateLimited(method, seconds)


class _StayAtSlack(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to Slack, since the token travels with it."""

    def __init__(self, is_slacks: Callable[[str], bool]) -> None:
        self._is_slacks = is_slacks

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The next request, or None, which makes an HTTPError of the redirect."""
        if not self._is_slacks(newurl):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def web_client(
    settings: Settings, *, token: str | None, timeout_seconds: int = _TIMEOUT_SECONDS
) -> WebClient:
    """Slack's own client, silent about what it sends and without retries of its own."""
    quiet = logging.getLogger("slack_sdk.ours")
    quiet.setLevel(logging.ERROR)
    return WebClient(
        token=token,
        base_url=settings.slack_api_url,
        timeout=timeout_seconds,
        retry_handlers=[],
        logger=quiet,
    )


def _map(value: object) -> Answer:
    return value if isinstance(value, Mapping) else {}


def _read_up_to(answer: IO[bytes], most_bytes: int) -> bytes:
    content = bytearray()
    while chunk := answer.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > most_bytes:
            raise FileTooLarge(f"more than {most_bytes} bytes")
    return bytes(content)
