"""A logged-in connection to the mail server, or a clear word on why there is none."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import ssl
from contextlib import suppress

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from bot.imap_in.tokens import Tokens
from bot.settings import Settings
from triage.errors import BadInput, CareConcernsError, TryAgainLater

# The library logs every line that it hears at DEBUG: nothing of a message may get there.
logging.getLogger("imapclient").setLevel(logging.WARNING)

_CODE = re.compile(r"\[([A-Z][A-Z0-9-]{1,30})\]")
_PASSING_CODES = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN"})
_MOST_ACCOUNT = 255


class LoginRefused(CareConcernsError):
    """The server does not let us in; trying again soon would only lock the account."""


def check_settings(settings: Settings) -> None:
    """BadInput, naming the setting, when the mailbox cannot be opened with these settings."""
    needed = {"imap_user": settings.imap_user}
    if settings.imap_login == "password":
        needed["imap_password"] = settings.imap_password.get_secret_value()
    elif settings.imap_login == "microsoft":
        needed["imap_oauth_tenant"] = settings.imap_oauth_tenant
        needed["imap_oauth_client_id"] = settings.imap_oauth_client_id
        needed["imap_oauth_client_secret"] = settings.imap_oauth_client_secret.get_secret_value()
    elif settings.imap_oauth_key_file is None:
        needed["imap_oauth_client_id"] = settings.imap_oauth_client_id
        needed["imap_oauth_refresh_token"] = settings.imap_oauth_refresh_token.get_secret_value()
    for name, value in needed.items():
        if not value:
            raise BadInput(f"CARECONCERNS_{name.upper()} is missing: fetching mail needs it")
    if settings.imap_security == "none" and not _is_loopback(settings.imap_host):
        raise BadInput("CARECONCERNS_IMAP_SECURITY may be `none` for a server on this machine alone")
    if not settings.imap_folders:
        raise BadInput("CARECONCERNS_IMAP_FOLDERS names no folder")
    if settings.imap_processed_folder in settings.imap_folders:
        raise BadInput("CARECONCERNS_IMAP_PROCESSED_FOLDER must not be a folder that mail is fetched from")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def account_of(settings: Settings) -> str:
    """The mailbox by name: its user and its server, since another server counts its messages anew."""
    return f"{settings.imap_user}/{settings.imap_host}".lower()[:_MOST_ACCOUNT]


def connect(settings: Settings, tokens: Tokens | None) -> IMAPClient:
    """A logged-in connection; LoginRefused when we are not let in, OSError and the like when nobody answers."""
    try:
        return _log_in(settings, tokens)
    except LoginRefused:
        # A token may be withdrawn before its time; a fresh one tells whether it was that.
        if tokens is None or not tokens.forget():
            raise
        return _log_in(settings, tokens)


def _log_in(settings: Settings, tokens: Tokens | None) -> IMAPClient:
    secret = tokens.current() if tokens else settings.imap_password.get_secret_value()
    client = _open(settings)
    try:
        if tokens:
            client.oauth2_login(settings.imap_user, secret)
        else:
            client.login(settings.imap_user, secret)
    except LoginError as error:
        cut(client)
        raise _told(error) from None
    except BaseException:
        cut(client)
        raise
    client.normalise_times = False
    return client


def _open(settings: Settings) -> IMAPClient:
    seconds = settings.imap_timeout_seconds
    context = ssl.create_default_context(cafile=str(settings.imap_ca_file) if settings.imap_ca_file else None)
    client = IMAPClient(
        settings.imap_host,
        settings.imap_port,
        ssl=settings.imap_security == "tls",
        ssl_context=context,
        timeout=SocketTimeout(connect=min(30, seconds), read=seconds),
    )
    # Without this each line is formatted for a log that nobody reads: half of the time of a fetch.
    client._imap.debug = 0
    try:
        if settings.imap_security == "starttls":
            client.starttls(context)
    except BaseException:
        cut(client)
        raise
    return client


def _told(error: LoginError) -> CareConcernsError:
    """What the refusal means; the server's own words stay out, save for its response code."""
    if isinstance(error.__context__, IMAPClientAbortError):
        return TryAgainLater("the server closed the connection at the log-in")
    code = _CODE.search(str(error))
    if code and code.group(1) in _PASSING_CODES:
        return TryAgainLater(f"the server cannot check log-ins for now ({code.group(1)})")
    return LoginRefused(f"the server refused the log-in{f' ({code.group(1)})' if code else ''}")


def say_goodbye(client: IMAPClient) -> None:
    """Log out, politely where the server still listens."""
    try:
        client.logout()
    except (IMAPClientError, OSError, ValueError):
        cut(client)


def cut(client: IMAPClient) -> None:
    """End the connection at once, also for a thread that waits in it."""
    with suppress(OSError, AttributeError):
        client.socket().shutdown(socket.SHUT_RDWR)
    with suppress(IMAPClientError, OSError, AttributeError):
        client.shutdown()
