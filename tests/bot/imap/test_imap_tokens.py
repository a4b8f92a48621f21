"""OAuth 2: tokens come from a real token server on loopback, and open a real Dovecot by XOAUTH2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from bot.app import App
from bot.imap_in import MailboxReader
from bot.imap_in.tokens import MARGIN_SECONDS, Token, TokenRefused, Tokens, tokens_for
from bot.settings import Settings
from tests.bot.dovecot import USER, Dovecot, write_certificate
from tests.bot.imap.looking import bodies, report, state
from tests.bot.imap.token_server import SECRET, TokenServer
from tests.factories import email_bytes
from tests.waiting import wait_for
from triage.errors import TryAgainLater

Start = Callable[..., MailboxReader]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TokenServer]:
    """A token server with TLS."""
    write_certificate(tmp_path)
    found = TokenServer(tmp_path / "certificate.pem", tmp_path / "key.pem")
    yield found
    found.close()


@pytest.fixture
def plain_server() -> Iterator[TokenServer]:
    """A token server without TLS, on loopback."""
    found = TokenServer()
    yield found
    found.close()


@pytest.fixture
def dovecot(plain_server: TokenServer) -> Iterator[Dovecot]:
    """A mail server that asks the plain token server whether a token is good."""
    found = Dovecot(token_check_url=f"http://127.0.0.1:{plain_server.port}/check?access_token=")
    yield found
    found.close()


@pytest.fixture
def microsoft(settings: Settings, server: TokenServer, tmp_path: Path) -> Settings:
    """A mailbox at Microsoft 365, as far as settings go."""
    changes = {
        "imap_login": "microsoft",
        "imap_user": USER,
        "imap_oauth_tenant": "tenant",
        "imap_oauth_client_id": "an-application",
        "imap_oauth_client_secret": SecretStr(SECRET),
        "imap_oauth_server": server.url,
        "imap_ca_file": tmp_path / "certificate.pem",
    }
    return settings.model_copy(update=changes)


@pytest.fixture
def google(settings: Settings, plain_server: TokenServer) -> Settings:
    """A mailbox at Google with a refresh token of its own."""
    changes = {
        "imap_login": "google",
        "imap_user": USER,
        "imap_oauth_client_id": "an-application",
        "imap_oauth_client_secret": SecretStr(SECRET),
        "imap_oauth_refresh_token": SecretStr("a-refresh-token"),
        "imap_oauth_server": f"{plain_server.url}/token",
    }
    return settings.model_copy(update=changes)


def the_tokens(settings: Settings) -> Tokens:
    """Where tokens come from with these settings."""
    tokens = tokens_for(settings)
    assert tokens is not None
    return tokens


def test_microsoft_gives_a_token_for_client_credentials(microsoft: Settings, server: TokenServer) -> None:
    """The grant and scope that a shared mailbox needs."""
    tokens = the_tokens(microsoft)
    assert tokens.current() == tokens.current() == "token-1"
    [asked] = server.asked
    assert asked["grant_type"] == "client_credentials"
    assert "https://outlook.office365.com/.default" in asked["scope"]


def test_a_token_is_replaced_before_it_expires(microsoft: Settings, server: TokenServer) -> None:
    """Minutes before, not when the mail server complains."""
    server.seconds = int(MARGIN_SECONDS) - 1
    tokens = the_tokens(microsoft)
    assert tokens.current() == "token-1"
    assert tokens.is_ending()
    server.seconds = 3600
    assert tokens.current() == "token-2"
    assert not tokens.is_ending()


def test_a_token_that_the_mail_server_refused_is_asked_for_anew(
    microsoft: Settings, server: TokenServer
) -> None:
    """A withdrawn token is not offered again because a library still keeps it."""
    tokens = the_tokens(microsoft)
    assert tokens.current() == "token-1"
    assert tokens.forget()
    assert tokens.current() == "token-2"


def test_a_secret_that_expired_is_named_as_such(microsoft: Settings) -> None:
    """With the code that the administrator can look up, and without the secret."""
    wrong = microsoft.model_copy(update={"imap_oauth_client_secret": SecretStr("old-secret")})
    with pytest.raises(TokenRefused, match="AADSTS7000222") as refused:
        the_tokens(wrong).current()
    assert "old-secret" not in str(refused.value)


def test_a_token_server_that_is_away_is_asked_again_later(microsoft: Settings, server: TokenServer) -> None:
    """That is no fault of the credentials."""
    tokens = the_tokens(microsoft)
    tokens.current()
    server.close()
    tokens.forget()
    with pytest.raises(TryAgainLater):
        tokens.current()


def test_google_gives_a_token_for_a_refresh_token(google: Settings, plain_server: TokenServer) -> None:
    """For a mailbox with a refresh token of its own."""
    assert the_tokens(google).current() == "token-1"
    assert plain_server.asked[0]["grant_type"] == "refresh_token"
    assert plain_server.asked[0]["refresh_token"] == "a-refresh-token"


def test_google_gives_a_token_for_a_service_account(
    google: Settings, plain_server: TokenServer, tmp_path: Path
) -> None:
    """For a domain that lets an account act for the mailbox: a signed assertion names it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "account.json"
    account = {
        "type": "service_account",
        "client_email": "reader@project.example",
        "private_key": pem.decode(),
        "token_uri": f"{plain_server.url}/token",
    }
    file.write_text(json.dumps(account))
    settings = google.model_copy(update={"imap_oauth_key_file": file})
    assert the_tokens(settings).current() == "token-1"
    assert plain_server.asked[0]["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"


def test_a_refresh_token_that_was_withdrawn_is_a_refusal(google: Settings, plain_server: TokenServer) -> None:
    """Somebody must log in at Google again."""
    plain_server.answer = (400, {"error": "invalid_grant"})
    with pytest.raises(TokenRefused):
        the_tokens(google).current()


def test_mail_comes_in_with_a_token_and_goes_on_when_it_was_withdrawn(
    mailbox_app: App, dovecot: Dovecot, google: Settings, plain_server: TokenServer, start_reader: Start
) -> None:
    """XOAUTH2 at a real server, which asks the token server; a refused token is replaced at once."""
    names = [name for name in Settings.model_fields if name.startswith("imap_oauth")]
    chosen = {name: getattr(google, name) for name in names}
    dovecot.append([email_bytes()])
    start_reader(imap_login="google", **chosen)
    wait_for(lambda: len(bodies(mailbox_app)) == 1, seconds=20, what="the mail")
    dovecot.stop()
    wait_for(lambda: state(mailbox_app) == "away", seconds=20, what="the end of the connection")
    plain_server.good.clear()
    dovecot.start()
    dovecot.append([email_bytes()])
    wait_for(lambda: len(bodies(mailbox_app)) == 2, seconds=20, what="the second mail")
    assert len(plain_server.asked) == 2
    assert state(mailbox_app) == "connected"


def test_the_reader_says_when_the_token_server_refuses_it(
    mailbox_app: App, google: Settings, plain_server: TokenServer, start_reader: Start
) -> None:
    """The desk shows what to look at."""
    names = [name for name in Settings.model_fields if name.startswith("imap_oauth")]
    plain_server.answer = (400, {"error": "invalid_grant"})
    start_reader(imap_login="google", **{name: getattr(google, name) for name in names})
    wait_for(lambda: state(mailbox_app) == "refused", seconds=20, what="the refusal")
    found = report(mailbox_app)
    assert found is not None
    assert "token server refused us" in found.problem


def test_a_clock_decides_when_a_token_ends() -> None:
    """Nothing is asked while the token is good."""
    now = [1000.0]
    given = iter([Token("first", 5000.0), Token("second", 9000.0)])
    tokens = Tokens(lambda: next(given), clock=lambda: now[0])
    assert tokens.current() == "first"
    now[0] = 5000.0 - MARGIN_SECONDS - 1
    assert tokens.current() == "first"
    now[0] += 2
    assert tokens.is_ending()
    assert tokens.current() == "second"
