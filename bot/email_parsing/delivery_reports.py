"""What a bounce says: which of our mails it is about, for whom, and whether for good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.parser import HeaderParser

from flufl.bounce import all_failures

from bot.email_parsing.headers import Headers, parse_ids
from bot.email_parsing.mime import Part
from triage.vocabulary import DeliveryReport

STATUS_TYPES = {"message/delivery-status", "message/global-delivery-status"}
RETURNED_TYPES = {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
ACTIONS = ("failed", "delayed", "relayed", "expanded", "delivered")
STATUS = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
RETURNED_ID = re.compile(rb"^>?[ \t]*Message-ID:[ \t]*(<[^<>\s]{1,250}>)", re.IGNORECASE | re.MULTILINE)
MOST_BLOCKS = 100
MOST_RECIPIENTS = 20
MOST_IDS = 20
# The standard library's parser, which older styles need, is stopped by deep nesting: those are small and flat.
MOST_OLD_STYLE_BYTES = 500_000
MOST_OLD_STYLE_PARTS = 20


def read_delivery_report(root: Part, raw: bytes) -> DeliveryReport | None:
    """What the bounce in `raw` says; None when no way of saying it is known here."""
    parts = list(_walk(root))
    ids = _original_ids(root.headers, parts, raw)
    blocks = [block for part in parts if part.content_type in STATUS_TYPES for block in _blocks(part)]
    if blocks:
        return _by_status(blocks, ids)
    return _by_older_style(raw, len(parts), ids)


def _by_status(blocks: list[dict[str, str]], ids: tuple[str, ...]) -> DeliveryReport:
    found = [block.get("action", "").split(" ")[0].strip().lower() for block in blocks]
    # The worst of several recipients: ours has one, a list that it went through may have more.
    action = next((action for action in ACTIONS if action in found), "failed")
    told = [
        block
        for block in blocks
        if block.get("action", action).lower().startswith(action) and "action" in block
    ]
    codes = [code.group() for block in told if (code := STATUS.search(block.get("status", "")))]
    recipients = [_address(block.get(name, "")) for block in told for name in _RECIPIENT_FIELDS]
    return DeliveryReport(action, codes[0] if codes else "", _some(recipients), ids)


_RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient")


def _by_older_style(raw: bytes, parts: int, ids: tuple[str, ...]) -> DeliveryReport | None:
    if len(raw) > MOST_OLD_STYLE_BYTES or parts > MOST_OLD_STYLE_PARTS:
        return None
    try:
        passing, lasting = all_failures(message_from_bytes(raw))
    except Exception:  # noqa: BLE001  a stranger wrote it: it is then a message like any other
        return None
    if not passing and not lasting:
        return None
    recipients = [address.decode("ascii", "replace") for address in sorted(lasting or passing)]
    code = STATUS.search(raw.decode("latin-1"))
    status = code.group() if code and lasting else ""
    return DeliveryReport("failed" if lasting else "delayed", status, _some(recipients), ids)


def _walk(part: Part) -> Iterator[Part]:
    yield part
    for child in part.children:
        yield from _walk(child)


def _blocks(part: Part) -> list[dict[str, str]]:
    text = part.content(set()).decode("utf-8", "replace").replace("\r\n", "\n")
    blocks = (HeaderParser().parsestr(block) for block in text.split("\n\n")[:MOST_BLOCKS] if block.strip())
    return [{name.lower(): " ".join(str(value).split()) for name, value in block.items()} for block in blocks]


def _address(value: str) -> str:
    return value.rpartition(";")[2].strip().strip("<>").lower()


def _some(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if "@" in value))[:MOST_RECIPIENTS]


def _original_ids(headers: Headers, parts: list[Part], raw: bytes) -> tuple[str, ...]:
    """Ids of the mail it is about, the surest first: what came back, what it answers, what stands in the text."""
    returned = [part.content(set())[:65_536] for part in parts if part.content_type in RETURNED_TYPES]
    ids = [found.decode("ascii", "replace") for text in returned for found in RETURNED_ID.findall(text)[:1]]
    ids += parse_ids(headers.text("in-reply-to")) + parse_ids(headers.text("references"))
    body = raw.partition(b"\r\n\r\n")[2] or raw.partition(b"\n\n")[2]
    ids += [found.decode("ascii", "replace") for found in RETURNED_ID.findall(body[:MOST_OLD_STYLE_BYTES])]
    return tuple(dict.fromkeys(ids))[:MOST_IDS]
