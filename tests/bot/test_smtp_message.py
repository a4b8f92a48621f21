"""What comes in by SMTP is stored byte for byte, and nothing but the one end mark ends it."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest

from bot.app import App
from storage.tables import AuditRow, MessageRow
from tests.bot.mail_client import MailClient
from tests.bot.mail_listening import count_of, envelopes, listening, stored

HEADER = b"From: a@b.example\r\nSubject: Rose Court\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"", b""),
        (b"\r\n", b"\r\n"),
        (b"one line\r\n", b"one line\r\n"),
        (b"..\r\n", b".\r\n"),
        (b"...\r\n..two\r\n", b"..\r\n.two\r\n"),
        (b"x\r\n..\r\n\r\n..\r\n", b"x\r\n.\r\n\r\n.\r\n"),
        (b".single dot taken away\r\n", b"single dot taken away\r\n"),
        (b"a.\r\n.b\r\n", b"a.\r\nb\r\n"),
        (b"bytes \x00\x80\xff\r\n", b"bytes \x00\x80\xff\r\n"),
        (b"ends in CR\r\r\n", b"ends in CR\r\r\n"),
    ],
)
def test_a_message_is_kept_as_it_was_before_dots_were_added(app: App, sent: bytes, kept: bytes) -> None:
    """RFC 5321, section 4.5.2, to the letter; also when it is empty."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        assert client.hello().deliver(sent).startswith("250")
    assert stored(app) == [kept]


@pytest.mark.parametrize(
    "mark",
    [
        b"\n.\n",
        b"\r.\r",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r.\r\n",
        b"\n\r.\r\n",
        b"\r\r\n.\n",
        b"\r\n\x00.\r\n",
        b"\r\n.\x00\r\n",
    ],
)
def test_no_other_mark_ends_a_message(app: App, mark: bytes) -> None:
    """A second message hidden behind a false end mark stays a part of the first."""
    hidden = b"MAIL FROM:<x@evil.example>\r\nRCPT TO:<desk@council.example>\r\nDATA\r\n"
    body = HEADER + b"first" + mark + hidden + b"second\r\n"
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        assert client.hello().deliver(body).startswith("250")
        assert client.say("NOOP").startswith("250")
    assert stored(app) == [body.replace(b"\r\n.", b"\r\n")]


@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 5, 7])
def test_the_end_is_found_wherever_the_network_parts_it(app: App, piece_bytes: int) -> None:
    """The bytes arrive a few at a time, dots and end mark torn apart."""
    data = b"..a\r\n..\r\nb\r\n.\r\n"
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello().begin_message()
        for start in range(0, len(data), piece_bytes):
            client.send(data[start : start + piece_bytes])
        assert client.reply().startswith("250")
    assert stored(app) == [b".a\r\n.\r\nb\r\n"]


def test_commands_sent_along_with_a_message_are_commands(app: App) -> None:
    """A client that does not wait for the reply loses nothing and gains nothing."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello().begin_message()
        client.send(
            b"first\r\n.\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nsecond\r\n.\r\nQUIT\r\n"
        )
        replies = [client.reply()[:3] for _ in range(6)]
    assert replies == ["250", "250", "250", "354", "250", "221"]
    assert stored(app) == [b"first\r\n", b"second\r\n"]


@pytest.mark.parametrize("line_bytes", [998, 1_001, 70_000, 5_000_000])
def test_a_line_of_any_length_is_taken(app: App, line_bytes: int) -> None:
    """Programs that send mail of one endless line exist, and people write with them."""
    line = b"x" * line_bytes + b"\r\n"
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        assert client.hello().deliver(HEADER + line + b"after\r\n").startswith("250")
    assert stored(app) == [HEADER + line + b"after\r\n"]


def test_dots_are_right_in_a_message_that_comes_in_many_parts(app: App) -> None:
    """Over a megabyte, with a dot at the beginning of every line."""
    sent = b"".join(b"..%d\r\n" % number for number in range(200_000))
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        assert client.hello().deliver(sent).startswith("250")
    assert stored(app) == [sent.replace(b"..", b".")]


def test_addresses_and_text_may_be_of_any_script(app: App) -> None:
    """SMTPUTF8 and 8BITMIME are offered, and what comes by them is kept."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "siân@example.cymru", "désk@council.example", "Pryder"
    mail.set_content("Mae fy mam yn ofnus iawn. 非常に心配です。", cte="8bit")
    with listening(app) as listener, smtplib.SMTP("127.0.0.1", listener.bound_port, timeout=20) as client:
        client.ehlo()
        helo = client.local_hostname
        assert client.has_extn("8bitmime")
        assert client.has_extn("smtputf8")
        client.send_message(mail, mail_options=["BODY=8BITMIME", "SMTPUTF8"])
    assert "非常に心配です".encode() in stored(app)[0]
    assert envelopes(app) == [
        {
            "mail_from": "siân@example.cymru",
            "rcpt_tos": ["désk@council.example"],
            "peer": "127.0.0.1",
            "helo": helo,
        }
    ]


def test_a_bounce_has_no_sender(app: App) -> None:
    """`MAIL FROM:<>` is stored as nobody, so that no answer goes out to it."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello()
        assert client.say("MAIL FROM:<>").startswith("250")
        assert client.say("RCPT TO:<desk@council.example>").startswith("250")
        client.say("DATA")
        assert client.end_message(b"Returned to sender\r\n").startswith("250")
    assert envelopes(app)[0]["mail_from"] == ""


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("<a@b.example>", "250"),
        ("<a@b.example> SIZE=100 BODY=8BITMIME", "250"),
        ('<"odd one"@b.example>', "250"),
        ("a@b.example", "250"),
        ("<SRS0=x+y=tt=b.example=a@relay.example>", "250"),
        ("<", "553"),
        ("<a@b.example> SIZE=many", "501"),
        ("<a@b.example> WHAT=1", "555"),
        ("<\udcff@b.example>", "553"),
    ],
)
def test_a_sender_that_is_no_address_is_refused_and_any_that_is_one_is_not(
    app: App, address: str, code: str
) -> None:
    """Also the odd ones, and bytes that are no text."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        client.hello()
        assert client.say(f"MAIL FROM:{address}".encode(errors="surrogateescape"))[:3] == code


def test_a_message_comes_with_its_audit_entry_and_its_work(app: App) -> None:
    """All three, in one transaction, before the 250."""
    with listening(app) as listener, MailClient(listener.bound_port) as client:
        assert client.hello().deliver(HEADER).startswith("250")
        assert count_of(app.database, MessageRow) == count_of(app.database, AuditRow) == 1
        assert enqueued(app) == 1


def test_a_message_cut_off_is_not_stored(app: App) -> None:
    """No end mark, no message; the one before it stays."""
    with listening(app) as listener:
        with MailClient(listener.bound_port) as client:
            client.hello().deliver(b"whole\r\n")
            client.begin_message().send(b"half of a sen")
        with MailClient(listener.bound_port) as client:
            client.hello().deliver(b"another\r\n")
    assert stored(app) == [b"whole\r\n", b"another\r\n"]


def enqueued(app: App) -> int:
    """How many jobs wait."""
    from bot.background import unfinished

    return sum(unfinished(app.database).values())
