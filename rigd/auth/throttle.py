"""Wrong tokens and codes: whoever has sent five from one address waits before the next is looked at."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from rig.errors import Exhausted

FREE: Final = 5
"""Wrong ones before the first wait."""

LONGEST_S: Final = 64.0
"""Of a wait. Each is twice the one before, from one second on."""

FORGET_S: Final = 600.0
"""Without a wrong one after which an address begins anew."""

MAX_ADDRESSES: Final = 4096
"""Remembered, 200 bytes each; those that were quiet for the longest go first."""


class _Record(NamedTuple):
    wrong: int
    last: float
    until: float


class Throttle:
    """Counts by address, in memory alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise Exhausted for an address that has to wait; `facts["retry_s"]` says how many seconds."""
        record = self._records.get(neighbourhood(address))
        left = record.until - self._clock() if record else 0.0
        if left > 0:
            raise Exhausted(
                f"{FREE} wrong tokens or codes came from this address: none is looked at for {left:.0f} s",
                hint="is an old token in use? pair again",
                limit=FREE,
                retry_s=f"{left:.1f}",
            )

    def wrong(self, address: str) -> None:
        """Note a wrong token or code."""
        now, key = self._clock(), neighbourhood(address)
        before = self._records.pop(key, None)
        wrong = 1 + (before.wrong if before and now - before.last < FORGET_S else 0)
        wait = min(2.0 ** min(wrong - FREE, 16), LONGEST_S) if wrong >= FREE else 0.0
        self._records[key] = _Record(wrong, now, now + wait)
        if len(self._records) > MAX_ADDRESSES:
            self._records.popitem(last=False)


def neighbourhood(address: str) -> str:
    """Return what is counted as one: an IPv4 address, the /64 of an IPv6 address, which one household has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
