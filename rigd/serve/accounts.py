"""What each token has open, and how much it asks. Lives on the event loop."""

import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from rig.errors import Exhausted
from rigd.auth.caller import CALLER
from rigd.serve.limits import MAX_IMPORTS_PER_TOKEN, USUAL, Quotas

_LONGEST_IDLE_S: Final = 1.0
"""Messages of a second may come at once."""


class TokenUsage:
    """Of one token."""

    def __init__(self) -> None:
        self.streams = self.channels = self.reads = self.imports = 0
        self._spent = 0.0
        """Messages that are not yet made up for by time."""
        self._since = time.monotonic()

    def message(self, most: int) -> bool:
        """Count a message; False for one too many: `most` in a second go."""
        now = time.monotonic()
        self._spent = max(self._spent - (now - self._since) * most, 0.0)
        self._since = now
        if self._spent + 1 > most * _LONGEST_IDLE_S:
            return False
        self._spent += 1
        return True


class Accounts:
    """Of all tokens. Callers of this machine have none: their limits are those of the server. `limits` gives
    those in force.
    """

    def __init__(self, limits: Callable[[], Quotas] = lambda: USUAL) -> None:
        self.limits = limits
        self._accounts: defaultdict[str, TokenUsage] = defaultdict(TokenUsage)
        """By id; of tokens that are good, so they are as few."""

    @contextlib.contextmanager
    def stream(self, channels: int) -> Iterator[None]:
        """Count a stream of so many channels, for as long as it goes on. Raises Exhausted."""
        account = self._mine()
        if account is None:
            yield
            return
        limits = self.limits()
        _check("streams", account.streams + 1, limits.streams_per_token)
        _check("channels in its streams", account.channels + channels, limits.channels_per_token)
        account.streams, account.channels = account.streams + 1, account.channels + channels
        try:
            yield
        finally:
            account.streams, account.channels = account.streams - 1, account.channels - channels

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        """Count a lap that is read. Raises Exhausted."""
        account = self._mine()
        if account is None:
            yield
            return
        _check("laps that it reads", account.reads + 1, self.limits().reads_per_token)
        account.reads += 1
        try:
            yield
        finally:
            account.reads -= 1

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Count a lap that is imported. Raises Exhausted."""
        account = self._mine()
        if account is None:
            yield
            return
        _check("laps that it imports", account.imports + 1, MAX_IMPORTS_PER_TOKEN)
        account.imports += 1
        try:
            yield
        finally:
            account.imports -= 1

    def counted(self, request: Any, *, upload: bool = False) -> Any:
        """Return a request, or a stream of them, counted; an `upload`, whose bytes are limited, is one.
        Raises Exhausted for one too many in a second.
        """
        self._message()
        return self._each(request) if isinstance(request, AsyncIterator) and not upload else request

    async def _each(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            self._message()
            yield request

    def _message(self) -> None:
        account, most = self._mine(), self.limits().messages_per_second
        if account is not None and not account.message(most):
            raise Exhausted(
                f"this token sends more than {most} messages in a second, which is the limit",
                hint="send fewer, or wait a moment",
                limit=most,
            )

    def _mine(self) -> TokenUsage | None:
        token = CALLER.get().token
        return self._accounts[token] if token else None


def _check(what: str, wanted: int, most: int) -> None:
    if wanted > most:
        raise Exhausted(
            f"this token would have {wanted} {what}, the limit is {most}",
            hint="close some, or have the administrator set more",
            limit=most,
            value=wanted,
        )
