"""Files that came with Slack posts: fetched after the post is stored, kept sealed, and described in the reading."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.app import App
from bot.slack_calls import FileTooLarge, SlackCalls, SlackRefused
from bot.slack_reading import SlackFacts, facts_of, load_payload, read_slack
from storage.database import Session
from storage.messages import disposition_of, raw_of, save_reading
from storage.slack import FileState, KeptFile, file_ids, files_of, keep_file, post_of_message
from triage.lifecycle import Disposition
from triage.vocabulary import Attachment, Message

log = logging.getLogger(__name__)

FILES_JOB = "fetch_slack_files"
FILE_NOT_KEPT = "file_not_kept"
_HTML = "text/html"

Clock = Callable[[], datetime]


class SlackFiles:
    """Fetches the files of a stored message; each is settled once, and what is settled is not asked for again."""

    def __init__(self, app: App, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._calls = SlackCalls(app.settings)

    def fetch(self, message_id: str) -> None:
        """Settle every file of the message, then describe them in a new reading; TryAgainLater while Slack is away."""
        facts, home_id, settled = self._looked_up(message_id)
        for file in facts.files:
            file_id = str(file.get("id") or "")
            if file_id and file_id not in settled:
                self._keep(home_id, self._fetched(file_id, file))
        self._describe(message_id, home_id, facts)

    def give_up(self, message_id: str, why: str) -> None:
        """Note for each file that is not settled that it could not be fetched."""
        log.warning("files of message %s could not be fetched: %s", message_id, why)
        facts, home_id, settled = self._looked_up(message_id)
        for file in facts.files:
            file_id = str(file.get("id") or "")
            if file_id and file_id not in settled:
                self._keep(home_id, _not_kept(file_id, FileState.REFUSED, file))
        self._describe(message_id, home_id, facts)

    def _looked_up(self, message_id: str) -> tuple[SlackFacts, str, set[str]]:
        with self._app.database.read() as session:
            raw, _, _ = raw_of(session, self._app.keys, message_id)
            home_id = _home(session, message_id)
            settled = file_ids(session, home_id)
        facts = facts_of(load_payload(raw))
        if facts is None:
            raise ValueError(f"message {message_id} holds no Slack post")
        return facts, home_id, settled

    def _keep(self, home_id: str, file: KeptFile) -> None:
        with self._app.database.write() as session:
            keep_file(session, self._app.keys, home_id, file, now=self._clock())

    def _fetched(self, file_id: str, listed: Mapping[str, Any]) -> KeptFile:
        try:
            file = self._calls.file_facts(file_id) if "url_private" not in listed else listed
            if file.get("is_external"):
                return _not_kept(file_id, FileState.ELSEWHERE, file)
            url = str(file.get("url_private_download") or file.get("url_private") or "")
            if file.get("mode") in ("tombstone", "hidden_by_limit") or not url:
                return _not_kept(file_id, FileState.GONE, file)
            return self._downloaded(file_id, file, url)
        except FileTooLarge:
            return _not_kept(file_id, FileState.TOO_LARGE, listed)
        except SlackRefused as error:
            log.warning("Slack file %s: %s", file_id, error.code)
            gone = error.code in ("http_404", "http_410", "file_deleted", "file_not_found")
            return _not_kept(file_id, FileState.GONE if gone else FileState.REFUSED, listed)

    def _downloaded(self, file_id: str, file: Mapping[str, Any], url: str) -> KeptFile:
        most = self._app.settings.slack_file_max_bytes
        if isinstance(file.get("size"), int) and file["size"] > most:
            raise FileTooLarge(f"more than {most} bytes")
        content, content_type = self._calls.file(url, most_bytes=most)
        if content_type == _HTML and file.get("mimetype") != _HTML:
            # Without the right to read files Slack answers 200 with its log-in page.
            return _not_kept(file_id, FileState.REFUSED, file)
        return KeptFile(file_id, FileState.KEPT, len(content), hashlib.sha256(content).hexdigest(), content)

    def _describe(self, message_id: str, home_id: str, facts: SlackFacts) -> None:
        with self._app.database.write() as session:
            post = post_of_message(session, home_id)
            if post is not None and post.version_ts != facts.version_ts:
                return  # a later version was read meanwhile, and its own files come with it
            raw, _, _ = raw_of(session, self._app.keys, message_id)
            kept = {file.file_id: file for file in files_of(session, self._app.keys, home_id)}
            message = _described(read_slack(raw), facts, kept)
            if post is not None and post.deleted_at is not None:
                message = replace(message, defects=(*message.defects, "deleted_in_slack"))
            save_reading(session, self._app.keys, home_id, message, self._clock())


def _home(session: Session, message_id: str) -> str:
    disposition = disposition_of(session, message_id)
    if disposition is not None and disposition.kind == Disposition.DUPLICATE and disposition.duplicate_of:
        return disposition.duplicate_of
    return message_id


def _not_kept(file_id: str, state: FileState, file: Mapping[str, Any]) -> KeptFile:
    size = file.get("size")
    return KeptFile(file_id, state, size if isinstance(size, int) else 0, "", b"")


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
