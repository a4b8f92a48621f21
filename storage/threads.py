"""One matter, one concern: further messages, links that wait for a person, joining and splitting.

The machine adds a message to a concern only where its sender takes part in it already; everything else
is a link with its reasons, which a person decides. Labels go up and never down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from storage.audit import Audit, record
from storage.concerns import (
    NOT_STANDING,
    NoSuchConcern,
    add_assessment,
    new_token,
    next_reference,
    references_of,
)
from storage.encryption import KeyRing
from storage.tables import (
    AnsweredRow,
    AssessmentRow,
    ConcernRow,
    DispositionRow,
    LeadRow,
    LinkRow,
    MessageRow,
    OutgoingRow,
    ReadingRow,
    SlackThreadRow,
)
from triage.belonging import (
    Arrival,
    Candidate,
    Labelled,
    Why,
    is_graver,
    why_a_new_matter,
    why_it_may_belong,
)
from triage.errors import BadInput, CareConcernsError
from triage.lifecycle import ConcernState, Disposition, check_move
from triage.vocabulary import (
    MOST_ABUSE_TYPES,
    MOST_THEMES,
    Address,
    Assessment,
    Category,
    Decision,
    MatchAdvice,
    Severity,
)

DueFor = Callable[[Severity | None], datetime]

_MOST_IDS = 50
_MOST_CANDIDATES = 30
MOST_SUGGESTIONS = 3


class NoSuchLink(CareConcernsError):
    """There is no such link, or somebody decided it meanwhile."""


class LinkKind(StrEnum):
    """What a person is asked."""

    STRANGER = "stranger"
    SUGGESTION = "suggestion"
    NEW_MATTER = "new_matter"


class LinkState(StrEnum):
    """What became of the question."""

    OPEN = "open"
    JOINED = "joined"
    KEPT_APART = "kept_apart"
    SPLIT = "split"
    KEPT_HERE = "kept_here"


@dataclass(frozen=True)
class Added:
    """What a further message did to its concern: labels raised, made to wait again, why it may be a new matter."""

    raised: bool
    waits_again: bool
    new_matter: tuple[Why, ...]


# --- finding the concern of a message


def concern_of_token(session: Session, tokens: Sequence[str]) -> str | None:
    """The id of the concern of the first token that is one of ours."""
    if not tokens:
        return None
    query = select(ConcernRow.token, ConcernRow.id).where(ConcernRow.token.in_(tokens[:_MOST_IDS]))
    found = {token: concern_id for token, concern_id in session.execute(query)}
    return next((found[token] for token in tokens if token in found), None)


def concern_of_answer(session: Session, answered: Sequence[str]) -> str | None:
    """The id of the concern of the nearest answered message that we sent or hold."""
    ids = [header_id[:998] for header_id in answered[:_MOST_IDS]]
    if not ids:
        return None
    ours = select(OutgoingRow.header_id, OutgoingRow.subject_id).where(OutgoingRow.header_id.in_(ids))
    theirs = (
        select(ReadingRow.header_id, DispositionRow.concern_id)
        .join(DispositionRow, DispositionRow.message_id == ReadingRow.message_id)
        .where(ReadingRow.header_id.in_(ids), DispositionRow.concern_id.is_not(None))
    )
    found: dict[str | None, str | None] = {key: value for key, value in session.execute(theirs)}
    for key, subject in session.execute(ours):
        kind, _, concern_id = subject.partition(":")
        if kind == "concern":
            found[key] = concern_id
    return next((found[key] for key in ids if key in found), None)


def locked_concern(session: Session, concern_id: str) -> ConcernRow | None:
    """The concern, or the one that it was joined to, locked until the transaction ends; None when it was erased."""
    while True:
        concern = session.get(ConcernRow, concern_id, with_for_update=True)
        if concern is None or concern.state == ConcernState.ERASED:
            return None
        if concern.joined_to is None:
            return concern
        concern_id = concern.joined_to


def takes_part(session: Session, keys: KeyRing, concern: ConcernRow, sender: Address | None) -> bool:
    """Whether the address wrote to the concern before, was answered about it, or is a lead's."""
    if sender is None or not sender.address:
        return False
    lookup = keys.lookup(sender.address)
    wrote = (
        select(ReadingRow.message_id)
        .join(DispositionRow, DispositionRow.message_id == ReadingRow.message_id)
        .where(ReadingRow.sender_lookup == lookup, DispositionRow.concern_id == concern.id)
    )
    answered = select(OutgoingRow.id).where(
        OutgoingRow.recipient_lookup == lookup, OutgoingRow.subject_id.in_(_subjects(session, concern))
    )
    lead = select(LeadRow.id).where(LeadRow.email == sender.address.strip().lower(), LeadRow.active)
    return any(session.scalars(query.limit(1)).first() for query in (wrote, answered, lead))


def _subjects(session: Session, concern: ConcernRow) -> list[str]:
    return [f"concern:{concern_id}" for concern_id in _with_joined(session, concern)]


def _with_joined(session: Session, concern: ConcernRow) -> list[str]:
    joined = session.scalars(select(ConcernRow.id).where(ConcernRow.joined_to == concern.id))
    return [concern.id, *joined]


# --- adding a message


def add_to_concern(
    session: Session,
    concern: ConcernRow,
    message_id: str,
    assessment: Assessment,
    decision: Decision,
    *,
    due_at: datetime | None,
    raise_labels: bool,
    audit: Audit,
) -> bool:
    """Add a further message, or version of one, with its assessment; True when the labels were raised.

    Labels go up and never down. `raise_labels` is false where a person has already decided them.
    """
    add_assessment(session, concern, message_id, assessment, decision, audit.at)
    raised = raise_labels and _raise_labels(concern, _labels_of(assessment, decision))
    if raise_labels and due_at is not None:
        _bring_forward(concern, due_at)
    _record_added(session, concern, message_id, audit, raised=raised)
    return raised


def add_reply(
    session: Session,
    concern: ConcernRow,
    message_id: str,
    assessment: Assessment,
    decision: Decision,
    *,
    due_for: DueFor,
    audit: Audit,
) -> Added:
    """Add a further message to a locked concern: labels are raised, and what was decided waits again.

    `due_for` gives the latest moment for a look at a concern of that severity, counted from this message.
    """
    before = _before(concern)
    labels = _labels_of(assessment, decision)
    new_matter = why_a_new_matter(before, decision, labels.provider_id)
    add_assessment(session, concern, message_id, assessment, decision, audit.at)
    waits_again = _wait_again(concern)
    raised = _raise_labels(concern, labels)
    _set_due(concern, due_for, waits_again=waits_again, raised=raised)
    _record_added(session, concern, message_id, audit, raised=raised, waits_again=waits_again)
    return Added(raised, waits_again, new_matter)


def _record_added(
    session: Session, concern: ConcernRow, message_id: str, audit: Audit, **facts: bool
) -> None:
    details = {**audit.details, "message": message_id, **facts}
    record(session, Audit(audit.at, audit.actor, audit.action, details), f"concern:{concern.id}")


def _wait_again(concern: ConcernRow) -> bool:
    """Put a concern that people had decided or closed back among those that wait; True when it was one."""
    if concern.state == ConcernState.NEW:
        return False
    check_move(ConcernState(concern.state), ConcernState.NEW)
    concern.state, concern.reviewed_at = ConcernState.NEW.value, None
    return True


def _set_due(concern: ConcernRow, due_for: DueFor, *, waits_again: bool, raised: bool) -> None:
    due_at = due_for(_severity(concern.severity))
    if waits_again:
        concern.due_at = due_at
    elif raised:
        _bring_forward(concern, due_at)


def _bring_forward(concern: ConcernRow, due_at: datetime) -> None:
    concern.due_at = min(concern.due_at, due_at) if concern.due_at is not None else due_at


@dataclass(frozen=True)
class _Labels:
    category: Category
    severity: Severity | None
    themes: tuple[str, ...]
    abuse_types: tuple[str, ...]
    needs_review: bool
    redirect: str
    provider_id: str | None
    mention: str


def _labels_of(assessment: Assessment, decision: Decision) -> _Labels:
    best = assessment.provider.best
    suggested = best if assessment.provider.advice is MatchAdvice.SUGGEST else None
    return _Labels(
        category=decision.category,
        severity=decision.severity,
        themes=tuple(theme.value for theme in decision.themes),
        abuse_types=tuple(kind.value for kind in decision.abuse_types),
        needs_review=decision.needs_review,
        redirect=decision.redirect,
        provider_id=suggested.provider_id if suggested else None,
        mention=(assessment.provider.mention or (best.mention if best else ""))[:255],
    )


def _standing_labels(concern: ConcernRow) -> _Labels:
    return _Labels(
        category=Category(concern.category),
        severity=_severity(concern.severity),
        themes=tuple(concern.themes),
        abuse_types=tuple(concern.abuse_types),
        needs_review=concern.needs_review,
        redirect=concern.redirect,
        provider_id=concern.provider_id,
        mention=concern.provider_mention,
    )


def _assessed_labels(row: AssessmentRow) -> _Labels:
    provider = row.details.get("provider", {})
    candidates = provider.get("candidates", [])
    suggested = candidates[0] if candidates and provider.get("advice") == MatchAdvice.SUGGEST else None
    return _Labels(
        category=Category(row.category),
        severity=_severity(row.severity),
        themes=tuple(row.details.get("themes", ())),
        abuse_types=tuple(row.details.get("abuse_types", ())),
        needs_review=row.needs_review,
        redirect="",
        provider_id=suggested["id"] if suggested else None,
        mention=(provider.get("mention") or (candidates[0]["mention"] if candidates else ""))[:255],
    )


def _severity(label: str | None) -> Severity | None:
    return Severity.from_label(label) if label else None


def _before(concern: ConcernRow) -> Labelled:
    return Labelled(
        category=Category(concern.category),
        severity=_severity(concern.severity),
        themes=frozenset(concern.themes),
        abuse_types=frozenset(concern.abuse_types),
        provider_id=concern.provider_id,
    )


def is_graver_than(concern: ConcernRow, decision: Decision) -> bool:
    """Whether the decision stands for more than the concern's labels do."""
    return is_graver(Category(concern.category), _severity(concern.severity), decision)


def _raise_labels(concern: ConcernRow, labels: _Labels) -> bool:
    before = (concern.category, concern.severity)
    if labels.category.protection > Category(concern.category).protection:
        concern.category, concern.redirect = labels.category.value, labels.redirect
    standing = _severity(concern.severity)
    if labels.severity is not None and (standing is None or labels.severity > standing):
        concern.severity = labels.severity.label
    concern.themes = _union(concern.themes, labels.themes, MOST_THEMES)
    concern.abuse_types = _union(concern.abuse_types, labels.abuse_types, MOST_ABUSE_TYPES)
    concern.needs_review = concern.needs_review or labels.needs_review
    if concern.provider_id is None and not concern.provider_confirmed:
        concern.provider_id = labels.provider_id
        concern.provider_mention = concern.provider_mention or labels.mention
    return (concern.category, concern.severity) != before


def _union(known: Iterable[str], more: Iterable[str], most: int) -> list[str]:
    return list(dict.fromkeys([*known, *more]))[:most]


# --- what a message answers


def note_answered(session: Session, keys: KeyRing, message_id: str, answered: Sequence[str]) -> None:
    """Keep what the message says it answers, so that a message read later finds it."""
    for lookup in {keys.lookup(header_id) for header_id in answered[:_MOST_IDS]}:
        if session.get(AnsweredRow, (message_id, lookup)) is None:
            session.add(AnsweredRow(message_id=message_id, header_lookup=lookup))


def answers_read_before(
    session: Session, keys: KeyRing, header_id: str, own_id: str
) -> list[tuple[str, str]]:
    """Messages in other concerns that answered this one before it was read, each with its concern's id."""
    query = (
        select(AnsweredRow.message_id, DispositionRow.concern_id)
        .join(DispositionRow, DispositionRow.message_id == AnsweredRow.message_id)
        .where(
            AnsweredRow.header_lookup == keys.lookup(header_id),
            DispositionRow.concern_id.is_not(None),
            DispositionRow.concern_id != own_id,
        )
        .order_by(AnsweredRow.message_id)
        .limit(MOST_SUGGESTIONS)
    )
    return [(message_id, concern_id) for message_id, concern_id in session.execute(query) if concern_id]


# --- links


def ask(
    session: Session,
    kind: LinkKind,
    *,
    message_id: str,
    concern_id: str,
    other_id: str | None,
    reasons: Sequence[Why],
    audit: Audit,
) -> bool:
    """Put a question to a person; False when it was put before."""
    name = f"{kind.value}:{message_id}:{other_id or concern_id}"
    link_id = hashlib.sha256(name.encode()).hexdigest()[:32]
    if session.get(LinkRow, link_id) is not None:
        return False
    session.add(
        LinkRow(
            id=link_id,
            kind=kind.value,
            message_id=message_id,
            concern_id=concern_id,
            other_id=other_id,
            reasons=[why.value for why in reasons],
            state=LinkState.OPEN.value,
            made_at=audit.at,
        )
    )
    details = {"kind": kind.value, "reasons": [why.value for why in reasons], "other": other_id}
    record(session, Audit(audit.at, audit.actor, audit.action, details), f"concern:{concern_id}")
    return True


def candidates_for(
    session: Session,
    keys: KeyRing,
    arrival: Arrival,
    sender: Address | None,
    *,
    own_id: str,
    since: datetime,
) -> list[tuple[Candidate, tuple[Why, ...]]]:
    """Concerns that the message may belong to, with the reasons, at most a few, the latest first."""
    lookup = keys.lookup(sender.address) if sender is not None and sender.address else None
    of_sender = (
        select(DispositionRow.concern_id)
        .join(ReadingRow, ReadingRow.message_id == DispositionRow.message_id)
        .where(ReadingRow.sender_lookup == lookup, DispositionRow.concern_id.is_not(None))
    )
    ways: list[ColumnElement[bool]] = []
    if lookup is not None:
        ways.append((ConcernRow.opened_at >= since) & ConcernRow.id.in_(of_sender))
    if arrival.provider_id is not None and arrival.subject:
        ways.append((ConcernRow.opened_at >= since) & (ConcernRow.provider_id == arrival.provider_id))
    if arrival.references:
        ways.append(ConcernRow.reference.in_(arrival.references))
    if not ways:
        return []
    query = (
        select(ConcernRow)
        .where(or_(*ways), ConcernRow.id != own_id, ConcernRow.state.not_in(NOT_STANDING))
        .order_by(ConcernRow.opened_at.desc(), ConcernRow.id)
        .limit(_MOST_CANDIDATES)
    )
    days = (arrival.at - since).days
    found = [_candidate(session, row, lookup) for row in session.scalars(query)]
    spoken_for = [(one, why_it_may_belong(arrival, one, within_days=days)) for one in found]
    return [pair for pair in spoken_for if pair[1]][:MOST_SUGGESTIONS]


def _candidate(session: Session, concern: ConcernRow, lookup: str | None) -> Candidate:
    query = (
        select(ReadingRow.subject, ReadingRow.sender_lookup, MessageRow.received_at)
        .join(DispositionRow, DispositionRow.message_id == ReadingRow.message_id)
        .join(MessageRow, MessageRow.id == ReadingRow.message_id)
        .where(DispositionRow.concern_id == concern.id)
        .order_by(MessageRow.received_at.desc())
        .limit(_MOST_IDS)
    )
    rows = session.execute(query).all()
    return Candidate(
        concern_id=concern.id,
        reference=concern.reference,
        provider_id=concern.provider_id,
        last_at=max((row.received_at for row in rows), default=concern.opened_at),
        same_sender=lookup is not None and any(row.sender_lookup == lookup for row in rows),
        subjects=tuple(row.subject for row in rows),
    )


@dataclass(frozen=True)
class LinkShown:
    """A link with the references of both sides; `other` is empty for one that asks about a new matter."""

    link_id: str
    kind: LinkKind
    message_id: str
    reference: str
    other: str
    reasons: tuple[Why, ...]
    state: LinkState
    decided_at: datetime | None
    decided_by: str | None


def links_of(session: Session, concern_id: str) -> list[LinkShown]:
    """Every link of the concern, from either side, the first first."""
    query = (
        select(LinkRow)
        .where(or_(LinkRow.concern_id == concern_id, LinkRow.other_id == concern_id))
        .order_by(LinkRow.made_at, LinkRow.id)
    )
    rows = list(session.scalars(query))
    names = references_of(session, [key for row in rows for key in (row.concern_id, row.other_id) if key])
    return [_shown(row, names) for row in rows]


def _shown(row: LinkRow, names: dict[str, str]) -> LinkShown:
    return LinkShown(
        link_id=row.id,
        kind=LinkKind(row.kind),
        message_id=row.message_id,
        reference=names[row.concern_id],
        other=names.get(row.other_id or "", ""),
        reasons=tuple(Why(reason) for reason in row.reasons),
        state=LinkState(row.state),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
    )


def open_links(session: Session, concern_ids: Sequence[str]) -> dict[str, list[LinkShown]]:
    """The links that wait for a person, by the concern whose message they are about."""
    query = select(LinkRow).where(LinkRow.concern_id.in_(concern_ids), LinkRow.state == LinkState.OPEN.value)
    rows = list(session.scalars(query.order_by(LinkRow.made_at, LinkRow.id)))
    names = references_of(session, [key for row in rows for key in (row.concern_id, row.other_id) if key])
    found: dict[str, list[LinkShown]] = {}
    for row in rows:
        found.setdefault(row.concern_id, []).append(_shown(row, names))
    return found


def count_open_links(session: Session) -> int:
    """How many links wait for a person."""
    query = select(func.count()).select_from(LinkRow).where(LinkRow.state == LinkState.OPEN.value)
    return session.scalar(query) or 0


def message_counts(session: Session, concern_ids: Sequence[str]) -> dict[str, int]:
    """How many messages each of the concerns has."""
    query = (
        select(DispositionRow.concern_id, func.count())
        .where(DispositionRow.concern_id.in_(concern_ids))
        .group_by(DispositionRow.concern_id)
    )
    return {key: count for key, count in session.execute(query) if key}


def count_messages(session: Session, concern_id: str) -> int:
    """How many messages the concern has."""
    return message_counts(session, [concern_id]).get(concern_id, 0)


def open_link(session: Session, link_id: str) -> LinkRow:
    """The link, locked; NoSuchLink unless it waits for a person."""
    row = session.get(LinkRow, link_id, with_for_update=True)
    if row is None or row.state != LinkState.OPEN:
        raise NoSuchLink("Somebody else decided this meanwhile: look at what stands now")
    return row


def answer_no(session: Session, link: LinkRow, *, audit: Audit) -> None:
    """Keep the message where it is, because a person says so."""
    is_new_matter = link.kind == LinkKind.NEW_MATTER
    state = LinkState.KEPT_HERE if is_new_matter else LinkState.KEPT_APART
    _settle(link, state, audit)
    details = {"kind": link.kind, "other": link.other_id}
    for concern_id in filter(None, (link.concern_id, link.other_id)):
        record(session, Audit(audit.at, audit.actor, state.value, details), f"concern:{concern_id}")


def _settle(link: LinkRow, state: LinkState, audit: Audit) -> None:
    link.state, link.decided_at, link.decided_by = state.value, audit.at, audit.actor


# --- joining and splitting, by a person


def both_locked(session: Session, one: str, other: str) -> tuple[ConcernRow, ConcernRow]:
    """Two concerns by reference, locked in one order, so that two people cannot wait for each other."""
    query = select(ConcernRow).where(ConcernRow.reference.in_((one, other))).order_by(ConcernRow.id)
    found = {row.reference: row for row in session.scalars(query.with_for_update())}
    for reference in (one, other):
        if reference not in found:
            raise NoSuchConcern(f"there is no concern {reference}")
    return found[one], found[other]


def join(
    session: Session,
    concern: ConcernRow,
    target: ConcernRow,
    *,
    due_for: DueFor,
    audit: Audit,
) -> Added:
    """Move every message of the concern to the target, which waits again; the emptied one stays as joined to it.

    Both are locked. BadInput where one of them no longer stands.
    """
    if concern.id == target.id:
        raise BadInput("Enter the reference of another concern")
    if target.state in NOT_STANDING:
        raise BadInput(f"{target.reference} has no messages of its own any more: enter another reference")
    check_move(ConcernState(concern.state), ConcernState.JOINED)
    waits = _wait_again(target)
    raised = _raise_labels(target, _standing_labels(concern))
    _set_due(target, due_for, waits_again=waits, raised=raised)
    if concern.state == ConcernState.NEW and concern.due_at is not None:
        _bring_forward(target, concern.due_at)
    message_ids = _move_messages(session, concern, target)
    session.execute(update(ConcernRow).where(ConcernRow.joined_to == concern.id).values(joined_to=target.id))
    threads = update(SlackThreadRow).where(SlackThreadRow.concern_id == concern.id)
    session.execute(threads.values(concern_id=target.id))
    _settle_joined(session, concern, target, audit)
    concern.state, concern.joined_to, concern.due_at = ConcernState.JOINED.value, target.id, None
    concern.needs_review, concern.reviewed_at = False, audit.at
    moved = {"messages": message_ids}
    record(
        session,
        Audit(audit.at, audit.actor, "joined_to", {"concern": target.reference, **moved}),
        f"concern:{concern.id}",
    )
    record(
        session,
        Audit(audit.at, audit.actor, "joined_in", {"concern": concern.reference, **moved, "raised": raised}),
        f"concern:{target.id}",
    )
    return Added(raised, waits, ())


def _move_messages(
    session: Session, concern: ConcernRow, target: ConcernRow, message_ids: Sequence[str] = ()
) -> list[str]:
    """The messages (all of the concern's, unless some are named) with their assessments; returns their ids."""
    query = select(DispositionRow).where(DispositionRow.concern_id == concern.id)
    if message_ids:
        query = query.where(DispositionRow.message_id.in_(message_ids))
    moved = []
    for row in session.scalars(query.order_by(DispositionRow.message_id)):
        row.concern_id = target.id
        moved.append(row.message_id)
    assessments = update(AssessmentRow).where(
        AssessmentRow.concern_id == concern.id, AssessmentRow.message_id.in_(moved)
    )
    session.execute(assessments.values(concern_id=target.id))
    return moved


def _settle_joined(session: Session, concern: ConcernRow, target: ConcernRow, audit: Audit) -> None:
    """Links between the two are answered; links of the emptied one now are the target's."""
    touching = or_(LinkRow.concern_id == concern.id, LinkRow.other_id == concern.id)
    for link in session.scalars(select(LinkRow).where(touching, LinkRow.state == LinkState.OPEN.value)):
        ends = {link.concern_id, link.other_id}
        if ends == {concern.id, target.id} and link.kind != LinkKind.NEW_MATTER:
            _settle(link, LinkState.JOINED, audit)
        elif link.concern_id == concern.id:
            link.concern_id = target.id
        else:
            link.other_id = target.id


def split(
    session: Session, concern: ConcernRow, message_id: str, *, due_for: DueFor, audit: Audit
) -> ConcernRow:
    """Give a message of the locked concern a concern of its own, with the labels of its own assessment.

    Assessments go with it; the labels of the first concern stay, for only a person lowers one. BadInput
    for the only message of a concern.
    """
    disposition = session.get(DispositionRow, message_id, with_for_update=True)
    if disposition is None or disposition.concern_id != concern.id:
        raise BadInput("That message is no longer in this concern")
    if count_messages(session, concern.id) < 2:
        raise BadInput("It is the only message of this concern: there is nothing to split off")
    message = session.get_one(MessageRow, message_id)
    assessment = session.scalars(
        select(AssessmentRow)
        .where(AssessmentRow.message_id == message_id)
        .order_by(AssessmentRow.version.desc())
        .limit(1)
    ).first()
    labels = _assessed_labels(assessment) if assessment is not None else _standing_labels(concern)
    opened = _open_from(session, message, labels, due_at=due_for(labels.severity), at=audit.at)
    _move_messages(session, concern, opened, [message_id])
    _settle_split(session, concern, message_id, opened, audit)
    details: dict[str, Any] = {"message": message_id}
    record(
        session,
        Audit(audit.at, audit.actor, "split_off", details | {"concern": opened.reference}),
        f"concern:{concern.id}",
    )
    record(
        session,
        Audit(audit.at, audit.actor, "split_from", details | {"concern": concern.reference}),
        f"concern:{opened.id}",
    )
    return opened


def _open_from(
    session: Session, message: MessageRow, labels: _Labels, *, due_at: datetime, at: datetime
) -> ConcernRow:
    concern = ConcernRow(
        id=uuid4().hex,
        reference=next_reference(session, at.year),
        token=new_token(),
        channel=message.channel,
        opened_at=message.received_at,
        state=ConcernState.NEW.value,
        category=labels.category.value,
        severity=labels.severity.label if labels.severity is not None else None,
        themes=list(labels.themes),
        abuse_types=list(labels.abuse_types),
        redirect=labels.redirect,
        needs_review=labels.needs_review,
        due_at=due_at,
        provider_id=labels.provider_id,
        provider_confirmed=False,
        provider_mention=labels.mention,
    )
    session.add(concern)
    session.flush()
    return concern


def _settle_split(
    session: Session, concern: ConcernRow, message_id: str, opened: ConcernRow, audit: Audit
) -> None:
    query = select(LinkRow).where(LinkRow.message_id == message_id, LinkRow.state == LinkState.OPEN.value)
    for link in session.scalars(query):
        if link.kind == LinkKind.NEW_MATTER:
            _settle(link, LinkState.SPLIT, audit)
            link.other_id = opened.id
        elif link.concern_id == concern.id:
            link.concern_id = opened.id


def concern_of_message(session: Session, message_id: str) -> ConcernRow | None:
    """The concern that the message belongs to now."""
    row = session.get(DispositionRow, message_id)
    is_one = row is not None and row.kind == Disposition.CONCERN and row.concern_id
    return session.get(ConcernRow, row.concern_id) if row is not None and is_one else None
