"""Who wrote it: a person, an absent person's machine, a mail server, a list."""

from __future__ import annotations

import pytest

from bot.email_parsing import parse_email
from tests.bot.email_bytes import mail, multipart, part

NONE: dict[str, str] = {}


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"auto_submitted": "auto-replied"}, "Rose Court"),
        ({"auto_submitted": "auto-generated; type=x"}, "Rose Court"),
        ({"x_autoreply": "yes"}, "Rose Court"),
        ({"precedence": "auto_reply"}, "Rose Court"),
        ({"x_auto_response_suppress": "All", "return_path": "<>"}, "Rose Court"),
        ({"auto_submitted": "auto-replied", "return_path": "<>"}, "Rose Court"),
        (NONE, "Automatic reply: Your enquiry"),
        (NONE, "Out of Office: back on Monday"),
        (NONE, "Out of office"),
        (NONE, "Auto: away"),
        (NONE, "=?utf-8?q?Automatic_reply=3A_Your_enquiry?="),
    ],
)
def test_automatic_replies_are_recognised(fields: dict[str, str], subject: str) -> None:
    """By what RFC 3834 and Exchange say, or at last by the subject."""
    message = parse_email(mail(subject=subject, **fields))
    assert (message.auto_reply, message.bounce) == (True, False)


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        (NONE, "Rose Court"),
        ({"auto_submitted": "no"}, "Rose Court"),
        ({"x_auto_response_suppress": "DR, OOF, AutoReply"}, "Rose Court"),
        (NONE, "Out of office hours nobody answers the bell"),
        (NONE, "Re: Automatic reply: Your enquiry"),
        (NONE, "Undelivered meals at Rose Court"),
        (NONE, "Automatic door broken"),
        ({"return_path": "<susan@family.example>"}, "Rose Court"),
    ],
)
def test_people_are_not_taken_for_machines(fields: dict[str, str], subject: str) -> None:
    """A person who is taken for a machine may not be heard."""
    message = parse_email(mail(subject=subject, **fields))
    assert (message.auto_reply, message.bounce, message.bulk) == (False, False, False)


def _report(kind: str) -> bytes:
    raw = multipart(
        "report",
        part("Your message could not be delivered."),
        part(
            "Reporting-MTA: dns; mx.example\r\n\r\nAction: failed\r\nStatus: 5.1.1", "message/delivery-status"
        ),
        part(mail("Original words."), "message/rfc822"),
        **{"from": "Mail <mail@mx.example>"},
    )
    return raw.replace(b"multipart/report;", f"multipart/report; report-type={kind};".encode())


def test_a_delivery_report_is_a_bounce_and_readable() -> None:
    """The status and the returned mail are part of the text."""
    message = parse_email(_report("delivery-status"))
    assert (message.bounce, message.auto_reply) == (True, False)
    assert "Status: 5.1.1" in message.text
    assert "Original words." in message.text
    assert message.original_author is None


def test_a_read_receipt_is_an_automatic_reply() -> None:
    """It is neither a bounce nor a person."""
    message = parse_email(_report("disposition-notification"))
    assert (message.bounce, message.auto_reply) == (False, True)


@pytest.mark.parametrize(
    "fields",
    [
        {"return_path": "<>"},
        {"from": "Mail Delivery <MAILER-DAEMON@mx.example>"},
        {"from": "postmaster@council.example", "auto_submitted": "auto-replied"},
        {"x_failed_recipients": "a@x.example"},
        {"auto_submitted": "auto-generated", "subject": "Undeliverable: Your enquiry"},
    ],
)
def test_bounces_are_recognised(fields: dict[str, str]) -> None:
    """By the null sender, the daemon, or what the server adds."""
    message = parse_email(mail(**fields))
    assert (message.bounce, message.auto_reply) == (True, False)


@pytest.mark.parametrize(
    "fields",
    [{"list_id": "<news.example>"}, {"list_unsubscribe": "<https://x.example>"}, {"precedence": "bulk"}],
)
def test_lists_and_bulk_mail_are_recognised(fields: dict[str, str]) -> None:
    """A newsletter is not a reply and not a bounce."""
    message = parse_email(mail(**fields))
    assert (message.bulk, message.auto_reply, message.bounce) == (True, False, False)
