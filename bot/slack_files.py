"""Files that came with Slack posts: fetched after the post is stored, kept as attachments, and read."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.alerts import alert_leads
from bot.app import App
from bot.file_reading import looked_into_file
from bot.scanning import keep_file_of
from bot.slack_calls import FileTooLarge, SlackCalls, SlackRefused
from bot.slack_out import alert_channel
from bot.slack_reading import SlackFacts, facts_of, load_payload, read_slack
from bot.threads import due_for
from storage.attachments import attachments_of
from storage.audit import MACHINE, Audit
from storage.database import Session
from storage.erasing import is_erased
from storage.messages import disposition_of, raw_of, save_reading
from storage.slack import (
    FileState,
    KeptFile,
    file_ids,
    files_of,
    keep_file,
    post_of_message,
)
from storage.tables import ConcernRow, SlackPostRow
from storage.threads import add_reply, add_to_concern, is_graver_than
from triage.assess import assess
from triage.attached import has_unread_files
from triage.decide import decide
from triage.lifecycle import ConcernState, Disposition
from triage.vocabulary import Assessment, Attachment, Decision, Message

log = logging.getLogger(__name__)

FILES_JOB = "fetch_slack_files"
FILE_NOT_KEPT = "file_not_kept"
_HTML = "text/html"

Clock = Callable[[], datetime]
# What became of a file, its size in bytes, and its bytes where they are kept.
_Fetched = tuple[FileState, int, bytes]


class SlackFiles:
    """Fetches the files of a stored message; each is settled once, and what is settled is not asked for again."""

    def __init__(self, app: App, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._calls = SlackCalls(app.settings)

    def fetch(self, message_id: str) -> None:
        """Settle every file of the message, then read it again with them; TryAgainLater while Slack is away."""
        self._settle(message_id, self._fetched)

    def give_up(self, message_id: str, why: str) -> None:
        """Note for each file that is not settled that it could not be fetched."""
        log.warning("files of message %s could not be fetched: %s", message_id, why)
        self._settle(message_id, lambda _, listed: (FileState.REFUSED, listed.size, b""))

    def _settle(self, message_id: str, fetched: Callable[[Mapping[str, Any], Attachment], _Fetched]) -> None:
        facts, listed, home_id, settled = self._looked_up(message_id)
        for file, attachment in zip(facts.files, listed, strict=True):
            file_id = str(file.get("id") or "")
            if file_id and file_id not in settled:
                self._keep(home_id, file_id, attachment, fetched(file, attachment))
        self._describe(message_id, home_id, facts)

    def _looked_up(self, message_id: str) -> tuple[SlackFacts, Sequence[Attachment], str, set[str]]:
        with self._app.database.read() as session:
            raw, _, _ = raw_of(session, self._app.keys, message_id)
            home_id = _home(session, message_id)
            settled = file_ids(session, home_id)
        facts = facts_of(load_payload(raw))
        if facts is None:
            raise ValueError(f"message {message_id} holds no Slack post")
        return facts, read_slack(raw).attachments, home_id, settled

    def _keep(self, home_id: str, file_id: str, listed: Attachment, fetched: _Fetched) -> None:
        state, size, content = fetched
        sha256 = hashlib.sha256(content).hexdigest() if state is FileState.KEPT else ""
        file = replace(listed, size=size, sha256=sha256, content=content)
        file = looked_into_file(file, self._app.parse_limits)
        now = self._clock()
        with self._app.database.write() as session:
            if is_erased(session, home_id):
                return
            keep_file(session, self._app.keys, home_id, KeptFile(file_id, state, size, sha256), now=now)
            keep_file_of(self._app, session, home_id, file, source=file_id, state=state.value, now=now)

    def _fetched(self, listed: Mapping[str, Any], described: Attachment) -> _Fetched:
        file_id = str(listed["id"])
        try:
            file = self._calls.file_facts(file_id) if "url_private" not in listed else listed
            if file.get("is_external"):
                return FileState.ELSEWHERE, described.size, b""
            url = str(file.get("url_private_download") or file.get("url_private") or "")
            if file.get("mode") in ("tombstone", "hidden_by_limit") or not url:
                return FileState.GONE, described.size, b""
            return self._downloaded(file, url, described)
        except FileTooLarge:
            return FileState.TOO_LARGE, described.size, b""
        except SlackRefused as error:
            log.warning("Slack file %s: %s", file_id, error.code)
            gone = error.code in ("http_404", "http_410", "file_deleted", "file_not_found")
            return FileState.GONE if gone else FileState.REFUSED, described.size, b""

    def _downloaded(self, file: Mapping[str, Any], url: str, described: Attachment) -> _Fetched:
        most = self._app.settings.slack_file_max_bytes
        if isinstance(file.get("size"), int) and file["size"] > most:
            raise FileTooLarge(f"more than {most} bytes")
        content, content_type = self._calls.file(url, most_bytes=most)
        if content_type == _HTML and file.get("mimetype") != _HTML:
            # Without the right to read files Slack answers 200 with its log-in page.
            return FileState.REFUSED, described.size, b""
        return FileState.KEPT, len(content), content

    def _describe(self, message_id: str, home_id: str, facts: SlackFacts) -> None:
        with self._app.database.read() as session:
            if not _is_latest(post_of_message(session, home_id), facts):
                return  # a later version was read meanwhile, and its own files come with it
            raw, _, _ = raw_of(session, self._app.keys, message_id)
            settled = {file.file_id: file for file in files_of(session, home_id)}
            files = [file.as_attachment() for file in attachments_of(session, self._app.keys, [home_id])]
        message = _described(read_slack(raw), facts, settled)
        understood = self._understood(replace(message, attachments=tuple(files)))
        with self._app.database.write() as session:
            post = post_of_message(session, home_id)
            if not _is_latest(post, facts) or is_erased(session, home_id):
                return
            if post is not None and post.deleted_at is not None:
                message = replace(message, defects=(*message.defects, "deleted_in_slack"))
            save_reading(session, self._app.keys, home_id, message, self._clock())
            if understood is not None:
                self._add_what_files_say(session, home_id, *understood)

    def _understood(self, message: Message) -> tuple[Assessment, Decision] | None:
        """What is understood of a post with its files; None where they say nothing."""
        if not (any(file.text for file in message.attachments) or has_unread_files(message)):
            return None
        assessment = assess(message, register=self._app.register(), predictors=self._app.predictors())
        return assessment, decide(assessment)

    def _add_what_files_say(
        self, session: Session, home_id: str, assessment: Assessment, decision: Decision
    ) -> None:
        disposition = disposition_of(session, home_id)
        if disposition is None or disposition.concern_id is None:
            return
        concern = session.get_one(ConcernRow, disposition.concern_id, with_for_update=True)
        received_at = raw_of(session, self._app.keys, home_id)[2].received_at
        due_for_severity = due_for(self._app, received_at)
        audit = Audit(at=self._clock(), actor=MACHINE, action="files_read")
        is_new = concern.state == ConcernState.NEW
        if not is_new and is_graver_than(concern, decision):
            # A person decided before the files came, and must look again.
            added = add_reply(
                session, concern, home_id, assessment, decision, due_for=due_for_severity, audit=audit
            )
            raised = added.raised or added.waits_again
        else:
            due_at = due_for_severity(decision.severity)
            raised = add_to_concern(
                session,
                concern,
                home_id,
                assessment,
                decision,
                due_at=due_at,
                raise_labels=is_new,
                audit=audit,
            )
        if raised:
            alert_leads(self._app, session, concern, now=audit.at)
            alert_channel(self._app, session, concern, now=audit.at)


def _is_latest(post: SlackPostRow | None, facts: SlackFacts) -> bool:
    return post is None or post.version_ts == facts.version_ts


def _home(session: Session, message_id: str) -> str:
    disposition = disposition_of(session, message_id)
    if disposition is not None and disposition.kind == Disposition.DUPLICATE and disposition.duplicate_of:
        return disposition.duplicate_of
    return message_id


def _described(message: Message, facts: SlackFacts, kept: Mapping[str, KeptFile]) -> Message:
    attachments = tuple(
        _with_facts(attachment, kept.get(str(file.get("id"))))
        for attachment, file in zip(message.attachments, facts.files, strict=True)
    )
    missing = any(not attachment.sha256 for attachment in attachments)
    defects = (*message.defects, FILE_NOT_KEPT) if missing else message.defects
    return replace(message, attachments=attachments, defects=defects)


def _with_facts(attachment: Attachment, file: KeptFile | None) -> Attachment:
    if file is None or file.state is not FileState.KEPT:
        return attachment
    return replace(attachment, size=file.size, sha256=file.sha256)
