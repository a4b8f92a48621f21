"""The parts of the form by themselves: limits, files, receipts, and how a report is read."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from form_samples import JPEG, Person, draft_counts, seen_text
from hypothesis import given
from hypothesis import strategies as st

from bot.app import App
from bot.form_reading import EnclosedFile, read_by_hand, read_form, write_by_hand, write_form
from bot.receipts import id_start, receipt_of
from bot.web.form.files import kind_of, safe_name
from bot.web.form.limits import RateLimit, network_of
from storage.rotation import reseal_all
from triage.errors import BadInput, CannotRead
from triage.red_flags import shipped_red_flags
from triage.vocabulary import Channel, Severity


def _zip(*names: str, first: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if first:
            archive.writestr("mimetype", first)
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT = "application/vnd.oasis.opendocument.text"
KINDS = [
    (JPEG, "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n" + b"0" * 20, "image/png"),
    (b"GIF89a" + b"0" * 20, "image/gif"),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    (b"\x00\x00\x00\x18ftypheic" + b"0" * 20, "image/heic"),
    (b"%PDF-1.7\n", "application/pdf"),
    (_zip("[Content_Types].xml", "word/document.xml"), DOCX),
    (_zip("content.xml", first=ODT.encode()), ODT),
]  # fmt: skip
NOT_TAKEN = [
    b"MZ\x90\x00 a program called photo.jpg",
    b"<html><script>alert(1)</script>",
    b"\x7fELF",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"PK\x03\x04 a broken archive",
    b"\x00\x00\x00\x18ftypisom a film",
    _zip("word/document.xml", "word/vbaProject.bin"),
    _zip("program.exe"),
    b"RIFF\x00\x00\x00\x00WAVEfmt ",
]


@pytest.mark.parametrize(("content", "content_type"), KINDS)
def test_a_file_is_known_by_what_is_in_it(content: bytes, content_type: str) -> None:
    """Photographs, PDF and texts are taken, whatever they are called."""
    kind = kind_of(content)
    assert kind is not None
    assert kind.content_type == content_type


@pytest.mark.parametrize("content", NOT_TAKEN)
def test_a_file_that_only_looks_right_is_refused_with_a_linked_error(
    app: App, person: Person, content: bytes
) -> None:
    """A program, a page or a film called photo.jpg is not kept, and the page says what can be."""
    refused = person.add_file(content)
    assert refused.status_code == 422
    assert '<a href="#files">' in refused.text
    assert "must be a photograph" in seen_text(refused.text)
    assert draft_counts(app)[1] == 0


def test_files_have_limits_in_size_and_number(open_form) -> None:  # type: ignore[no-untyped-def]
    """Each limit has its own sentence, and files that were taken before stay."""
    app, server = open_form(form_most_files=2, form_file_megabytes=1, form_files_megabytes=1)
    person = Person(server)
    assert "is larger than 1 MB" in seen_text(person.add_file(JPEG + b"0" * 1_000_000).text)
    assert "is empty" in seen_text(person.add_file(b"").text)
    assert "photo.jpg, 600 KB" in seen_text(person.add_file(JPEG + b"0" * 600_000).text)
    assert "larger than 1 MB together" in seen_text(person.add_file(JPEG + b"0" * 600_000).text)
    assert "second.jpg" in seen_text(person.add_file(JPEG, name="second.jpg").text)
    assert "You can add up to 2 files" in seen_text(person.add_file(JPEG).text)
    assert "Choose a file first" in seen_text(
        person.post("/report/files", {"do": "add"}, page="/report/files").text
    )
    assert draft_counts(app) == (1, 2)
    person.close()


def test_files_chosen_but_not_added_go_along_with_continue(app: App, person: Person) -> None:
    """Nobody loses a photograph for having pressed the other button."""
    went_on = person.post("/report/files", page="/report/files", files={"files": ("a.jpg", JPEG)})
    assert went_on.url.path == "/report/you"
    assert draft_counts(app) == (1, 1)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("holiday.exe", "holiday.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\Users\\Margaret\\photo.jpeg", "photo.jpg"),
        ("\u202egpj.exe", "gpj.jpg"),
        ('a"<b>\r\n.jpg', "ab.jpg"),
        (".jpg", "jpg.jpg"),
        ("...", "file.jpg"),
        ("x" * 300, "x" * 80 + ".jpg"),
    ],
)
def test_a_name_is_made_safe(name: str, safe: str) -> None:
    """No folder, no odd character, and the ending of what the file is."""
    kind = kind_of(JPEG)
    assert kind is not None
    assert safe_name(name, kind) == safe


def test_drafts_are_sealed_again_when_keys_are_rotated(app: App, person: Person) -> None:
    """No sealed field of a draft is forgotten."""
    from dataclasses import replace

    from storage.database import Database
    from storage.tables import DraftFileRow, DraftRow

    person.add_file(JPEG)
    keys = {**app.keys.keys, "next": bytes(32)}
    database = Database(app.database.url, replace(app.keys, keys=keys, current="next"))
    reseal_all(database)
    with database.read() as session:
        draft, file = session.query(DraftRow).one(), session.query(DraftFileRow).one()
        assert all(map(database.keys.is_current, (draft.answers, file.description, file.content)))
    database.close()


def test_a_bucket_fills_evenly_and_never_beyond_a_minute() -> None:
    """After the burst, one a second goes on; an idle hour saves up no more than a minute."""
    now = [0.0]
    limit = RateLimit(60, 0, clock=lambda: now[0])
    assert [limit.allows("192.0.2.1") for _ in range(61)] == [True] * 60 + [False]
    now[0] += 1
    assert [limit.allows("192.0.2.1") for _ in range(2)] == [True, False]
    now[0] += 3600
    assert sum(limit.allows("192.0.2.1") for _ in range(100)) == 60


def test_all_together_have_a_limit_that_a_refused_address_does_not_use_up() -> None:
    """One address that floods takes only its own share from the others."""
    limit = RateLimit(5, 20, clock=lambda: 0.0)
    assert sum(limit.allows("192.0.2.1") for _ in range(1000)) == 5
    assert sum(limit.allows(f"192.0.2.{number}") for number in range(2, 100)) == 15


def test_addresses_are_forgotten_when_there_are_many() -> None:
    """The memory that a flood of addresses can take has an end."""
    limit = RateLimit(5, 0, clock=lambda: 0.0)
    for number in range(11_000):
        limit.allows(f"10.{number >> 8}.{number & 255}.1")
    assert len(limit._buckets) == 10_000


def test_one_household_is_one_address() -> None:
    """A /64 of IPv6 counts once; an IPv4 address in IPv6 clothes is that address."""
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::9")
    assert network_of("2001:db8:1:3::4") != network_of("2001:db8:1:2::4")
    assert network_of("::ffff:192.0.2.1") != network_of("::ffff:192.0.2.2")
    assert network_of(None) == network_of("nonsense")


@given(st.uuids())
def test_a_receipt_is_the_beginning_of_the_id(message_id: object) -> None:
    """Read back, however written down, it gives the first ten digits."""
    plain = str(message_id).replace("-", "")
    receipt = receipt_of(plain, Channel.FORM)
    assert len(receipt) == 11
    assert id_start(f" {receipt.lower()} ") == plain[:10]


@pytest.mark.parametrize("word", ["", "F-1234-567", "X-1234-5678", "F-12U4-5678", "CC-2026-000001"])
def test_what_is_no_receipt_is_told(word: str) -> None:
    """The sentence shows what a receipt looks like."""
    with pytest.raises(BadInput, match="F-7ZK2-QX04"):
        id_start(word)


BROKEN = [
    b"",
    b"not JSON",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"version": 1}',
    b'{"version": 1, "answers": []}',
    b'{"version": 2, "answers": {"story": "x", "words": "x"}}',
    b'{"version": 1, "answers": {"story": "  ", "words": ""}}',
    b'{"version": 1, "answers": {"story": 7, "words": 7}}',
    b"[" * 100_000,
]
BROKEN_FILES = [
    b'{"version": 1, "answers": {"story": "x"}, "files": {}}',
    b'{"version": 1, "answers": {"story": "x"}, "files": [7]}',
    b'{"version": 1, "answers": {"story": "x"}, "files": [{"name": "a", "content_type": "b"}]}',
    b'{"version": 1, "answers": {"story": "x"}, "files": [{"name": "a", "content_type": "b", "base64": "!"}]}',
    b'{"version": 1, "answers": {"story": "x"}, "files": [{"name": 1, "content_type": "b", "base64": ""}]}',
]


@pytest.mark.parametrize("raw", BROKEN)
def test_what_is_no_report_cannot_be_read(raw: bytes) -> None:
    """It is set aside in plain sight."""
    for read in (read_form, read_by_hand):
        with pytest.raises(CannotRead):
            read(raw)


@pytest.mark.parametrize("raw", BROKEN_FILES)
def test_a_report_with_broken_files_cannot_be_read(raw: bytes) -> None:
    """Rather than losing a photograph without a word."""
    with pytest.raises(CannotRead):
        read_form(raw)


@given(st.dictionaries(st.sampled_from(["story", "about", "where", "name", "who"]), st.text()), st.binary())
def test_any_answers_are_read_or_told_apart(answers: dict[str, str], content: bytes) -> None:
    """Whatever characters are in them, a report with a story is read, and its text can be stored."""
    raw = write_form(answers, [EnclosedFile("a.jpg", "image/jpeg", content)])
    try:
        message = read_form(raw)
    except CannotRead:
        assert not answers.get("story", "").replace("\0", "").strip()
    else:
        message.text.encode()
        assert "\0" not in message.text
        assert message.attachments[0].size == len(content)


def test_the_same_answers_are_the_same_bytes() -> None:
    """However they are ordered, so that a second press is known."""
    one, other = {"story": "a", "where": "b", "when": ""}, {"where": "b", "story": "a"}
    assert write_form(one) == write_form(other)
    assert json.loads(write_form(one))["answers"] == {"story": "a", "where": "b"}


@pytest.mark.parametrize(("answer", "raised"), [("yes", True), ("unsure", False), ("no", False), ("", False)])
def test_danger_now_is_red_and_no_danger_is_not(answer: str, raised: bool) -> None:
    """A yes raises the report to red whatever the story says; unsure asks a person; a no does nothing."""
    rules = shipped_red_flags()
    flags = rules.find(read_form(write_form({"story": "Please help.", "danger": answer})).text)
    assert any(rules.raises(flag) and flag.severity is Severity.RED for flag in flags) is raised
    assert any(flag.stands for flag in flags) is (answer in ("yes", "unsure"))


def test_a_recorded_call_is_read_with_who_took_it() -> None:
    """The words come first, then how they came; who reported stands apart."""
    answers = {
        "words": "No visit since Friday.",
        "how": "telephone",
        "taken_on": "20 November 2026",
        "taken_at": "2:30pm",
        "taken_by": "Ada Lead",
        "name": "Margaret",
        "contact": "01632 960123",
    }
    message = read_by_hand(write_by_hand(answers, receipt="H-1234-5678"))
    assert message.channel is Channel.BY_HAND
    assert message.new_text == "No visit since Friday."
    assert message.text == (
        "No visit since Friday.\n\nRecorded by Ada Lead from a telephone call of 20 November 2026 2:30pm."
    )
    assert message.message_id == "H-1234-5678"
    assert message.sender is not None
    assert (message.sender.name, message.sender.address) == ("Margaret", "01632 960123")
