"""What kinds exist: the labels, and the plain objects that pass between the packages.

The meaning of every label is the coding guide, docs/labelling.md. Stored values are a promise:
renaming one needs a migration and retraining.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum


class Channel(StrEnum):
    """The way a message reached us."""

    EMAIL = "email"
    FORM = "form"
    SLACK = "slack"
    BY_HAND = "by_hand"


class Category(StrEnum):
    """The route of a message: exactly one, most protective first (guide, section 1)."""

    SAFEGUARDING = "safeguarding"
    CARE_CONCERN = "care_concern"
    REFERRAL = "referral"
    NOT_A_CONCERN = "not_a_concern"

    @property
    def protection(self) -> int:
        """How protective this route is, 3 (safeguarding) down to 0."""
        return len(Category) - 1 - list(Category).index(self)


class Severity(IntEnum):
    """The urgency of a concern, ordered; stored and shown by its lower-case name (guide, section 2)."""

    GREEN = 0
    AMBER = 1
    RED = 2

    @property
    def label(self) -> str:
        """The stored value: "green", "amber" or "red"."""
        return self.name.lower()

    @classmethod
    def from_label(cls, label: str) -> Severity:
        """The severity of that name; ValueError when there is none."""
        try:
            return cls[label.upper()]
        except KeyError:
            raise ValueError(f"{label!r} is no severity: red, amber or green") from None


class AbuseType(StrEnum):
    """The ten types of abuse of the Care and Support statutory guidance, chapter 14."""

    PHYSICAL = "physical"
    DOMESTIC = "domestic"
    SEXUAL = "sexual"
    PSYCHOLOGICAL = "psychological"
    FINANCIAL = "financial"
    MODERN_SLAVERY = "modern_slavery"
    DISCRIMINATORY = "discriminatory"
    ORGANISATIONAL = "organisational"
    NEGLECT = "neglect"
    SELF_NEGLECT = "self_neglect"


class Theme(StrEnum):
    """What a concern is about: none to four (guide, section 5)."""

    MEDICATION = "medication"
    STAFFING = "staffing"
    STAFF_CONDUCT = "staff_conduct"
    MISSED_VISITS = "missed_visits"
    CONTINUITY = "continuity"
    NUTRITION = "nutrition"
    PERSONAL_CARE = "personal_care"
    PRESSURE_CARE = "pressure_care"
    FALLS_HANDLING = "falls_handling"
    HEALTH_ACCESS = "health_access"
    ENVIRONMENT = "environment"
    RECORDS = "records"
    MANAGEMENT = "management"
    COMMUNICATION = "communication"
    LIBERTY = "liberty"
    FINANCES = "finances"
    PROVIDER_VIABILITY = "provider_viability"
    SELF_CARE = "self_care"
    CARER_STRAIN = "carer_strain"
    HOME_CONDITIONS = "home_conditions"
    ISOLATION = "isolation"
    PEER_INCIDENT = "peer_incident"


MOST_THEMES = 4
MOST_ABUSE_TYPES = 3


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as a header names it; `name` is empty when none was given."""

    name: str
    address: str


class FileSign(StrEnum):
    """What a person should know of a file before they trust it, or trust that it was read."""

    OTHER_TYPE = "other_type"
    PROGRAM = "program"
    MACROS = "macros"
    HOLDS_PLACE = "holds_place"
    ARCHIVE = "archive"
    LOCKED = "locked"
    NO_TEXT = "no_text"
    UNREADABLE = "unreadable"
    NOT_UNPACKED = "not_unpacked"
    TEXT_CUT = "text_cut"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message; `content` is left empty where only its description is kept.

    `content_type` is what the sender called it, `sniffed_type` what its bytes say (empty: unknown);
    `text` the words in it.
    """

    filename: str
    content_type: str
    size: int
    sha256: str
    content: bytes = field(default=b"", repr=False)
    sniffed_type: str = ""
    signs: tuple[FileSign, ...] = ()
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a bounce says of a mail that was sent (RFC 3464, and older styles).

    `action` is failed, delayed, delivered, relayed or expanded; `status` a code such as 5.1.1, or empty.
    """

    action: str
    status: str = ""
    recipients: tuple[str, ...] = ()
    original_ids: tuple[str, ...] = ()


class TrustVerdict(StrEnum):
    """Whether mail really comes from the domain that its From names."""

    CONFIRMED = "confirmed"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class SenderTrust:
    """What is known of a mail's sender: a verdict, who checked, and each method's own result (RFC 8601).

    It never changes a label and never keeps a message from the desk: people are told, and judge.
    """

    verdict: TrustVerdict
    checked_by: str
    results: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, whatever its channel, as plain text.

    `text` is everything a person would read; `new_text` is what this writer added, without quoted
    history and signature (in a forward, the forwarded part belongs to it). Neither is ever logged.
    """

    channel: Channel
    subject: str
    text: str
    new_text: str
    sender: Address | None = None
    reply_to: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    date: datetime | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    auto_reply: bool = False
    bounce: bool = False
    bulk: bool = False
    defects: tuple[str, ...] = ()
    original_author: Address | None = None
    delivery: DeliveryReport | None = None


class ReasonKind(StrEnum):
    """Where a reason comes from."""

    RULE = "rule"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a label: `text` is the message's own words at [start, end) of the read text; end is -1 for none.

    `weight` is the pull towards the label between 0 and 1. `context` names what weakens a rule's
    hit (negated, hypothetical, past, policy ...); a weakened hit is shown, never dropped.
    """

    kind: ReasonKind
    name: str
    text: str
    start: int
    end: int
    weight: float
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RedFlag:
    """A hit of a written rule and the least labels it stands for."""

    reason: Reason
    category: Category
    severity: Severity
    abuse_types: tuple[AbuseType, ...] = ()
    themes: tuple[Theme, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether nothing in the context weakens it."""
        return not self.reason.context


@dataclass(frozen=True, slots=True)
class Provider:
    """A registered location of a care service, as the register knows it."""

    provider_id: str
    name: str
    former_names: tuple[str, ...] = ()
    brand: str = ""
    organisation: str = ""
    street: str = ""
    town: str = ""
    postcode: str = ""
    telephone: str = ""
    email_domains: tuple[str, ...] = ()
    service_types: tuple[str, ...] = ()
    beds: int | None = None
    rating: str = ""
    in_area: bool = True


@dataclass(frozen=True, slots=True)
class ProviderMatch:
    """A candidate for the service a message is about; `score` is between 0 and 1."""

    mention: str
    provider_id: str
    name: str
    score: float
    reasons: tuple[str, ...] = ()
    start: int = -1
    end: int = -1


class MatchAdvice(StrEnum):
    """What a list of candidates is good for; the machine never links a provider silently."""

    SUGGEST = "suggest"
    SHORTLIST = "shortlist"
    ASK = "ask"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ProviderMatches:
    """Candidates, best first, and what may be done with them."""

    advice: MatchAdvice
    candidates: tuple[ProviderMatch, ...] = ()
    mention: str = ""

    @property
    def best(self) -> ProviderMatch | None:
        """The best candidate, whatever the advice."""
        return self.candidates[0] if self.candidates else None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the learned models say of one text.

    Probabilities are calibrated and sum to 1 over their labels; `severity` is over concerns only.
    `category_set` and `severity_set` hold every label that cannot be ruled out (conformal sets).
    """

    category: Mapping[Category, float]
    severity: Mapping[Severity, float]
    themes: Mapping[Theme, float]
    abuse_types: Mapping[AbuseType, float]
    chosen_themes: tuple[Theme, ...]
    chosen_abuse_types: tuple[AbuseType, ...]
    category_set: frozenset[Category]
    severity_set: frozenset[Severity]
    reasons: tuple[Reason, ...]
    model_version: str


@dataclass(frozen=True, slots=True)
class FileSpan:
    """Where the words of an attached file stand: characters [start, end) of a read text; numbers begin at 1."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that was understood of one message, before anything is decided.

    Where files with words came along they are part of the read text, and `alone` is what was
    understood without them. `unread_files` says whether a file needs a person's eyes.
    """

    read_text: str
    prediction: Prediction
    red_flags: tuple[RedFlag, ...]
    provider: ProviderMatches
    steering: tuple[Reason, ...] = ()
    files: tuple[FileSpan, ...] = ()
    alone: Assessment | None = None
    unread_files: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The route and urgency that the desk shows until a person decides; severity is None for not_a_concern."""

    category: Category
    severity: Severity | None
    themes: tuple[Theme, ...]
    abuse_types: tuple[AbuseType, ...]
    needs_review: bool
    review_reasons: tuple[str, ...]
    could_also_be: tuple[str, ...]
    reasons: tuple[Reason, ...]
    redirect: str = ""


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When the desk is staffed, in local time; `weekdays` as datetime.weekday() numbers, Monday 0."""

    opens: str = "09:00"
    closes: str = "17:00"
    weekdays: Sequence[int] = (0, 1, 2, 3, 4)
    timezone: str = "Europe/London"
