"""Who may send mail to us, and how: TLS, networks, the log-in, and the addresses that take mail."""

from __future__ import annotations

import base64
import ipaddress
import smtplib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.app import App
from bot.settings import load_settings
from bot.smtp_in.access import Certificate, may_connect
from tests.bot.mail_client import MailClient
from tests.bot.mail_listening import listening, stored
from triage.errors import BadInput

USER, PASSWORD = "relay", "a long and quiet password"


def write_certificate(folder: Path, name: str = "localhost") -> dict[str, Path]:
    """A certificate that signs itself, and its key; gives back the settings that name them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = {"smtp_tls_certificate": folder / "certificate.pem", "smtp_tls_key": folder / "key.pem"}
    files["smtp_tls_certificate"].write_bytes(certificate.public_bytes(Encoding.PEM))
    files["smtp_tls_key"].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, Any]:
    """Settings with a certificate and a port that is encrypted from the first byte."""
    return {**write_certificate(tmp_path), "smtp_tls_port": 0}


@pytest.fixture
def trust(tls: dict[str, Any]) -> ssl.SSLContext:
    """A client's trust in that certificate."""
    return ssl.create_default_context(cafile=str(tls["smtp_tls_certificate"]))


@pytest.fixture
def log_in(tls: dict[str, Any]) -> dict[str, Any]:
    """As `tls`, with a user who must log in."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    return {**tls, "smtp_user": USER, "smtp_password_hash": quick.hash(PASSWORD)}


def test_mail_comes_in_by_starttls_and_by_implicit_tls(
    app: App, tls: dict[str, Any], trust: ssl.SSLContext
) -> None:
    """With a client that checks the certificate; large enough to come in many records."""
    mail = b"x" * 900 + b"\r\n"
    with listening(app, **tls) as listener:
        with smtplib.SMTP("localhost", listener.bound_port, timeout=20) as client:
            client.starttls(context=trust)
            client.sendmail("a@b.example", ["c@d.example"], mail * 1_000)
        assert listener.bound_tls_port is not None
        with smtplib.SMTP_SSL("localhost", listener.bound_tls_port, timeout=20, context=trust) as client:
            client.sendmail("a@b.example", ["c@d.example"], mail * 1_001)
    assert [len(raw) for raw in stored(app)] == [len(mail) * 1_000, len(mail) * 1_001]


def test_starttls_is_offered_only_where_it_can_be_had(
    app: App, tls: dict[str, Any], trust: ssl.SSLContext
) -> None:
    """Not without a certificate, and not twice."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        assert "STARTTLS" not in client.say("EHLO client.example")
        assert client.say("STARTTLS").startswith("454")
    with listening(app, **tls) as listener, MailClient(listener.bound_port) as client:
        assert "STARTTLS" in client.say("EHLO client.example")
        client.start_tls(trust)
        assert "STARTTLS" not in client.say("EHLO client.example")
        assert client.say("STARTTLS").startswith("503")


def test_starttls_forgets_all_that_was_said_before(
    app: App, tls: dict[str, Any], trust: ssl.SSLContext
) -> None:
    """Also commands that somebody slipped in behind STARTTLS, unencrypted."""
    with listening(app, **tls) as listener, MailClient(listener.bound_port) as client:
        client.hello().say("MAIL FROM:<a@b.example>")
        client.say("RCPT TO:<c@d.example>")
        client.send(b"STARTTLS\r\nEHLO intruder.example\r\nMAIL FROM:<x@evil.example>\r\n")
        assert client.reply().startswith("220")
        client.socket = trust.wrap_socket(client.socket, server_hostname="localhost")
        client._file = client.socket.makefile("rb")
        assert client.say("DATA").startswith("503")
        assert client.hello().say("DATA").startswith("503")
        assert client.deliver(b"x\r\n").startswith("250")


def test_a_failed_handshake_ends_the_session_alone(app: App, tls: dict[str, Any]) -> None:
    """The next client is served."""
    with listening(app, **tls) as listener:
        with MailClient(listener.bound_port) as client:
            client.say("STARTTLS")
            client.send(b"this is no TLS\r\n")
            assert client.is_closed() or client.is_closed()
        with MailClient(listener.bound_port) as client:
            assert client.hello().deliver(b"x\r\n").startswith("250")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_at_least_1_2(tls: dict[str, Any], version: ssl.TLSVersion) -> None:
    """Nothing older is spoken."""
    context = Certificate(tls["smtp_tls_certificate"], tls["smtp_tls_key"]).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert version >= context.minimum_version


def test_mail_without_tls_is_refused_where_tls_is_required(
    app: App, tls: dict[str, Any], trust: ssl.SSLContext
) -> None:
    """And taken with it, on both ports."""
    with listening(app, **tls, smtp_require_tls=True) as listener:
        with MailClient(listener.bound_port) as client:
            assert client.hello().say("MAIL FROM:<a@b.example>").startswith("530")
            client.start_tls(trust)
            assert client.hello().deliver(b"x\r\n").startswith("250")
        assert listener.bound_tls_port is not None
        with MailClient(listener.bound_tls_port, tls=trust) as client:
            assert client.hello().deliver(b"x\r\n").startswith("250")


def test_a_renewed_certificate_is_taken_up(tls: dict[str, Any], tmp_path: Path) -> None:
    """While we run; files that cannot be used change nothing."""
    certificate = Certificate(tls["smtp_tls_certificate"], tls["smtp_tls_key"])
    assert not certificate.refresh()
    tls["smtp_tls_certificate"].write_text("half a file")
    with pytest.raises(BadInput, match="cannot be used"):
        certificate.refresh()
    write_certificate(tmp_path, "renewed")
    assert certificate.refresh()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("port", ["starttls", "tls"])
def test_the_user_logs_in_over_tls_and_sends(
    app: App, log_in: dict[str, Any], trust: ssl.SSLContext, mechanism: str, port: str
) -> None:
    """By each mechanism on each port."""
    with listening(app, **log_in) as listener:
        client: smtplib.SMTP
        if port == "tls":
            assert listener.bound_tls_port is not None
            client = smtplib.SMTP_SSL("localhost", listener.bound_tls_port, timeout=20, context=trust)
        else:
            client = smtplib.SMTP("localhost", listener.bound_port, timeout=20)
            client.starttls(context=trust)
        with client:
            client.ehlo()
            client.user, client.password = USER, PASSWORD
            method = client.auth_plain if mechanism == "PLAIN" else client.auth_login
            assert client.auth(mechanism, method)[0] == 235
            client.sendmail("a@b.example", ["c@d.example"], b"x\r\n")
    assert stored(app) == [b"x\r\n"]


@pytest.mark.parametrize(
    ("user", "password"), [(USER, "wrong"), ("stranger", PASSWORD), ("", ""), (USER, ""), (USER, "\xff")]
)
def test_a_wrong_password_or_user_opens_nothing(
    app: App, log_in: dict[str, Any], trust: ssl.SSLContext, user: str, password: str
) -> None:
    """And after a few tries the session ends."""
    token = base64.b64encode(f"\0{user}\0{password}".encode("latin-1")).decode()
    with listening(app, **log_in) as listener, MailClient(listener.bound_port) as client:
        client.start_tls(trust)
        client.hello()
        assert [client.say(f"AUTH PLAIN {token}")[:3] for _ in range(5)] == ["535"] * 4 + ["421"]
        assert client.is_closed()
    assert stored(app) == []


def test_no_password_goes_over_an_open_line_and_nothing_is_sent_without_one(
    app: App, log_in: dict[str, Any], trust: ssl.SSLContext
) -> None:
    """Before TLS the log-in is neither offered nor taken; before the log-in no mail is."""
    token = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    with listening(app, **log_in) as listener, MailClient(listener.bound_port) as client:
        assert "AUTH" not in client.say("EHLO client.example")
        assert client.say(f"AUTH PLAIN {token}").startswith("538")
        assert client.say("MAIL FROM:<a@b.example>").startswith("530")
        client.start_tls(trust)
        assert "AUTH LOGIN PLAIN" in client.say("EHLO client.example")
        assert client.say("MAIL FROM:<a@b.example>").startswith("530")
        assert client.say("auth plain " + token).startswith("235")
        assert client.deliver(b"x\r\n").startswith("250")


def test_where_there_is_no_user_there_is_no_log_in(
    app: App, tls: dict[str, Any], trust: ssl.SSLContext
) -> None:
    """Not even over TLS."""
    with listening(app, **tls) as listener, MailClient(listener.bound_port) as client:
        client.start_tls(trust)
        assert "AUTH" not in client.say("EHLO client.example")
        assert client.say("AUTH PLAIN AGEAYg==").startswith("503")


def test_only_clients_of_the_listed_networks_are_served(app: App) -> None:
    """Others are told so and hung up on."""
    with (
        listening(app, smtp_accept_from="192.0.2.0/24") as listener,
        MailClient(listener.bound_port) as client,
    ):
        assert client.greeting.startswith("554")
        assert client.is_closed()
    with (
        listening(app, smtp_accept_from="127.0.0.0/8") as listener,
        MailClient(listener.bound_port) as client,
    ):
        assert client.hello().deliver(b"x\r\n").startswith("250")


@pytest.mark.parametrize(
    ("host", "networks", "may"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3", ["192.0.2.7", "10.1.2.3"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("2001:db8::7", ["2001:db8::/32"], True),
        ("2001:db9::7", ["2001:db8::/32", "10.0.0.0/8"], False),
        ("", ["10.0.0.0/8"], False),
        ("anything", [], True),
    ],
)
def test_a_client_is_known_by_its_network(host: str, networks: list[str], may: bool) -> None:
    """IPv4, IPv6, and IPv4 that shows as IPv6."""
    assert all(ipaddress.ip_network(network) for network in networks)
    assert may_connect(host, networks) is may


def test_mail_for_others_is_refused(app: App) -> None:
    """Our own addresses take mail in any case of letters, and with a tag."""
    with (
        listening(app, smtp_accept_for="desk@council.example") as listener,
        MailClient(listener.bound_port) as client,
    ):
        client.hello().say("MAIL FROM:<a@b.example>")
        assert client.say("RCPT TO:<other@council.example>").startswith("550")
        assert client.say("RCPT TO:<Desk@Council.example>").startswith("250")
        assert client.say("RCPT TO:<desk+CC-token@council.example>").startswith("250")


def test_nobody_learns_who_is_here(app: App) -> None:
    """VRFY and EXPN tell nothing."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello()
        assert client.say("VRFY desk@council.example").startswith("252")
        assert client.say("EXPN desk").startswith("502")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"smtp_tls_port": 465}, "smtp_tls_certificate"),
        ({"smtp_require_tls": True}, "smtp_tls_certificate"),
        ({"smtp_user": USER, "smtp_password_hash": "x"}, "smtp_tls_certificate"),
        ({"smtp_user": USER, "smtp_tls_certificate": "c.pem"}, "smtp_password_hash"),
        ({"smtp_accept_from": "10.0.0.0/99"}, "SMTP_ACCEPT_FROM"),
        ({"smtp_max_bytes": 2_000_000_000}, "smtp_bytes_in_flight"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, Any], name: str) -> None:
    """At the start, by name."""
    with pytest.raises(BadInput, match=name):
        load_settings(**settings)


def test_a_missing_certificate_is_refused_at_the_start(app: App, tmp_path: Path) -> None:
    """With the name of the file."""
    with (
        pytest.raises(BadInput, match=r"nowhere\.pem"),
        listening(app, smtp_tls_certificate=tmp_path / "nowhere.pem"),
    ):
        pass
