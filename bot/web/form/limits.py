"""How much one address, and all together, may send in a minute; kept in memory alone and never written down."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MOST_ADDRESSES = 10_000
_EVERYBODY = ""


@dataclass
class _Bucket:
    left: float
    at: float


class RateLimit:
    """Token buckets that fill evenly over a minute: one for each address, and one for all together."""

    def __init__(
        self, per_address: int, overall: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_address = per_address
        self._overall = overall
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._everybody = _Bucket(float(overall), clock())
        self._lock = threading.Lock()

    def allows(self, address: str | None, *, cost: int = 1) -> bool:
        """Whether this may go on, and if so, count it; a limit of 0 is none."""
        with self._lock:
            now = self._clock()
            mine = self._bucket(network_of(address), now)
            fits = _fits(mine, self._per_address, cost, now) and _fits(
                self._everybody, self._overall, cost, now
            )
            if fits:
                mine.left -= cost
                self._everybody.left -= cost
            return fits

    def _bucket(self, network: str, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(network, _Bucket(float(self._per_address), now))
        self._buckets.move_to_end(network)
        while len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket


def network_of(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 household has."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return _EVERYBODY
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _fits(bucket: _Bucket, per_minute: int, cost: int, now: float) -> bool:
    if per_minute == 0:
        return True
    bucket.left = min(float(per_minute), bucket.left + (now - bucket.at) * per_minute / 60)
    bucket.at = now
    # What costs more than a whole minute's allowance passes when the bucket is full.
    return bucket.left >= min(cost, per_minute)
