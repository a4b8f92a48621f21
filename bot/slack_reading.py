"""What Slack sends, as a message: which post it is about, which version of it, and its words as plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from triage.errors import CannotRead
from triage.vocabulary import Address, Attachment, Channel, Message

Payload = Mapping[str, Any]

FORM_STORY, FORM_SERVICE, FORM_INPUT = "story", "service", "input"

# People's posts; everything else with a subtype is Slack's own noise (joins, topics, reminders).
_POST_SUBTYPES = frozenset({"", "file_share", "thread_broadcast", "me_message", "bot_message"})
_MOST_TEXT = 200_000
_NOT_JSON = "it is not the JSON that Slack sends"


class SlackKind(StrEnum):
    """What a delivery is."""

    POST = "post"
    EDIT = "edit"
    DELETION = "deletion"
    REPORT = "report"
    FORM = "form"


@dataclass(frozen=True)
class SlackFacts:
    """What a delivery is about.

    `external_id` is the same however often and by whatever way the thing reaches us. `ts` names the post
    and `root_ts` the first post of its thread; `version_ts` orders the versions, empty for the first.
    `user` is who must be allowed to use it, `author` who wrote the words; both are empty for a bot.
    """

    kind: SlackKind
    external_id: str
    event_id: str
    user: str
    author: str
    teams: frozenset[str]
    channel: str = ""
    ts: str = ""
    root_ts: str = ""
    version_ts: str = ""
    content: Payload | None = None

    @property
    def is_reply(self) -> bool:
        """Whether the post stands below another one."""
        return self.root_ts != self.ts

    @property
    def files(self) -> list[Payload]:
        """The files as Slack describes them."""
        listed = (self.content or {}).get("files")
        return [file for file in listed if isinstance(file, Mapping)] if isinstance(listed, list) else []


def facts_of(payload: Payload) -> SlackFacts | None:
    """What the payload is about; None for what is no message of anybody (joins, link previews, other events)."""
    kind = payload.get("type")
    if kind == "view_submission":
        return _form_facts(payload)
    if kind == "message_action":
        return _report_facts(payload)
    event = _map(payload.get("event"))
    if event.get("type") != "message" or not event.get("channel"):
        return None
    subtype = str(event.get("subtype") or "")
    if subtype == "message_changed":
        return _change_facts(payload, event)
    if subtype == "message_deleted":
        return _deletion_facts(payload, event, str(event.get("deleted_ts") or ""))
    return _post_facts(payload, event) if subtype in _POST_SUBTYPES and event.get("ts") else None


def _post_facts(payload: Payload, event: Payload) -> SlackFacts:
    return _facts(SlackKind.POST, payload, event, event, version_ts=_edited_ts(event))


def _change_facts(payload: Payload, event: Payload) -> SlackFacts | None:
    after, before = _map(event.get("message")), _map(event.get("previous_message"))
    if after.get("subtype") == "tombstone":
        # A deleted post that has replies leaves this behind instead of a deletion.
        return _deletion_facts(payload, event, str(after.get("ts") or ""))
    if not after.get("ts") or str(after.get("subtype") or "") not in _POST_SUBTYPES:
        return None
    if before and _words(before) == _words(after):
        return None
    version_ts = _edited_ts(after) or str(event.get("event_ts") or event.get("ts") or "")
    return _facts(
        SlackKind.EDIT, payload, event, after, suffix=f"/edited/{version_ts}", version_ts=version_ts
    )


def _deletion_facts(payload: Payload, event: Payload, ts: str) -> SlackFacts | None:
    if not ts:
        return None
    before = dict(_map(event.get("previous_message")))
    before["ts"] = ts
    return _facts(
        SlackKind.DELETION, payload, event, before, suffix="/deleted", version_ts=_edited_ts(before)
    )


def _facts(
    kind: SlackKind,
    payload: Payload,
    event: Payload,
    content: Payload,
    *,
    suffix: str = "",
    version_ts: str = "",
) -> SlackFacts:
    channel, ts = str(event["channel"]), str(content["ts"])
    is_bot = content.get("bot_id") or content.get("subtype") == "bot_message"
    user = "" if is_bot else str(content.get("user") or "")
    return SlackFacts(
        kind=kind,
        external_id=f"{channel}/{ts}{suffix}",
        event_id=str(payload.get("event_id") or ""),
        user=user,
        author=user,
        teams=_teams(event) | _teams(content),
        channel=channel,
        ts=ts,
        root_ts=str(content.get("thread_ts") or ts),
        version_ts=version_ts,
        content=content,
    )


def _report_facts(payload: Payload) -> SlackFacts | None:
    content, channel = _map(payload.get("message")), str(_map(payload.get("channel")).get("id") or "")
    if not content.get("ts") or not channel:
        return None
    ts = str(content["ts"])
    return SlackFacts(
        kind=SlackKind.REPORT,
        external_id=f"{channel}/{ts}",
        event_id=str(payload.get("action_ts") or ""),
        user=str(_map(payload.get("user")).get("id") or ""),
        author=str(content.get("user") or content.get("bot_id") or ""),
        # The team of the words' author may be any: the reporter is who must be ours.
        teams=frozenset(),
        channel=channel,
        ts=ts,
        root_ts=str(content.get("thread_ts") or ts),
        version_ts=_edited_ts(content),
        content=content,
    )


def _form_facts(payload: Payload) -> SlackFacts | None:
    view, user = _map(payload.get("view")), str(_map(payload.get("user")).get("id") or "")
    if not view.get("id"):
        return None
    return SlackFacts(
        kind=SlackKind.FORM,
        external_id=f"view/{view['id']}",
        event_id=str(view["id"]),
        user=user,
        author=user,
        teams=frozenset(),
    )


def _map(value: object) -> Payload:
    return value if isinstance(value, Mapping) else {}


def _teams(content: Payload) -> frozenset[str]:
    """Every workspace that Slack names for the writer of a post; another one than ours is a stranger's."""
    names = ("user_team", "source_team")
    return frozenset(str(content[name]) for name in names if content.get(name))


def _edited_ts(content: Payload) -> str:
    return str(_map(content.get("edited")).get("ts") or "")


def _words(content: Payload) -> tuple[str, tuple[str, ...]]:
    files = content.get("files")
    ids = (str(_map(file).get("id")) for file in files) if isinstance(files, list) else ()
    return str(content.get("text") or ""), tuple(ids)


def load_payload(raw: bytes) -> Payload:
    """The payload as it was stored; CannotRead when it is none."""
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        raise CannotRead(_NOT_JSON) from None
    if not isinstance(payload, dict):
        raise CannotRead(_NOT_JSON)
    return payload


def read_slack(raw: bytes) -> Message:
    """The message in a stored payload; CannotRead when there is none in it."""
    payload = load_payload(raw)
    facts = facts_of(payload)
    if facts is None:
        raise CannotRead("it is a Slack payload without a message")
    try:
        return _message(payload, facts)
    except (TypeError, AttributeError, RecursionError):
        raise CannotRead("its parts are not shaped as Slack shapes them") from None


def _message(payload: Payload, facts: SlackFacts) -> Message:
    text = _form_text(payload) if facts.kind is SlackKind.FORM else content_text(facts.content or {})
    defects = ("text_cut",) if len(text) > _MOST_TEXT else ()
    text = text[:_MOST_TEXT]
    team = _team_of(payload)
    other_author = facts.author and facts.author != facts.user
    return Message(
        channel=Channel.SLACK,
        subject="",
        text=text,
        new_text=text,
        sender=_address(team, facts.user),
        date=_moment(facts.ts),
        message_id=f"slack:{facts.channel}/{facts.ts}" if facts.ts else f"slack:{facts.external_id}",
        in_reply_to=(f"slack:{facts.channel}/{facts.root_ts}",) if facts.ts and facts.is_reply else (),
        attachments=tuple(_attachment(file) for file in facts.files),
        defects=defects,
        original_author=_address(team, facts.author) if other_author else None,
    )


def _team_of(payload: Payload) -> str:
    event = _map(payload.get("event"))
    team = _map(payload.get("team")).get("id") or event.get("user_team") or payload.get("team_id")
    return str(team or event.get("team") or "")


def _address(team: str, user: str) -> Address | None:
    return Address(user, f"slack:{team}/{user}") if user else None


def _moment(ts: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _attachment(file: Payload) -> Attachment:
    size = file.get("size")
    return Attachment(
        filename=str(file.get("name") or file.get("title") or file.get("id") or ""),
        content_type=str(file.get("mimetype") or "application/octet-stream"),
        size=size if isinstance(size, int) else 0,
        sha256="",
    )


def _form_text(payload: Payload) -> str:
    values = _map(_map(_map(payload.get("view")).get("state")).get("values"))
    story, service = (_typed(values, block) for block in (FORM_STORY, FORM_SERVICE))
    return "\n\n".join(piece for piece in (f"Service or place: {service}" if service else "", story) if piece)


def _typed(values: Payload, block: str) -> str:
    return str(_map(_map(values.get(block)).get(FORM_INPUT)).get("value") or "").strip()


def content_text(content: Payload) -> str:
    """The words of a post, with what it shares of other posts, as plain text."""
    text = plain_text(str(content.get("text") or "")) or "\n".join(_block_texts(content.get("blocks")))
    shared = content.get("attachments")
    pieces = [text, *(_shared(item) for item in (shared if isinstance(shared, list) else []))]
    return "\n\n".join(piece for piece in pieces if piece)


def _shared(item: object) -> str:
    attached = _map(item)
    if not (attached.get("is_share") or attached.get("is_msg_unfurl")):
        return ""  # a preview of a web page is nobody's words
    text = plain_text(str(attached.get("text") or attached.get("fallback") or ""))
    return f"Shared message:\n{text}" if text else ""


def _block_texts(value: object) -> Iterator[str]:
    """The text of blocks, for a post that has no text of its own."""
    if isinstance(value, list):
        for item in value:
            yield from _block_texts(item)
        return
    if not isinstance(value, Mapping):
        return
    block, text = value, value.get("text")
    if isinstance(text, str):
        yield plain_text(text)
    else:
        yield from _block_texts(text)
    for part in ("elements", "fields"):
        yield from _block_texts(block.get(part))


_LINK = re.compile(r"<([^<>]*)>")
_HELD = re.compile("\x00(\\d+)\x00")
_FENCE = re.compile(r"```\n?")
_MARKED = re.compile(r"(?<![\w*_~`])([*_~`])(?=\S)([^\n]*?\S)\1(?![\w*_~`])")


def plain_text(mrkdwn: str) -> str:
    """Slack's own markup as plain text: marks taken off, mentions and links readable, entities resolved."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(_readable(match.group(1)))
        return f"\x00{len(held) - 1}\x00"

    text = _LINK.sub(hold, mrkdwn.replace("\x00", ""))
    text = _FENCE.sub("", text)
    for _ in range(3):  # marks inside marks
        text = _MARKED.sub(r"\2", text)
    text = _HELD.sub(lambda match: held[int(match.group(1))], text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _readable(link: str) -> str:
    target, _, label = link.partition("|")
    if target.startswith("@"):
        return f"@{(label or target[1:]).lstrip('@')}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label if "^" in target and label else f"@{label or target[1:].partition('^')[0]}"
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label in (target, bare):
        return bare
    return f"{label} ({bare})"
