"""Small mails of every shape that the reader knows, written for the fuzzing: each mutation starts at one of them."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from functools import cache

from tests.bot.email_bytes import attached, mail, multipart, nested, part
from tests.bot.email_shapes import ALL_SHAPES
from tests.bot.outlook_file import msg_file

TEXT = "She fell on Sunday at Rose Court and nobody came. Ring 01632 960123."
HTML = f"<html><body><table><tr><td>{TEXT}</td></tr></table><blockquote>old</blockquote></body></html>"
CALENDAR = (
    "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Review of care\r\n"
    "DESCRIPTION;LANGUAGE=en:She fell\\, twice\r\nDTSTART;TZID=London:20261102T100000\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
BOUNCE = (
    "Reporting-MTA: dns; relay.example\r\n\r\nFinal-Recipient: rfc822; susan@family.example\r\n"
    "Action: failed\r\nStatus: 5.1.1\r\n"
)


def _tnef(*attributes: tuple[int, int, int, bytes]) -> bytes:
    body = b"".join(
        bytes([level])
        + name.to_bytes(2, "little")
        + kind.to_bytes(2, "little")
        + len(content).to_bytes(4, "little")
        + content
        + (sum(content) & 0xFFFF).to_bytes(2, "little")
        for level, name, kind, content in attributes
    )
    return b"\x78\x9f\x3e\x22\x01\x00" + body


def _zip(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, content)
    return made.getvalue()


@cache
def seeds() -> tuple[bytes, ...]:
    """The corpus, in a fixed order."""
    winmail = _tnef(
        (1, 0x9006, 8, b"\x00\x00\x01\x00"), (1, 0x800C, 2, TEXT.encode()), (2, 0x9002, 6, bytes(14)),
        (2, 0x8010, 1, b"note.txt\0"), (2, 0x800F, 6, b"a file"),
    )  # fmt: skip
    encoded = base64.encodebytes(TEXT.encode())
    inner = mail(TEXT, subject="=?utf-8?b?UsO0c2UgQ291cnQ=?=")
    special = (
        mail(TEXT),
        mail(HTML, content_type="text/html; charset=windows-1252"),
        mail(TEXT.encode("utf-16"), content_type="text/plain; charset=utf-16"),
        mail("Привет".encode("koi8-r"), content_type="text/plain; charset=koi8-r"),
        mail("日本".encode("iso-2022-jp"), content_type="text/plain; charset=iso-2022-jp"),
        mail(b"\x93quoted\x94 \xa3240", content_type="text/plain; charset=us-ascii"),
        mail(encoded, content_type="text/plain", content_transfer_encoding="base64"),
        mail("She=20fell=\r\n on =E2=80=93", content_transfer_encoding="quoted-printable"),
        mail("begin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n", content_transfer_encoding="x-uuencode"),
        mail("long \r\nline \r\n-- \r\nSusan", content_type="text/plain; format=flowed; delsp=yes"),
        mail(TEXT, subject="=?utf-8?q?R=C3=B4se?= =?iso-8859-1?b?Q/R1cnQ=?=", from_='"a\\"b" <a@b.example>'),
        mail(TEXT, to="undisclosed-recipients:;", cc="a@b.example, Group: c@d.example, e@f.example;"),
        multipart("alternative", part(TEXT), part(HTML, "text/html; charset=utf-8")),
        multipart("mixed", part(TEXT), attached(b"%PDF-1.4 1 0 obj", "application/pdf", "a.pdf")),
        multipart("mixed", part(TEXT), part(inner, "message/rfc822")),
        multipart("mixed", nested("related", nested("alternative", part(TEXT), boundary="b3")), closed=False),
        multipart(
            "report", part("Undelivered"), part(BOUNCE, "message/delivery-status"), part(inner, "message/rfc822")
        ),
        multipart("mixed", attached(winmail, "application/ms-tnef", "winmail.dat")),
        multipart("mixed", attached(msg_file("s", "A", "a@b.example", TEXT, {"f": b"x"}), "application/x", "a.msg")),
        multipart("mixed", part(CALENDAR, "text/calendar; method=REQUEST")),
        multipart("mixed", attached(_zip("a.txt", b"0" * 2000), "application/zip", "a.zip")),
        multipart("mixed", attached(gzip.compress(b"0" * 2000), "application/gzip", "a.gz")),
        multipart("signed", part(TEXT), attached(b"\x30\x82\x01\x00", "application/pkcs7-signature", "smime.p7s")),
        mail(
            base64.encodebytes(b"\x30\x82\x01\x00" * 9), content_type="application/pkcs7-mime; smime-type=signed-data"
        ),
        mail(TEXT, content_type="text/plain; name*0*=utf-8''%E2%80; name*1*=%99.txt", auto_submitted="auto-replied"),
        mail(TEXT, list_id="<a.b>", precedence="bulk", in_reply_to="<1@x> <2@x>", references="<3@x>"),
        msg_file("Rose Court", "Susan", "susan@family.example", TEXT, {"note.txt": b"She fell"}),
        b"From susan@family.example Mon Nov  2 10:00:00 2026\n" + mail(TEXT),
    )  # fmt: skip
    return special + tuple(shape.raw for shape in ALL_SHAPES)
