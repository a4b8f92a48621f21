"""The parts of a message: which text counts, what is attached, what is broken."""

from __future__ import annotations

import base64
import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

from bot.email_parsing import parse_email
from tests.bot.email_bytes import attached, mail, multipart, nested, part
from tests.bot.outlook_file import msg_file
from triage.errors import CannotRead
from triage.vocabulary import Address

HTML = "text/html; charset=utf-8"
LONG_HTML = "<p>" + "The night staff left her on the floor. " * 12 + "</p>"


def test_plain_text_is_preferred_over_html() -> None:
    """Of two alternatives the plain one is read."""
    message = parse_email(
        multipart("alternative", part("She fell twice."), part("<p>She fell <b>twice</b> !</p>", HTML))
    )
    assert message.text == "She fell twice."


@pytest.mark.parametrize(
    "stub",
    [
        "",
        "  \r\n\r\n",
        "Please view this email in an HTML browser.",
        "Your email client does not support HTML.",
    ],
)
def test_html_is_read_when_the_plain_text_is_empty_or_points_to_it(stub: str) -> None:
    """A plain alternative that says nothing gives way."""
    message = parse_email(
        multipart(
            "alternative",
            part(stub),
            part("<p>She fell twice in the bathroom at night, nobody came.</p>", HTML),
        )
    )
    assert message.text == "She fell twice in the bathroom at night, nobody came."


def test_html_is_read_when_the_plain_text_is_only_a_fraction_of_it() -> None:
    """A plain alternative with a few words must not hide a long message."""
    message = parse_email(multipart("alternative", part("Dear desk"), part(LONG_HTML, HTML)))
    assert "left her on the floor" in message.text


def test_nested_multiparts_give_their_text_and_their_files() -> None:
    """mixed > related > alternative, with a picture and a document."""
    picture, document = b"\x89PNG1234", b"%PDF-1.4 record"
    raw = multipart(
        "mixed",
        nested(
            "related",
            nested(
                "alternative",
                part("She fell."),
                part('<p>She fell.<img src="cid:1"></p>', HTML),
                boundary="b3",
            ),
            attached(picture, "image/png", "arm.png"),
        ),
        attached(document, "application/pdf", "record.pdf"),
    )
    message = parse_email(raw)
    assert message.text == "She fell."
    assert [(file.filename, file.content_type, file.size) for file in message.attachments] == [
        ("arm.png", "image/png", len(picture)),
        ("record.pdf", "application/pdf", len(document)),
    ]
    assert message.attachments[1].sha256 == hashlib.sha256(document).hexdigest()
    assert message.attachments[1].content == document
    assert message.defects == ()


def test_several_text_parts_are_all_read() -> None:
    """Text, a picture, more text: as Apple Mail sends it."""
    raw = multipart("mixed", part("Before."), attached(b"x", "image/jpeg", "a.jpg"), part("After."))
    assert parse_email(raw).text == "Before.\n\nAfter."


def test_an_attached_message_is_read_and_listed() -> None:
    """The concern is often in the attached mail, so its text is part of ours, and its files too."""
    inner = multipart(
        "mixed", part("He has no food."), attached(b"abc", "image/png", "fridge.png"), boundary="b9"
    )
    raw = multipart("mixed", part("See attached."), part(inner, "message/rfc822"))
    message = parse_email(raw)
    assert "See attached." in message.text
    assert "From: Susan Hart <susan@family.example>" in message.text
    assert "He has no food." in message.new_text
    assert [file.filename for file in message.attachments] == ["message.eml", "fridge.png"]
    assert message.original_author is not None
    assert message.original_author.address == "susan@family.example"


def test_an_attached_eml_file_of_an_unknown_type_is_read() -> None:
    """Some mailers attach .eml files as unknown bytes."""
    raw = multipart(
        "mixed", part("Look"), attached(mail("He has no food."), "application/octet-stream", "concern.eml")
    )
    assert "He has no food." in parse_email(raw).text


def test_a_text_file_is_attached_and_not_mistaken_for_the_body() -> None:
    """A text file that is marked as an attachment stays one."""
    message = parse_email(multipart("mixed", part("Body."), attached(b"log line", "text/plain", "log.txt")))
    assert message.text == "Body."
    assert message.attachments[0].content == b"log line"


def test_a_truncated_multipart_keeps_what_arrived() -> None:
    """No closing boundary: the text stays and the defect is named."""
    message = parse_email(multipart("mixed", part("She fell."), closed=False))
    assert message.text == "She fell."
    assert message.defects == ("truncated_multipart",)


def test_a_multipart_without_its_boundary_is_read_as_text() -> None:
    """The text is not lost with the parameter."""
    message = parse_email(mail("She fell.", content_type="multipart/mixed"))
    assert message.text == "She fell."
    assert "no_boundary" in message.defects


def test_a_boundary_that_begins_like_another_is_not_taken_for_it() -> None:
    """--b1 and --b1-inner are two boundaries."""
    raw = multipart("mixed", nested("alternative", part("Inner."), boundary="b1-inner"), part("Outer."))
    assert parse_email(raw).text == "Inner.\n\nOuter."


def test_a_boundary_within_a_line_is_text() -> None:
    """Only at the beginning of a line does a boundary count."""
    assert (
        parse_email(multipart("mixed", part("She said --b1\r\nand fell."))).text == "She said --b1\nand fell."
    )


@pytest.mark.parametrize(
    ("body", "encoding", "expected", "defect"),
    [
        (base64.encodebytes(b"She fell."), "base64", "She fell.", None),
        (b"U2hlIGZlbGwu\r\n_______\r\nlist footer with words\r\n", "base64", "She fell.", "bad_base64"),
        (b"U2hlIGZlbGwuX", "base64", "She fell.", "bad_base64"),
        (
            b"She fell, and this was never encoded.",
            "base64",
            "She fell, and this was never encoded.",
            "bad_base64",
        ),
        (b"She =66ell=\r\n over.", "quoted-printable", "She fell over.", None),
        (b"50=% of =ZZ visits", "quoted-printable", "50=% of =ZZ visits", "bad_quoted_printable"),
        (b"She fell.", "x-made-up", "She fell.", "unknown_transfer_encoding"),
    ],
)
def test_transfer_encodings_are_undone_as_far_as_they_go(
    body: bytes, encoding: str, expected: str, defect: str | None
) -> None:
    """Damage costs a defect, never the text."""
    message = parse_email(mail(body, content_transfer_encoding=encoding))
    assert message.text == expected
    assert message.defects == ((defect,) if defect else ())


def test_format_flowed_paragraphs_are_made_whole() -> None:
    """Lines that end in a space go on in the next; quotes and the signature mark stay apart."""
    body = "She fell \r\non Sunday.\r\n> old \r\n> words\r\n-- \r\nJane"
    message = parse_email(mail(body, content_type="text/plain; format=flowed"))
    assert message.text == "She fell on Sunday.\n> old words\n--\nJane"


def test_format_flowed_with_delsp_loses_the_space() -> None:
    """DelSp=yes is how text without word spaces is flowed."""
    message = parse_email(mail("un \r\nbroken", content_type="text/plain; format=flowed; delsp=yes"))
    assert message.text == "unbroken"


def test_tables_and_entities_of_html_are_laid_out_and_hidden_text_is_dropped() -> None:
    """What a person sees is what is read."""
    page = (
        "<html><head><title>t</title><style>p{color:red}</style></head><body><script>alert(1)</script>"
        '<div style="display:none">preheader</div><span hidden>secret</span><p style="mso-hide:all">gone</p>'
        "<table><tr><td>Name</td><td>Ann&nbsp;O&rsquo;Hara</td></tr><tr><td>Cost</td><td>&pound;20</td></tr></table>"
        "<!-- comment --><ul><li>bruise</li></ul></body></html>"
    )
    text = parse_email(mail(page, content_type=HTML)).text
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines == [["Name", "Ann", "O’Hara"], ["Cost", "£20"], ["*", "bruise"]]


def test_a_calendar_part_is_summarised() -> None:
    """An invitation says what, when and where."""
    calendar = (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Strategy meeting\\, Mrs Hart\r\n"
        "DTSTART;TZID=Europe/London:20261105T140000\r\nDTEND:20261105T150000\r\nLOCATION:Room\r\n  4\r\n"
        "ORGANIZER;CN=Jane Roe:mailto:jane@council.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    text = parse_email(
        multipart("alternative", part("Please come."), part(calendar, "text/calendar; method=REQUEST"))
    ).text
    assert text.splitlines() == [
        "Please come.",
        "",
        "Calendar invitation: Strategy meeting, Mrs Hart",
        "When: 05/11/2026 14:00 to 05/11/2026 15:00",
        "Where: Room 4",
        "Organiser: Jane Roe",
    ]


def _tnef(*objects: tuple[int, int, int, bytes]) -> bytes:
    raw = bytes.fromhex("789f3e22") + b"\x01\x00"
    for level, name, kind, data in objects:
        raw += bytes([level]) + name.to_bytes(2, "little") + kind.to_bytes(2, "little")
        raw += len(data).to_bytes(4, "little") + data + (sum(data) & 0xFFFF).to_bytes(2, "little")
    return raw


def test_a_winmail_dat_gives_its_text_and_its_files() -> None:
    """What Outlook wraps as TNEF is unwrapped."""
    wrapped = _tnef(
        (1, 0x9007, 6, (1252).to_bytes(8, "little")),
        (1, 0x800C, 2, b"He has no food.\0"),
        (2, 0x9002, 6, b"\1\0" + bytes(12)),
        (2, 0x8010, 1, b"fridge.txt\0"),
        (2, 0x800F, 6, b"empty fridge"),
    )
    message = parse_email(
        multipart("mixed", part("Hello."), attached(wrapped, "application/ms-tnef", "winmail.dat"))
    )
    assert message.text == "Hello.\n\nHe has no food."
    assert [(file.filename, file.content) for file in message.attachments[1:]] == [
        ("fridge.txt", b"empty fridge")
    ]


@pytest.mark.parametrize(
    "wrapped", [b"", b"junk", _tnef((1, 0x8004, 1, b"subject without code page\0")), _tnef()[:5]]
)
def test_a_broken_winmail_dat_stays_attached(wrapped: bytes) -> None:
    """What cannot be unwrapped is a file and a defect."""
    message = parse_email(
        multipart("mixed", part("Hello."), attached(wrapped, "application/ms-tnef", "winmail.dat"))
    )
    assert message.text == "Hello."
    assert [file.filename for file in message.attachments] == ["winmail.dat"]
    assert message.defects == ("bad_tnef",)


def test_a_broken_msg_file_stays_attached() -> None:
    """An Outlook file that cannot be opened is a file and a defect."""
    message = parse_email(
        multipart("mixed", part("Hello."), attached(b"junk", "application/vnd.ms-outlook", "a.msg"))
    )
    assert [file.filename for file in message.attachments] == ["a.msg"]
    assert message.defects == ("bad_msg",)


def test_an_attached_msg_file_is_read() -> None:
    """Outlook users attach mails as .msg: text, sender and files are read."""
    letter = msg_file(
        "Mr Okoro", "Tom Blake", "tom@homecare.example", "He has no food.", {"fridge.txt": b"empty"}
    )
    message = parse_email(
        multipart("mixed", part("See attached."), attached(letter, "application/vnd.ms-outlook", "a.msg"))
    )
    assert "See attached." in message.new_text
    assert "Subject: Mr Okoro" in message.new_text
    assert "He has no food." in message.new_text
    assert [(file.filename, file.size) for file in message.attachments] == [
        ("a.msg", len(letter)),
        ("fridge.txt", 5),
    ]
    assert message.original_author == Address("Tom Blake", "tom@homecare.example")
    assert message.defects == ()


def test_a_msg_file_by_itself_is_read() -> None:
    """Someone saved the mail from Outlook and handed the file in."""
    letter = msg_file(
        "Mr Okoro", "Tom Blake", "tom@homecare.example", "He has no food.", {"fridge.txt": b"empty"}
    )
    message = parse_email(letter)
    assert (message.subject, message.text) == ("Mr Okoro", "He has no food.")
    assert message.sender == Address("Tom Blake", "tom@homecare.example")
    assert [file.content for file in message.attachments] == [b"empty"]
    with pytest.raises(CannotRead):
        parse_email(letter[:600])


def _signer() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    return _certificate(key), key


def _certificate(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Jane Roe")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(day).not_valid_after(day + datetime.timedelta(days=999))
    )
    return builder.sign(key, hashes.SHA256())


def test_a_signed_message_is_read() -> None:
    """multipart/signed: the text counts, the signature is a file."""
    raw = multipart(
        "signed", part("She fell."), attached(b"\x30\x80", "application/pkcs7-signature", "smime.p7s")
    )
    message = parse_email(raw)
    assert message.text == "She fell."
    assert message.defects == ()


@pytest.mark.parametrize("label", ["; smime-type=signed-data", ""])
def test_an_opaque_signed_message_is_read(label: str) -> None:
    """Signed content inside CMS is taken out of it."""
    certificate, key = _signer()
    inner = part("She fell.")
    signed = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(inner)
        .add_signer(certificate, key, hashes.SHA256())
        .sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    )
    raw = mail(
        base64.encodebytes(signed),
        content_type=f"application/pkcs7-mime{label}",
        content_transfer_encoding="base64",
    )
    message = parse_email(raw)
    assert message.text == "She fell."
    assert message.defects == ()


def test_an_encrypted_message_says_so() -> None:
    """Enveloped CMS needs a person."""
    key = rsa.generate_private_key(65537, 2048)
    sealed = (
        pkcs7.PKCS7EnvelopeBuilder()
        .set_data(b"She fell.")
        .add_recipient(_certificate(key))
        .encrypt(Encoding.DER, [])
    )
    raw = mail(
        base64.encodebytes(sealed), content_type="application/pkcs7-mime", content_transfer_encoding="base64"
    )
    message = parse_email(raw)
    assert "encrypted" in message.text
    assert message.new_text == message.text
    assert message.defects == ("encrypted",)


def test_a_pgp_message_says_so() -> None:
    """multipart/encrypted and PGP within the text need a person."""
    raw = multipart(
        "encrypted",
        part("Version: 1", "application/pgp-encrypted"),
        attached(b"-----BEGIN PGP MESSAGE-----", "application/octet-stream", "encrypted.asc"),
    )
    inline = mail("-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----")
    for message in (parse_email(raw), parse_email(inline)):
        assert "This message is encrypted" in message.text
        assert message.defects == ("encrypted",)


def test_attachments_keep_their_bytes_whatever_their_line_ends() -> None:
    """A file that was not encoded for its journey keeps its hash."""
    content = b"a\nb\r\nc"
    raw = multipart(
        "mixed", part("x"), part(content, "application/x-log", "Content-Disposition: attachment; filename=l")
    )
    assert parse_email(raw).attachments[0].sha256 == hashlib.sha256(content).hexdigest()
