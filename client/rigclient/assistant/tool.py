"""Tools: what the model may ask for. Whoever fills the toolbox shows it no more than the caller may see."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from rig.errors import BadRequest, NotFound
from rigclient.assistant.bounds import MAX_WORD


class Tool(NamedTuple):
    """A tool, as the model is told of it."""

    name: str
    meaning: str
    parameters: Mapping[str, Mapping[str, Any]]
    """By name, each as JSON Schema has it."""
    required: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as it stands in a request."""
        schema = {
            "type": "object",
            "properties": {name: dict(kind) for name, kind in self.parameters.items()},
            "required": list(self.required),
        }
        function = {"name": self.name, "description": self.meaning, "parameters": schema}
        return {"type": "function", "function": function}


class ToolResult(NamedTuple):
    """What a tool gives back."""

    data: Mapping[str, Any]
    """For the model. What can be cited says so, in `cite`."""
    about: str
    """What was looked at, for the person who asked: lap 7 against lap 5."""


class Toolbox(Protocol):
    """The tools of one question."""

    @property
    def tools(self) -> Sequence[Tool]:
        """Which there are."""

    async def call(self, name: str, arguments: "Arguments") -> ToolResult:
        """Return what a tool gives. Raises an error of the tree: the model is told what it says."""


class Arguments:
    """Arguments of a tool call. What a model writes may be anything."""

    def __init__(self, given: object) -> None:
        """Raises BadRequest for what is no object."""
        if not isinstance(given, dict):
            raise BadRequest("the arguments are no object")
        self._given = given

    def text(self, name: str, usual: str = "", most: int = MAX_WORD) -> str:
        """Return a text, `usual` where there is none. Raises BadRequest."""
        found = self._given.get(name)
        if found is None:
            return usual
        if not isinstance(found, str) or len(found) > most:
            raise BadRequest(f"{name} is no text of up to {most} characters")
        return found.strip()

    def number(self, name: str, least: int, most: int, usual: int) -> int:
        """Return a whole number, `usual` where there is none. Raises BadRequest."""
        found = self._given.get(name)
        if found is None:
            return usual
        if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
            raise BadRequest(f"{name} is no number from {least} to {most}")
        return int(found)

    def listed(self, name: str, most: int) -> list["Arguments"]:
        """Return a list of objects. Raises BadRequest."""
        found = self._given.get(name)
        if not isinstance(found, list) or not 0 < len(found) <= most:
            raise BadRequest(f"{name} is no list of 1 to {most}")
        return [Arguments(one) for one in found]


class Toolboxes:
    """Several toolboxes as one. No two have a tool of the same name."""

    def __init__(self, *toolboxes: Toolbox) -> None:
        self._toolboxes = {tool.name: one for one in toolboxes for tool in one.tools}
        self.tools: Sequence[Tool] = [tool for one in toolboxes for tool in one.tools]

    async def call(self, name: str, arguments: Arguments) -> ToolResult:
        """Return what a tool gives. Raises NotFound, and as the tool does."""
        if name not in self._toolboxes:
            raise NotFound(f"there is no tool {name!r}", hint=", ".join(self._toolboxes))
        return await self._toolboxes[name].call(name, arguments)
