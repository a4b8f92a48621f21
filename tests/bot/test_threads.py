"""One matter, one concern: what a further mail joins, what is kept apart, and what a person is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import func, select, text

from bot.app import App
from bot.workflows import triage_message
from storage.audit import MACHINE, Audit
from storage.concerns import assessments_of, concern_by_id, messages_of
from storage.corrections import move
from storage.messages import disposition_of
from storage.outgoing import OutgoingKind, outgoing_by_id
from storage.oversight import conservation
from storage.tables import AuditRow, ConcernRow, LinkRow, OutgoingRow
from storage.threads import LinkKind, links_of, locked_concern
from tests.factories import GREEN_TEXT, NOW, RED_TEXT, email_bytes, lead, received, stored, triaged
from tests.waiting import wait_for
from triage.belonging import Why
from triage.lifecycle import ConcernState

LATER = NOW + timedelta(days=2)
# Long enough to be read without what it answers.
AMBER_REPLY = (
    "I forgot to say that late visits are now the rule: on Monday and on Tuesday nobody came before eleven, "
    "and she sat in the same chair for hours without a drink."
)


def answer_to(app: App, concern: ConcernRow) -> EmailMessage:
    """Our acknowledgement of the concern, as its recipient has it."""
    with app.database.read() as session:
        mail = outgoing_by_id(session, app.keys, f"acknowledgement-{concern.id}")
    assert mail is not None
    return message_from_bytes(mail.content, policy=policy.default)


def reply_bytes(app: App, concern: ConcernRow, text: str = AMBER_REPLY, **changes: str) -> bytes:
    """What a mail program makes of "reply" to our acknowledgement."""
    ours = answer_to(app, concern)
    raw = email_bytes(text, subject=f"Re: {ours['Subject']}", **changes)
    return raw.replace(b"To: care.concerns@council.example", f"To: {ours['Reply-To']}".encode(), 1)


def now_of(app: App, concern: ConcernRow) -> ConcernRow:
    """The concern as it stands."""
    with app.database.read() as session:
        return concern_by_id(session, concern.id)


def size(app: App, concern: ConcernRow) -> int:
    """How many messages it has."""
    with app.database.read() as session:
        return len(messages_of(session, concern.id))


def alerts(app: App) -> int:
    """How many alerts were decided on."""
    with app.database.read() as session:
        query = select(func.count()).select_from(OutgoingRow).where(OutgoingRow.kind == OutgoingKind.ALERT)
        return session.scalar(query) or 0


def answers(app: App) -> int:
    """How many acknowledgements were decided on."""
    with app.database.read() as session:
        kind = OutgoingRow.kind == OutgoingKind.ACKNOWLEDGEMENT
        return session.scalar(select(func.count()).select_from(OutgoingRow).where(kind)) or 0


def link_reasons(app: App, concern: ConcernRow) -> list[tuple[str, str, tuple[str, ...]]]:
    """Kind, the other concern's reference and reasons of every link of the concern."""
    with app.database.read() as session:
        return [(link.kind, link.other, link.reasons) for link in links_of(session, concern.id)]


def test_our_answer_carries_the_token_in_reply_to_and_subject(app: App) -> None:
    """The reference alone could be guessed; the address is ours, with the token behind a plus."""
    concern = triaged(app)
    ours = answer_to(app, concern)
    assert ours["Reply-To"] == f"care.concerns+{concern.token}@council.example"
    assert ours["Subject"] == f"We have received your message [{concern.reference} {concern.token}]"
    with app.database.read() as session:
        row = session.get_one(OutgoingRow, f"acknowledgement-{concern.id}")
    assert row.header_id == ours["Message-ID"]


def test_without_plus_addressing_the_subject_alone_carries_it(app: App) -> None:
    """For mail systems that refuse such addresses."""
    app.settings.mail_plus_addressing = False
    concern = triaged(app)
    ours = answer_to(app, concern)
    assert ours["Reply-To"] is None
    reply = email_bytes(AMBER_REPLY, subject=f"RE: {ours['Subject']}")
    assert triaged(app, reply, now=LATER).id == concern.id


def test_a_reply_is_added_raises_the_labels_and_alerts_again(either_app: App) -> None:
    """One concern with two messages, graver than before, due sooner, and one alert for that."""
    app = either_app
    lead(app)
    concern = triaged(app, email_bytes(GREEN_TEXT))
    assert (concern.severity, alerts(app)) == ("green", 0)
    same = triaged(app, reply_bytes(app, concern, RED_TEXT + " " + AMBER_REPLY), now=LATER)
    assert same.id == concern.id
    assert (same.category, same.severity) == ("safeguarding", "red")
    assert same.due_at is not None
    assert concern.due_at is not None
    assert same.due_at < concern.due_at
    assert size(app, concern) == 2
    assert alerts(app) == 1
    assert answers(app) == 1
    with app.database.read() as session:
        assert len(assessments_of(session, concern.id)) == 2
        accounts = conservation(session)
        entries = session.scalars(select(AuditRow).where(AuditRow.action == "message_added")).all()
    assert accounts.holds
    assert accounts.concerns == 2
    [entry] = entries
    assert entry.details["raised"] is True


def test_a_reply_never_lowers_a_label_or_the_time_to_look(app: App) -> None:
    """A word of thanks after a red message leaves it red, and nobody is alerted for it."""
    lead(app)
    concern = triaged(app, email_bytes(RED_TEXT))
    same = triaged(app, reply_bytes(app, concern, "Thank you for the answer."), now=LATER)
    assert (same.id, same.category, same.severity) == (concern.id, concern.category, "red")
    assert same.due_at == concern.due_at
    assert alerts(app) == 1


@pytest.mark.parametrize("state", [ConcernState.REVIEWED, ConcernState.CLOSED])
def test_what_people_had_decided_waits_again_when_a_message_comes(app: App, state: ConcernState) -> None:
    """It is among those that wait, with a time to look counted from the new message."""
    concern = triaged(app)
    with app.database.write() as session:
        row = concern_by_id(session, concern.id)
        row.state, row.reviewed_at = ConcernState.REVIEWED.value, NOW
        if state is ConcernState.CLOSED:
            move(session, row, state, audit=Audit(NOW, MACHINE, "closed"))
    same = triaged(app, reply_bytes(app, concern), now=LATER)
    assert (same.id, same.state, same.reviewed_at) == (concern.id, "new", None)
    assert same.due_at is not None
    assert same.due_at > LATER


@pytest.mark.parametrize("way", ["envelope", "delivered-to", "cc", "subject"])
def test_the_token_is_found_wherever_a_mail_system_leaves_it(app: App, way: str) -> None:
    """One of them is enough; capitals do not matter."""
    concern = triaged(app)
    tagged = f"Care.Concerns+{concern.token.upper()}@council.example"
    changes = {
        "delivered-to": {"Delivered_To": tagged},
        "cc": {"Cc": f"Susan <s@family.example>, {tagged}"},
        "subject": {"subject": f"AW: [{concern.reference} {concern.token}]"},
        "envelope": {},
    }[way]
    item = received(email_bytes(AMBER_REPLY, **changes), received_at=LATER)
    if way == "envelope":
        item.envelope["rcpt_tos"][:] = [tagged]  # type: ignore[index]
    message_id = stored(app, item)
    triage_message(app, message_id, now=LATER)
    with app.database.read() as session:
        known = disposition_of(session, message_id)
    assert known is not None
    assert known.concern_id == concern.id


def test_a_reference_alone_opens_no_door(app: App) -> None:
    """Whoever guesses a reference gets a concern of their own, and a person is asked."""
    concern = triaged(app)
    other = triaged(
        app,
        email_bytes("Nothing to add.", subject=f"Re: {concern.reference}", sender="eve@else.example"),
        mail_from="eve@else.example",
        now=LATER,
    )
    assert other.id != concern.id
    assert link_reasons(app, other) == [(LinkKind.SUGGESTION, concern.reference, (Why.QUOTES_REFERENCE,))]
    assert size(app, concern) == 1


@pytest.mark.parametrize("of_ours", [True, False], ids=["our-answer", "their-own-mail"])
def test_a_reply_by_header_alone_is_added(app: App, of_ours: bool) -> None:
    """Where both tokens were lost on the way."""
    concern = triaged(app, email_bytes(message_id="<first@family.example>"))
    answered = answer_to(app, concern)["Message-ID"] if of_ours else "<first@family.example>"
    raw = email_bytes(AMBER_REPLY, References=f"<x@y.example> {answered}", In_Reply_To="<x@y.example>")
    assert triaged(app, raw, now=LATER).id == concern.id


@pytest.mark.parametrize("way", ["token", "header"])
def test_a_stranger_who_replies_is_kept_apart_until_a_person_decides(app: App, way: str) -> None:
    """A concern of its own with a link; the first one does not know of it, and no label moves."""
    concern = triaged(app, email_bytes(message_id="<first@family.example>"))
    if way == "token":
        raw = reply_bytes(app, concern, RED_TEXT, sender="Eve <eve@else.example>")
    else:
        raw = email_bytes(RED_TEXT, sender="Eve <eve@else.example>", In_Reply_To="<first@family.example>")
    other = triaged(app, raw, mail_from="eve@else.example", now=LATER)
    assert other.id != concern.id
    why = Why.STRANGER_ANSWERS_US if way == "token" else Why.STRANGER_ANSWERS_THEM
    assert link_reasons(app, other) == [(LinkKind.STRANGER, concern.reference, (why,))]
    first = now_of(app, concern)
    assert (first.severity, size(app, concern)) == ("green", 1)
    assert answer_to(app, other)["Reply-To"] != answer_to(app, concern)["Reply-To"]


def test_a_reply_by_header_whose_sender_the_gateway_cannot_confirm_is_kept_apart(app: App) -> None:
    """Anybody can write somebody's address into From; whoever has the token has our mail."""
    app.settings.trusted_authserv_ids = ("mx.council.example",)
    concern = triaged(app, email_bytes(message_id="<first@family.example>"))
    by_header = triaged(app, email_bytes(AMBER_REPLY, In_Reply_To="<first@family.example>"), now=LATER)
    assert by_header.id != concern.id
    why = (LinkKind.STRANGER, concern.reference, (Why.UNPROVEN_SENDER,))
    assert why in link_reasons(app, by_header)
    assert triaged(app, reply_bytes(app, concern), now=LATER).id == concern.id


def test_the_same_sender_again_is_a_suggestion_within_its_days_alone(app: App) -> None:
    """Nothing joins by itself, and what is old is not dug out."""
    first = triaged(app)
    second = triaged(app, email_bytes("The shower rail is loose.", subject="Bath"), now=LATER)
    assert second.id != first.id
    assert link_reasons(app, second) == [(LinkKind.SUGGESTION, first.reference, (Why.SAME_SENDER,))]
    far = triaged(app, email_bytes("The purse is gone.", subject="Money"), now=NOW + timedelta(days=60))
    assert link_reasons(app, far) == []


def test_a_reply_that_is_read_before_what_it_answers_is_linked_once_that_is_read(app: App) -> None:
    """Workers and mailboxes keep no order."""
    reply = triaged(
        app,
        email_bytes(AMBER_REPLY, sender="tom@family.example", In_Reply_To="<first@family.example>"),
        mail_from="tom@family.example",
    )
    first = triaged(app, email_bytes(message_id="<first@family.example>"), now=LATER)
    assert link_reasons(app, reply) == [(LinkKind.SUGGESTION, first.reference, (Why.ANSWERED_BEFORE,))]


def test_a_graver_reply_with_another_matter_prompts_a_split(app: App) -> None:
    """It is in the concern, which is as grave as it, and a person is asked."""
    concern = triaged(app, email_bytes(GREEN_TEXT))
    triaged(app, reply_bytes(app, concern, f"Her purse is gone. {AMBER_REPLY}"), now=LATER)
    [(kind, other, reasons)] = link_reasons(app, concern)
    assert (kind, other) == (LinkKind.NEW_MATTER, "")
    assert Why.GRAVER_ROUTE in reasons


def test_an_automatic_reply_is_added_and_never_answered(app: App) -> None:
    """Two machines would write to each other for ever."""
    concern = triaged(app)
    raw = reply_bytes(app, concern, "I am away until Monday.", Auto_Submitted="auto-replied")
    assert triaged(app, raw, now=LATER).id == concern.id
    assert answers(app) == 1


def test_mail_that_comes_from_our_own_tagged_address_is_never_answered(app: App) -> None:
    """However it came there."""
    concern = triaged(app)
    tagged = f"care.concerns+{concern.token}@council.example"
    triaged(app, email_bytes("Loop", sender=tagged), mail_from=tagged, now=LATER)
    assert answers(app) == 1


def test_a_lead_who_answers_an_alert_adds_to_its_concern(app: App) -> None:
    """Their address is known to the desk."""
    lead(app)
    concern = triaged(app, email_bytes(RED_TEXT))
    raw = reply_bytes(app, concern, "I called the home at ten.", sender="Ada <ada@council.example>")
    assert triaged(app, raw, mail_from="ada@council.example", now=LATER).id == concern.id


def test_two_replies_at_once_are_both_added_and_the_graver_one_counts(postgres_app: App) -> None:
    """Each waits for the other; nothing of either is lost."""
    app = postgres_app
    lead(app)
    concern = triaged(app, email_bytes(GREEN_TEXT))
    texts = [AMBER_REPLY, RED_TEXT, "The shower rail is loose.", "Thank you for the answer."] * 2
    raws = [reply_bytes(app, concern, f"{text} {number}") for number, text in enumerate(texts)]
    ids = [stored(app, received(raw, received_at=LATER)) for raw in raws]
    with ThreadPoolExecutor(len(ids)) as workers:
        list(workers.map(lambda message_id: triage_message(app, message_id, now=LATER), ids))
    same = now_of(app, concern)
    assert (same.category, same.severity, size(app, concern)) == ("safeguarding", "red", 9)
    assert alerts(app) == 1
    with app.database.read() as session:
        assert conservation(session).holds
        assert session.scalar(select(func.count()).select_from(ConcernRow)) == 1


def test_a_reply_waits_for_one_that_is_just_raising_the_labels(postgres_app: App) -> None:
    """It sees what the other made of the concern, and does not lower it again."""
    app = postgres_app
    concern = triaged(app, email_bytes(GREEN_TEXT))
    message_id = stored(app, received(reply_bytes(app, concern), received_at=LATER))
    with ThreadPoolExecutor(1) as worker:
        with app.database.write() as session:
            row = locked_concern(session, concern.id)
            assert row is not None
            row.severity = "red"
            session.flush()
            reply = worker.submit(triage_message, app, message_id, now=LATER)
            wait_for(lambda: reply.done() or _somebody_waits(app), what="the reply to wait")
        reply.result()
    assert (now_of(app, concern).severity, size(app, concern)) == ("red", 2)


def _somebody_waits(app: App) -> bool:
    query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with app.database.read() as session:
        return bool(session.scalar(text(query)))


def test_what_is_kept_of_a_link_holds_no_word_of_the_message(app: App) -> None:
    """Reasons are names of rules; the audit trail has ids."""
    first = triaged(app, email_bytes(subject="Mrs Pemberton of Rose Court"))
    triaged(app, email_bytes("Late visits.", subject="Mrs Pemberton of Rose Court again"), now=LATER)
    with app.database.read() as session:
        links = [str(row.reasons) for row in session.scalars(select(LinkRow))]
        audit = [str(row.details) for row in session.scalars(select(AuditRow))]
    assert links
    assert not [text for text in (*links, *audit) if "pemberton" in text.lower() or "susan" in text.lower()]
    assert now_of(app, first).state == "new"


def test_a_concern_that_was_erased_or_never_was_is_nobodys_home(app: App) -> None:
    """What answers it gets a concern of its own."""
    concern = triaged(app)
    with app.database.write() as session:
        concern_by_id(session, concern.id).state = ConcernState.ERASED.value
    with app.database.write() as session:
        assert locked_concern(session, concern.id) is None
        assert locked_concern(session, "nothing") is None
    assert triaged(app, reply_bytes(app, concern), now=LATER).id != concern.id
