"""What the assistant may look at: laps that the caller may see, by handles such as L3. No samples.

A lap is known by its handle once a tool has told of it; names of sessions and files stay here.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rig.errors import BadRequest, NotFound, RigError
from rig.v1 import analysis_pb2, lap_pb2, laps_pb2
from rigclient.assistant.facts import Facts
from rigclient.assistant.tool import Arguments, Tool, ToolResult
from rigd.serve.analysis import AnalysisService
from rigd.store.viewer import Viewer
from riglap.references import WORDS
from riglap.times import gap, lap_time

_MOST_LAPS: Final = 40
_MOST_PARTS: Final = 40
_LAP: Final = {"type": "string", "description": "handle of a lap, such as L1"}
_AGAINST: Final = {
    "type": "string",
    "description": f"handle of the lap to compare with, or {', '.join(WORDS)}; empty: the usual reference",
}
_ORDERS: Final = {"newest": "start_time desc", "fastest": "lap_time"}
_PASSES: Final = {
    "entry_kmh": "entry_speed",
    "slowest_kmh": "least_speed",
    "exit_kmh": "exit_speed",
    "time_s": "time",
    "brake_at_m": "brake_place",
    "throttle_at_m": "throttle_place",
    "coast_s": "coast",
    "gear": "gear",
}
"""What is told of a corner, and its field in CornerPass."""
_SCALES: Final = dict.fromkeys(("entry_kmh", "slowest_kmh", "exit_kmh"), 3.6)
TOOLS: Final = (
    Tool(
        "list_laps",
        "Laps of the session of a lap, or of all sessions on its track.",
        {
            "of": _LAP,
            "where": {"type": "string", "enum": ["session", "track"]},
            "whose": {"type": "string", "enum": ["driver", "class", "all"]},
            "order": {"type": "string", "enum": list(_ORDERS)},
            "count": {"type": "integer", "minimum": 1, "maximum": _MOST_LAPS},
        },
    ),
    Tool(
        "findings",
        "What costs a lap time against another one, the most first, with tips.",
        {"lap": _LAP, "against": _AGAINST},
        ("lap",),
    ),
    Tool(
        "compare",
        "Where a lap loses or gains time against another one: sectors, corners, straights.",
        {"lap": _LAP, "against": _AGAINST},
        ("lap",),
    ),
    Tool("corners", "What a lap did in each corner: speeds, braking, gear.", {"lap": _LAP}, ("lap",)),
)


class LapTools:
    """The tools of one question."""

    def __init__(self, analysis: AnalysisService, facts: Facts, tools: Sequence[Tool] = TOOLS) -> None:
        self.tools: Sequence[Tool] = tools
        self._service, self._analysis, self._facts = analysis, analysis.laps, facts
        self._laps: dict[str, lap_pb2.Lap] = {}
        self.tips: Sequence[analysis_pb2.Tip] = ()
        """Of the comparison that was looked at last, where it has none its notes: they stand for an answer
        that is refused.
        """
        self.lap: str = ""
        """Name of the lap that was looked at last."""

    async def call(self, name: str, arguments: Arguments) -> ToolResult:
        """Return what a tool gives. Raises NotFound, BadRequest, and as the calls of AnalysisService do."""
        answers: dict[str, Callable[[Arguments, Viewer], ToolResult]] = {
            "list_laps": self._list_laps,
            "findings": self._findings,
            "compare": self._compare,
            "corners": self._corners,
        }
        if name not in answers:
            raise NotFound(f"there is no tool {name[:40]!r}", hint=", ".join(answers))
        return await self._service.computed(answers[name], arguments)

    def begin(self, request: analysis_pb2.CoachRequest, viewer: Viewer) -> ToolResult:
        """Return what is known of the lap of a question, and of what it is compared with; where nobody said
        with what and there is nothing, why. Raises NotFound for no lap that the viewer sees, and as `coach`
        does for a reference that was named.
        """
        lap = self._analysis.lap_facts(request.lap, viewer)
        known: dict[str, Any] = {"lap": self._row(lap)}
        self.lap = lap.name
        try:
            return self._coach(request, lap, viewer)
        except RigError as error:
            if request.reference:
                raise
            return ToolResult(known | {"findings": f"none: {error.message}"}, title_of(lap))

    def named(self, handle: str) -> lap_pb2.Lap:
        """Return the lap of a handle. Raises NotFound."""
        if (lap := self._laps.get(handle)) is None:
            raise NotFound(f"no lap {handle[:40]!r} was told of", hint=", ".join(list(self._laps)[:20]))
        return lap

    # The tools.

    def _list_laps(self, arguments: Arguments, viewer: Viewer) -> ToolResult:
        lap = self.named(arguments.text("of", "L1"))
        whose, where = arguments.text("whose", "driver"), arguments.text("where", "session")
        order = arguments.text("order", "newest")
        if order not in _ORDERS or whose not in ("driver", "class", "all"):
            raise BadRequest(f"whose is {whose!r} and order is {order!r}", hint="see the tool")
        wanted = laps_pb2.ListLapsRequest(
            parent=lap.name.partition("/laps/")[0] if where == "session" else "sessions/-",
            filter=laps_pb2.LapFilter(
                track=lap.track_name,
                complete=True,
                kind=lap_pb2.LAP_KIND_LAP,
                driver=lap.driver if whose == "driver" else "",
                vehicle_class=lap.vehicle_class if whose != "all" else "",
            ),
            order_by=_ORDERS[order],
            page_size=arguments.number("count", 1, _MOST_LAPS, 20),
        )
        found = self._analysis.list_laps(wanted, viewer)
        return ToolResult({"laps": [self._row(one) for one in found]}, f"{len(found)} laps")

    def _findings(self, arguments: Arguments, viewer: Viewer) -> ToolResult:
        lap = self.named(arguments.text("lap", "L1"))
        against = self._against(arguments)
        return self._coach(analysis_pb2.CoachRequest(lap=lap.name, reference=against), lap, viewer)

    def _coach(self, request: analysis_pb2.CoachRequest, lap: lap_pb2.Lap, viewer: Viewer) -> ToolResult:
        told = self._analysis.coach(request, viewer)
        notes = (analysis_pb2.Tip(text=note) for note in told.notes)
        self.tips, self.lap = list(told.tips or notes), lap.name
        against = self._held(told.reference, told.reference_about, viewer)
        sentences = {tip.id: tip.text for tip in told.tips}
        data = {
            "lap": self._row(lap),
            "against": against,
            "lost": self._lost("lost", told.lost),
            "corners": self._corners_of(told.circuit),
            "findings": [self._finding(one, sentences.get(one.id, "")) for one in told.findings],
            "notes": list(told.notes),
        }
        about = told.reference_about or title_of(self._analysis.lap_facts(told.reference, viewer))
        return ToolResult(data, f"{title_of(lap)} against {about}")

    def _compare(self, arguments: Arguments, viewer: Viewer) -> ToolResult:
        lap = self.named(arguments.text("lap", "L1"))
        against = self._against(arguments)
        if not against:
            told = self._analysis.coach(analysis_pb2.CoachRequest(lap=lap.name), viewer)
            against = told.reference or "ideal"
        named = "/" in against
        request = analysis_pb2.CompareLapsRequest(
            laps=[against, lap.name] if named else [lap.name], reference="" if named else against, step=50
        )
        held, other = self._analysis.compare(request, viewer).laps
        against_what = self._held(held.name if "/" in held.name else "", held.name, viewer)
        data = {
            "lap": self._row(lap),
            "against": against_what,
            "lost": self._lost("lost", other.lap_time - held.lap_time),
            "sectors": self._parts(other.sectors),
            "parts": self._parts(other.parts),
        }
        return ToolResult(data, f"{title_of(lap)} against {against_what['name']}")

    def _corners(self, arguments: Arguments, viewer: Viewer) -> ToolResult:
        lap = self.named(arguments.text("lap", "L1"))
        told = self._analysis.list_corners(analysis_pb2.ListCornersRequest(lap=lap.name), viewer)
        passes = [self._pass(lap, one) for one in told.corners if one.clear]
        return ToolResult({"lap": self._row(lap), "corners": passes}, f"corners of {title_of(lap)}")

    # What they tell of.

    def _against(self, arguments: Arguments) -> str:
        word = arguments.text("against")
        return word if not word or word in WORDS else self.named(word).name

    def _held(self, name: str, about: str, viewer: Viewer) -> dict[str, Any]:
        """Return what a lap is compared with: a lap, or an ideal one."""
        if not name:
            return {"name": about, "cite": self._facts.add("reference", about.removeprefix("the "))}
        lap = self._analysis.lap_facts(name, viewer)
        return self._row(lap) | {"name": title_of(lap)} | ({"about": about} if about else {})

    def _row(self, lap: lap_pb2.Lap) -> dict[str, Any]:
        handle = self._handle(lap)
        began = datetime.fromtimestamp(lap.start_time_ns / 1e9).astimezone()
        row: dict[str, Any] = {
            "handle": handle,
            "cite": self._facts.add(f"lap:{handle}", f"{title_of(lap)} {lap_time(lap.lap_time)}".strip()),
            "number": lap.number + 1,
            "driver": lap.driver[:64],
            "class": lap.vehicle_class[:64],
            "track": lap.track_name[:64],
            "began": f"{began:%Y-%m-%d %H:%M}",
            "valid": lap.valid,
            "place": lap.place,
            "tyres": f"{lap.front_compound[:32]}/{lap.rear_compound[:32]}",
        }
        times = _given(lap, ("lap_time", "sector1", "sector2", "sector3"))
        return row | _finite({f"{name}_s": value for name, value in times.items()})

    def _handle(self, lap: lap_pb2.Lap) -> str:
        handle = next((known for known, one in self._laps.items() if one.name == lap.name), "")
        handle = handle or f"L{len(self._laps) + 1}"
        self._laps[handle] = lap
        return handle

    def _finding(self, finding: analysis_pb2.LapFinding, sentence: str) -> dict[str, Any]:
        text = f"{finding.place} ({gap(finding.lost)} s)"
        told = sentence or f"{finding.place}: {finding.rule.replace('_', ' ')} ({gap(finding.lost)} s)"
        cite = self._facts.add(f"finding:{finding.id}", text, told)
        corner = {"corner": self._corner(finding.corner, finding.place)} if finding.corner else {}
        numbers = _finite({"lost_s": finding.lost, "sure": finding.confidence})
        return {"cite": cite, "says": told, **corner, **numbers}

    def _corners_of(self, circuit: str) -> list[str]:
        """Return ids of all corners; none for a track that nobody has surveyed."""
        found = self._analysis.circuit(circuit).corners if circuit else ()
        return [self._corner(corner.number, corner.title) for corner in found]

    def _corner(self, number: int, title: str) -> str:
        """Return the id of a corner: all laps of a question are of one circuit."""
        cite = f"corner:{number}"
        return cite if self._facts.get(cite) else self._facts.add(cite, title)

    def _parts(self, parts: Iterable[analysis_pb2.ComparedPart]) -> list[dict[str, Any]]:
        """Return the parts of a lap that are compared, the most lost first."""
        known = sorted((one for one in parts if one.HasField("lost")), key=lambda one: -one.lost)
        return [self._part(one) for one in known[:_MOST_PARTS]]

    def _part(self, part: analysis_pb2.ComparedPart) -> dict[str, Any]:
        corner = {"corner": self._corner(part.corner, part.title)} if part.kind == "corner" else {}
        return {"title": part.title, **corner, **self._lost(f"lost:{part.title}", part.lost)}

    def _lost(self, id: str, seconds: float) -> dict[str, Any]:  # noqa: A002
        return {"s": round(seconds, 3), "cite": self._facts.add(id, f"{gap(seconds)} s")}

    def _pass(self, lap: lap_pb2.Lap, one: analysis_pb2.CornerPass) -> dict[str, Any]:
        given = _given(one, _PASSES.values())
        numbers = {
            name: given[field] * _SCALES.get(name, 1.0) for name, field in _PASSES.items() if field in given
        }
        known = _finite(numbers)
        told = ", ".join(f"{name[:-4]} {known[name]:.0f} km/h" for name in _SCALES if name in known)
        cite = self._facts.add(f"pass:{self._handle(lap)}:{one.corner}", f"T{one.corner} ({told})")
        return {"corner": self._corner(one.corner, f"T{one.corner}"), "cite": cite, **known}


def title_of(lap: lap_pb2.Lap) -> str:
    """Return lap 7 of somebody: as people count, from 1."""
    return f"lap {lap.number + 1} of {lap.driver[:64]}" if lap.driver else f"lap {lap.number + 1}"


def _given(message: Any, names: Iterable[str]) -> dict[str, float]:
    """Return those of the fields that are there."""
    return {name: getattr(message, name) for name in names if message.HasField(name)}


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in numbers.items() if math.isfinite(value)}
