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
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import grpc

from rig.errors import BadRequest, Exhausted, RigError, Unavailable
from rig.v1 import analysis_pb2
from rigclient.assistant.endpoint import Endpoint
from rigclient.assistant.exchange import Exchange
from rigclient.assistant.facts import Facts
from rigclient.assistant.prompt import Messages, messages, request, shown
from rigclient.assistant.tool import Toolbox, Toolboxes
from rigd import log
from rigd.auth.lease import LEASE
from rigd.auth.private import read_private
from rigd.config import settings
from rigd.config.kinds import SecretText, on_loopback
from rigd.serve import analysis
from rigd.serve.catalogcalls import CatalogCalls, Resource
from rigd.serve.conversations import Conversations
from rigd.serve.garagetools import GarageTools
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

    def __init__(
        self, laps: analysis.AnalysisService, calls: CatalogCalls, assistant: Callable[[], Assistant]
    ) -> None:
        self._laps, self._calls, self._assistant = laps, calls, assistant
        self._conversations = Conversations(calls)
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
            asked_before=await self._asked_before(),
        )

    async def _asked_before(self) -> bool:
        try:
            return await self._conversations.asked_before()
        except RigError:  # a catalog that cannot be read: it is said once more than needed
            return False

    async def _chat(self, asked: analysis_pb2.ChatRequest, _: Context) -> Events:
        endpoint = await asyncio.to_thread(self._assistant().endpoint)
        question = await self._prepared(asked)
        if asked.dry_run:
            told = request(endpoint.model, question.said, question.toolbox.tools)
            yield analysis_pb2.ChatResponse(request=shown(told))
            yield analysis_pb2.ChatResponse(done=analysis_pb2.ChatDone())
            return
        looked = analysis_pb2.ChatToolCall(tool="findings", about=question.about)
        yield analysis_pb2.ChatResponse(tool_call=looked)
        began = time.monotonic()
        exchange = Exchange(endpoint, question.toolbox, question.facts, shows_requests=asked.show_requests)
        with self._counted():
            async with aclosing(exchange.run(question.said)) as events:
                async for event in events:
                    LEASE.get().check()
                    yield event
        for event in _told(exchange, question.laps):
            yield event
        kept, plan = await self._keep(asked.question, question, exchange)
        if plan:
            yield analysis_pb2.ChatResponse(plan=plan)
        log.say(log.QUESTION, calls=exchange.calls, refused=exchange.refused)
        took = time.monotonic() - began
        done = analysis_pb2.ChatDone(conversation=kept, calls=exchange.calls, time=took)
        yield analysis_pb2.ChatResponse(done=done)

    async def _prepared(self, asked: analysis_pb2.ChatRequest) -> "_Question":
        """Return what the model is to be told, and may use. Raises as the call does."""
        if asked.plan:
            self._calls.check("a plan")
        found = self._conversations
        conversation = await found.get(asked.conversation) if asked.conversation else None
        lap = asked.lap or (conversation.conversation.lap if conversation else "")
        if not lap:
            raise BadRequest("a question is about a lap", hint="name one, or go on with a conversation")
        facts = Facts()
        laps = LapTools(self._laps, facts)
        garage = GarageTools(self._calls, laps, facts, planning=asked.plan)
        history = await found.history(conversation) if conversation else ()
        known = await self._laps.computed(
            laps.begin, analysis_pb2.CoachRequest(lap=lap, reference=asked.reference)
        )
        said = messages(asked.question, known.data, history, planning=asked.plan)
        boxes = (laps, garage) if self._calls.allowed() else (laps,)
        return _Question(said, known.about, facts, laps, garage, Toolboxes(*boxes), conversation)

    async def _keep(self, asked: str, question: "_Question", exchange: Exchange) -> tuple[str, str]:
        """Return the names of the conversation and of a plan; empty where they are not kept. A catalog that
        cannot be written takes nobody's answer away.
        """
        if not self._calls.allowed():
            return "", ""
        try:
            answer, ids = _kept(exchange, question.laps)
            kept = await self._conversations.keep(
                question.conversation, question.laps.lap, asked.strip(), answer, ids
            )
            garage = question.garage
            if exchange.refused or not garage.items:
                return kept.name, ""
            plan = await self._conversations.keep_plan(kept, garage.title, garage.items)
        except RigError as error:
            log.say(log.TROUBLE, daemon="serve", what=f"a conversation could not be kept: {error}")
            return "", ""
        return kept.name, plan.name

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


class _Question(NamedTuple):
    """What one question is answered with."""

    said: Messages
    about: str
    """What the model was told with the question, for people."""
    facts: Facts
    laps: LapTools
    garage: GarageTools
    toolbox: Toolbox
    conversation: Resource | None


def _told(exchange: Exchange, laps: LapTools) -> Iterator[analysis_pb2.ChatResponse]:
    """Yield what stands behind an answer; in place of a refused one the tips of the rules."""
    if exchange.refused:
        yield analysis_pb2.ChatResponse(refused=exchange.refused)
    for one in _findings(exchange, laps):
        yield analysis_pb2.ChatResponse(finding=one)


def _findings(exchange: Exchange, laps: LapTools) -> list[analysis_pb2.ChatFinding]:
    if exchange.refused:
        tips = ((tip.id and f"finding:{tip.id}", tip.text) for tip in laps.tips)
        return [analysis_pb2.ChatFinding(id=name, text=text) for name, text in tips]
    cited = (fact for fact in exchange.cited if fact.sentence)
    return [analysis_pb2.ChatFinding(id=fact.id, text=fact.sentence) for fact in cited]


def _kept(exchange: Exchange, laps: LapTools) -> tuple[str, list[str]]:
    """Return the text of an answer as it is kept, with the findings behind it, and their ids."""
    found = _findings(exchange, laps)
    said = f"No answer of the model: {exchange.refused}." if exchange.refused else exchange.text
    return "\n".join([said, *(one.text for one in found)]), [one.id for one in found if one.id]


def _serialized(response: Any) -> bytes:
    data: bytes = response.SerializeToString()
    return data
