"""What belongs together, on the desk: the machine asks with its reasons, a person joins, splits or keeps apart."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from desk_samples import BRIGHTWAY, NOW, Sample, Visitor, _message, _understood, add_concern, seen_text

from bot.app import App
from bot.printing import give_erasing_right
from storage.audit import MACHINE, Audit
from storage.concerns import concern_by_reference, messages_of
from storage.messages import Received, dispose, keep, save_reading
from storage.oversight import conservation
from storage.tables import ConcernRow
from storage.threads import LinkKind, add_reply, ask
from triage.belonging import Why
from triage.lifecycle import ConcernState, Disposition
from triage.vocabulary import Category, Channel, Severity, Theme

QUIET = Sample(
    text="The carpet at Larch House is stained.",
    category=Category.CARE_CONCERN,
    severity=Severity.GREEN,
    themes=(Theme.ENVIRONMENT,),
    abuse_types=(),
    needs_review=False,
    reasons=(),
)
GRAVE = Sample(
    text="She was hit by the night carer at Brightway.", severity=Severity.RED, provider=BRIGHTWAY, reasons=()
)


def add_further(app: App, reference: str, sample: Sample) -> str:
    """A further message of the concern, as triage adds it; returns its id."""
    received = Received(raw=sample.text.encode(), channel=Channel.EMAIL, received_at=NOW)
    with app.database.write() as session:
        concern = concern_by_reference(session, reference, lock=True)
        keep(session, app.keys, [received])
        save_reading(session, app.keys, received.message_id, _message(sample), NOW)
        audit = Audit(NOW, MACHINE, "message_added")
        due = NOW + timedelta(days=1)
        added = add_reply(
            session, concern, received.message_id, *_understood(sample), due_for=lambda _: due, audit=audit
        )
        dispose(session, received.message_id, Disposition.CONCERN, audit=audit, concern_id=concern.id)
        if added.new_matter:
            question(
                app, session, LinkKind.NEW_MATTER, received.message_id, concern.id, None, added.new_matter
            )
    return received.message_id


def question(app: App, session, kind, message_id, concern_id, other_id, reasons) -> None:  # type: ignore[no-untyped-def]
    """A link that waits for a person."""
    ask(
        session,
        kind,
        message_id=message_id,
        concern_id=concern_id,
        other_id=other_id,
        reasons=reasons,
        audit=Audit(NOW, MACHINE, "link_suggested"),
    )


def stranger(app: App) -> tuple[str, str]:
    """A first concern, and a graver one of a stranger who answered it; returns both references."""
    first, second = add_concern(app, QUIET), add_concern(app, GRAVE)
    with app.database.write() as session:
        one, other = concern_by_reference(session, first), concern_by_reference(session, second)
        [message] = messages_of(session, other.id)
        why = (Why.STRANGER_ANSWERS_US,)
        question(app, session, LinkKind.STRANGER, message.id, other.id, one.id, why)
    return first, second


def press(visitor: Visitor, reference: str, action: str, **values: str) -> httpx.Response:
    """Press the button of the form whose action ends so, on the concern's page."""
    path = f"/concerns/{reference}"
    page = visitor.get(path)
    forms = re.findall(rf'<form method="post" action="({path}[^"]*{action})".*?</form>', page, re.DOTALL)
    assert forms, f"no form for {action}"
    block = re.search(rf'<form method="post" action="{re.escape(forms[0])}".*?</form>', page, re.DOTALL)
    assert block
    hidden = dict(re.findall(r'name="(seen|message)" value="([^"]*)"', block.group()))
    return visitor.post(forms[0], {**hidden, **values}, page=path)


def standing_now(app: App, reference: str) -> ConcernRow:
    """The concern."""
    with app.database.read() as session:
        return concern_by_reference(session, reference)


def size(app: App, reference: str) -> int:
    """How many messages it has."""
    with app.database.read() as session:
        return len(messages_of(session, concern_by_reference(session, reference).id))


def holds(app: App) -> bool:
    """Whether every message is accounted for as a concern's."""
    with app.database.read() as session:
        accounts = conservation(session)
    return accounts.holds and accounts.received == accounts.concerns


def test_both_pages_and_the_list_say_that_a_stranger_may_belong_there(desk: App, ada: Visitor) -> None:
    """With the reason in words, and what the buttons do."""
    first, second = stranger(desk)
    text = seen_text(ada.get(f"/concerns/{second}"))
    assert f"This may belong to {first}: a reply from an address not seen before" in text
    assert "it answers our mail about that concern, from an address not seen before" in text
    assert f"{second} may belong here" in seen_text(ada.get(f"/concerns/{first}"))
    assert f"May belong to {first}" in seen_text(ada.get("/"))
    listed = seen_text(ada.get("/?view=linked"))
    assert second in listed
    assert "May belong together (1)" in listed


@pytest.mark.parametrize("from_side", [0, 1])
def test_joining_moves_the_messages_and_takes_the_graver_labels(
    desk: App, ada: Visitor, from_side: int
) -> None:
    """Nothing is deleted; the emptied one says where its messages are and waits no more."""
    pair = stranger(desk)
    first, second = pair
    answer = press(ada, pair[from_side], "/join")
    assert f"{second} was joined to {first}" in seen_text(answer.text)
    kept = standing_now(desk, first)
    assert (kept.category, kept.severity, kept.state) == ("safeguarding", "red", "new")
    assert (size(desk, first), size(desk, second)) == (2, 0)
    assert standing_now(desk, second).state == ConcernState.JOINED
    gone = seen_text(ada.get(f"/concerns/{second}"))
    assert f"It was joined to {first}" in gone
    assert f"Joined this concern to another: {first}" in gone
    assert "Ada Lead" in gone
    waiting = seen_text(ada.get("/"))
    assert second not in waiting
    assert "Waiting (1)" in waiting
    assert f"Joined to {first}" in seen_text(ada.get("/?view=all"))
    assert holds(desk)


def test_keeping_apart_leaves_both_as_they_are(desk: App, ada: Visitor) -> None:
    """The question is answered and not asked again; the history of both says so."""
    first, second = stranger(desk)
    press(ada, second, "/apart")
    assert (size(desk, first), size(desk, second)) == (1, 1)
    for reference in (first, second):
        text = seen_text(ada.get(f"/concerns/{reference}"))
        assert "may belong" not in text
        assert "Kept it apart from the other concern" in text


def test_a_reply_with_a_new_matter_is_split_off_by_one_press(desk: App, ada: Visitor) -> None:
    """Its assessment goes with it, it has a reference of its own, and both histories say so."""
    first = add_concern(desk, QUIET)
    add_further(desk, first, GRAVE)
    text = seen_text(ada.get(f"/concerns/{first}"))
    assert "This reply may be a new matter: split it off?" in text
    assert "about another service" in text
    assert "A reply may be a new matter" in seen_text(ada.get("/"))
    answer = seen_text(press(ada, first, "/split").text)
    assert "is now CC-" in answer
    assert "Opened for a message that was split off" in answer
    [opened] = set(re.findall(r"is now (CC-\d{4}-\d{6})", answer))
    new = standing_now(desk, opened)
    assert (new.category, new.severity, new.provider_id) == ("safeguarding", "red", BRIGHTWAY.provider_id)
    assert new.token != standing_now(desk, first).token
    assert (size(desk, first), size(desk, opened)) == (1, 1)
    assert "She was hit by the night carer" in answer
    assert f"Split a message off into a concern of its own: {opened}" in seen_text(
        ada.get(f"/concerns/{first}")
    )
    # Only a person lowers a label.
    assert standing_now(desk, first).severity == "red"
    assert holds(desk)


def test_the_only_message_of_a_concern_cannot_be_split_off(desk: App, ada: Visitor) -> None:
    """An empty concern would be left."""
    first = add_concern(desk, QUIET)
    with desk.database.read() as session:
        [message] = messages_of(session, concern_by_reference(session, first).id)
    values = {"seen": "0-new", "message": message.id}
    answer = ada.post(f"/concerns/{first}/split", values, page=f"/concerns/{first}")
    assert answer.status_code == 409
    assert "It is the only message of this concern" in seen_text(answer.text)
    assert size(desk, first) == 1


def test_two_concerns_are_joined_by_reference(desk: App, ada: Visitor) -> None:
    """Whatever the machine saw; a wrong reference is told apart from a right one and keeps what was typed."""
    first, second = add_concern(desk, QUIET), add_concern(desk, GRAVE)
    for wrong, words in (
        ("", "Enter the reference of the other concern"),
        ("CC-1999-000001", "There is no concern of that reference"),
        (second, "Enter the reference of another concern"),
    ):
        answer = press(ada, second, "/join", other=wrong)
        assert answer.status_code == 422
        assert words in seen_text(answer.text)
    answer = press(ada, second, "/join", other=f" {first.lower()} ")
    assert f"{second} was joined to {first}" in seen_text(answer.text)
    assert size(desk, first) == 2


def test_nobody_decides_over_a_message_that_came_meanwhile(desk: App, ada: Visitor) -> None:
    """The page was opened before it: confirming, joining and splitting are refused, and it is shown."""
    first = add_concern(desk, QUIET)
    page = f"/concerns/{first}"
    seen = re.search(r'name="seen" value="([^"]*)"', ada.get(page))
    assert seen
    add_further(desk, first, GRAVE)
    answer = ada.post(f"{page}/confirm", {"seen": seen.group(1)}, page=page)
    assert answer.status_code == 409
    text = seen_text(answer.text)
    assert "or a message came" in text
    assert "She was hit by the night carer" in text
    assert standing_now(desk, first).state == "new"


def test_a_reviewed_concern_that_waits_again_says_why(desk: App, ada: Visitor) -> None:
    """The labels were a person's until the message came."""
    first = add_concern(desk, QUIET)
    ada.post(f"/concerns/{first}/confirm", {"seen": "0-new"}, page=f"/concerns/{first}")
    add_further(desk, first, GRAVE)
    text = seen_text(ada.get(f"/concerns/{first}"))
    assert "Ada Lead, before a further message came" in text
    assert "Waiting (1)" in seen_text(ada.get("/"))


def test_only_who_may_erases_with_a_reason(desk: App, ada: Visitor) -> None:
    """Others see neither the link nor the page; what is left says who and why, and no word of the matter."""
    first = add_concern(desk, Sample())
    assert "Erase the content" not in ada.get(f"/concerns/{first}")
    assert ada.http.get(f"/concerns/{first}/erase").status_code == 403
    give_erasing_right(desk, "ada@council.example", may=True, now=NOW)
    page = f"/concerns/{first}/erase"
    assert "Erase the content" in ada.get(f"/concerns/{first}")
    refused = ada.post(page, {"because": "It was sent to us by mistake"}, page=page)
    assert refused.status_code == 422
    assert "Confirm that the content is to be erased" in refused.text
    assert "It was sent to us by mistake" in refused.text
    refused = ada.post(page, {"sure": "yes"}, page=page)
    assert "Enter why it is erased" in refused.text
    done = ada.post(page, {"because": "It was sent to us by mistake", "sure": "yes"}, page=page)
    text = seen_text(done.text)
    assert f"The content of {first} was erased" in text
    assert "by Ada Lead" in text
    assert "It was sent to us by mistake" in text
    for path in (f"/concerns/{first}", "/?view=all", "/?view=all&words=tablets"):
        shown = seen_text(ada.get(path)).lower()
        assert "tablets twice" not in shown
        assert "margaret" not in shown
    assert ada.http.get(page).status_code == 404
    assert holds(desk)
