"""Hostile and monstrous mail: always a message or a refusal, always in time."""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.email_parsing import DEFAULT_LIMITS, describe, parse_email
from tests.bot.email_bytes import HEAD, attached, mail, multipart, part
from triage.errors import CannotRead
from triage.vocabulary import Message

HTML = "text/html; charset=utf-8"
MEGABYTE = 1_000_000
EMAILS = Path(__file__).resolve().parents[1] / "emails"


def _nested(depth: int) -> bytes:
    opening = [f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(depth)]
    body = "".join(opening) + f"--b{depth}\r\n\r\nShe fell.\r\n--b{depth}--\r\n"
    return mail(body, content_type="multipart/mixed; boundary=b0")


def _messages_in_messages(depth: int) -> bytes:
    raw = mail("She fell.")
    for _ in range(depth):
        raw = mail(raw, content_type="message/rfc822")
    return raw


MONSTERS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "ten thousand parts": (lambda: multipart("mixed", *[part("x")] * 10_000), "too_many_parts"),
    "five hundred levels": (lambda: _nested(500), "too_deep"),
    "three hundred messages in each other": (lambda: _messages_in_messages(300), "too_deep"),
    "ten thousand recipients": (
        lambda: mail(to=", ".join(f"P {n} <p{n}@x.example>" for n in range(10_000))),
        "too_many_addresses",
    ),
    "ten thousand header lines": (lambda: mail(x_a="b" + "\r\nX-A: b" * 10_000), "too_many_headers"),
    "three megabytes of nested quotes": (
        lambda: mail("".join(f"{'>' * (n % 40)} words\n" for n in range(120_000))),
        None,
    ),
    "quotes of headers": (lambda: mail("From: a@x.example\nSent: 1 Nov 2026\n" * 40_000), None),
    "foreign quotes of headers": (lambda: mail("Von: a@x.example\nAn: b\n" * 20_000), None),
    "intros": (lambda: mail("On Mon 2 Nov 2026 at 10:00\n" * 40_000), None),
    "dashes and colons": (lambda: mail("--- Original\nwords:\n" * 60_000), None),
    "one long line": (lambda: mail("On 1 " + "word " * 400_000), None),
    "one line of spaces": (lambda: mail("a" + " " * 2 * MEGABYTE + "b"), None),
    "one line of marks": (lambda: mail("[*(" * 500_000), None),
    "one line of digits": (lambda: mail("Regards\nJane\n" + "1 " * 500_000), None),
    "regards": (lambda: mail("Kind regards\n" * 100_000), None),
    "paragraphs of confidence": (
        lambda: mail("This email is confidential, intended for the addressee.\n\n" * 20_000),
        None,
    ),
    "stacked accents": (lambda: mail("e" + "\u0301\u0323" * 300_000), None),
    "nested tables": (lambda: mail("<table><tr><td>" * 1000 + "She fell.", content_type=HTML), None),
    "wide and long table": (
        lambda: mail(
            "<table><tr><td>" + "x" * 100_000 + "</td></tr>" + "<tr><td>y</td></tr>" * 5000, content_type=HTML
        ),
        None,
    ),
    "nested divs": (lambda: mail("<div>" * 100_000 + "She fell.", content_type=HTML), None),
    "open brackets": (lambda: mail("<" * MEGABYTE, content_type=HTML), None),
    "open scripts": (lambda: mail("<script>" * 100_000, content_type=HTML), None),
    "blockquotes": (lambda: mail("<blockquote type=cite>" * 80 + "x", content_type=HTML), None),
    "encoded words": (lambda: mail(subject="=?utf-8?q?a?= " * 100_000), None),
    "half of encoded words": (lambda: mail(subject="=?a?q?" * 100_000), None),
    "comments in an address": (lambda: mail(to="(" * 200_000 + "a@x.example"), None),
    "parameters": (lambda: mail(content_type="text/plain" + '; a="b' * 50_000), None),
    "boundaries": (
        lambda: mail("--b\r\n" * 200_000, content_type="multipart/mixed; boundary=b"),
        "too_many_parts",
    ),
    "calendar": (lambda: mail("BEGIN:VEVENT\r\n" + " a\r\n" * 200_000, content_type="text/calendar"), None),
    "opaque signature of nothing": (
        lambda: mail(b"\x30\x80" * 100_000, content_type="application/pkcs7-mime"),
        "encrypted",
    ),
    "tnef of nothing": (
        lambda: multipart(
            "mixed", attached(b"\x78\x9f\x3e\x22" + bytes(200_000), "application/ms-tnef", "w")
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", MONSTERS)
def test_monstrous_mail_is_read_in_time(name: str) -> None:
    """Linear time, and a defect where something was left out."""
    make, defect = MONSTERS[name]
    raw = make()
    began = time.process_time()
    message = parse_email(raw)
    assert time.process_time() - began < 5
    assert defect is None or defect in message.defects
    assert_is_sound(message)


def test_limits_keep_what_they_promise() -> None:
    """Parts and addresses up to the cap are kept, the words of a deep page too."""
    many = parse_email(MONSTERS["ten thousand recipients"][0]())
    assert len(many.to) == DEFAULT_LIMITS.most_addresses
    assert parse_email(MONSTERS["ten thousand parts"][0]()).text.count("x") == DEFAULT_LIMITS.most_parts - 1
    assert parse_email(MONSTERS["nested tables"][0]()).text == "She fell."
    assert parse_email(MONSTERS["nested divs"][0]()).text == "She fell."


@pytest.mark.parametrize(
    "raw", [b"", b"  \r\n\r\n", b"\0" * 50, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9]
)
def test_what_is_no_mail_at_all_cannot_be_read(raw: bytes) -> None:
    """Empty files and pictures are refused."""
    with pytest.raises(CannotRead):
        parse_email(raw)


def test_a_mail_without_words_is_still_a_message() -> None:
    """A head alone says that someone wrote."""
    message = parse_email(mail(b""))
    assert (message.subject, message.text, message.new_text) == ("Rose Court", "", "")
    assert message.defects == ("no_text",)


def assert_is_sound(message: Message) -> None:
    """What every message promises, whatever it came from."""
    for text in (message.text, message.new_text):
        assert not [c for c in set(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"]
        assert unicodedata.is_normalized("NFC", text)
        assert "\n\n\n\n" not in text
        assert " \n" not in text
    assert bool(message.new_text) == bool(message.text)
    assert "\n" not in message.subject
    assert len(message.to) <= DEFAULT_LIMITS.most_addresses
    assert list(message.defects) == sorted(set(message.defects))
    assert all(file.size == len(file.content) for file in message.attachments)


_pieces = st.sampled_from(
    [
        *(b"She fell.", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--b", b"--b\r\n", b"--b--", b"> ", b'"', b"("),
        *(b"On Mon, 2 Nov 2026 at 10:00, A <a@x> wrote:", b"From: a@x.example\n", b"Sent: 1 Nov 2026\n"),
        *(b"Content-Type: text/html\n\n", b"Content-Type: multipart/mixed; boundary=b\n\n"),
        *(b"Content-Type: message/rfc822\n\n", b"Content-Type: application/ms-tnef\n\n"),
        *(b"Content-Type: application/pkcs7-mime\n\n", b"Content-Transfer-Encoding: base64\n"),
        *(b"=?utf-8?b?4oCZ?=", b"=?", b"?=", b"<table><tr><td>", b"<blockquote type=cite>", b"</blockquote>"),
        *(b"\xff\xfe", b"\xe2\x80\xae", b"\0", b"-- \n", b"Kind regards\n", b"-----Original Message-----\n"),
        *(b"name*0*=utf-8''%ff;", b"BEGIN:VEVENT\nSUMMARY:x\n", b"Auto-Submitted: x\n"),
    ]
)
_mails = st.lists(st.one_of(_pieces, st.binary(max_size=12)), max_size=40).map(b"".join)


@settings(max_examples=400, deadline=3000, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=2000), _mails, _mails.map(lambda tail: b"Subject: x\n" + tail)))
@example(b"Date: 0\n")
@example(b"Content-Type: multipart/mixed; boundary=\n\n--\n")
def test_any_bytes_are_a_message_or_cannot_be_read(raw: bytes) -> None:
    """No bytes bring the reader down, and no unseen character comes through."""
    try:
        message = parse_email(raw)
    except CannotRead:
        return
    assert_is_sound(message)


@settings(max_examples=200, deadline=3000)
@given(st.text(max_size=400), st.sampled_from(["x", "Re: x", "Fwd: x"]))
def test_any_text_is_kept_in_text(body: str, subject: str) -> None:
    """Letters and digits of a body are never lost."""
    message = parse_email(
        mail(body.encode("utf-8", "replace"), subject=subject, content_type="text/plain; charset=utf-8")
    )
    sent = unicodedata.normalize("NFC", body.encode("utf-8", "replace").decode())
    assert [c for c in sent if c.isalnum() and c.isascii()] == [
        c for c in message.text if c.isalnum() and c.isascii()
    ]


def test_describe_says_all_there_is_in_json() -> None:
    """The keys of the contract, and nothing else."""
    file = EMAILS / "gmail-reply-with-picture.eml"
    described = describe(file)
    assert json.loads(json.dumps(described)) == {
        "file": str(file),
        "message_id": "<CAexample1@mail.family.example>",
        "from": {"name": "Susan Hart", "address": "susan@family.example"},
        "reply_to": None,
        "to": [{"name": "Quality Desk", "address": "desk@council.example"}],
        "cc": [{"name": "José Roe", "address": "jose@family.example"}],
        "date": "2026-11-02T10:00:00+00:00",
        "subject": "Re: Mum’s visits",
        "text": described["text"],
        "new_text": "Nobody came on Sunday – she was left in bed until four.",
        "attachments": [
            {
                "filename": "rota.png",
                "content_type": "image/png",
                "bytes": 8,
                "sha256": "4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6",
            }
        ],
        "auto_reply": False,
        "bounce": False,
        "defects": [],
    }
    assert "We have noted your call." in described["text"]


def test_describe_says_what_it_could_not_read(tmp_path: Path) -> None:
    """One line for every file, readable or not."""
    empty = tmp_path / "empty.eml"
    empty.write_bytes(b"")
    assert describe(empty) == {"file": str(empty), "error": "it is empty"}
    assert describe(tmp_path / "none.eml") == {
        "file": str(tmp_path / "none.eml"),
        "error": "No such file or directory",
    }


def test_a_message_without_sender_or_date_is_described_with_nulls(tmp_path: Path) -> None:
    """Null, not an empty mailbox."""
    file = tmp_path / "a.eml"
    file.write_bytes(mail(**dict.fromkeys(("from", "to", "date", "message_id"))))
    described = describe(file)
    assert [described[key] for key in ("from", "reply_to", "to", "cc", "date", "message_id")] == [
        None,
        None,
        [],
        [],
        None,
        None,
    ]
    assert set(HEAD) >= {"From", "Date"}
