"""The assistant's calls of AnalysisService: questions about laps to a language model.

It is off until the configuration names an endpoint. What the model is told, and what of its answer is taken:
`rigclient.assistant`. What it may look at: `laptools`.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc

from rig.errors import BadRequest, Exhausted, RigError, Unavailable
from rig.v1 import analysis_pb2
from rigclient.assistant.endpoint import Endpoint
from rigclient.assistant.exchange import Exchange
from rigclient.assistant.facts import Facts
from rigclient.assistant.prompt import messages, request, shown
from rigd import log
from rigd.auth.lease import LEASE
from rigd.auth.private import read_private
from rigd.config import settings
from rigd.config.kinds import SecretText, on_loopback
from rigd.serve import analysis
from rigd.serve.laptools import LapTools
from rigd.serve.limits import MAX_QUESTIONS
from riglap.extras import need

_HOUR_S: Final = 3600.0
_LONGEST_KEY: Final = 500
_OFF: Final = "no assistant is configured on this rig"
_HOW: Final = "its owner sets assistant.url and assistant.model; `rig coach` tells what the rules found"

Context = Any
Events = AsyncGenerator[analysis_pb2.ChatResponse]


@dataclass(frozen=True)
class Assistant:
    """The section `assistant` of the configuration."""

    url: str = settings.ASSISTANT_URL.default
    model: str = settings.ASSISTANT_MODEL.default
    key: SecretText = field(default_factory=SecretText)
    key_file: Path | None = None
    questions_per_hour: int = settings.QUESTIONS_PER_HOUR.default

    @property
    def configured(self) -> bool:
        """Whether there is one."""
        return bool(self.url and self.model)

    def endpoint(self) -> Endpoint:
        """Return where questions go. It reads a file. Raises Unavailable."""
        if not self.configured:
            raise Unavailable(_OFF, hint=_HOW)
        need("aiohttp", "assistant")
        return Endpoint(self.url, self.model, self._read_key())

    def _read_key(self) -> str:
        if self.key_file is None:
            return self.key.reveal()
        try:
            key = read_private(self.key_file, _LONGEST_KEY).decode("ascii").strip()
        except (RigError, OSError, ValueError) as error:
            log.say(log.TROUBLE, daemon="serve", what=f"the key of the assistant: {type(error).__name__}")
            key = "\0"
        if not key.isprintable() or " " in key:
            raise Unavailable(
                "the rig cannot read the key of its assistant", hint="assistant.key_file, mode 0600"
            )
        return key


class ChatService:
    """Answers questions. `assistant` gives the settings in force. Lives on the event loop."""

    def __init__(self, laps: analysis.AnalysisService, assistant: Callable[[], Assistant]) -> None:
        self._laps, self._assistant = laps, assistant
        self._open = 0
        self._asked: deque[float] = deque()
        """When, monotonic seconds; those of the last hour."""

    def handler(self) -> grpc.GenericRpcHandler:
        """Return its calls for a server."""
        methods: dict[str, Any] = {
            "GetAssistant": grpc.unary_unary_rpc_method_handler(
                self._get, analysis_pb2.GetAssistantRequest.FromString, _serialized
            ),
            "Chat": grpc.unary_stream_rpc_method_handler(
                self._chat, analysis_pb2.ChatRequest.FromString, _serialized
            ),
        }
        return grpc.method_handlers_generic_handler(analysis.SERVICE, methods)

    async def _get(
        self, _request: analysis_pb2.GetAssistantRequest, _: Context
    ) -> analysis_pb2.GetAssistantResponse:
        assistant = self._assistant()
        if not assistant.configured:
            return analysis_pb2.GetAssistantResponse()
        place = urlsplit(assistant.url)
        return analysis_pb2.GetAssistantResponse(
            configured=True,
            host=place.netloc,
            model=assistant.model,
            local=on_loopback(place.hostname or ""),
        )

    async def _chat(self, asked: analysis_pb2.ChatRequest, _: Context) -> Events:
        endpoint = await asyncio.to_thread(self._assistant().endpoint)
        if not asked.lap:
            raise BadRequest("a question is about a lap", hint="name one, or go on with a conversation")
        facts = Facts()
        tools = LapTools(self._laps, facts)
        about = analysis_pb2.CoachRequest(lap=asked.lap, reference=asked.reference)
        known = await self._laps.computed(tools.begin, about)
        said = messages(asked.question, known, (), planning=asked.plan)
        if asked.dry_run:
            yield analysis_pb2.ChatResponse(request=shown(request(endpoint.model, said, tools.tools)))
            yield analysis_pb2.ChatResponse(done=analysis_pb2.ChatDone())
            return
        began = time.monotonic()
        with self._counted():
            exchange = Exchange(endpoint, tools, facts, shows_requests=asked.show_requests)
            async with aclosing(exchange.run(said)) as events:
                async for event in events:
                    LEASE.get().check()
                    yield event
        for event in _told(exchange, tools):
            yield event
        log.say(log.QUESTION, calls=exchange.calls, refused=exchange.refused)
        done = analysis_pb2.ChatDone(calls=exchange.calls, time=time.monotonic() - began)
        yield analysis_pb2.ChatResponse(done=done)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a question. Raises Exhausted."""
        most, now = self._assistant().questions_per_hour, time.monotonic()
        while self._asked and now - self._asked[0] > _HOUR_S:
            self._asked.popleft()
        if len(self._asked) >= most:
            raise Exhausted(f"{most} questions were asked in the last hour, which is the limit", limit=most)
        if self._open >= MAX_QUESTIONS:
            raise Exhausted(
                f"{MAX_QUESTIONS} questions are being answered, which is the limit", limit=MAX_QUESTIONS
            )
        self._asked.append(now)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


def _told(exchange: Exchange, tools: LapTools) -> Iterator[analysis_pb2.ChatResponse]:
    """Yield what stands behind an answer; in place of a refused one the tips of the rules."""
    if exchange.refused:
        yield analysis_pb2.ChatResponse(refused=exchange.refused)
        found = [analysis_pb2.ChatFinding(id=tip.id, text=tip.text) for tip in tools.tips]
    else:
        cited = (fact for fact in exchange.cited if fact.sentence)
        found = [analysis_pb2.ChatFinding(id=fact.id, text=fact.sentence) for fact in cited]
    for one in found:
        yield analysis_pb2.ChatResponse(finding=one)


def _serialized(response: Any) -> bytes:
    data: bytes = response.SerializeToString()
    return data
