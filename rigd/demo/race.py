"""One session: from the grid over the green flag to the chequered one, stepped frame by frame."""

from typing import Final

import numpy as np
import numpy.typing as npt

from rigd.demo import profile
from rigd.demo.circuit import DemoCircuit, build
from rigd.demo.delta import Delta
from rigd.demo.engine import Engine
from rigd.demo.field import Field
from rigd.demo.flags import Flags, Incident, Trouble
from rigd.demo.journal import Event
from rigd.demo.motion import Motion
from rigd.demo.noise import Noise, scatter
from rigd.demo.pits import Move, PitStage, PitStops
from rigd.demo.sheet import FieldColumns, Records
from rigd.demo.timing import DrivenLap, Timing
from rigd.demo.traffic import UNLIMITED_MPS, Traffic
from rigd.demo.weather import Weather
from rigd.demo.wheel import Wheels

Floats = npt.NDArray[np.float64]

FIRST_RACE: Final = 10
"""mSession of the first race of an event; 13 is the last."""
GREEN_S: Final = 8.0
"""Session clock at which the lights go out."""
PLAYER_LEAD_S: Final = 0.0025
"""The player's physics runs up to one 400 Hz step ahead of the others'."""
DECISIONS_HZ: Final = 10
SCORING_HZ: Final = 5
RED_LIGHTS: Final = 5

_GRID_WALK_S: Final = 1.0
_COUNTDOWN_S: Final = 3.0
_COOLDOWN_MPS: Final = 38.0
_LINGER_S: Final = 5.0
_LATEST_S: Final = 240.0
"""After the winner, so that a very slow car does not keep a session open."""
_ROW_M: Final = 8.0
_GRID_SIDE_M: Final = 2.8
_SECTOR_IN_LANE: Final = np.int32(-0x80000000)
_COMPOUND_NAMES: Final = np.array((b"Soft", b"Medium", b"Wet"))
_WET: Final = 2
_TERRAIN: Final = np.array([b"ROAD", b"ROAD", b"GRAS", b"DIRT", b"GRVL", b"KERB", b"SPEC"])
"""Material by mSurfaceType."""


class Phase:
    """The game's mGamePhase."""

    GARAGE, GRID_WALK, COUNTDOWN, GREEN, CAUTION, OVER = 0, 2, 4, 5, 6, 8


class Race:
    """A race of `laps` laps. Equal arguments give equal records, frame by frame."""

    def __init__(
        self,
        cars: int = 20,
        seed: int = 1,
        *,
        rate: int = 50,
        laps: int = 20,
        short: bool = False,
        session: int = 0,
        field: Field | None = None,
        real: bool = False,
    ) -> None:
        self.field = field or Field(cars, seed)
        self.circuit: DemoCircuit = build(short)
        self.laps, self.rate, self.dt = laps, rate, 1.0 / rate
        self.real = real
        """Only what real recordings hold is filled; see `profile`."""
        self.frame = 0
        self.events: list[Event] = []
        self.clock = 0.0
        """s of session clock."""
        self.phase = Phase.GARAGE
        self._rng = np.random.default_rng([seed, session])
        self._build()
        self._line_up()
        self._name()
        self._drift()
        self._decide()
        self.motion.settle()
        self._publish()

    @property
    def records(self) -> Records:
        """Telemetry of all cars, by car number. Overwritten by every step."""
        return self.sheet.records

    @property
    def scoring_due(self) -> bool:
        """The frame just stepped to is one on which the game calls for scoring."""
        return self._ticks(SCORING_HZ)

    @property
    def leader_laps(self) -> int:
        """Laps completed by the car that has completed most."""
        return int(self.timing.laps.max())

    @property
    def leader_lap_start(self) -> float:
        """Session clock at which the first to have completed most laps did so."""
        timing = self.timing
        return float(timing.lap_start[timing.laps == timing.laps.max()].min())

    def step(self) -> list[Event]:
        """Advance the session by one frame; what happened on the way."""
        self.frame += 1
        self.clock = self.frame / self.rate
        self.events = []
        self._move()
        self._time()
        if self._ticks(SCORING_HZ):
            self._drift()
        if self._ticks(DECISIONS_HZ):
            self._decide()
        self._publish()
        return self.events

    def _publish(self) -> None:
        self.sheet.publish()
        self.records["mGear"] = self.engine.gear
        if self.real:
            profile.leave_out(self.records)

    def _ticks(self, hertz: int) -> bool:
        """Return whether a boundary of `hertz` was passed in the last step."""
        return self.frame * hertz // self.rate != (self.frame - 1) * hertz // self.rate

    def _build(self) -> None:
        cars, fleet = self.field.cars, self.field.fleet
        self.sheet = FieldColumns(cars)
        self.noise = Noise(self._rng, cars, self.dt)
        self.motion = Motion(self.circuit, fleet, self.sheet, self.noise, self.dt)
        self.engine = Engine(fleet, self.sheet, self.noise, self.dt)
        self.wheels = Wheels(self.circuit, fleet, self.sheet, self.noise, self.dt)
        self.pits = PitStops(self.circuit, self.motion, self._rng)
        self.traffic = Traffic(self.circuit, self.motion, self._rng)
        self.flags = Flags(cars, self._rng)
        self.weather = Weather.drawn(self._rng)
        self._lead = np.zeros(cars)
        self._lead[self.field.player] = PLAYER_LEAD_S
        self._form = np.zeros(cars)
        self._cap = np.zeros(cars)
        self._reaction = self._rng.uniform(0.12, 0.45, cars)

    def _line_up(self) -> None:
        """Place cars on the grid by what they showed in qualifying, two columns, staggered."""
        field, cars = self.field, self.field.cars
        shown = field.skill - 0.03 * field.class_of + self._rng.normal(0.0, 0.003, cars)
        self.grid = np.argsort(np.argsort(-shown, kind="stable"), kind="stable")
        row = min(_ROW_M, 0.6 * self.circuit.length / cars)
        for car, slot in enumerate(self.grid):
            side = _GRID_SIDE_M if slot % 2 else -_GRID_SIDE_M
            self.motion.put(car, self.circuit.length - 12.0 - row * float(slot), side)
        self.motion.side -= self.motion.line_offset()
        self.timing = Timing(self.circuit, self.motion)
        self.delta = Delta(cars, self.circuit.length)
        self.relieved = np.zeros(cars, bool)
        self.retired = np.zeros(cars, bool)
        self.garage = np.zeros(cars, bool)
        self.finish_rank = np.zeros(cars, np.int64)
        self.impacts = np.zeros((2, cars))
        self._tow_away: dict[int, float] = {}
        self._over_at = self._flagged_at = 0.0

    def _name(self) -> None:
        """Fill the columns of the records that hardly ever change."""
        records, field = self.records, self.field
        records["mID"] = field.ids
        records["mVehicleName"] = [entry.vehicle for entry in field.entries]
        records["mTrackName"] = self.circuit.name.encode()
        records["mIgnitionStarter"] = 1
        records["mSpeedLimiterAvailable"] = 1
        records["mVisualSteeringWheelRange"] = records["mPhysicalSteeringWheelRange"] = 540.0
        records["mPhysicsToGraphicsOffset"] = (0.0, 0.12, -0.04)
        records["mScheduledStops"] = 1
        records["mWheels"]["mStaticUndeflectedRadius"] = (100.0 * field.fleet.radius.T).astype(np.uint8)
        self.compound = np.ones(field.cars, np.int64)
        self._label()

    def _move(self) -> None:
        """Compute the physics of one frame."""
        motion = self.motion
        motion.cap[:] = self._cap
        self.pits.cap(motion.cap)
        self.noise.step(motion.v)
        motion.step()
        self.engine.step(motion)
        self.wheels.step(motion)
        self.sheet["mDeltaTime"][:] = self.dt
        np.add(self._lead, self.clock, out=self.sheet["mElapsedTime"])

    def _time(self) -> None:
        """Handle lines crossed and pit stages changed in this frame."""
        changed = False
        for crossing in self.timing.crossings(self.sheet["mElapsedTime"], self.dt):
            lap = self.timing.score(crossing)
            changed = True
            if lap:
                self._lap(lap)
        for move in self.pits.step(self.clock):
            self._pit(move)
            changed = True
        if changed:
            self._label()

    def _lap(self, lap: DrivenLap) -> None:
        """Handle a completed lap; the winner's last one ends the race."""
        driver = self.driver(lap.car)
        self._tell(
            "lap",
            lap.car,
            driver=driver,
            number=lap.number,
            start=lap.start,
            end=lap.end,
            time=lap.time,
            sector1=lap.sector1,
            sector2=lap.sector2,
            sector3=lap.sector3,
            valid=lap.valid,
            pit=lap.pit,
        )
        self.delta.close(lap.car, lap.time, lap.valid and lap.time == self.timing.best[2, lap.car])
        self.timing.touched_pit[lap.car] = bool(self.pits.in_lane()[lap.car])
        if self.timing.laps[lap.car] >= self.laps and not self._over_at:
            self._over_at = self.clock
            self._tell("chequered", lap.car)
        if self._over_at and not self.finish_rank[lap.car]:
            self._flagged_at = self.clock
            self.finish_rank[lap.car] = self.finish_rank.max() + 1
            self._tell("finish", lap.car, place=int(self.finish_rank[lap.car]))

    def _pit(self, move: Move) -> None:
        """Handle a car's change of pit stage."""
        car = move.car
        if move.stage is PitStage.ENTERING:
            self.timing.touched_pit[car] = True
            self._tell("pit_in", car)
        elif move.stage is PitStage.STOPPED:
            self._begin_stop(car)
        elif move.stage is PitStage.EXITING:
            self._end_stop(car)
        elif move.stage is PitStage.NONE:
            self.pits.plan_next(car, int(self.timing.laps[car]))
            self._tell("pit_out", car)

    def _begin_stop(self, car: int) -> None:
        missing = 0.85 * self.field.fleet.tank_l[car] - self.engine.fuel[car]
        swap = bool(self.field.shares_seat[car])
        self.pits.begin_stop(car, self.clock, 4.5 + max(missing, 0.0) / 9.0 + 4.0 * swap)
        if swap:
            self.relieved[car] = not self.relieved[car]
            self._tell("driver_swap", car, driver=self.driver(car))

    def _end_stop(self, car: int) -> None:
        """Fill fuel, fit fresh tyres for the weather, repair the bodywork."""
        fleet = self.field.fleet
        self.engine.fuel[car] = max(self.engine.fuel[car], 0.85 * fleet.tank_l[car])
        self.wheels.fit(np.arange(self.field.cars) == car)
        self.compound[car] = _WET if self.weather.wetness > 0.25 else int(self._rng.integers(0, 2))
        self.records["mDentSeverity"][car] = 0
        self.impacts[:, car] = 0.0

    def order(self) -> npt.NDArray[np.int64]:
        """Return cars from first to last; who has finished keeps the place of the flag."""
        flagged = self.finish_rank > 0
        key = np.where(flagged, 1e9 - self.finish_rank, self.timing.progress())
        return np.argsort(-key, kind="stable")

    def drivers(self) -> list[bytes]:
        """Return who is in each seat, as the game writes it."""
        return [self.driver_bytes(car) for car in range(self.field.cars)]

    def driver(self, car: int) -> str:
        """Return who is in the seat."""
        return self.driver_bytes(car).decode("cp1252")

    def driver_bytes(self, car: int) -> bytes:
        """Return who is in the seat, as the game writes it."""
        entry = self.field.entries[car]
        return entry.relief if self.relieved[car] else entry.driver

    def _tell(self, kind: str, car: int | None = None, **facts: str | int | float | bool) -> None:
        event: Event = {"kind": kind, "clock": self.clock}
        if car is not None:
            event["id"] = int(self.field.ids[car])
        self.events.append({**event, **facts})

    def _label(self) -> None:
        """Fill whole-number columns that follow from timing and pits."""
        records, timing = self.records, self.timing
        lane = self.pits.in_lane() | self.garage
        records["mLapNumber"], records["mLapStartET"] = timing.laps, timing.lap_start
        records["mCurrentSector"] = timing.sector().astype(np.int32) | np.where(lane, _SECTOR_IN_LANE, 0)
        records["mSpeedLimiter"] = lane & ~self.garage

    def _decide(self) -> None:
        """Decide ten times a second: flags, and what drivers do about each other."""
        before = self.phase, self.flags.caution
        self._run_phase()
        self._have_trouble()
        self._limit()
        if (self.phase, self.flags.caution) != before and self.frame:
            self._tell("phase", phase=self.phase, caution=self.flags.caution)

    def _drift(self) -> None:
        """Change five times a second sky, grip, form, temperatures, and everything else that changes
        slowly.
        """
        self.weather.advance(self.clock, 1.0 / SCORING_HZ)
        self._judge_pace()
        self._call_in()
        self._colour()
        self.sheet["mDeltaBest"][:] = self.delta.update(self.motion.s, self.clock - self.timing.lap_start)
        self.engine.slow_step(self.motion, self.weather.ambient)
        self.wheels.slow_step(self.motion, self.weather.ambient, self.weather.track)

    def _run_phase(self) -> None:
        clock = self.clock
        if clock < GREEN_S:
            walked, counting = clock >= _GRID_WALK_S, clock >= _COUNTDOWN_S
            self.phase = Phase.COUNTDOWN if counting else Phase.GRID_WALK if walked else Phase.GARAGE
            return
        if self.phase in (Phase.GARAGE, Phase.GRID_WALK, Phase.COUNTDOWN):
            self.timing.lap_start[:] = GREEN_S
            self.flags.start(clock)
            self._label()
        self.phase = Phase.OVER if self._over_at else Phase.CAUTION if self.flags.caution else Phase.GREEN

    @property
    def over(self) -> bool:
        """Everybody is home and the results have been shown for some seconds."""
        if not self._over_at:
            return False
        racing = (self.finish_rank == 0) & ~self.retired
        home = not racing.any() and self.clock > self._flagged_at + _LINGER_S
        return home or self.clock > self._over_at + _LATEST_S

    def _have_trouble(self) -> None:
        racing = (self.clock > GREEN_S) & (self.phase != Phase.OVER) & ~self.retired & (self.motion.v > 15.0)
        fit = racing & (self.pits.stage == PitStage.NONE) & self.timing.started & (self.flags.wide == 0.0)
        for incident in self.flags.step(self.clock, self.timing.sector(), fit):
            self._suffer(incident)
        for car in [car for car, at in self._tow_away.items() if self.clock >= at]:
            self._to_garage(car)

    def _suffer(self, incident: Incident) -> None:
        """Handle an incident, which spoils the lap and may dent the car or end its race."""
        car = incident.car
        self.timing.spoil(car)
        self._tell(
            "incident", car, trouble=incident.kind.value, impact=incident.impact, sector=incident.sector
        )
        if incident.impact:
            self._dent(car, incident.impact)
        if incident.kind is Trouble.RETIRE and car != self.field.player:
            self.retired[car] = True
            self.pits.retire(car)
            self._tow_away[car] = self.clock + 6.0

    def _dent(self, car: int, impact: float) -> None:
        record = self.records[car : car + 1]
        where = int(self._rng.integers(0, 8))
        record["mLastImpactET"], record["mLastImpactMagnitude"] = self.clock, impact
        record["mLastImpactPos"] = (np.sin(where * np.pi / 4) * 0.9, 0.4, -np.cos(where * np.pi / 4) * 2.1)
        record["mDentSeverity"][:, where] = 2 if impact > 3000.0 else 1
        self.impacts[0, car] = max(self.impacts[0, car], impact)
        self.impacts[1, car] += impact

    def _to_garage(self, car: int) -> None:
        """Take a retired car back to its box: its position jumps, its engine is off."""
        del self._tow_away[car]
        self.garage[car], self.engine.running[car] = True, 0.0
        self.motion.put(car, float(self.pits.box[car]), 0.0)
        self.timing.place(car)
        self.records["mIgnitionStarter"][car] = 0
        self._tell("retired", car)
        self._label()

    def _call_in(self) -> None:
        """Call in for planned stops; the race's last laps are driven through."""
        for move in self.pits.call_in(self.timing.laps, self.timing.sector(), self.laps):
            self._pit(move)

    def _judge_pace(self) -> None:
        """Compute the corner speed of every driver at this moment: skill, form, tyres, weather, yellow
        flags.
        """
        step = scatter(1.0 / SCORING_HZ, 40.0)
        self._form += (
            0.0035 * step * self._rng.standard_normal(len(self._form)) - self._form * step * step / 2
        )
        on_wets = self.compound == _WET
        grip = self.weather.grip + np.where(on_wets, 0.12 * self.weather.wetness - 0.05, 0.0)
        off = self.flags.wide != 0.0
        grip = np.minimum(grip, 1.0)
        self.eager = self.field.skill + self._form - 0.02 * (1.0 - self.wheels.mean_wear())
        slow = np.where(np.take(self.flags.yellow, self.timing.sector()), 0.88, 1.0) * np.where(off, 0.8, 1.0)
        self.motion.pace[:] = np.minimum(self.eager, 0.995) * np.sqrt(grip) * slow
        self.motion.adjust(grip, self.field.fleet.mass + 60.0 + 0.74 * self.engine.fuel)

    def _limit(self) -> None:
        """Set speed limits and wanted places on the road, from traffic, flags and the state of the race."""
        away = self.pits.in_lane() | self.garage
        eager = self.eager + 0.03 * (self.field.class_of == 0)
        self.traffic.step(eager, away, self.timing.progress(), self.phase == Phase.CAUTION)
        cap = np.minimum(self.traffic.limit, self.flags.limit)
        cap[away] = UNLIMITED_MPS
        cap = np.minimum(cap, self.flags.caution_limit(self.clock))
        cap[self.finish_rank > 0] = np.minimum(cap[self.finish_rank > 0], _COOLDOWN_MPS)
        cap[self.garage | (self.clock < GREEN_S + self._reaction)] = 0.0
        self._cap = cap
        if self.clock >= GREEN_S:
            self._aim()

    def _aim(self) -> None:
        motion, line = self.motion, self.motion.line_offset()
        edge = self.width() / 2
        off = np.sign(self.flags.wide) * edge + self.flags.wide - line
        motion.beside[:] = np.where(self.flags.wide != 0.0, off, self.traffic.wish)
        self.pits.steer(motion.beside, line)
        motion.beside[self.garage] = self.circuit.pit_offset - 3.5 - line[self.garage]

    def width(self) -> Floats:
        """Return width of the road in m at every car."""
        return self.circuit.width.take(self.motion.s.astype(np.int64))

    def lateral(self) -> Floats:
        """Return metres left of the centre line."""
        return np.asarray(self.motion.line_offset() + self.motion.side)

    def _colour(self) -> None:
        """Fill surfaces, lamps, compounds: bytes and names that change a few times a lap."""
        records, lane = self.records, self.pits.in_lane() | self.garage
        half = self.field.fleet.track / 2
        place = np.abs(self.lateral() + np.array([[1.0], [-1.0], [1.0], [-1.0]]) * half)
        beyond = (place - self.width() / 2) * ~lane
        surface = np.where(beyond > 0.8, 2, np.where(beyond > 0.0, 5, int(self.weather.wetness > 0.25)))
        records["mWheels"]["mSurfaceType"] = surface.T
        records["mWheels"]["mTerrainName"] = _TERRAIN[surface.T]
        fast = (self.motion.v > 55.0) & (np.abs(self.motion.bend()) < 0.001) & (self.phase == Phase.GREEN)
        records["mRearFlapLegalStatus"], records["mRearFlapActivated"] = 2, fast & (self.field.class_of == 1)
        records["mHeadlights"] = self.weather.cloud > 0.8
        records["mOverheating"] = self.sheet["mEngineWaterTemp"] > 112.0
        stopped = self.pits.stage == PitStage.STOPPED
        shown = np.where(stopped, (self.compound + self.frame // 7) % 3, self.compound)
        for axle in ("Front", "Rear"):
            records[f"m{axle}TireCompoundIndex"] = shown
            records[f"m{axle}TireCompoundName"] = _COMPOUND_NAMES[shown]
