"""What people decided, as examples: redacted, with who and when, and never what must not be learned from."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.app import App
from storage.audit import Audit
from storage.concerns import concern_by_id, history_of
from storage.corrections import Labels, decide, labels_of
from storage.erasing import erase
from storage.labelled_examples import LabelledExample, labelled_examples, learn_never
from storage.tables import ConcernRow, LeadRow
from tests.factories import NOW, email_bytes, lead, triaged
from triage.vocabulary import AbuseType, Category, Severity, Theme

TEXT = (
    "My mum Doris Appleby was assaulted by a carer at Rose Court. Her NHS number is 943 476 5919. "
    "Ring me on 01632 960123. Doris is frightened. Margaret Smith"
)
SAFEGUARDING = Labels(
    Category.SAFEGUARDING, Severity.RED, (Theme.STAFF_CONDUCT,), (AbuseType.PHYSICAL,), provider_id=None
)


@pytest.fixture
def ada(either_app: App) -> LeadRow:
    """A lead who decides."""
    return lead(either_app)


def open_one(app: App, text: str = TEXT, **more: str) -> ConcernRow:
    """A concern of a mail, the whole way."""
    more = {"sender": "Margaret Smith <m@family.example>", "subject": "Worried about Doris"} | more
    return triaged(app, email_bytes(text, **more))


def decided(
    app: App, concern: ConcernRow, ada: LeadRow, labels: Labels | None = None, *, at: datetime = NOW
) -> None:
    """The lead decides."""
    with app.database.write() as session:
        row = concern_by_id(session, concern.id)
        decide(session, row, labels or labels_of(row), lead_id=ada.id, now=at, due_at=None)


def examples(app: App, since: datetime = NOW - timedelta(days=1)) -> list[LabelledExample]:
    """What there is to learn from."""
    with app.database.read() as session:
        return labelled_examples(session, app.keys, since=since)


def test_a_decision_is_an_example_with_the_persons_labels_and_who_and_when(
    either_app: App, ada: LeadRow
) -> None:
    """Those that the person gave, not the machine's."""
    concern = open_one(either_app)
    decided(either_app, concern, ada, SAFEGUARDING)
    [example] = examples(either_app)
    assert (example.category, example.severity) == (Category.SAFEGUARDING, Severity.RED)
    assert (example.themes, example.abuse_types) == ((Theme.STAFF_CONDUCT,), (AbuseType.PHYSICAL,))
    assert (example.decided_by, example.decided_at, example.kind) == (ada.id, NOW, "corrected")
    assert example.reference == concern.reference


def test_nothing_unredacted_comes_out(either_app: App, ada: LeadRow) -> None:
    """Names of the text, of the subject and of the sender, numbers and addresses."""
    decided(either_app, open_one(either_app), ada, SAFEGUARDING)
    [example] = examples(either_app)
    whole = f"{example.subject}\n{example.text}"
    for personal in ("Doris", "Appleby", "943", "960123", "Margaret", "Smith"):
        assert personal not in whole
    assert "assaulted by a carer" in example.text
    assert "[name" in example.subject


def test_what_nobody_decided_is_no_example(either_app: App) -> None:
    """The machine does not learn from itself."""
    open_one(either_app)
    assert examples(either_app) == []


def test_the_last_decision_counts_and_only_within_the_time(either_app: App, ada: LeadRow) -> None:
    """One example a concern; an old decision is left to rest."""
    concern = open_one(either_app)
    decided(either_app, concern, ada, SAFEGUARDING)
    later = Labels(Category.CARE_CONCERN, Severity.AMBER, (), (), provider_id=None)
    decided(either_app, concern, ada, later, at=NOW + timedelta(hours=1))
    [example] = examples(either_app)
    assert example.category is Category.CARE_CONCERN
    assert examples(either_app, since=NOW + timedelta(hours=2)) == []


def test_a_concern_that_must_not_be_learned_from_is_left_out(either_app: App, ada: LeadRow) -> None:
    """Until somebody lets it in again; both are on record."""
    concern = open_one(either_app)
    decided(either_app, concern, ada, SAFEGUARDING)
    for never in (True, False):
        with either_app.database.write() as session:
            row = concern_by_id(session, concern.id)
            action = "never_learn" if never else "may_learn"
            learn_never(session, row, never=never, audit=Audit(at=NOW, actor=ada.id, action=action))
        assert len(examples(either_app)) == (0 if never else 1)
    with either_app.database.read() as session:
        entries, _ = history_of(session, concern.id)
    assert [entry.action for entry in entries][-2:] == ["never_learn", "may_learn"]


def test_what_was_erased_vanishes(either_app: App, ada: LeadRow) -> None:
    """From the next training on."""
    concern = open_one(either_app)
    decided(either_app, concern, ada, SAFEGUARDING)
    with either_app.database.write() as session:
        row = concern_by_id(session, concern.id)
        audit = Audit(at=NOW, actor=ada.id, action="erased")
        erase(session, either_app.keys, row, because="asked for", audit=audit)
    assert examples(either_app) == []


def test_what_came_after_the_decision_is_not_part_of_it(either_app: App, ada: LeadRow) -> None:
    """The labels were given to what the person had in sight."""
    concern = open_one(either_app)
    decided(either_app, concern, ada, SAFEGUARDING)
    answer = email_bytes(
        "She has also lost her purse.",
        sender="Margaret Smith <m@family.example>",
        subject=f"Re: Your message [{concern.reference}] {concern.token}",
    )
    later = NOW + timedelta(hours=1)
    from bot.workflows import triage_message
    from tests.factories import received, stored

    item = received(answer, mail_from="m@family.example", received_at=later)
    item = type(item)(
        **{
            **{name: getattr(item, name) for name in item.__dataclass_fields__},
            "envelope": {
                **item.envelope,
                "rcpt_tos": [f"care.concerns+{concern.token}@council.example"],
            },
        }
    )
    triage_message(either_app, stored(either_app, item), now=later)
    [example] = examples(either_app)
    assert "purse" not in example.text
    decided(either_app, concern, ada, SAFEGUARDING, at=NOW + timedelta(hours=2))
    [example] = examples(either_app)
    assert "assaulted" in example.text
    assert "purse" in example.text
