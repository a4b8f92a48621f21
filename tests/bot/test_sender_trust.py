"""Who a mail really comes from: believed from the trusted gateway alone, told to people, and never in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from bot.app import App
from bot.email_parsing import parse_email
from bot.sender_trust import are_aligned, gateway_trust
from bot.settings import Settings
from bot.workflows import triage_message
from storage.messages import latest_reading, save_reading
from storage.tables import AuditRow, ConcernRow
from tests.factories import NOW, RED_TEXT, email_bytes, message_ids, received, stored, triaged
from triage.vocabulary import SenderTrust, TrustVerdict

GOOD = (
    "mx.council.example; spf=pass smtp.mailfrom=susan@family.example; dmarc=pass header.from=family.example"
)
BAD = "mx.council.example; spf=fail smtp.mailfrom=susan@family.example; dmarc=fail header.from=family.example"
FORGED = "mx.elsewhere.example; dmarc=pass header.from=family.example"
MICROSOFT = (
    "spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=family.example; dkim=none (message not signed)"
    " header.d=none;dmarc=fail action=quarantine header.from=family.example;compauth=fail reason=000"
)


def with_headers(*values: str, raw: bytes | None = None) -> bytes:
    """A mail with these Authentication-Results headers, the topmost first."""
    head = "".join(f"Authentication-Results: {value}\r\n" for value in values)
    return head.encode() + (email_bytes() if raw is None else raw)


def found(*values: str, raw: bytes | None = None, trusted: str = "mx.council.example") -> SenderTrust:
    """What the headers are worth."""
    mail = with_headers(*values, raw=raw)
    return gateway_trust(mail, parse_email(mail), Settings(trusted_authserv_ids=trusted))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        pytest.param((GOOD,), "confirmed", id="dmarc-passes"),
        pytest.param((BAD,), "unproven", id="dmarc-fails"),
        pytest.param((), "unproven", id="no-header"),
        pytest.param((FORGED,), "unproven", id="another-server-s"),
        pytest.param((FORGED, BAD), "unproven", id="another-server-s-on-top"),
        pytest.param((BAD, GOOD), "unproven", id="forged-below-the-gateway-s"),
        pytest.param((GOOD, BAD), "confirmed", id="the-topmost-counts"),
        pytest.param(
            ("MX.Council.Example 1; dmarc=pass header.from=family.example",), "confirmed", id="case"
        ),
        pytest.param(("mx.council.example; none",), "unproven", id="nothing-checked"),
        pytest.param(("mx.council.example; dmarc=",), "unproven", id="broken"),
        pytest.param(
            ("mx.council.example.evil.example; dmarc=pass header.from=family.example",),
            "unproven",
            id="an-id-that-begins-alike",
        ),
        pytest.param(
            ("(mx.council.example) evil.example; dmarc=pass header.from=family.example",),
            "unproven",
            id="the-id-in-a-comment",
        ),
        pytest.param(
            ("mx.council.example; dmarc=pass header.from=other.example",), "unproven", id="of-another-from"
        ),
        pytest.param(
            ("mx.council.example; dkim=pass header.d=family.example; dmarc=none",),
            "confirmed",
            id="signed-and-no-policy",
        ),
        pytest.param(
            ("mx.council.example; dkim=pass header.d=mail.family.example",), "confirmed", id="signed-below"
        ),
        pytest.param(
            ("mx.council.example; dkim=pass header.d=sender.example",), "unproven", id="signed-by-others"
        ),
        pytest.param(
            ("mx.council.example; dkim=fail header.d=family.example",), "unproven", id="a-broken-signature"
        ),
        pytest.param(
            ("mx.council.example; spf=pass smtp.mailfrom=a@family.example",), "confirmed", id="spf-aligned"
        ),
        pytest.param(
            ("mx.council.example; spf=pass smtp.mailfrom=a@sender.example",), "unproven", id="spf-of-others"
        ),
        pytest.param(
            ("mx.council.example; dkim=pass header.d=family.example; dmarc=fail header.from=family.example",),
            "unproven",
            id="dmarc-has-the-last-word",
        ),
    ],
)
def test_the_topmost_header_of_the_trusted_gateway_counts_and_no_other(
    values: tuple[str, ...], verdict: str
) -> None:
    """Anybody can write such a header into a mail."""
    assert found(*values).verdict == verdict


def test_the_gateway_s_header_may_be_folded_and_is_found_among_many() -> None:
    """As they really come."""
    folded = "mx.council.example;\r\n\tspf=none;\r\n\tdmarc=pass (p=reject)\r\n\t header.from=family.example"
    result = found(*[FORGED] * 30, folded)
    assert result.verdict is TrustVerdict.CONFIRMED
    assert result.results == {"spf": "none", "dmarc": "pass"}


def test_microsoft_s_header_without_an_id_is_read_where_it_is_named() -> None:
    """It names no server; only whoever fetches from Microsoft 365 sets it."""
    assert found(MICROSOFT, GOOD, trusted="microsoft-365").results == {
        "spf": "fail",
        "dkim": "none",
        "dmarc": "fail",
    }
    assert found(MICROSOFT.replace("fail", "pass"), trusted="microsoft-365").verdict == "confirmed"
    assert found(MICROSOFT.replace("fail", "pass")).results == {"header": "missing"}
    forged = f"microsoft-365; {MICROSOFT.replace('fail', 'pass')}"
    assert found(forged, trusted="microsoft-365").results == {"header": "missing"}


def test_a_mail_with_two_froms_is_unproven() -> None:
    """It cannot be said which of them was checked."""
    raw = b"From: boss@council.example\r\n" + email_bytes()
    assert found("mx.council.example; dmarc=pass", raw=raw).verdict == "unproven"


def test_domains_belong_together_by_what_was_registered() -> None:
    """Two customers of one suffix do not."""
    assert are_aligned("mail.family.co.uk", "family.co.uk")
    assert not are_aligned("a.co.uk", "b.co.uk")
    assert not are_aligned("mail.family.example", "family.example", strictly=True)
    assert are_aligned("my-home.example", "mail.my-home.example")
    assert not are_aligned("", "")


def trusting(app: App) -> App:
    """The App with a trusted gateway."""
    return replace(
        app, settings=app.settings.model_copy(update={"trusted_authserv_ids": ("mx.council.example",)})
    )


def reading_trust(app: App, concern: ConcernRow) -> SenderTrust | None:
    """What the concern's reading says of its sender."""
    with app.database.read() as session:
        reading = latest_reading(session, app.keys, message_ids(app, concern.id)[0])
    assert reading is not None
    return reading.trust


def test_an_unproven_sender_changes_no_label_and_drops_nothing(either_app: App) -> None:
    """The same words from a proven and an unproven sender are the same concern, with the verdict kept beside."""
    app = trusting(either_app)
    proven = triaged(app, with_headers(GOOD, raw=email_bytes(RED_TEXT)))
    unproven = triaged(app, with_headers(BAD, raw=email_bytes(RED_TEXT)))
    labels = [(c.category, c.severity, c.themes, c.needs_review, c.due_at) for c in (proven, unproven)]
    assert labels[0] == labels[1]
    trusts = [reading_trust(app, proven), reading_trust(app, unproven)]
    assert [trust.verdict for trust in trusts if trust] == ["confirmed", "unproven"]
    with app.database.read() as session:
        entries = session.scalars(select(AuditRow).where(AuditRow.action == "sender_checked")).all()
    assert [entry.details["verdict"] for entry in entries] == ["confirmed", "unproven"]
    assert "family" not in str([entry.details for entry in entries])


def test_the_verdict_stays_when_a_message_is_read_again(app: App) -> None:
    """A later reading of the same bytes has the same sender."""
    concern = triaged(trusting(app), with_headers(BAD))
    [message_id] = message_ids(app, concern.id)
    with app.database.write() as session:
        save_reading(session, app.keys, message_id, parse_email(email_bytes()), NOW)
    trust = reading_trust(app, concern)
    assert trust is not None
    assert trust.verdict is TrustVerdict.UNPROVEN


def test_nothing_is_said_where_nobody_checks(app: App) -> None:
    """A header alone, without a gateway that is trusted, is a stranger's word."""
    assert reading_trust(app, triaged(app, with_headers(GOOD))) is None


def test_hostile_headers_do_not_hold_up_a_concern(app: App) -> None:
    """Thousands of them, megabytes of one, bytes that are no text."""
    evil = [b"(" * 50_000, b"mx.council.example; " + b"spf=pass; " * 20_000, b"\xff\xfe; dmarc=\x00pass"]
    head = b"".join(b"Authentication-Results: " + value + b"\r\n" for value in evil * 3)
    message_id = stored(app, received(head + email_bytes()))
    triage_message(trusting(app), message_id, now=NOW)
    with app.database.read() as session:
        assert session.scalars(select(ConcernRow)).one().reference
