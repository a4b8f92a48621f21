"""A check of ours of SPF, DKIM and DMARC, in background work, where mail reaches us straight from its senders.

dkimpy verifies signatures and pyspf evaluates policies; the alignment of both with From is a few lines here.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import dkim
import dns.exception
import dns.resolver
import spf

from bot.app import App
from bot.email_parsing import parse_email_safely
from bot.sender_trust import are_aligned, domain_of, organisation
from bot.settings import Settings
from storage.message_checks import save_trust
from storage.messages import raw_of
from triage.errors import CannotRead, TryAgainLater
from triage.vocabulary import Message, SenderTrust, TrustVerdict

log = logging.getLogger(__name__)

BY_US = "us"
_LOOKUP_SECONDS = 5.0
_MOST_SIGNATURES = 5
# Canonicalising takes time by the byte, and nobody who is afraid writes so much.
_MOST_SIGNED_BYTES = 12_000_000

Clock = Callable[[], datetime]


class SenderChecks:
    """Checks senders for the worker; a resolver that is away is asked again later."""

    def __init__(self, app: App, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    def check(self, message_id: str) -> None:
        """Check the sender of a stored mail and keep the result; TryAgainLater while there is no resolver."""
        with self._app.database.read() as session:
            raw, envelope, _ = raw_of(session, self._app.keys, message_id)
        try:
            message = parse_email_safely(raw, limits=self._app.parse_limits)
        except CannotRead:
            return
        self._save(message_id, check_sender(raw, message, envelope, self._app.settings))

    def give_up(self, message_id: str, why: str) -> None:
        """Note that it could not be checked."""
        log.warning("the sender of message %s could not be checked: %s", message_id, why)
        self._save(message_id, SenderTrust(TrustVerdict.UNPROVEN, BY_US, {"dns": "temperror"}))

    def _save(self, message_id: str, trust: SenderTrust) -> None:
        with self._app.database.write() as session:
            save_trust(session, message_id, trust, now=self._clock())


def check_sender(raw: bytes, message: Message, envelope: dict[str, Any], settings: Settings) -> SenderTrust:
    """SPF of the connection, DKIM of the bytes, and DMARC for the From; TryAgainLater without a resolver."""
    resolver = _resolver(settings)
    token = _current.set(resolver)
    try:
        spf_result = _check_spf(envelope, settings)
        dkim_result, signed_by = _check_dkim(raw, resolver)
        named = domain_of(message.sender.address) if message.sender is not None else ""
        policy = _dmarc_policy(named, resolver) if named else {}
    finally:
        _current.reset(token)
    sent_by = domain_of(str(envelope.get("mail_from") or "")) if spf_result == "pass" else ""
    aligned = are_aligned(sent_by, named, strictly=policy.get("aspf") == "s") or any(
        are_aligned(domain, named, strictly=policy.get("adkim") == "s") for domain in signed_by
    )
    aligned = aligned and "several_from" not in message.defects
    results = {"spf": spf_result, "dkim": dkim_result}
    results["dmarc"] = "none" if not policy else "pass" if aligned else "fail"
    return SenderTrust(TrustVerdict.CONFIRMED if aligned else TrustVerdict.UNPROVEN, BY_US, results)


def _check_spf(envelope: dict[str, Any], settings: Settings) -> str:
    peer, sender = str(envelope.get("peer") or ""), str(envelope.get("mail_from") or "")
    try:
        if not ipaddress.ip_address(peer).is_global:
            return "none"  # one of our own machines handed it over: its address says nothing of the sender
    except ValueError:
        return "none"
    query = spf.query(
        i=peer,
        s=sender,
        h=str(envelope.get("helo") or "unknown.invalid"),
        receiver=domain_of(settings.desk_address),
        timeout=_LOOKUP_SECONDS,
        querytime=4 * _LOOKUP_SECONDS,
    )
    try:
        result = str(query.check()[0])
    except TryAgainLater:
        raise
    except Exception as error:  # noqa: BLE001  a stranger's record: whatever it does to the library, it passes nothing
        log.info("SPF: %s", type(error).__name__)
        return "permerror"
    if result == "temperror":
        raise TryAgainLater("SPF: the resolver is away")
    return result


def _check_dkim(raw: bytes, resolver: dns.resolver.Resolver) -> tuple[str, list[str]]:
    """The result, and the domains whose signatures hold; one that leaves a part of the text out does not."""
    if len(raw) > _MOST_SIGNED_BYTES:
        return "skipped", []

    def key(name: bytes, timeout: float = _LOOKUP_SECONDS) -> bytes | None:
        found = _texts(name.decode("ascii", "replace"), resolver)
        return found[0] if found else None

    count = min(_signatures(raw), _MOST_SIGNATURES)
    holding = []
    for index in range(count):
        checked = dkim.DKIM(raw, minkey=1024)
        try:
            holds = checked.verify(idx=index, dnsfunc=key)
        except TryAgainLater:
            raise
        except Exception as error:  # noqa: BLE001  a stranger wrote it: whatever is wrong with it, it does not hold
            log.info("DKIM: %s", type(error).__name__)
            continue
        fields = checked.signature_fields or {}
        if holds and b"l" not in fields:
            holding.append(domain_of(fields.get(b"d", b"").decode("ascii", "replace")))
    return ("pass" if holding else "fail" if count else "none"), holding


def _signatures(raw: bytes) -> int:
    try:
        return sum(name.lower() == b"dkim-signature" for name, _ in dkim.rfc822_parse(raw)[0])
    except Exception:  # noqa: BLE001  no header section that the library can read
        return 0


def _dmarc_policy(named: str, resolver: dns.resolver.Resolver) -> dict[str, str]:
    for domain in dict.fromkeys((named, organisation(named))):
        records = [text for text in _texts(f"_dmarc.{domain}", resolver) if text.startswith(b"v=DMARC1")]
        if len(records) == 1:
            pairs = (tag.partition("=") for tag in records[0].decode("ascii", "replace").split(";"))
            return {name.strip().lower(): value.strip().lower() for name, _, value in pairs if name.strip()}
        if records:
            return {}  # several are none (RFC 7489, 6.6.3)
    return {}


def _resolver(settings: Settings) -> dns.resolver.Resolver:
    try:
        resolver = dns.resolver.Resolver(configure=not settings.check_senders_dns)
    except dns.resolver.NoResolverConfiguration:
        raise TryAgainLater("there is no resolver") from None
    for place in settings.check_senders_dns:
        host, port = _host_and_port(place)
        resolver.nameservers = [*(resolver.nameservers or []), host]
        resolver.nameserver_ports[host] = port
    resolver.lifetime = _LOOKUP_SECONDS
    resolver.cache = dns.resolver.LRUCache(1000)
    return resolver


def _host_and_port(place: str) -> tuple[str, int]:
    host, colon, port = place.rpartition(":")
    if colon and ":" not in host:
        return host, int(port)
    return place.strip("[]"), 53


def _texts(name: str, resolver: dns.resolver.Resolver) -> list[bytes]:
    return [b"".join(record.strings) for record in _answers(name, "TXT", resolver)]


def _answers(name: str, kind: str, resolver: dns.resolver.Resolver) -> list[Any]:
    try:
        return list(resolver.resolve(name, kind, search=False))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.resolver.NoNameservers, dns.exception.Timeout) as error:
        raise TryAgainLater(f"DNS: {type(error).__name__}") from None
    except (dns.exception.DNSException, UnicodeError, ValueError):
        return []  # a name that is none


_current: ContextVar[dns.resolver.Resolver] = ContextVar("resolver")


def _lookup(
    name: str, kind: str, _tcp: bool = True, timeout: float = _LOOKUP_SECONDS
) -> list[tuple[tuple[str, str], Any]]:
    """What pyspf asks for, by our resolver: pyspf knows no other way than this function of its module."""
    shown: dict[str, Callable[[Any], Any]] = {
        "A": lambda record: record.address,
        "AAAA": lambda record: record.address,
        "MX": lambda record: (record.preference, record.exchange.to_text(True)),
        "PTR": lambda record: record.target.to_text(True),
        "TXT": lambda record: record.strings,
    }
    show = shown.get(kind)
    return [((name, kind), show(record)) for record in _answers(name, kind, _current.get())] if show else []


spf.DNSLookup = _lookup
