"""A reply of chat/completions as it comes: as a stream of events, or whole. No input or output here."""

import json
from typing import Any, Final, NamedTuple

from rig.errors import Corrupt, Exhausted, RigError, Unavailable
from rig.signs import visible
from rigclient.assistant.bounds import (
    MAX_ARGUMENTS,
    MAX_LINE_BYTES,
    MAX_REPLY_BYTES,
    MAX_TOOL_CALLS,
    MAX_WORD,
)

_DONE: Final = b"[DONE]"


class ToolCall(NamedTuple):
    """A tool that the model asks for."""

    id: str
    name: str
    arguments: str
    """JSON, as the model wrote it."""

    def plain(self) -> dict[str, Any]:
        """Return it as it stands in the next request."""
        called = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": called}


class ReplyReader:
    """Reads one reply, part by part. Every error is one of the tree: Corrupt for what is none, Exhausted for
    more than there may be, Unavailable where the endpoint says that it cannot, or stops in the middle.
    """

    def __init__(self, *, streamed: bool) -> None:
        self._streamed = streamed
        self._rest = b""
        self._bytes = 0
        self._calls: dict[int, dict[str, str]] = {}
        self._ended = False

    def feed(self, data: bytes) -> str:
        """Return the text that a part brings."""
        self._bytes += len(data)
        if self._bytes > MAX_REPLY_BYTES:
            raise Exhausted(f"more than {MAX_REPLY_BYTES} bytes in one reply", limit=MAX_REPLY_BYTES)
        self._rest += data
        if not self._streamed:
            return ""
        *lines, self._rest = self._rest.split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise Exhausted(f"an event of more than {MAX_LINE_BYTES} bytes", limit=MAX_LINE_BYTES)
        return "".join(map(self._line, lines))

    def end(self) -> str:
        """Return the text that was left, at the end of the reply."""
        rest, self._rest = self._rest, b""
        text = self._line(rest) if self._streamed else self._message(_parsed(rest), "message")
        if not self._ended:
            raise Unavailable("the reply ends in the middle")
        return text

    @property
    def calls(self) -> list[ToolCall]:
        """The tools that the whole reply asks for."""
        return [
            ToolCall(call["id"] or f"call_{at}", call["name"], call["arguments"])
            for at, call in sorted(self._calls.items())
        ]

    def _line(self, line: bytes) -> str:
        """Take a line of an event stream; only those with data matter."""
        name, _, value = line.rstrip(b"\r").partition(b":")
        if name != b"data":
            return ""
        if value.strip() != _DONE:
            return self._message(_parsed(value), "delta")
        self._ended = True
        return ""

    def _message(self, reply: Any, where: str) -> str:
        _check_error(reply)
        choices = _listed(reply, "choices")
        if not choices:
            return ""  # the last event of some counts tokens
        choice = choices[0]
        message = choice.get(where) if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            raise Corrupt(f"the first choice has no {where}")
        self._ended |= where == "message" or isinstance(choice.get("finish_reason"), str)
        for at, call in enumerate(_listed(message, "tool_calls")):
            self._take_call(call, at)
        return _text(message, "content", MAX_REPLY_BYTES)

    def _take_call(self, call: Any, at: int) -> None:
        if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
            raise Corrupt("a tool call has no function")
        number = call.get("index", at)
        if not isinstance(number, int) or not 0 <= number < MAX_TOOL_CALLS:
            raise Exhausted(f"more than {MAX_TOOL_CALLS} tool calls in one reply", limit=MAX_TOOL_CALLS)
        known = self._calls.setdefault(number, {"id": "", "name": "", "arguments": ""})
        known["id"] = known["id"] or _text(call, "id", MAX_WORD)
        known["name"] = known["name"] or _text(call["function"], "name", MAX_WORD)
        known["arguments"] += _text(call["function"], "arguments", MAX_ARGUMENTS)
        if len(known["arguments"]) > MAX_ARGUMENTS:
            raise Exhausted(f"a tool call with more than {MAX_ARGUMENTS} characters", limit=MAX_ARGUMENTS)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else "it is no JSON"
        raise Corrupt(f"a reply that cannot be read: {why}") from None


def _listed(message: Any, name: str) -> list[Any]:
    found = message.get(name) if isinstance(message, dict) else None
    if found is None and isinstance(message, dict) and name != "choices":
        return []
    if not isinstance(found, list):
        raise Corrupt(f"a reply without a list of {name}")
    return found


def _text(message: dict[str, Any], name: str, most: int) -> str:
    found = message.get(name)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > most:
        raise Corrupt(f"{name} of a reply is no text of up to {most} characters")
    return found.encode(errors="replace").decode()  # JSON may name half a character, which is no text


def _check_error(reply: Any) -> None:
    """Raise Unavailable where the endpoint says, in the middle, that it cannot."""
    if isinstance(reply, dict) and reply.get("error"):
        raise Unavailable(f"the endpoint says: {error_text(reply)}")


def error_text(reply: Any) -> str:
    """Return what an error of an endpoint says, on one line, and not all of a long one."""
    said = reply.get("error") if isinstance(reply, dict) else None
    said = said.get("message") if isinstance(said, dict) else said
    text = " ".join(said.split()) if isinstance(said, str) else "nothing that can be read"
    return visible(text[:200])


def failed(status: int, data: bytes) -> RigError:
    """Return the error behind a status that is no success. What it says of a refused key is not repeated:
    some say a part of the key.
    """
    if status in (401, 403):
        return Unavailable(f"the endpoint does not take the key (status {status})", hint="see assistant.key")
    if 300 <= status < 400:
        return Unavailable(f"the endpoint points elsewhere (status {status}), which is not followed")
    try:
        said = error_text(_parsed(data))
    except Corrupt:
        said = "nothing that can be read"
    return Unavailable(f"the endpoint refuses (status {status}): {said}")
