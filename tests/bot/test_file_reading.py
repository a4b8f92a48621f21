"""What an attached file is and says, whatever it is called, found out where it can do no harm."""

from __future__ import annotations

import pytest

from bot.email_parsing import DEFAULT_LIMITS, ParseLimits
from bot.file_reading import looked_into, looked_into_file
from bot.file_reading.kinds import DOCX, Kind, claimed_kind
from bot.file_reading.looking import Look, look
from bot.file_reading.sniffing import sniff
from tests.bot import file_samples as samples
from triage.vocabulary import Attachment, Channel, FileSign, Message

WORDS = "The night carer punched my mother on Sunday."


def looked(content: bytes, name: str = "file", declared: str = "application/octet-stream") -> Look:
    """What is found in the bytes."""
    return look(content, name, declared, with_words=True)


def attachment(content: bytes, name: str = "file", declared: str = "") -> Attachment:
    """A file as it comes out of a message."""
    return Attachment(name, declared, len(content), "0" * 64, content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (samples.pdf(WORDS), "application/pdf"),
        (b"some junk\n" + samples.pdf(WORDS), "application/pdf"),
        (samples.docx(WORDS), DOCX),
        (samples.xlsx(WORDS), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (samples.pptx(WORDS), "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        (samples.odt(WORDS), "application/vnd.oasis.opendocument.text"),
        (samples.rtf(WORDS), "application/rtf"),
        (samples.zipped({"a.txt": "x"}), "application/zip"),
        (samples.photograph(with_place=False), "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "image/png"),
        (samples.PROGRAM, "application/x-executable"),
        (b"\x7fELF\2\1\1" + bytes(90), "application/x-executable"),
        (b"#!/bin/sh\nrm x", "application/x-executable"),
        (samples.old_office("WordDocument"), "application/msword"),
        (samples.old_office("EncryptedPackage"), "application/x-office-locked"),
        (WORDS.encode(), "text/plain"),
        (WORDS.encode("utf-16"), "text/plain"),
        (b"MZ said that she was hit.", "text/plain"),
        (b"<!DOCTYPE html><html><body>x</body></html>", "text/html"),
        (bytes(range(256)), ""),
    ],
)
def test_a_file_is_known_by_its_bytes(content: bytes, expected: str) -> None:
    """Whatever it is called; nothing is guessed of what is not known."""
    assert sniff(content) == expected


@pytest.mark.parametrize(
    ("name", "declared", "sniffed", "claimed"),
    [
        ("letter.pdf", "application/pdf", "application/x-executable", Kind.PDF),
        ("letter.pdf", "application/octet-stream", "text/plain", Kind.PDF),
        ("letter", "application/pdf", "image/jpeg", Kind.PDF),
        ("photo.jpg", "image/jpeg", "image/png", Kind.UNKNOWN),
        ("notes.csv", "application/vnd.ms-excel", "text/plain", Kind.UNKNOWN),
        ("letter.docx", "application/zip", DOCX, Kind.UNKNOWN),
        ("letter.doc", "application/msword", "application/rtf", Kind.UNKNOWN),
        ("run.bat", "application/octet-stream", "text/plain", Kind.UNKNOWN),
        ("anything.pdf", "application/pdf", "", Kind.UNKNOWN),
    ],
)
def test_what_a_file_claims_to_be_and_is_not_is_told(
    name: str, declared: str, sniffed: str, claimed: Kind
) -> None:
    """And what people mix up without harm is no claim."""
    assert claimed_kind(name, declared, sniffed) is claimed


@pytest.mark.parametrize(
    "content",
    [
        samples.pdf("Dear desk,", WORDS),
        samples.docx("Dear desk,", WORDS),
        samples.xlsx("Dear desk,", WORDS),
        samples.pptx(WORDS),
        samples.odt(WORDS),
        samples.rtf(WORDS),
        WORDS.encode(),
        WORDS.encode("utf-16"),
        b"<html><body><p>" + WORDS.encode() + b"</p><script>x</script></body></html>",
    ],
    ids=["pdf", "docx", "xlsx", "pptx", "odt", "rtf", "text", "utf-16", "html"],
)
def test_the_words_of_documents_are_read(content: bytes) -> None:
    """Each format that people attach; nothing of it asks for a person."""
    found = looked(content)
    assert WORDS in found.text
    assert set(found.signs) <= {FileSign.PROGRAM}


def test_words_outside_the_main_text_are_read() -> None:
    """Footnotes, headers and comments, and a text box once although it is written twice."""
    box = "<mc:Fallback xmlns:mc='m'><w:t>twice</w:t></mc:Fallback>"
    found = looked(
        samples.docx(
            f"Nothing to report.</w:t></w:r><w:r><w:t>twice</w:t>{box}</w:r><w:r><w:t>",
            **{"word__footnotes.xml": samples.footnotes(WORDS)},
        )
    )
    assert WORDS in found.text
    assert found.text.count("twice") == 1


@pytest.mark.parametrize(
    ("content", "name", "sign"),
    [
        (samples.locked_pdf(WORDS), "a.pdf", FileSign.LOCKED),
        (samples.old_office("EncryptedPackage"), "a.docx", FileSign.LOCKED),
        (samples.pdf(scanned=True), "a.pdf", FileSign.NO_TEXT),
        (samples.pdf("Please see the next page.", scanned=True), "a.pdf", FileSign.NO_TEXT),
        (samples.docx("", word__media__scan=b"x" * 99), "a.docx", FileSign.NO_TEXT),
        (samples.old_office("WordDocument"), "a.doc", FileSign.UNREADABLE),
        (samples.docx(WORDS)[:-40], "a.docx", FileSign.ARCHIVE),
        (b"%PDF-1.4 and no more", "a.pdf", FileSign.UNREADABLE),
        (bytes(range(256)) * 9, "a.pdf", FileSign.UNREADABLE),
        (samples.zipped({"a.txt": "x"}), "a.zip", FileSign.ARCHIVE),
        (samples.bomb(), "a.docx", FileSign.NOT_UNPACKED),
        (b"word " * 40_000, "a.txt", FileSign.TEXT_CUT),
    ],
)
def test_what_the_machine_could_not_read_says_so(content: bytes, name: str, sign: FileSign) -> None:
    """So that a person looks at it."""
    assert sign in looked(content, name).signs


@pytest.mark.parametrize(
    ("content", "name", "sign"),
    [
        (samples.PROGRAM, "letter.pdf", FileSign.OTHER_TYPE),
        (samples.PROGRAM, "letter.pdf", FileSign.PROGRAM),
        (b"var x = 1", "photo.js", FileSign.PROGRAM),
        (b"<html><script>x</script></html>", "letter.html", FileSign.PROGRAM),
        (samples.docx("x", **{"word__vbaProject.bin": b"x"}), "a.docm", FileSign.MACROS),
        (samples.old_office("_VBA_PROJECT") + "WordDocument".encode("utf-16-le"), "a.doc", FileSign.MACROS),
        (samples.pdf(WORDS) + b"/JavaScript", "a.pdf", FileSign.MACROS),
        (samples.rtf("{\\object\\objdata 00}"), "a.rtf", FileSign.MACROS),
        (samples.photograph(with_place=True), "a.jpg", FileSign.HOLDS_PLACE),
    ],
)
def test_what_may_do_harm_says_so(content: bytes, name: str, sign: FileSign) -> None:
    """Programs, scripts, macros, what is not what it says, and a photograph that shows where somebody lives."""
    assert sign in looked(content, name).signs


def test_a_photograph_without_a_place_has_no_sign() -> None:
    """Nothing is said of what is as it should be."""
    assert looked(samples.photograph(with_place=False), "a.jpg", "image/jpeg").signs == ()


def test_an_evil_document_costs_its_own_words_alone() -> None:
    """One that would take all memory ends its reader, is told what it is, and the file beside it is read."""
    evil = attachment(samples.xlsx("a", vast=True), "visits.xlsx")
    message = Message(
        Channel.EMAIL, "", "See attached", "", attachments=(evil, attachment(samples.docx(WORDS)))
    )
    first, second = looked_into(message, DEFAULT_LIMITS).attachments
    assert (second.text, second.signs) == (WORDS, ())
    assert first.sniffed_type.endswith("sheet")
    assert first.signs == (FileSign.UNREADABLE,)


@pytest.mark.parametrize("limits", [ParseLimits(wall_seconds=0.001), ParseLimits(memory_mib=64)])
def test_a_document_beyond_the_limits_is_unreadable_and_the_message_is_not(limits: ParseLimits) -> None:
    """Time and memory."""
    message = Message(
        Channel.EMAIL, "", "See attached", "", attachments=(attachment(samples.docx(WORDS * 2000)),)
    )
    (file,) = looked_into(message, limits).attachments
    assert file.text == ""
    assert FileSign.UNREADABLE in file.signs


def test_of_a_very_large_file_only_the_beginning_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told what it is."""
    monkeypatch.setattr("bot.file_reading.safely._MOST_BYTES", 1000)
    file = looked_into_file(attachment(samples.pdf(WORDS * 40)), DEFAULT_LIMITS)
    assert (file.sniffed_type, file.text) == ("application/pdf", "")
    assert FileSign.NOT_UNPACKED in file.signs


def test_text_that_is_the_messages_own_is_not_read_twice() -> None:
    """A named text part is the body already."""
    message = Message(Channel.EMAIL, "", f"Hello\n{WORDS}", "", attachments=(attachment(WORDS.encode()),))
    (file,) = looked_into(message, DEFAULT_LIMITS).attachments
    assert (file.text, file.sniffed_type) == ("", "text/plain")
