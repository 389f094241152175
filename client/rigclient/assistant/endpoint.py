"""The endpoint: whoever speaks chat/completions as OpenAI does, on this machine or elsewhere."""

import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from rig.errors import RigError, Unavailable, Unreachable
from rigclient.assistant.bounds import CONNECT_S, MAX_LINE_BYTES, MAX_SECONDS
from rigclient.assistant.reply import ReplyReader, ToolCall, failed
from riglap.extras import need

_PART: Final = 16 << 10
_STREAM: Final = "text/event-stream"


@dataclass(frozen=True)
class Endpoint:
    """Where questions go. The address was checked by whoever read the configuration."""

    url: str
    """Such as https://host/v1, without a slash at its end."""
    model: str
    key: str = field(default="", repr=False)
    """Sent as a bearer token; empty: none."""

    @property
    def host(self) -> str:
        """Who gets what is asked."""
        return urlsplit(self.url).netloc

    async def reply(self, body: bytes) -> "AsyncGenerator[str | list[ToolCall]]":
        """Yield the text of a reply as it comes, and at last the tools it asks for. Redirects are not
        followed, no proxy is used, what is compressed is not unpacked. Raises Unreachable, Unavailable,
        Corrupt, Exhausted.
        """
        aiohttp = need("aiohttp", "assistant")
        timeout = aiohttp.ClientTimeout(total=MAX_SECONDS, connect=CONNECT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auto_decompress=False, trust_env=False) as session,
                session.post(
                    f"{self.url}/chat/completions",
                    data=body,
                    headers=self._headers(),
                    allow_redirects=False,
                ) as response,
            ):
                async for part in _read(response):
                    yield part
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            raise self._unreached(error) from None

    def _headers(self) -> dict[str, str]:
        known = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {
            **known,
            "Content-Type": "application/json",
            "Accept": f"{_STREAM}, application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "rigd",
        }

    def _unreached(self, error: Exception) -> RigError:
        """Return what became of a connection; what the library says of the request has the key in it."""
        if isinstance(error, TimeoutError):
            return Unreachable(f"{self.host} does not answer in time")
        why = getattr(error, "strerror", None) or type(error).__name__
        if isinstance(error, OSError):
            return Unreachable(f"{self.host} does not answer: {why}")
        return Unavailable(f"{self.host} broke off: {why}")


async def _read(response: Any) -> "AsyncGenerator[str | list[ToolCall]]":
    if response.status != 200:
        raise failed(response.status, await response.content.read(MAX_LINE_BYTES))
    reader = ReplyReader(streamed=response.content_type == _STREAM)
    async for data in response.content.iter_chunked(_PART):
        if text := reader.feed(data):
            yield text
    if text := reader.end():
        yield text
    yield reader.calls
