"""SPF, DKIM and DMARC by a check of ours, against a real name server, in background work."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot import sender_checks
from bot.app import App
from bot.background import Worker, unfinished
from bot.email_parsing import parse_email
from bot.sender_checks import SenderChecks, check_sender
from bot.settings import Settings
from bot.workflows import jobs
from storage.message_checks import trust_of
from tests.bot.mail_listening import listening
from tests.bot.name_server import NameServer
from tests.factories import NOW, email_bytes, message_ids, triaged
from tests.waiting import wait_for
from triage.errors import TryAgainLater
from triage.vocabulary import SenderTrust

# An address that counts as a stranger's: those set aside for documents do not.
PEER = "8.8.4.4"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """The key that the family's mail server signs with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public(key: rsa.RSAPrivateKey) -> str:
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = base64.b64encode(der).decode()
    return f'"v=DKIM1; k=rsa; p={text[:200]}" "{text[200:]}"'


@pytest.fixture
def names(key: rsa.RSAPrivateKey) -> Iterator[NameServer]:
    """The family's records: mail comes from one address, is signed, and what is not is to be refused."""
    records = {
        ("family.example", "TXT"): [f'"v=spf1 ip4:{PEER} -all"'],
        ("s1._domainkey.family.example", "TXT"): [_public(key)],
        ("_dmarc.family.example", "TXT"): ['"v=DMARC1; p=reject"'],
        ("sender.example", "TXT"): [f'"v=spf1 ip4:{PEER} -all"'],
        ("loose.example", "TXT"): ['"v=spf1 mx -all"'],
        ("loose.example", "MX"): ["10 mail.loose.example."],
        ("mail.loose.example", "A"): [PEER],
    }
    with NameServer(records) as server:
        yield server


def signed(raw: bytes, key: rsa.RSAPrivateKey, domain: bytes = b"family.example", **more: Any) -> bytes:
    """The mail with a signature on top."""
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    signature: bytes = dkim.sign(raw, b"s1", domain, pem, **more)
    return signature + raw


def checked(
    raw: bytes, names: NameServer, *, peer: str = PEER, mail_from: str = "susan@family.example"
) -> SenderTrust:
    """What a check finds."""
    envelope = {"peer": peer, "mail_from": mail_from, "helo": "mail.family.example"}
    return check_sender(raw, parse_email(raw), envelope, Settings(check_senders_dns=names.place))


def test_a_signed_mail_from_the_right_address_is_confirmed(names: NameServer, key: rsa.RSAPrivateKey) -> None:
    """All three pass."""
    trust = checked(signed(email_bytes(), key), names)
    assert trust.verdict == "confirmed"
    assert trust.results == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}


def test_a_forwarded_mail_is_confirmed_by_its_signature_alone(
    names: NameServer, key: rsa.RSAPrivateKey
) -> None:
    """Its address is the forwarder's."""
    trust = checked(signed(email_bytes(), key), names, peer="9.9.9.9")
    assert (trust.verdict, trust.results["spf"], trust.results["dmarc"]) == ("confirmed", "fail", "pass")


def test_a_mail_whose_words_were_changed_on_the_way_is_unproven(
    names: NameServer, key: rsa.RSAPrivateKey
) -> None:
    """The signature no longer holds."""
    trust = checked(signed(email_bytes(), key).replace(b"carpet", b"ceiling"), names, peer="9.9.9.9")
    assert trust.verdict == "unproven"
    assert trust.results == {"spf": "fail", "dkim": "fail", "dmarc": "fail"}


def test_a_signature_that_leaves_a_part_of_the_text_out_does_not_count(
    names: NameServer, key: rsa.RSAPrivateKey
) -> None:
    """Anything could be written below what was signed."""
    trust = checked(signed(email_bytes(), key, length=True) + b"More.\r\n", names, peer="9.9.9.9")
    assert (trust.verdict, trust.results["dkim"]) == ("unproven", "fail")


def test_somebody_else_s_proof_is_no_proof(names: NameServer, key: rsa.RSAPrivateKey) -> None:
    """The sender of the envelope is proven, the From is not theirs."""
    trust = checked(email_bytes(), names, mail_from="bulk@sender.example")
    assert (trust.verdict, trust.results["spf"], trust.results["dmarc"]) == ("unproven", "pass", "fail")


def test_a_policy_by_mail_servers_is_followed_through_the_resolver_that_is_set(names: NameServer) -> None:
    """MX and addresses are asked for as well; without a DMARC record an aligned SPF is enough."""
    raw = email_bytes(sender="Ann <ann@loose.example>")
    trust = checked(raw, names, mail_from="ann@loose.example")
    assert trust.results == {"spf": "pass", "dkim": "none", "dmarc": "none"}
    assert trust.verdict == "confirmed"
    assert "mail.loose.example A" in names.asked


def test_a_sender_who_publishes_nothing_is_unproven(names: NameServer) -> None:
    """Most private writers with a domain of their own; it says no more than that."""
    trust = checked(email_bytes(sender="a@nowhere.example"), names, mail_from="a@nowhere.example")
    assert trust.results == {"spf": "none", "dkim": "none", "dmarc": "none"}
    assert trust.verdict == "unproven"


def test_our_own_machine_that_hands_mail_over_proves_nothing(names: NameServer) -> None:
    """The library would let every mail from the loopback pass."""
    for peer in ("127.0.0.1", "10.0.0.7", "::1", "", "nonsense"):
        assert checked(email_bytes(), names, peer=peer).results["spf"] == "none"


def test_without_a_resolver_it_is_tried_later(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours says nothing of the sender."""
    monkeypatch.setattr(sender_checks, "_LOOKUP_SECONDS", 0.2)
    names.silent = True
    with pytest.raises(TryAgainLater):
        checked(email_bytes(), names)


@pytest.mark.parametrize(
    "raw",
    [
        b"DKIM-Signature: v=1; a=rsa-sha256; d=; s=; b=; bh=; h=\r\n",
        b"DKIM-Signature: " + b"x=1; " * 5000 + b"\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=\xff; s=s1; bh=YQ==; b=YQ==; h=from\r\n" * 50,
        b"From: a@" + b"x." * 500 + b"example\r\n",
    ],
    ids=["empty", "long", "many-and-odd", "a-name-that-is-none"],
)
def test_hostile_headers_prove_nothing_and_break_nothing(names: NameServer, raw: bytes) -> None:
    """Whatever a stranger writes, there is a verdict."""
    assert checked(raw + email_bytes(), names, peer="9.9.9.9").verdict == "unproven"


def checking(app: App, names: NameServer) -> App:
    """The App with checks switched on."""
    update = {"check_senders": True, "check_senders_dns": (names.place,)}
    return replace(app, settings=app.settings.model_copy(update=update))


def test_the_concern_is_on_the_desk_before_anybody_was_asked(
    either_app: App, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a resolver that is silent the concern is there, alerts and all; the check waits for its turn."""
    monkeypatch.setattr(sender_checks, "_LOOKUP_SECONDS", 0.2)
    names.silent = True
    app = checking(either_app, names)
    concern = triaged(app)
    [message_id] = message_ids(app, concern.id)
    assert names.asked == []
    checks = SenderChecks(app, clock=lambda: NOW)
    with pytest.raises(TryAgainLater):
        checks.check(message_id)
    names.silent = False
    checks.check(message_id)
    with app.database.read() as session:
        trust = trust_of(session, message_id)
    assert trust is not None
    assert trust.verdict == "unproven"
    checks.give_up(message_id, "tried 14 times")


def test_mail_from_a_real_session_is_checked_by_the_worker(app: App, names: NameServer) -> None:
    """The listener never asks anybody; the worker does, and keeps what it found."""
    checked_app = checking(app, names)
    with listening(checked_app) as listener:
        command = ["swaks", "--server", f"127.0.0.1:{listener.bound_port}", "--helo", "mail.family.example"]
        command += ["--from", "susan@family.example", "--to", "care.concerns@council.example"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout
        assert names.asked == []
    worker = Worker(
        app.database,
        jobs(checked_app, clock=lambda: NOW),
        executor_id="check-worker-1",
        threads=1,
        silence_seconds=30,
    )
    worker.start(lambda now: None)
    try:
        wait_for(lambda: not unfinished(app.database), what="the end of all work")
    finally:
        worker.stop()
    assert "_dmarc.family.example TXT" in names.asked
