"""Whether mail really comes from who its From names: read from the council's own gateway, or left to a check of ours.

Anybody can write an `Authentication-Results` header. Only the topmost one that carries the id of the
trusted gateway is believed: the gateway writes on top of what it was given (RFC 8601, sections 4.1 and 5).
"""

from __future__ import annotations

from datetime import datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import Any

import authres
from publicsuffixlist import PublicSuffixList

from bot.app import App
from bot.background import CHECK_QUEUE
from bot.settings import Settings
from storage.database import Session
from storage.message_checks import save_trust
from triage.vocabulary import Channel, Message, SenderTrust, TrustVerdict

CHECK_JOB = "check_sender"
BY_GATEWAY = "gateway"
# The one id that stands for headers without any: Microsoft 365 writes none, and renames those it was given.
MICROSOFT_365 = "microsoft-365"

_MOST_HEADER_BYTES = 262_144
_METHODS = ("spf", "dkim", "dmarc")

_suffixes = PublicSuffixList()


def note_sender_trust(
    app: App,
    session: Session,
    message_id: str,
    raw: bytes,
    message: Message,
    envelope: dict[str, Any],
    *,
    now: datetime,
) -> None:
    """Keep what the gateway found, or ask for a check of ours, within the transaction that opens the concern."""
    if message.channel is not Channel.EMAIL:
        return
    if app.settings.trusted_authserv_ids:
        save_trust(session, message_id, gateway_trust(raw, message, app.settings), now=now)
    elif app.settings.check_senders and envelope.get("peer"):
        app.background.enqueue(session, CHECK_QUEUE, CHECK_JOB, message_id)


def gateway_trust(raw: bytes, message: Message, settings: Settings) -> SenderTrust:
    """What the trusted gateway found; unproven when it says nothing, or nothing that can be read."""
    header = _gateway_header(raw, settings.trusted_authserv_ids)
    if header is None:
        return SenderTrust(TrustVerdict.UNPROVEN, BY_GATEWAY, {"header": "missing"})
    found = header.results
    results = {method: _best(found, method) for method in _METHODS}
    results = {method: result for method, result in results.items() if result}
    return SenderTrust(_verdict(found, results, message), BY_GATEWAY, results)


def domain_of(address: str) -> str:
    """The domain of an address, lower-case; a bare domain is its own."""
    return address.strip().strip("<>").rpartition("@")[2].lower().rstrip(".")


def are_aligned(one: str, other: str, *, strictly: bool = False) -> bool:
    """Whether two domains are the same, or, unless strictly, belong to the same organisation (RFC 7489, 3.1)."""
    if not one or not other:
        return False
    return one == other or (not strictly and organisation(one) == organisation(other))


def organisation(domain: str) -> str:
    """The domain that was registered: the public suffix and one label more."""
    return _suffixes.privatesuffix(domain) or domain


def _gateway_header(raw: bytes, trusted: tuple[str, ...]) -> Any | None:
    ids = {name.lower() for name in trusted}
    for text in _header_values(raw, "Authentication-Results"):
        header = _parsed(text)
        if header is not None and str(header.authserv_id).lower() in ids - {MICROSOFT_365}:
            return header
        if MICROSOFT_365 in ids and _begins_with_a_result(text):
            return _parsed(f"{MICROSOFT_365}; {text}")
    return None


def _header_values(raw: bytes, name: str) -> list[str]:
    head = BytesHeaderParser(policy=compat32).parsebytes(raw[:_MOST_HEADER_BYTES])
    return [" ".join(str(value).split()) for value in head.get_all(name, [])]


def _begins_with_a_result(text: str) -> bool:
    method, equals, _ = text.partition("=")
    return bool(equals) and method.strip().lower() in _METHODS


def _parsed(text: str) -> Any | None:
    try:
        return authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
    except Exception:  # noqa: BLE001  a stranger wrote it: whatever the parser says, it is no result
        return None


def _best(found: list[Any], method: str) -> str:
    results = [str(one.result).lower() for one in found if str(one.method).lower() == method and one.result]
    return "pass" if "pass" in results else results[0][:20] if results else ""


def _verdict(found: list[Any], results: dict[str, str], message: Message) -> TrustVerdict:
    named = domain_of(message.sender.address) if message.sender is not None else ""
    if not named or "several_from" in message.defects:
        return TrustVerdict.UNPROVEN
    if results.get("dmarc") not in (None, "none"):
        passed = results["dmarc"] == "pass" and all(
            domain == named for domain in _properties(found, "dmarc", "from")
        )
        return TrustVerdict.CONFIRMED if passed else TrustVerdict.UNPROVEN
    signed_by = [*_properties(found, "dkim", "d"), *_properties(found, "dkim", "i")]
    sent_by = _properties(found, "spf", "mailfrom")
    aligned = any(are_aligned(domain, named) for domain in (*signed_by, *sent_by))
    return TrustVerdict.CONFIRMED if aligned else TrustVerdict.UNPROVEN


def _properties(found: list[Any], method: str, name: str) -> list[str]:
    """The domains that results which passed name."""
    return [
        domain_of(str(one.value))
        for result in found
        if str(result.method).lower() == method and str(result.result).lower() == "pass"
        for one in result.properties
        if str(one.name).lower() == name and one.value
    ]
