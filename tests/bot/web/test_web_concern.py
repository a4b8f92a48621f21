"""One concern: its labels explained, its words inert, its writer hidden until somebody asks."""

from __future__ import annotations

import re
from pathlib import Path

from desk_samples import (
    NOW,
    Sample,
    Visitor,
    add_concern,
    add_second_assessment,
    reason,
    seen_text,
)

from bot.app import App
from bot.web.desk.history import ACTION_WORDS
from storage.audit import MACHINE, Audit
from storage.concerns import concern_by_reference
from storage.message_checks import save_trust
from storage.outgoing import OutgoingKind, OutgoingState, add_outgoing, mark_outgoing
from storage.register import save_register
from storage.tables import DispositionRow
from triage.vocabulary import Provider, SenderTrust, TrustVerdict

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)> & \"quoted\" {{ 7*7 }}"


def test_the_machines_labels_say_that_they_are_the_machines(desk: App, ada: Visitor) -> None:
    """Until a person decides, nobody can take a suggestion for a decision."""
    text = seen_text(ada.get(f"/concerns/{add_concern(desk)}"))
    assert "the machine; no person has decided yet" in text
    assert "Larch House, suggested" in text
    assert "A person must look before these labels are believed: could be red" in text
    assert "It could also be: red" in text


def test_probabilities_stand_in_words_and_numbers(desk: App, ada: Visitor) -> None:
    """A number alone is easily misread, and words alone hide it."""
    text = seen_text(ada.get(f"/concerns/{add_concern(desk)}"))
    assert re.search(r"Safeguarding ?very likely ?82%", text)
    assert re.search(r"Red ?possible ?30%", text)


def test_every_reason_shows_its_words_rule_weight_and_context(desk: App, ada: Visitor) -> None:
    """Rules and models, those that stand and those that are weakened: all are listed."""
    text = seen_text(ada.get(f"/concerns/{add_concern(desk)}"))
    assert re.search(r"1 ?wrong tablets twice ?Rule ?repeated medicine errors ?stands ?0\.90", text)
    assert re.search(r"2 ?hit ?Rule ?hitting ?negated ?0\.20", text)
    assert re.search(r"3 ?tablets twice, and nobody ?Model ?category ?stands ?0\.60", text)


def test_the_words_behind_the_labels_are_marked_in_the_message(desk: App, ada: Visitor) -> None:
    """Overlapping words are marked once each, with the numbers of the reasons where they end."""
    page = ada.get(f"/concerns/{add_concern(desk)}")
    message = page[page.index('class="desk-message"') :]
    message = message[: message.index("</div>")]
    marks = re.findall(r'<mark class="desk-mark desk-mark--(\w+)">(.*?)</mark>', message, re.DOTALL)
    plain = [(kind, re.sub(r"<span.*", "", words, flags=re.DOTALL)) for kind, words in marks]
    assert plain == [
        ("rule", "wrong "),
        ("rule", "tablets twice"),
        ("model", ", and nobody"),
        ("weak", "hit"),
    ]
    assert "tablets twice (reason 1)" in seen_text(message)
    text = re.sub(r"<span class=\"desk-mark__number\">.*?</span>\d<span.*?</span></span>", "", message)
    assert "given the wrong tablets twice, and nobody called a doctor" in seen_text(text)


def test_hostile_text_subject_and_service_are_inert(desk: App, ada: Visitor) -> None:
    """Whatever people write is shown as they wrote it, and nothing of it runs."""
    service = Provider(provider_id="1-666", name=f"Care {HOSTILE}", town=HOSTILE[:100], postcode="XW1 1AA")
    with desk.database.write() as session:
        entry = Audit(at=Sample().opened_at, actor=MACHINE, action="imported")
        save_register(session, [service], now=Sample().opened_at, audit=entry)
    marked = reason(HOSTILE, "alert('x')", rule=HOSTILE[:30], context=(HOSTILE[:30],))
    reference = add_concern(
        desk,
        Sample(text=HOSTILE, subject=HOSTILE, provider=service, mention=HOSTILE, reasons=(marked,)),
    )
    for path in ("/", f"/concerns/{reference}", "/providers", "/providers/1-666", "/providers?words=Care"):
        page = ada.get(path)
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert " 49 " not in page, path
        assert "&lt;img src=x" in page, path
    answer = ada.post(f"/concerns/{reference}/sender", {}, page=f"/concerns/{reference}")
    assert "<script>alert" not in answer.text
    assert HOSTILE in seen_text(ada.get(f"/concerns/{reference}")).replace(" (reason 1) ", "")


def test_the_writer_is_hidden_until_asked_for_and_the_asking_is_audited(desk: App, ada: Visitor) -> None:
    """Show the least: a name is one press away, and the press is in the history with who and when."""
    reference = add_concern(desk)
    page = ada.get(f"/concerns/{reference}")
    assert "Ashdown" not in page
    assert "margaret@family.example" not in page
    asked = ada.post(f"/concerns/{reference}/sender", {}, page=f"/concerns/{reference}")
    text = seen_text(asked.text)
    assert "Margaret Ashdown <margaret@family.example>" in text
    assert "home@family.example" in text
    assert re.search(r"Ada Lead ?Looked at who wrote the message", text)
    again = seen_text(ada.get(f"/concerns/{reference}"))
    assert "Ashdown" not in again
    assert re.search(r"Ada Lead ?Looked at who wrote the message", again)


def test_files_are_described(desk: App, ada: Visitor) -> None:
    """Name, type and size of every file that came with the message."""
    assert "chart.pdf, application/pdf, 52 KB" in seen_text(ada.get(f"/concerns/{add_concern(desk)}"))


def test_earlier_assessments_stay_in_sight(desk: App, ada: Visitor) -> None:
    """When the machine reads a message again, its first guess is still there."""
    reference = add_concern(desk)
    add_second_assessment(desk, reference)
    text = seen_text(ada.get(f"/concerns/{reference}"))
    assert "read again since, is now: safeguarding, red" in text
    assert "Earlier assessments" in text
    assert "safeguarding, amber (model 2026.11-test)" in text


def test_a_very_long_message_is_cut_in_plain_sight(desk: App, ada: Visitor) -> None:
    """The page opens quickly, says that there is more, and shows all of it when asked."""
    text = "care " * 30_000 + "THE END"
    reference = add_concern(desk, Sample(text=text, reasons=(reason(text, "THE END"),)))
    page = ada.get(f"/concerns/{reference}")
    assert "These are the first characters of 150,007" in seen_text(page)
    assert page.count("THE END") == 1
    assert ada.get(f"/concerns/{reference}?whole=1").count("THE END") == 2


def test_a_concern_is_found_by_its_reference_however_it_is_typed(desk: App, ada: Visitor) -> None:
    """Lower case from a phone call works."""
    reference = add_concern(desk)
    assert f"Concern {reference}" in ada.get(f"/concerns/{reference.lower()}")


def test_an_unproven_sender_is_said_in_plain_words_on_the_card(desk: App, ada: Visitor) -> None:
    """And the writer stays hidden; a proven one is not made much of, and where nobody checked nothing is said."""
    reference = add_concern(desk)
    path = f"/concerns/{reference}"
    words = "The sender's address could not be confirmed: treat who wrote it as unproven."
    assert "confirmed: treat" not in seen_text(ada.get(path))
    with desk.database.write() as session:
        message_id = session.query(DispositionRow).one().message_id
        unproven = SenderTrust(TrustVerdict.UNPROVEN, "gateway", {"spf": "fail", "dmarc": "fail"})
        save_trust(session, message_id, unproven, now=NOW)
    text = seen_text(ada.get(path))
    assert text.count(words) == 2
    assert "your mail gateway: spf fail, dmarc fail" in text
    assert "margaret@family.example" not in text
    with desk.database.write() as session:
        save_trust(session, message_id, SenderTrust(TrustVerdict.CONFIRMED, "us", {"dmarc": "pass"}), now=NOW)
    text = seen_text(ada.get(path))
    assert words not in text
    assert "checked here: dmarc pass" in text


def test_a_sender_whom_our_answer_did_not_reach_is_named_so_on_the_card(desk: App, ada: Visitor) -> None:
    """With the mail system's own code, for whoever may know another way."""
    reference = add_concern(desk)
    with desk.database.write() as session:
        concern = concern_by_reference(session, reference)
        add_outgoing(
            session,
            desk.keys,
            outgoing_id=f"acknowledgement-{concern.id}",
            kind=OutgoingKind.ACKNOWLEDGEMENT,
            subject_id=f"concern:{concern.id}",
            recipient="a@b.example",
            content=b"x",
            now=NOW,
        )
    assert "cannot be reached" not in seen_text(ada.get(f"/concerns/{reference}"))
    with desk.database.write() as session:
        failure = "it came back: 5.1.1"
        mark_outgoing(
            session, f"acknowledgement-{concern.id}", OutgoingState.FAILED, now=NOW, failure=failure
        )
    text = seen_text(ada.get(f"/concerns/{reference}"))
    assert "The sender cannot be reached: it came back: 5.1.1 (there is no such address)" in text
    assert "The automatic answer could not be delivered" in text


# What never stands in the history of a concern or of a message.
_ELSEWHERE = frozenset(
    {
        "answer_reworded",
        "errors",  # what Slack calls the answer to a form
        "lead_added",
        "logged_in",
        "logged_out",
        "login_locked",
        "mailbox_counted",
        "mailbox_rescanned",
        "mailbox_state",
        "register_imported",
        "shadow_started",
        "wording_right_given",
    }
)


def test_every_action_that_is_written_down_has_words_for_people() -> None:
    """A history in the program's own names explains nothing."""
    root = Path(__file__).parents[3]
    sources = [path.read_text() for folder in ("bot", "storage") for path in (root / folder).rglob("*.py")]
    named = {name for text in sources for name in re.findall(r'(?:action=|by_this_lead\()"([a-z_]+)"', text)}
    assert len(named) > 20
    assert sorted(named - _ELSEWHERE - set(ACTION_WORDS)) == []
