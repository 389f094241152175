"""The exchange that answers one question: calls of the model, tools in between, the answer checked."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import Any, Final, Protocol, TypeVar

from rig.errors import BadRequest, RigError, Unavailable
from rig.v1 import analysis_pb2
from rigclient.assistant.bounds import MAX_CALLS, MAX_RESULT, MAX_SECONDS
from rigclient.assistant.facts import Fact, Facts
from rigclient.assistant.prompt import Messages, compact, encoded, request, shown
from rigclient.assistant.reply import ToolCall
from rigclient.assistant.tool import Arguments, Toolbox
from rigclient.assistant.wording import AnswerRefused, Wording

T = TypeVar("T")

Event = analysis_pb2.ChatResponse
_AGAIN: Final = "Your answer was thrown away: it {why}. Write it again, by the rules."


class LanguageModel(Protocol):
    """Who replies: an endpoint."""

    @property
    def model(self) -> str:
        """Its name."""

    def reply(self, body: bytes) -> AsyncGenerator[str | list[ToolCall]]:
        """Yield the text of a reply as it comes, and at last the tools that it asks for."""


class Exchange:
    """One question. `run` brings what happens; afterwards it holds what came of it."""

    def __init__(
        self,
        model: LanguageModel,
        toolbox: Toolbox,
        facts: Facts,
        *,
        shows_requests: bool = False,
        seconds: float = MAX_SECONDS,
    ) -> None:
        self._model, self._toolbox, self._facts = model, toolbox, facts
        self._shows_requests, self._seconds = shows_requests, seconds
        self._deadline = 0.0
        self._replied: list[ToolCall] = []
        self._wordings: list[Wording] = []
        self.calls: int = 0
        """Of the model."""
        self.refused: str = ""
        """Why there is no answer, a sentence; empty: there is one."""

    @property
    def text(self) -> str:
        """The answer, with the numbers in it."""
        return "\n".join(filter(None, (wording.text.strip() for wording in self._wordings)))

    @property
    def raw(self) -> str:
        """The answer as the model wrote it."""
        return "\n".join(filter(None, (wording.raw.strip() for wording in self._wordings)))

    @property
    def cited(self) -> list[Fact]:
        """What the answer cites, each once."""
        ids = dict.fromkeys(one for wording in self._wordings for one in wording.cited)
        return [fact for one in ids if (fact := self._facts.get(one))]

    async def run(self, said: Messages) -> AsyncGenerator[Event]:
        """Yield what happens until there is an answer, or none: then `refused` says why."""
        self._deadline = time.monotonic() + self._seconds
        try:
            async for event in self._turns(list(said)):
                yield event
        except TimeoutError:
            self._refuse(f"there was no answer within {self._seconds:g} s")
        except AnswerRefused as why:
            self._refuse(f"the answer was refused: it {why}")
        except RigError as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        self.refused = why
        self._wordings.clear()

    async def _turns(self, said: Messages) -> AsyncGenerator[Event]:
        corrected = False
        while self.calls < MAX_CALLS:
            self.calls += 1
            tools = self._toolbox.tools if self.calls < MAX_CALLS else ()
            plain = request(self._model.model, said, tools)
            if self._shows_requests:
                yield Event(request=shown(plain))
            wording = Wording(self._facts)
            try:
                async for text in self._worded(encoded(plain), wording):
                    yield Event(text=text)
            except AnswerRefused as why:
                if corrected or self.calls == MAX_CALLS:
                    raise
                corrected = True
                self._wordings.clear()
                yield Event(withdrawn=f"it {why}")
                said += [_assistant(wording.raw), {"role": "user", "content": _AGAIN.format(why=why)}]
                continue
            if wording.text.strip():
                self._wordings.append(wording)
            if not self._replied:
                if not self._wordings:
                    raise Unavailable("the model answered nothing")
                return
            said.append(_assistant(wording.raw, self._replied))
            for call in self._replied:
                event, told = await self._tool(call)
                said.append({"role": "tool", "tool_call_id": call.id, "content": told})
                yield event
        raise Unavailable(f"the model was asked {MAX_CALLS} times, and asked for tools only")

    async def _worded(self, body: bytes, wording: Wording) -> AsyncGenerator[str]:
        """Yield whole sentences of a reply, checked; what tools it asks for is kept."""
        self._replied = []
        async with contextlib.aclosing(self._model.reply(body)) as reply:
            while (part := await self._within(anext(reply, None))) is not None:
                if isinstance(part, list):
                    self._replied = part
                elif text := wording.take(part):
                    yield text
        ended = wording.end()
        if ended or wording.text:
            yield ended if ended.endswith("\n") else f"{ended}\n"

    async def _tool(self, call: ToolCall) -> tuple[Event, str]:
        """Return what is shown of a tool call, and what the model is told."""
        event = analysis_pb2.ChatToolCall(tool=call.name, arguments=call.arguments)
        try:
            result = await self._within(self._toolbox.call(call.name, _arguments(call)))
            told, event.about = compact(result.data), result.about
            if len(told) > MAX_RESULT:
                raise BadRequest(f"the result has {len(told)} characters", hint="ask for less")
        except RigError as error:
            told, event.error = compact({"error": str(error)[:MAX_RESULT]}), error.message
        return Event(tool_call=event), told

    async def _within(self, work: Awaitable[T]) -> T:
        """Return what comes of it. Raises TimeoutError once the time of the question is over."""
        async with asyncio.timeout(self._deadline - time.monotonic()):
            return await work


def _assistant(text: str, calls: Sequence[ToolCall] = ()) -> dict[str, Any]:
    more = {"tool_calls": [call.plain() for call in calls]} if calls else {}
    return {"role": "assistant", "content": text, **more}


def _arguments(call: ToolCall) -> Arguments:
    try:
        told = json.loads(call.arguments or "{}")
        json.dumps(told, ensure_ascii=False).encode()  # JSON may name half a character, which is no text
    except (ValueError, RecursionError):
        raise BadRequest("the arguments are no JSON") from None
    return Arguments(told)
