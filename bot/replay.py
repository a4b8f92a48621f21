"""Shadow replay: past mail through everything but the sending, in a database of its own.

The live database is never opened. Nothing can be sent: no job is ever asked for, no relay is set, and
the mails that were decided on are counted and taken away again.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.app import App, build_app, model_folder, prepare
from bot.background import Background
from bot.email_parsing import close_shared_pool
from bot.envelope import return_path
from bot.intake import Intake
from bot.past_mail import PastMail, past_mail
from bot.printing import import_providers
from bot.settings import Settings
from bot.wording import CATEGORY_WORDS, THEME_WORDS
from bot.workflows import set_aside, triage_message
from storage.database import Database, Session
from storage.messages import Received
from storage.outgoing import OutgoingKind
from storage.replay_figures import Outcome, drop_unsent, outcomes
from triage.errors import BadInput, TryAgainLater
from triage.lifecycle import Disposition
from triage.vocabulary import Category, Channel, Severity, Theme

log = logging.getLogger(__name__)

_TOP = 10
_ON_THEIR_WAY = 256
_TRIES = 3
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Replayed:
    """One message of the past and what became of it; no word of the message is in it."""

    source: str
    number: int
    outcome: Outcome

    def as_json(self) -> str:
        """One line for a program to read."""
        fields = asdict(self.outcome) | {"source": self.source, "number": self.number}
        return json.dumps(fields, ensure_ascii=False)


@dataclass
class ReplayReport:
    """All of a replay: its messages, the answers that would have been sent, and the seconds it took."""

    messages: list[Replayed] = field(default_factory=list)
    answers: int = 0
    seconds: float = 0.0

    def as_table(self) -> str:
        """The figures for a person."""
        return "\n".join(_table(self))


class _NoWork(Background):
    """Asks for nothing: what would be work for a worker is done at once, or, if it is sending, not at all."""

    def __init__(self) -> None:
        """Without a connection of its own."""

    def enqueue(self, session: Session, queue: str, job: str, subject_id: str, *, again: str = "") -> None:
        """Nothing."""

    def enqueue_many(self, session: Session, queue: str, job: str, subject_ids: Sequence[str]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def replay(
    settings: Settings,
    paths: Sequence[Path],
    *,
    out: Path | None = None,
    register: Path | None = None,
    say: Say,
) -> ReplayReport:
    """Run the mail of the files through intake and triage; BadInput when there is none or `out` is in use."""
    began = time.monotonic()
    mails = _some(past_mail(paths))
    with _folder(out, settings) as folder, closing(_open(settings, folder)) as app:
        if register is not None:
            say(import_providers(app, register, now=datetime.now(UTC)))
        else:
            say("No register was given (--register): no provider can be matched")
        try:
            report = _run(app, mails, say)
        finally:
            with app.database.write() as session:
                unsent = drop_unsent(session)
            close_shared_pool()
    report.answers = unsent.get(OutgoingKind.ACKNOWLEDGEMENT, 0)
    report.seconds = time.monotonic() - began
    return report


def _some(mails: Iterator[PastMail]) -> Iterator[PastMail]:
    # The first message is read before anything is made, so that a wrong path leaves nothing behind.
    first = next(mails, None)
    if first is None:
        raise BadInput("there is no message in what was given")

    def rest() -> Iterator[PastMail]:
        yield first
        yield from mails

    return rest()


@contextmanager
def _folder(out: Path | None, settings: Settings) -> Iterator[Path]:
    if out is None:
        folder = Path(tempfile.mkdtemp(prefix="careconcerns-replay-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if out.resolve() == settings.data_dir.resolve() or (
        out.exists() and (not out.is_dir() or any(out.iterdir()))
    ):
        raise BadInput(f"{out} is in use: --out wants a new or an empty folder")
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BadInput(f"{out} cannot be made: {error.strerror}") from None
    yield out


def _open(settings: Settings, folder: Path) -> App:
    """An App on the folder, with the model in force, that can reach nobody."""
    nowhere = {
        "data_dir": folder,
        "database_url": "",
        "key_file": None,
        "demonstration": False,
        "model_dir": model_folder(settings),
        "costs_file": settings.costs_path,
        "mail_relay_host": "",
        "imap_host": "",
        "slack_bot_token": SecretStr(""),
        "slack_alert_channel": "",
        "clamd_address": "",
    }
    chosen = settings.model_copy(update=nowhere)
    prepare(chosen)
    app = build_app(chosen)
    app.background.close()
    app.background = _NoWork()
    app.intake = Intake(app.database, app.background)
    return app


def _run(app: App, mails: Iterator[PastMail], say: Say) -> ReplayReport:
    kept = list(_keep(app, mails))
    say(f"{len(kept)} messages stored")
    app.predictors()
    with ThreadPoolExecutor(app.settings.worker_threads, thread_name_prefix="replay") as workers:
        triages = [workers.submit(_triage, app, one) for one in kept]
        for done, future in enumerate(triages, start=1):
            future.result()
            if done % 100 == 0 or done == len(kept):
                say(f"{done} of {len(kept)} messages triaged")
    return ReplayReport([*_replayed(app.database, kept)])


@dataclass(frozen=True)
class _Kept:
    message_id: str
    source: str
    number: int
    received_at: datetime


def _keep(app: App, mails: Iterator[PastMail]) -> Iterator[_Kept]:
    """Store every message before any is understood: which of two copies came first is then the same each time."""
    waiting: deque[tuple[_Kept, Future[str]]] = deque()
    for place, mail in enumerate(mails, start=1):
        # Ids in the order of the mail, so that of two copies the first is the original.
        one = _Kept(f"{place:032x}", mail.source, mail.number, _received_at(mail.raw))
        waiting.append((one, app.intake.submit(_received(one, mail))))
        if len(waiting) >= _ON_THEIR_WAY:
            yield _stored(*waiting.popleft())
    while waiting:
        yield _stored(*waiting.popleft())


def _stored(one: _Kept, promise: Future[str]) -> _Kept:
    promise.result()
    return one


def _received(one: _Kept, mail: PastMail) -> Received:
    return Received(
        raw=mail.raw,
        channel=Channel.EMAIL,
        received_at=one.received_at,
        envelope={"mail_from": return_path(mail.raw), "rcpt_tos": [], "replayed_from": mail.source},
        message_id=one.message_id,
    )


def _received_at(raw: bytes) -> datetime:
    """When the mail was written, as far as it says so credibly; it counts as received then."""
    now = datetime.now(UTC)
    try:
        said = parsedate_to_datetime(str(BytesHeaderParser().parsebytes(raw[:65536])["Date"]))
        moment = said if said.tzinfo else said.replace(tzinfo=UTC)
        return moment.astimezone(UTC) if _OLDEST < moment <= now else now
    except (TypeError, ValueError, OverflowError, LookupError):
        return now


def _triage(app: App, one: _Kept) -> None:
    for _ in range(_TRIES):
        try:
            triage_message(app, one.message_id, now=one.received_at)
        except TryAgainLater:
            time.sleep(1)
        except Exception as error:  # noqa: BLE001  as a worker does: a fault of ours sets the message aside
            log.error("message %d of the replay failed: %s", one.number, type(error).__name__)  # noqa: TRY400
            set_aside(app, one.message_id, f"fault in triage: {type(error).__name__}", now=one.received_at)
            return
        else:
            return
    set_aside(app, one.message_id, "it could not be read for now", now=one.received_at)


def _replayed(database: Database, kept: Sequence[_Kept]) -> Iterator[Replayed]:
    places = {one.message_id: one for one in kept}
    with database.read() as session:
        for outcome in outcomes(session):
            place = places[outcome.message_id]
            yield Replayed(place.source, place.number, outcome)


# --- the table


def _table(report: ReplayReport) -> Iterator[str]:
    found = [one.outcome for one in report.messages]
    kinds = Counter(outcome.kind for outcome in found)
    # A concern with several messages is one: its labels are those that it had in the end.
    by_reference = {outcome.reference: outcome for outcome in found if outcome.kind == Disposition.CONCERN}
    concerns = list(by_reference.values())
    yield from _grid(concerns)
    yield ""
    review = sum(bool(outcome.needs_review) for outcome in concerns)
    counts: dict[str, Any] = {
        "messages": len(found),
        "concerns opened": len(concerns),
        "of these, a person must look first": review,
        "further messages of a concern": kinds[Disposition.CONCERN] - len(concerns),
        "duplicates linked": kinds[Disposition.DUPLICATE],
        "set aside, could not be read": kinds[Disposition.SET_ASIDE],
        "spam tray": kinds[Disposition.SPAM],
        "acknowledgements it would have sent": report.answers,
    }
    yield from (f"{name:<36}{count:>8}" for name, count in counts.items())
    yield from _top("Providers", Counter(outcome.provider for outcome in concerns if outcome.provider))
    words = {theme.value: THEME_WORDS[theme] for theme in Theme}
    yield from _top("Themes", Counter(words[theme] for outcome in concerns for theme in outcome.themes))
    yield ""
    rate = len(found) / report.seconds if report.seconds else 0.0
    yield f"{report.seconds:.1f} seconds, {rate:.1f} messages a second. Nothing was sent."


def _grid(concerns: Sequence[Outcome]) -> Iterator[str]:
    severities = [severity.label for severity in sorted(Severity, reverse=True)]
    yield f"{'':<36}" + "".join(f"{name:>8}" for name in [*severities, "none", "all"])
    by_label = Counter((outcome.category, outcome.severity) for outcome in concerns)
    for category in Category:
        row = [by_label[category.value, severity] for severity in [*severities, None]]
        yield f"{CATEGORY_WORDS[category]:<36}" + "".join(f"{count:>8}" for count in [*row, sum(row)])


def _top(title: str, counts: Counter[str]) -> Iterator[str]:
    if counts:
        yield ""
        yield title
        yield from (f"  {name[:33]:<34}{count:>8}" for name, count in counts.most_common(_TOP))
