"""What the assistant may look at in the catalog, and propose: setups, notes and tags of laps; plans."""

from collections.abc import Sequence
from typing import Any, Final

from rig.errors import BadRequest, NotFound
from rig.v1 import catalog_pb2
from rigclient.assistant.facts import Facts
from rigclient.assistant.proposal import PROPOSE, Parameter, Proposal, proposals
from rigclient.assistant.tool import Arguments, Tool, ToolResult
from rigd.serve.catalogcalls import CatalogCalls
from rigd.serve.laptools import LapTools, title_of

_MOST_PARAMETERS: Final = 60
_LONGEST: Final = 300
_LAP: Final = {"type": "string", "description": "handle of a lap, such as L1"}
_SEARCH: Final = {"type": "string", "description": "part of a section or key; empty: the first of all"}
TOOLS: Final = (
    Tool("setup", "The setup that a lap was driven with.", {"lap": _LAP, "search": _SEARCH}, ("lap",)),
    Tool("notes", "Notes and tags that people gave a lap and its session.", {"lap": _LAP}, ("lap",)),
)


class GarageTools:
    """The catalog's tools of one question; with `planning` one that proposes."""

    def __init__(self, calls: CatalogCalls, laps: LapTools, facts: Facts, *, planning: bool) -> None:
        self.tools: Sequence[Tool] = (*TOOLS, PROPOSE) if planning else TOOLS
        self._calls, self._laps, self._facts = calls, laps, facts
        self._setups: dict[str, catalog_pb2.Resource] = {}
        self.title: str = ""
        """Of the plan."""
        self.items: list[Proposal] = []
        """What was proposed last."""

    async def call(self, name: str, arguments: Arguments) -> ToolResult:
        """Return what a tool gives. Raises NotFound, BadRequest, and as the catalog does."""
        match name:
            case "setup":
                return await self._setup(arguments)
            case "notes":
                return await self._notes(arguments)
            case "propose":
                return self._propose(arguments)
        raise NotFound(f"there is no tool {name[:40]!r}", hint=", ".join(tool.name for tool in self.tools))

    # Handles of what a plan is about.

    def lap(self, handle: str) -> tuple[str, str]:
        """Return name and title of a lap. Raises NotFound."""
        lap = self._laps.named(handle)
        return lap.name, title_of(lap)

    def parameter(self, setup: str, section: str, key: str) -> Parameter:
        """Return a value of a setup. Raises NotFound."""
        found = self._setups.get(setup)
        if found is None:
            raise NotFound(f"no setup {setup[:40]!r} was told of", hint="ask for the setup of a lap first")
        for one in found.setup.parameters:
            if (one.section, one.key) == (section, key):
                return Parameter(found.name, found.setup.title, section, key, one.value, one.unit)
        raise NotFound(f"the setup has no {section[:60]}.{key[:60]}", hint="section and key as it has them")

    # The tools.

    async def _setup(self, arguments: Arguments) -> ToolResult:
        lap = self._laps.named(arguments.text("lap", "L1"))
        driven = await self._calls.list("assignments", target=lap.name, order_by="update_time desc")
        if not driven:
            raise NotFound("nobody has said with which setup this lap was driven", hint="answer without it")
        found = await self._calls.get(driven[0].assignment.setup)
        handle = next((known for known, one in self._setups.items() if one.name == found.name), "")
        handle = handle or f"S{len(self._setups) + 1}"
        self._setups[handle] = found
        search = arguments.text("search").casefold()
        matching = [one for one in found.setup.parameters if search in f"{one.section}.{one.key}".casefold()]
        data = {
            "setup": handle,
            "title": found.setup.title,
            "parameters": [self._told(handle, one) for one in matching[:_MOST_PARAMETERS]],
            "left_out": max(len(matching) - _MOST_PARAMETERS, 0),
        }
        return ToolResult(data, f"setup {found.setup.title}")

    def _told(self, handle: str, one: catalog_pb2.Parameter) -> dict[str, str]:
        value = f"{one.value[:_LONGEST]} {one.unit}".strip()
        cite = self._facts.add(f"parameter:{handle}:{one.section}.{one.key}", f"{one.key} {value}")
        return {"section": one.section, "key": one.key, "value": value, "cite": cite}

    async def _notes(self, arguments: Arguments) -> ToolResult:
        lap = self._laps.named(arguments.text("lap", "L1"))
        told: dict[str, Any] = {}
        for what, target in (("lap", lap.name), ("session", lap.name.partition("/laps/")[0])):
            notes = await self._calls.list("notes", 20, target=target, order_by="update_time desc")
            tags = await self._calls.list("tags", 20, target=target)
            told[what] = {
                "notes": [one.note.text[:_LONGEST] for one in notes],
                "tags": [one.tag.text for one in tags],
            }
        return ToolResult(told, f"notes on {title_of(lap)}")

    def _propose(self, arguments: Arguments) -> ToolResult:
        if PROPOSE not in self.tools:
            raise BadRequest("nobody has asked for a plan", hint="answer in words")
        self.title, self.items = proposals(arguments, self._facts, self)
        told = [item.text for item in self.items]
        return ToolResult({"proposed": told, "done": False}, f"a plan of {len(told)}: {self.title}")
