"""Characters and headers: what a sender declared, and what the sender meant."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from bot.email_parsing import parse_email
from tests.bot.email_bytes import mail, multipart, part
from triage.vocabulary import Address

ENGLISH = "Mum’s bill was £240 – “far too much”."
RUSSIAN = "Здравствуйте, моя мама упала вчера вечером, и никто не пришёл ей помочь до утра."
CHINESE = "您好，我母亲昨天晚上摔倒了，直到早上都没有人来帮助她，我们非常担心。"
JAPANESE = "母が昨夜転倒しましたが、朝まで誰も助けに来ませんでした。"


@pytest.mark.parametrize(
    ("text", "encoding", "declared", "is_defect"),
    [
        (ENGLISH, "utf-8", "utf-8", False),
        (ENGLISH, "cp1252", "windows-1252", False),
        (ENGLISH, "utf-8", "us-ascii", True),
        (ENGLISH, "utf-8", None, True),
        (ENGLISH, "utf-8", "iso-8859-1", True),
        ("Mum’s bill was £240", "utf-8", "iso-8859-1", True),
        (ENGLISH, "cp1252", "iso-8859-1", False),
        (ENGLISH, "cp1252", "utf-8", True),
        (ENGLISH, "cp1252", "us-ascii", True),
        (ENGLISH, "cp1252", "x-nonsense", True),
        ("a £ sign", "latin-1", "iso-8859-1", False),
        (ENGLISH, "utf-16", "utf-16", False),
        (ENGLISH, "utf-16-le", "utf-16", False),
        (ENGLISH, "utf-16-be", "utf-16", False),
        (RUSSIAN, "koi8-r", "koi8-r", False),
        (RUSSIAN, "koi8-r", None, True),
        (RUSSIAN, "cp1251", "windows-1251", False),
        (CHINESE, "gb18030", "gb2312", False),
        (CHINESE, "gb18030", "gb18030", False),
        (CHINESE, "gb18030", None, True),
        ("她昨天跌倒了", "big5", "big5", False),
        (JAPANESE, "iso-2022-jp", "iso-2022-jp", False),
        (JAPANESE, "shift_jis", "shift_jis", False),
        ("Cześć", "iso-8859-2", "iso-8859-2", False),
    ],
)
def test_text_is_read_in_the_charset_that_was_meant(
    text: str, encoding: str, declared: str | None, is_defect: bool
) -> None:
    """A wrong or missing label costs a defect, not the pound sign."""
    content_type = "text/plain" + (f"; charset={declared}" if declared else "")
    message = parse_email(mail(text.encode(encoding), content_type=content_type))
    assert message.text == text
    assert ("bad_charset" in message.defects) is is_defect


def test_utf7_is_not_honoured() -> None:
    """UTF-7 could smuggle text past whoever looked at the bytes."""
    message = parse_email(mail(b"+AGgAZQBsAGwAbw-", content_type="text/plain; charset=utf-7"))
    assert message.text == "+AGgAZQBsAGwAbw-"
    assert message.defects == ("bad_charset",)


@pytest.mark.parametrize(
    "declared", ["base64", "rot13", "unicode_escape", "idna", "undefined", "zlib", "\0", "a" * 5000]
)
def test_codecs_that_are_no_charsets_are_refused(declared: str) -> None:
    """Only charsets decode text."""
    message = parse_email(mail(b"She fell \\u0041.", content_type=f'text/plain; charset="{declared}"'))
    assert message.text == "She fell \\u0041."


@pytest.mark.parametrize("declared", ["base64", "rot13", "hex", "zlib", "uu", "quopri", "bz2"])
def test_a_codec_that_is_no_charset_does_not_bring_the_reader_down(declared: str) -> None:
    """Found by fuzzing: with a letter beyond ASCII, Python's refusal came late, and the mail was set aside."""
    message = parse_email(mail("She fell – twice.".encode(), content_type=f"text/plain; charset={declared}"))
    assert message.text == "She fell – twice."


def test_a_damaged_byte_does_not_turn_the_rest_into_nonsense() -> None:
    """UTF-8 that lost a byte is still UTF-8."""
    damaged = ENGLISH.encode()[:-4] + b"\x80" + "… né".encode()
    assert "Mum’s bill was £240" in parse_email(mail(damaged, content_type="text/plain; charset=utf-8")).text


def test_html_may_name_its_charset_in_its_head() -> None:
    """The page's own word counts where the header has none."""
    page = '<html><head><meta charset="windows-1251"></head><p>Мама упала</p></html>'.encode("cp1251")
    assert parse_email(mail(page, content_type="text/html")).text == "Мама упала"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\0b\x07c\x1b[0m", "abc[0m"),
        ("ab\u200bc\u202ed\u2066e\ufefff\xadg\U000e0041h", "abcdefgh"),
        ("a\xa0b\u202fc\u3000d", "a b c d"),
        ("a  \t\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("\n\n  a\n\n", "  a"),
        ("e\u0301", "é"),
        ("a\tb", "a\tb"),
        ("x" + "\u0301\u0300" * 5000, None),
    ],
)
def test_text_is_normalised(raw: str, clean: str | None) -> None:
    """One kind of line end and space, nothing unseen."""
    text = parse_email(mail(raw, content_type="text/plain; charset=utf-8")).text
    assert text == clean if clean is not None else len(text) < 20


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (b"=?utf-8?q?Mum=E2=80=99s_bill?=", "Mum’s bill"),
        (b"=?UTF-8?B?TXVt4oCZ?=\r\n =?UTF-8?B?cyBiaWxs?=", "Mum’s bill"),
        (b"=?utf-8?b?TXVt4oA=?= =?utf-8?b?mXMgYmlsbA==?=", "Mum’s bill"),
        (b"=?iso-8859-1?q?=A320_=93owed=94?=", "£20 “owed”"),
        (b"=?us-ascii?q?Mum=E2=80=99s?=", "Mum’s"),
        (b"=?utf-8*en?q?Rose?= Court", "Rose Court"),
        (b"=?utf-8?b?TXVt?==?utf-8?q?_fell?=", "Mum fell"),
        (b"=?x-none?q?=A3?=", "£"),
        (b"=?utf-8?b?!!!?= Court", "Court"),
        ("Mum’s bill".encode(), "Mum’s bill"),
        ("£20".encode("cp1252"), "£20"),
        (b"a\r\n\tfolded  subject", "a folded subject"),
        (b"=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"plain =?not a word?", "plain =?not a word?"),
    ],
)
def test_subjects_are_decoded(subject: bytes, expected: str) -> None:
    """Encoded words whole, cut in two, mislabelled or missing."""
    assert parse_email(mail(subject=subject)).subject == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Jane Roe <jane@nhs.example>", Address("Jane Roe", "jane@nhs.example")),
        (b'"Roe, Jane" <jane@nhs.example>', Address("Roe, Jane", "jane@nhs.example")),
        (b"Roe, Jane <jane@nhs.example>", Address("Roe, Jane", "jane@nhs.example")),
        (b"jane@nhs.example (Jane Roe)", Address("Jane Roe", "jane@nhs.example")),
        (b"<jane@nhs.example>", Address("", "jane@nhs.example")),
        (b"=?utf-8?q?Jos=C3=A9?= <jose@nhs.example>", Address("José", "jose@nhs.example")),
        (b'"=?utf-8?q?Jos=C3=A9?=" <jose@nhs.example>', Address("José", "jose@nhs.example")),
        (b"=?utf-8?q?Roe=2C_Jane?= <jane@nhs.example>", Address("Roe, Jane", "jane@nhs.example")),
        (b'Jane \\"Boss\\" Roe <jane@nhs.example>', None),
        (b"Jane Roe", Address("Jane Roe", "")),
        (b"'jane@nhs.example' <jane@nhs.example>", Address("jane@nhs.example", "jane@nhs.example")),
        (b"jane@nhs.example, tom@nhs.example", Address("", "jane@nhs.example")),
    ],
)
def test_senders_are_read(value: bytes, expected: Address | None) -> None:
    """Names quoted, encoded, in comments or missing."""
    sender = parse_email(mail(**{"from": value})).sender
    assert sender is not None
    if expected:
        assert sender == expected
    assert "@" in sender.address or sender == expected


def test_recipients_are_read_from_lists_and_groups() -> None:
    """Every mailbox of To and Cc, in order."""
    message = parse_email(
        mail(to='A <a@x.example>, "B, C" <b@x.example>;d@x.example', cc="Team: e@x.example, f@x.example;")
    )
    assert [address.address for address in message.to] == ["a@x.example", "b@x.example", "d@x.example"]
    assert [address.address for address in message.cc] == ["e@x.example", "f@x.example"]
    assert parse_email(mail(to="undisclosed-recipients:;")).to == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 02 Nov 2026 10:00:00 +0100", datetime(2026, 11, 2, 10, tzinfo=timezone(timedelta(hours=1)))),
        ("2 Nov 2026 10:00:00 GMT", datetime(2026, 11, 2, 10, tzinfo=timezone.utc)),  # noqa: UP017
        ("Mon, 02 Nov 2026 10:00:00 -0000", datetime(2026, 11, 2, 10, tzinfo=timezone.utc)),  # noqa: UP017
        ("2026-11-02T10:00:00+00:00", datetime(2026, 11, 2, 10, tzinfo=timezone.utc)),  # noqa: UP017
    ],
)
def test_dates_are_read(value: str, expected: datetime) -> None:
    """With their offset; UTC when none is known."""
    date = parse_email(mail(date=value)).date
    assert date == expected
    assert date.utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "32 Foo 20260 99:99",
        "Fri, 31 Dec 9999 23:59:00 -2300",
        "Mon, 06 Jan 1800 10:00:00 +0000",
        "1" * 3000,
    ],
)
def test_a_date_that_makes_no_sense_is_none(value: str) -> None:
    """No date is better than a wrong one."""
    message = parse_email(mail(date=value))
    assert message.date is None
    assert message.defects == ("bad_date",)


def test_missing_headers_are_named() -> None:
    """The text counts even when everything about it is missing."""
    message = parse_email(mail(**{"from": None, "date": None, "message_id": None}))
    assert message.text == "She fell."
    assert (message.sender, message.date, message.message_id) == (None, None, None)
    assert message.defects == ("no_date", "no_from", "no_message_id")


def test_ids_of_earlier_mails_are_read_nearest_first() -> None:
    """In-Reply-To and References tell what this answers."""
    message = parse_email(
        mail(in_reply_to="<c@x.example>", references="<a@x.example>\r\n <b@x.example> <c@x.example>")
    )
    assert message.message_id == "<1@family.example>"
    assert message.in_reply_to == ("<c@x.example>", "<b@x.example>", "<a@x.example>")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ("attachment; filename*=utf-8''caf%C3%A9.pdf", "café.pdf"),
        ("attachment; filename*0*=utf-8''caf%C3; filename*1*=%A9; filename*2=.pdf", "café.pdf"),
        ('attachment; filename="=?utf-8?q?caf=C3=A9.pdf?="', "café.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\temp\\\\a.pdf"', "a.pdf"),
        ("attachment; filename=no quotes.pdf", "no quotes.pdf"),
        ('attachment; filename="évil\u202efdp.exe"', "évilfdp.exe"),
    ],
)
def test_file_names_are_decoded_and_harmless(field: str, expected: str) -> None:
    """RFC 2231, RFC 2047, raw; never a path."""
    raw = multipart("mixed", part("x"), part("y", "application/pdf", f"Content-Disposition: {field}"))
    assert parse_email(raw).attachments[0].filename == expected


@pytest.mark.parametrize(
    ("raw", "defects"),
    [
        (b"From susan@family.example Mon Nov  2 10:00:00 2026\r\n" + mail(), ("mbox_line",)),
        (b"\xef\xbb\xbf" + mail(), ()),
        (b"\r\n\r\n" + mail(), ()),
        (mail().replace(b"\r\n", b"\n"), ()),
        (mail().replace(b"\r\n", b"\r"), ()),
        (mail().replace(b"\r\n", b"\r\r\n"), ("doubled_line_ends",)),
        (mail().decode().encode("utf-16"), ()),
        (mail().replace(b"\r\n\r\nShe", b"\r\nShe"), ("bad_header",)),
    ],
)
def test_what_files_and_gateways_do_to_a_mail_is_undone(raw: bytes, defects: tuple[str, ...]) -> None:
    """Odd line ends, marks and lines before the head."""
    message = parse_email(raw)
    assert message.text == "She fell."
    assert message.sender == Address("Susan Hart", "susan@family.example")
    assert message.defects == defects


def test_text_without_any_head_is_still_read() -> None:
    """Someone saved only the words."""
    message = parse_email(b"Dear desk,\r\nshe fell.")
    assert message.text == "Dear desk,\nshe fell."
    assert "no_headers" in message.defects
