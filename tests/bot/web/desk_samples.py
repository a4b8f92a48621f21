"""A desk with hand-made concerns on a fresh SQLite database, and a browser-like client without scripts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import httpx

from bot.app import App, build_app, prepare
from bot.settings import Settings
from bot.web.server import WebServer
from storage.audit import MACHINE, Audit
from storage.concerns import add_assessment, open_concern
from storage.messages import Received, dispose, keep, raw_of, save_reading
from storage.people import add_lead
from storage.register import save_register
from triage.lifecycle import Disposition
from triage.vocabulary import (
    AbuseType,
    Address,
    Assessment,
    Attachment,
    Category,
    Channel,
    Decision,
    MatchAdvice,
    Message,
    Prediction,
    Provider,
    ProviderMatch,
    ProviderMatches,
    Reason,
    ReasonKind,
    Severity,
    Theme,
)

PASSWORD = "correct horse battery staple"
NOW = datetime.now(UTC)
TEXT = (
    "My mother lives at Larch House. On Tuesday she was given the wrong tablets twice, and nobody called a "
    "doctor. She was not hit by anyone.\nPlease look into it.\nMargaret"
)
LARCH = Provider(
    provider_id="1-9000000001",
    name="Larch House",
    organisation="Larch House Care Limited",
    street="12 Church Lane",
    town="Harrowmere",
    postcode="XW1 2AB",
    telephone="01632 960101",
    service_types=("Care home service without nursing",),
    beds=28,
    rating="Requires improvement",
)
BRIGHTWAY = Provider(
    provider_id="1-9000000004",
    name="Brightway Homecare Wexley",
    town="Wexley",
    postcode="XW7 3LP",
    service_types=("Domiciliary care service",),
    rating="Good",
)


def build_desk(folder: Path, **settings: object) -> App:
    """An open App with two leads and two services."""
    chosen = desk_settings(folder, **settings)
    prepare(chosen)
    app = build_app(chosen)
    entry = Audit(at=NOW, actor=MACHINE, action="set_up")
    with app.database.write() as session:
        for name in ("ada", "grace"):
            add_lead(
                session,
                email=f"{name}@council.example",
                name=f"{name.capitalize()} Lead",
                password=PASSWORD,
                categories=list(Category),
                audit=entry,
            )
        save_register(session, [LARCH, BRIGHTWAY], now=NOW, audit=entry)
    return app


def desk_settings(folder: Path, **changes: object) -> Settings:
    """The settings of a desk in that folder, whatever the environment says."""
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=folder,
        web_port=0,
        council_name="Harrowmere Council",
        **changes,  # type: ignore[arg-type]
    )


def reason(
    text: str, words: str, *, rule: str = "", context: tuple[str, ...] = (), weight: float = 0.6
) -> Reason:
    """A reason whose span is where its words first stand in the text."""
    start = text.find(words)
    return Reason(
        kind=ReasonKind.RULE if rule else ReasonKind.MODEL,
        name=rule or "category",
        text=words,
        start=start,
        end=start + len(words) if start >= 0 else -1,
        weight=weight,
        context=context,
    )


def prediction(category: Category = Category.SAFEGUARDING) -> Prediction:
    """What a model might say."""
    others = [label for label in Category if label is not category]
    return Prediction(
        category={category: 0.82, **dict.fromkeys(others, 0.06)},
        severity={Severity.RED: 0.3, Severity.AMBER: 0.6, Severity.GREEN: 0.1},
        themes={Theme.MEDICATION: 0.9},
        abuse_types={AbuseType.NEGLECT: 0.7},
        chosen_themes=(Theme.MEDICATION,),
        chosen_abuse_types=(AbuseType.NEGLECT,),
        category_set=frozenset({category}),
        severity_set=frozenset({Severity.RED, Severity.AMBER}),
        reasons=(),
        model_version="2026.11-test",
    )


@dataclass(frozen=True)
class Sample:
    """What a hand-made concern is made of."""

    text: str = TEXT
    subject: str = "Worried about my mother"
    category: Category = Category.SAFEGUARDING
    severity: Severity | None = Severity.AMBER
    themes: tuple[Theme, ...] = (Theme.MEDICATION, Theme.HEALTH_ACCESS)
    abuse_types: tuple[AbuseType, ...] = (AbuseType.NEGLECT,)
    reasons: tuple[Reason, ...] | None = None
    needs_review: bool = True
    opened_at: datetime = NOW - timedelta(hours=2)
    due_at: datetime | None = NOW + timedelta(days=1)
    provider: Provider | None = LARCH
    mention: str = "Larch House"


def add_concern(app: App, sample: Sample | None = None) -> str:
    """A message, its reading and its concern; returns the reference."""
    sample = sample or Sample()
    received = Received(raw=sample.text.encode(), channel=Channel.EMAIL, received_at=sample.opened_at)
    with app.database.write() as session:
        keep(session, app.keys, [received])
        _, _, row = raw_of(session, app.keys, received.message_id)
        save_reading(session, app.keys, received.message_id, _message(sample), sample.opened_at)
        assessment, decision = _understood(sample)
        concern = open_concern(
            session,
            row,
            assessment,
            decision,
            due_at=sample.due_at,
            audit=Audit(at=sample.opened_at, actor=MACHINE, action="opened"),
        )
        dispose(
            session,
            received.message_id,
            Disposition.CONCERN,
            concern_id=concern.id,
            audit=Audit(at=sample.opened_at, actor=MACHINE, action="triaged"),
        )
        return concern.reference


def _message(sample: Sample) -> Message:
    return Message(
        channel=Channel.EMAIL,
        subject=sample.subject,
        text=sample.text,
        new_text=sample.text,
        sender=Address(name="Margaret Ashdown", address="margaret@family.example"),
        reply_to=Address(name="", address="home@family.example"),
        attachments=(
            Attachment(filename="chart.pdf", content_type="application/pdf", size=52_000, sha256="0" * 64),
        ),
    )


def _understood(sample: Sample) -> tuple[Assessment, Decision]:
    text = sample.text
    reasons = sample.reasons
    if reasons is None:
        reasons = (
            reason(text, "wrong tablets twice", rule="repeated_medicine_errors", weight=0.9),
            reason(text, "hit", rule="hitting", context=("negated",), weight=0.2),
            reason(text, "tablets twice, and nobody"),
        )
    candidates = (
        (
            ProviderMatch(
                mention=sample.mention,
                provider_id=sample.provider.provider_id,
                name=sample.provider.name,
                score=0.94,
                reasons=("the name is the same", "the town is named"),
            ),
        )
        if sample.provider
        else ()
    )
    advice = MatchAdvice.SUGGEST if candidates else MatchAdvice.NONE
    assessment = Assessment(
        read_text=text,
        prediction=prediction(sample.category),
        red_flags=(),
        provider=ProviderMatches(advice=advice, candidates=candidates, mention=sample.mention),
    )
    decision = Decision(
        category=sample.category,
        severity=sample.severity,
        themes=sample.themes,
        abuse_types=sample.abuse_types,
        needs_review=sample.needs_review,
        review_reasons=("could be red",) if sample.needs_review else (),
        could_also_be=("red",) if sample.needs_review else (),
        reasons=reasons,
    )
    return assessment, decision


def add_second_assessment(app: App, reference: str) -> None:
    """Another round of the machine on the concern's message."""
    from storage.concerns import concern_by_reference, messages_of

    with app.database.write() as session:
        concern = concern_by_reference(session, reference)
        message = messages_of(session, concern.id)[0]
        assessment, decision = _understood(Sample(severity=Severity.RED))
        add_assessment(session, concern, message.id, assessment, decision, NOW)


def add_set_aside(
    app: App, raw: bytes = b"Subject: \xff broken <script>alert(1)</script>\r\n", why: str = "no"
) -> str:
    """A message that could not be read; returns its id."""
    received = Received(raw=raw, channel=Channel.EMAIL, received_at=NOW)
    with app.database.write() as session:
        keep(session, app.keys, [received])
        dispose(
            session,
            received.message_id,
            Disposition.SET_ASIDE,
            reason=why,
            audit=Audit(at=NOW, actor=MACHINE, action="set_aside"),
        )
    return received.message_id


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._skip = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._skip += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.parts.append(data)


def seen_text(page: str) -> str:
    """What a person reads on a page, on one line."""
    parser = _Text()
    parser.feed(page)
    return " ".join("".join(parser.parts).split())


class Visitor:
    """A person with a browser that runs no scripts: follows redirects and sends each form with its token."""

    def __init__(self, server: WebServer) -> None:
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", follow_redirects=True, timeout=30
        )

    def get(self, path: str) -> str:
        """The page at the path."""
        return self.http.get(path).text

    def post(self, path: str, values: Mapping[str, object], *, page: str = "/login") -> httpx.Response:
        """Send a form with the token that stands on `page`."""
        return self.http.post(path, data={"csrf_token": token_on(self.get(page)), **values})

    def log_in(self, name: str = "ada") -> Visitor:
        """Log in as one of the desk's leads."""
        answer = self.post("/login", {"email": f"{name}@council.example", "password": PASSWORD})
        assert "Logged in as" in answer.text
        return self

    def close(self) -> None:
        """Give back the connections."""
        self.http.close()


def token_on(page: str) -> str:
    """The form token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, "the page has no form token"
    return found.group(1)
