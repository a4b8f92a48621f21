"""Mail made worse, as networks, gateways, old programs and strangers make it: one or more changes to a real shape."""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random

from tests.fuzz.corpus import seeds

MOST_BYTES = 60_000
_WORDS = (
    b"\0", b"\r", b"\n", b"\r\n\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xed\xa0\x80", b"=?", b"?=",
    b"=?utf-8?b?4oCZ", b"=?x-unknown?q?=?=", b"=?utf-7?q?+2AA-?=", b"--b1", b"--b1--", b"--b2\r\n", b"--\r\n", b'"',
    b"(((((((((", b"<a@b", b"@", b";", b"charset=utf-7", b"charset=idna", b"charset=punycode",
    b"charset=unicode_escape",
    b"charset=zlib", b"charset=undefined", b"charset=mbcs", b"charset=", b'charset="', b"charset*=utf-8''%ff",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: uuencode\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Type: multipart/mixed; boundary=b1\r\n",
    b"Content-Type: message/rfc822\r\n", b"Content-Type: text/html; charset=big5\r\n", b"Content-Type: \r\n",
    b"Content-Type: application/ms-tnef\r\n", b"Content-Type: text/calendar\r\n", b"Content-Type: text/rtf\r\n",
    b"Content-Disposition: attachment; filename*0*=a; filename*2*=b\r\n", b"Content-Disposition: inline; filename=\r\n",
    b"Date: Mon, 99 Foo 99999 99:99:99 +9999\r\n", b"Date: -1\r\n", b"Message-ID: <>\r\n", b"From: \r\n",
    b"From: ,,,\r\n",
    b"References: " + b"<a@b>" * 400 + b"\r\n", b"Subject: " + b"x" * 2000 + b"\r\n", b"=\r\n" * 60, b"> " * 300,
    b"<div>" * 300, b"<table><tr><td>" * 60, b"<!--", b"<![CDATA[", b"&#x110000;", b"&#0;", b"<style>",
    b"<?xml version='1.0'?>",
    b"On Mon, 2 Nov 2026 at 10:00, A <a@x> wrote:\r\n", b"-----Original Message-----\r\n", b"From: a\nSent: b\nTo: c\n",
    b"begin 644 x\r\n", b"BEGIN:VEVENT\r\nSUMMARY;A=", b"\x78\x9f\x3e\x22", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
)  # fmt: skip


def mutated(random: Random) -> bytes:
    """A mail of the corpus after one to six changes; the same for the same state of `random`."""
    raw = random.choice(seeds())
    for _ in range(random.randint(1, 6)):
        raw = random.choice(_CHANGES)(raw, random)[:MOST_BYTES]
    return raw


def _span(raw: bytes, random: Random, most: int = 400) -> tuple[int, int]:
    start = random.randint(0, len(raw))
    return start, min(len(raw), start + random.randint(0, most))


def _flip_bits(raw: bytes, random: Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(random.randint(1, 12) if raw else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _truncate(raw: bytes, random: Random) -> bytes:
    return raw[: random.randint(0, len(raw))]


def _take_out(raw: bytes, random: Random) -> bytes:
    start, end = _span(raw, random)
    return raw[:start] + raw[end:]


def _repeat(raw: bytes, random: Random) -> bytes:
    start, end = _span(raw, random)
    return raw[:end] + raw[start:end] * random.choice((1, 2, 30)) + raw[end:]


def _insert_word(raw: bytes, random: Random) -> bytes:
    start, _ = _span(raw, random)
    return raw[:start] + random.choice(_WORDS) + raw[start:]


def _insert_header(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\n")
    lines.insert(random.randint(0, min(12, len(lines))), random.choice(_WORDS).rstrip(b"\r\n"))
    return b"\n".join(lines)


def _splice(raw: bytes, random: Random) -> bytes:
    other = random.choice(seeds())
    start, end = _span(other, random, 3000)
    place, after = _span(raw, random)
    return raw[:place] + other[start:end] + raw[after:]


def _swap_lines(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\n")
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


def _other_line_ends(raw: bytes, random: Random) -> bytes:
    return raw.replace(b"\r\n", random.choice((b"\n", b"\r", b"\r\r\n", b"\n\r")))


def _wrap(raw: bytes, random: Random) -> bytes:
    """The mail inside others."""
    for _ in range(random.choice((1, 3, 40))):
        kind = random.choice(
            (b"message/rfc822", b"multipart/mixed; boundary=w", b"multipart/digest; boundary=w")
        )
        before, after = (b"", b"") if kind.startswith(b"message") else (b"--w\r\n\r\n", b"\r\n--w--\r\n")
        raw = b"Subject: w\r\nContent-Type: " + kind + b"\r\n\r\n" + before + raw + after
    return raw


def _encode_whole(raw: bytes, random: Random) -> bytes:
    """The body said to be encoded, or truly encoded, with something wrong in it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    encoded = base64.encodebytes(body) if random.random() < 0.5 else body
    if encoded and random.random() < 0.5:
        place = random.randrange(len(encoded))
        encoded = encoded[:place] + random.choice((b"=", b"*", b"\xff", b"====")) + encoded[place:]
    kind = random.choice((b"base64", b"BASE64 ", b"quoted-printable", b"x-uuencode", b"7bit", b"nonsense"))
    return head + b"\r\nContent-Transfer-Encoding: " + kind + b"\r\n\r\n" + encoded


def _lie_about_charset(raw: bytes, random: Random) -> bytes:
    lies = (
        b"utf-16",
        b"utf-7",
        b"utf-32",
        b"iso-2022-kr",
        b"hz",
        b"cp037",
        b"base64",
        b"rot13",
        b"unicode-1-1-utf-7",
    )
    for name in (b"utf-8", b"us-ascii", b"windows-1252", b"koi8-r", b"utf-16"):
        raw = raw.replace(name, random.choice(lies))
    return raw


_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip_bits, _truncate, _take_out, _repeat, _insert_word, _insert_word, _insert_header, _splice, _splice,
    _swap_lines, _other_line_ends, _wrap, _encode_whole, _lie_about_charset,
)  # fmt: skip
