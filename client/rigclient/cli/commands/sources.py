"""Where laps that are compared come from: the rig, the warehouse, files; mixed as one likes."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self

from rig.errors import BadRequest, NotFound
from rig.v1 import lap_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from riglap.lap import Lap
from riglap.references import IDEAL, IDEAL_OF_ALL, WORDS, Reference, WantedLaps, reference

if TYPE_CHECKING:
    from riglap.circuits.circuit import Circuit

WAREHOUSE: Final = "warehouse:"
"""Before the name of a lap that `rig warehouse laps` lists."""
CHANNELS: Final = (
    *("lap_time", "distance", "position", "speed", "throttle", "brake", "steering", "gear", "in_pit_lane"),
    *("local_velocity", "local_acceleration", "lateral_patch_velocity", "longitudinal_patch_velocity"),
    *("tyre_tread", "tyre_carcass_temp", "dent_severity", "fuel", "engine_rpm"),
)
"""What comparing and coaching read of the warehouse."""


class LapSource(Protocol):
    """A place that laps are read from. Names are whole ones, as `find` returns them."""

    def find(self, name: str) -> Any:
        """Return the key of a lap. Raises NotFound, BadRequest for several."""

    def facts(self, key: Any) -> lap_pb2.Lap:
        """Return what the lap is."""

    def read(self, key: Any) -> Lap:
        """Return the lap."""

    def fastest(self, wanted: WantedLaps) -> Iterable[lap_pb2.Lap]:
        """Return valid, complete laps, the fastest first."""

    def same(self, key: Any, lap: lap_pb2.Lap) -> Any:
        """Return the key of a lap that `fastest` gave for the lap of `key`."""


class RigLaps:
    """Laps of the rig."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def find(self, name: str) -> str:
        """Return the whole name."""
        return self._rig.find_lap(name)

    def facts(self, key: str) -> lap_pb2.Lap:
        """Return what the lap is."""
        lap: lap_pb2.Lap = self._rig.lap_info(key).message
        return lap

    def read(self, key: str) -> Lap:
        """Return the lap."""
        with shell.progress(key.rpartition("/")[2]) as progress:
            lap: Lap = self._rig.lap(key, progress=progress)
            return lap

    def fastest(self, wanted: WantedLaps) -> Iterable[lap_pb2.Lap]:
        """Return valid, complete laps, the fastest first."""
        found = self._rig.laps(
            wanted.session or "sessions/-",
            track=wanted.track,
            vehicle_class=wanted.vehicle_class,
            driver=wanted.driver,
            valid=True,
            complete=True,
            order_by="lap_time",
        )
        return (lap.message for lap in found)

    def same(self, key: str, lap: lap_pb2.Lap) -> str:  # noqa: ARG002
        """Return the name of the lap."""
        return lap.name


class WarehouseLaps:
    """Laps of the warehouse."""

    def __init__(self, destination: Any, more: Iterable[str]) -> None:
        self._destination = destination
        self._channels = (*CHANNELS, *more)

    def find(self, name: str) -> Any:
        """Return the key of 5f3a-2/car012-0003 or 5f3a-2/best."""
        from rigclient.warehouse.questions.lookup import find_lap

        return find_lap(self._destination, name.removeprefix(WAREHOUSE))

    def facts(self, key: Any) -> lap_pb2.Lap:
        """Return what the lap is."""
        from rigclient.warehouse.questions.whole import message

        return message(self._destination, key)

    def read(self, key: Any) -> Lap:
        """Return the lap with what comparing reads, and with what was asked for."""
        from rigclient.warehouse.questions.whole import lap_of

        with shell.busy(f"reading {key}"):
            lap: Lap = lap_of(self._destination, key, self._channels)
            return lap

    def fastest(self, wanted: WantedLaps) -> Iterable[lap_pb2.Lap]:
        """Return valid, complete laps, the fastest first."""
        from rigclient.warehouse.questions.whole import fastest

        return fastest(self._destination, wanted)

    def same(self, key: Any, lap: lap_pb2.Lap) -> Any:
        """Return the key of another lap of the same rig."""
        session, _, own = lap.name.removeprefix("sessions/").partition("/laps/")
        return key._replace(session=session, lap=own)


class FileLaps:
    """Laps in files."""

    def find(self, name: str) -> Path:
        """Return the path."""
        return Path(name)

    def facts(self, key: Path) -> lap_pb2.Lap:
        """Return what the lap is."""
        lap: lap_pb2.Lap = Lap.open(key).info.message
        return lap

    def read(self, key: Path) -> Lap:
        """Return the lap."""
        return Lap.open(key)

    def fastest(self, wanted: WantedLaps) -> Iterable[lap_pb2.Lap]:  # noqa: ARG002
        """Raise BadRequest: nobody knows where other files are."""
        raise _alone()

    def same(self, key: Path, lap: lap_pb2.Lap) -> Any:  # noqa: ARG002
        """Raise BadRequest, as `fastest` does."""
        raise _alone()


def _alone() -> BadRequest:
    return BadRequest("a lap in a file has no others beside it", hint="name the lap to compare with")


class GatheredLaps(NamedTuple):
    """Laps to compare: what they are compared with, and the laps themselves."""

    references: list[Lap]
    laps: list[Lap]
    ideal: bool
    """The reference is the ideal lap of `references`."""
    about: str
    """What the reference is, where a word or the rule has chosen it."""
    circuit: "Circuit | None"
    """What the rig keeps of the track of its laps."""


class Sources(contextlib.ExitStack):
    """Rig and warehouse, each opened when the first of its laps is asked for."""

    def __init__(self, address: str, where: str | None, more: Sequence[str] = ()) -> None:
        """`more` are channels that laps of the warehouse are read with beside `CHANNELS`."""
        super().__init__()
        self._more = more
        self._address, self._where = address, where
        self._laps: dict[Any, Lap] = {}
        """Those that were read, by key."""
        self._rig: Rig | None = None
        self._warehouse: WarehouseLaps | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def gather(self, names: Sequence[str], against: str = "", *, choose: bool = False) -> GatheredLaps:
        """Return laps, and what they are compared with: `against`, with `choose` what the rule says, else the
        first of the laps. Raises NotFound, BadRequest.
        """
        source, key = self._basis([*names, against])
        if not (against or choose):
            against, names = names[0], names[1:]
        chosen = self._chosen(source, key, against)
        laps = [lap for name in names for lap in self._chosen(source, key, name, one=True).laps]
        return GatheredLaps(chosen.laps, laps, chosen.ideal, chosen.about, self._circuit(self._named))

    _named = ""
    """A lap of the rig."""

    def of(self, name: str) -> LapSource:
        """Return where a lap of that name is. Raises NotFound for a file that is not there."""
        if name.startswith(WAREHOUSE):
            if self._warehouse is None:
                from rigclient.warehouse import connect as opened

                self._warehouse = WarehouseLaps(
                    self.enter_context(opened(self._where, read_only=True)), self._more
                )
            return self._warehouse
        if Path(name).is_file():
            return FileLaps()
        if name.endswith(".lap"):
            raise NotFound(f"there is no file {name}", hint="LAP is a name as `rig laps` shows it, or a file")
        if self._rig is None:
            self._rig = self.enter_context(connect(self._address))
        return RigLaps(self._rig)

    def _basis(self, names: Sequence[str]) -> tuple[LapSource, Any]:
        """Return the lap that words are about: the first that is none itself."""
        for name in names:
            if name and name not in WORDS:
                source = self.of(name)
                return source, source.find(name)
        raise BadRequest("a word alone names no lap", hint="`rig compare driver last` names one")

    def _chosen(self, source: LapSource, key: Any, name: str, *, one: bool = False) -> "_Chosen":
        """Return the laps of a name, of a word, or for "" what the rule says."""
        if name and name not in WORDS:
            place = self.of(name)
            found = place.find(name)
            self._note(place, found)
            return _Chosen([self._read(place, found)], False, "")
        if one and name in (IDEAL, IDEAL_OF_ALL):
            raise BadRequest(f"{name} is no lap that was driven", hint=f"put it first, or --against {name}")

        def compare(other: lap_pb2.Lap) -> None:
            self._compare(source, source.same(key, other), key)

        asked = reference(source.facts(key), source.fastest, compare, name)
        keys = [source.same(key, lap) for lap in asked.laps]
        self._note(source, keys[0])
        return _Chosen([self._read(source, one) for one in keys], asked.ideal, _about(asked))

    def _compare(self, source: LapSource, *keys: Any) -> None:
        """Lay laps of one source on one line. Raises Mismatch, Unavailable, BadRequest where they cannot."""
        from riglap.compare import compare

        circuit = self._circuit(keys[0]) if isinstance(source, RigLaps) else None
        compare([self._read(source, key) for key in keys], circuit)

    def _read(self, source: LapSource, key: Any) -> Lap:
        if key not in self._laps:
            self._laps[key] = source.read(key)
        return self._laps[key]

    def _circuit(self, key: str) -> "Circuit | None":
        """Return what the rig keeps of the track of one of its laps."""
        return self._rig.circuit(key) if self._rig and key else None

    def _note(self, source: LapSource, key: Any) -> None:
        if isinstance(source, RigLaps):
            self._named = self._named or key


class _Chosen(NamedTuple):
    laps: list[Lap]
    ideal: bool
    about: str


def _about(asked: Reference) -> str:
    if asked.ideal:
        return f"{asked.about} ({len(asked.laps)} of them)"
    return asked.about
