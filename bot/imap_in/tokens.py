"""OAuth 2 access tokens for mailboxes of Microsoft 365 and Google, fetched anew before they expire."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import Any

from bot.settings import Settings
from triage.errors import BadInput, CareConcernsError, TryAgainLater

_MICROSOFT = "https://login.microsoftonline.com"
_MICROSOFT_SCOPE = "https://outlook.office365.com/.default"
_GOOGLE = "https://oauth2.googleapis.com/token"
_GOOGLE_SCOPE = "https://mail.google.com/"
_TIMEOUT_SECONDS = 30
# A token is replaced so long before its end: a connection should not lose it in mid-fetch.
MARGIN_SECONDS = 300.0
_PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_CODE = re.compile(r"AADSTS\d+")


class TokenRefused(CareConcernsError):
    """The token server does not know us; the text names its error code and what to look at."""


@dataclass(frozen=True)
class Token:
    """An access token; `expires` by the clock of `time.time`."""

    text: str
    expires: float


class Tokens:
    """The access token in force; safe to share between threads."""

    def __init__(self, ask: Callable[[], Token], *, clock: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._clock = clock
        self._token: Token | None = None
        self._lock = threading.Lock()

    def current(self) -> str:
        """A token that is good for some minutes more; TokenRefused or TryAgainLater when there is none."""
        with self._lock:
            if self._token is None or self._clock() >= self._token.expires - MARGIN_SECONDS:
                self._token = self._ask()
            return self._token.text

    def is_ending(self) -> bool:
        """Whether the token will soon be of no use, so that it is time to connect with a new one."""
        with self._lock:
            return self._token is not None and self._clock() >= self._token.expires - MARGIN_SECONDS

    def forget(self) -> bool:
        """Drop the token, which the mail server refused; False when there was none."""
        with self._lock:
            had, self._token = self._token is not None, None
            return had


def tokens_for(settings: Settings) -> Tokens | None:
    """Where the mailbox's access tokens come from; None when it is opened with a password."""
    if settings.imap_login == "microsoft":
        return Tokens(_Microsoft(settings))
    if settings.imap_login == "google":
        return Tokens(_google(settings))
    return None


class _Microsoft:
    """Client credentials of an application in Entra ID, which may read the shared mailbox."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = None

    def __call__(self) -> Token:
        import requests  # noqa: PLC0415  only mailboxes with OAuth need it

        try:
            answer = self._acquire()
        except requests.exceptions.RequestException as error:
            raise TryAgainLater(f"the token server is away: {type(error).__name__}") from None
        except ValueError:
            # What MSAL says of an address that is no token server's, or of one that answers nonsense.
            raise TokenRefused("the token server gives no usable answer: check tenant and server") from None
        if "access_token" in answer:
            return Token(str(answer["access_token"]), time.time() + float(answer["expires_in"]))
        raise _refusal(str(answer.get("error", "unknown")), str(answer.get("error_description", "")))

    def _acquire(self) -> dict[str, Any]:
        import msal  # noqa: PLC0415

        if self._client is None:
            server = self._settings.imap_oauth_server or _MICROSOFT
            self._client = msal.ConfidentialClientApplication(
                self._settings.imap_oauth_client_id,
                client_credential=self._settings.imap_oauth_client_secret.get_secret_value(),
                authority=f"{server.rstrip('/')}/{self._settings.imap_oauth_tenant}",
                # Only Microsoft's own server knows of the others.
                instance_discovery=not self._settings.imap_oauth_server,
                http_client=_session(self._settings),
            )
        else:
            # Whoever asks again has no use for the token that MSAL keeps.
            self._client.remove_tokens_for_client()
        answer: dict[str, Any] = self._client.acquire_token_for_client(scopes=[_MICROSOFT_SCOPE])
        return answer


def _session(settings: Settings) -> Any:
    import requests  # noqa: PLC0415

    session = requests.Session()
    # Said with each request: said once for the session, a variable of the environment would outrank it.
    trusted = str(settings.imap_ca_file) if settings.imap_ca_file else True
    session.request = partial(session.request, timeout=_TIMEOUT_SECONDS, verify=trusted)  # type: ignore[method-assign]
    return session


def _refusal(error: str, description: str) -> CareConcernsError:
    if error in _PASSING:
        return TryAgainLater(f"the token server is away: {error}")
    code = _CODE.search(description)
    named = f"{error} {code.group()}" if code else error
    return TokenRefused(f"the token server refused us ({named}): check the client id and its secret's expiry")


def _google(settings: Settings) -> Callable[[], Token]:
    """A service account that may act for the mailbox, or a refresh token of the mailbox's own."""

    def ask() -> Token:
        from google.auth import exceptions  # noqa: PLC0415  only mailboxes at Google need it
        from google.auth.transport.requests import Request  # noqa: PLC0415

        credentials = _google_credentials(settings)
        try:
            credentials.refresh(Request(_session(settings)))
        except exceptions.TransportError as error:
            raise TryAgainLater(f"the token server is away: {type(error).__name__}") from None
        except exceptions.GoogleAuthError as error:
            if getattr(error, "retryable", False):
                raise TryAgainLater("the token server is away") from None
            raise TokenRefused(
                "the token server refused us: check the service account or refresh token"
            ) from None
        return Token(str(credentials.token), _seconds_of(credentials.expiry))

    return ask


def _google_credentials(settings: Settings) -> Any:
    from google.oauth2 import credentials, service_account  # noqa: PLC0415

    of_mailbox: Any = credentials.Credentials
    of_account: Any = service_account.Credentials
    if settings.imap_oauth_key_file is None:
        return of_mailbox(
            None,
            refresh_token=settings.imap_oauth_refresh_token.get_secret_value(),
            token_uri=settings.imap_oauth_server or _GOOGLE,
            client_id=settings.imap_oauth_client_id,
            client_secret=settings.imap_oauth_client_secret.get_secret_value(),
        )
    try:
        return of_account.from_service_account_file(
            str(settings.imap_oauth_key_file), scopes=[_GOOGLE_SCOPE], subject=settings.imap_user
        )
    except (OSError, ValueError):
        raise BadInput(f"{settings.imap_oauth_key_file} cannot be read as a service account's key") from None


def _seconds_of(expiry: Any) -> float:
    # google-auth gives the time in UTC, without saying so.
    return float(expiry.replace(tzinfo=UTC).timestamp())
