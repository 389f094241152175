"""The channels of a lap out of Le Mans Ultimate's telemetry."""

from typing import Any, Final

import numpy as np

from rig.errors import BadRequest
from rigclient.imports.channels.builder import ChannelBuilder
from rigclient.imports.channels.column import To, X, Y, Z, has_unit
from rigclient.imports.lmu.session import CLOCK, WHEELS, LmuSession
from rigclient.imports.recording import RecordedLap
from rigclient.imports.signals import directions
from rigclient.imports.signals.clock import clock
from rigclient.imports.signals.geography import local_metres

Array = np.ndarray[Any, np.dtype[Any]]

_PLACE: Final = ("GPS Latitude", "GPS Longitude")
_CHANNELS: Final = {
    "Ground Speed": To("speed"),
    "Engine RPM": To("engine_rpm"),
    "Clutch RPM": To("clutch_rpm"),
    "Throttle Pos": To("throttle_applied"),
    "Throttle Pos Unfiltered": To("throttle"),
    "Brake Pos": To("brake_applied"),
    "Brake Pos Unfiltered": To("brake"),
    "Clutch Pos": To("clutch_applied"),
    "Clutch Pos Unfiltered": To("clutch"),
    "Steering Pos": To("steering_applied"),
    "Steering Pos Unfiltered": To("steering"),
    "Steering Shaft Torque": To("steering_torque"),
    "Fuel Level": To("fuel"),
    "SoC": To("battery_charge"),
    "Engine Oil Temp": To("engine_oil_temp"),
    "Engine Water Temp": To("engine_water_temp"),
    "Turbo Boost Pressure": To("turbo_boost"),
    "FrontRideHeight": To("front_ride_height"),
    "RearRideHeight": To("rear_ride_height"),
    "Front3rdDeflection": To("front_third_deflection"),
    "Rear3rdDeflection": To("rear_third_deflection"),
    "Lap Dist": To("game_distance"),
    "G Force Lat": To("local_acceleration", at=X),
    "G Force Vert": To("local_acceleration", at=Y),
    "G Force Long": To("local_acceleration", at=Z),
}
"""Channels of one value. Their units are the file's."""
_OF_WHEELS: Final = {
    "Brakes Temp": ("brake_temp", 1, 0),
    "Susp Pos": ("suspension_deflection", 1, 0),
    "RideHeights": ("wheel_ride_height", 1, 0),
    "TyresPressure": ("tyre_pressure", 1, 0),
    "TyresCarcassTemp": ("tyre_carcass_temp", 1, 0),
    "TyresTempLeft": ("tyre_temp", 3, 0),
    "TyresTempCentre": ("tyre_temp", 3, 1),
    "TyresTempRight": ("tyre_temp", 3, 2),
    "SurfaceTypes": ("surface_type", 1, 0),
}
"""Channels of four: what they are, the values a wheel has there, and which of them this is."""
_WEAR: Final = "Tyres Wear"
_EVENTS: Final = {
    "Gear": To("gear"),
    "In Pits": To("in_pit_lane"),
    "Speed Limiter": To("speed_limiter"),
    "Headlights State": To("headlights"),
    "FrontFlapActivated": To("front_flap"),
    "RearFlapActivated": To("rear_flap"),
    "AntiStall Activated": To("anti_stall"),
}
_PEDALS: Final = ("Throttle Pos", "Brake Pos", "Clutch Pos", "Steering Pos")
_SAME_S: Final = 0.001
"""What changes so soon after a sample has changed with it."""
KNOWN: Final = frozenset((*_CHANNELS, *_OF_WHEELS))
"""Channels by which a session is one."""


class LmuSamples:
    """Makes the samples of the laps of a session."""

    def __init__(self, session: LmuSession) -> None:
        self._session, self._file, self._channels = session, session.file, session.channels
        self._plane: Array | None = None
        """Positions at all rows, once they are asked for."""

    def samples(self, lap: RecordedLap) -> tuple[dict[str, Array], ChannelBuilder]:
        """Return the channels of a lap, and how they were made."""
        first, end = np.searchsorted(self._session.times, [lap.start_s, lap.end_s])
        times = self._session.times[first:end]
        sound = clock(times)
        rows = sound.runs()[0] if len(times) else np.zeros(0, np.int64)
        if len(rows) < 2:
            raise BadRequest(f"lap {lap.number} has {len(rows)} samples")
        builder = ChannelBuilder(len(rows))
        builder.put(CLOCK, times[rows] - lap.start_s, To("lap_time", "s"))
        self._put_way(builder, rows + first, times[rows])
        self._put_channels(builder, rows + first)
        self._put_events(builder, times[rows])
        return builder.samples(), builder

    def _put(self, builder: ChannelBuilder, column: str, values: Array, to: To, unit: str) -> None:
        stated = to._replace(unit=unit) if unit else to
        if has_unit(stated) and np.isfinite(values).any():
            builder.put(column, values, stated)

    def _put_channels(self, builder: ChannelBuilder, rows: Array) -> None:
        for name, channel in self._channels.items():
            to = self._driver_or_applied(name)
            if to is not None and to.channel != "local_acceleration":
                values = self._session.values(name, rows)[0]
                if to.channel == "game_distance":
                    values = _without_last_lap(values)
                self._put(builder, name, values, to, channel.unit)
            elif name in _OF_WHEELS and len(channel.columns) == len(WHEELS):
                kind, width, part = _OF_WHEELS[name]
                for at, values in enumerate(self._session.values(name, rows)):
                    self._put(
                        builder, f"{name}.{WHEELS[at]}", values, To(kind, at=width * at + part), channel.unit
                    )
            elif name == _WEAR and len(channel.columns) == len(WHEELS):
                self._put_wear(builder, rows)
        self._put_forces(builder, rows)

    def _driver_or_applied(self, name: str) -> To | None:
        """Return what a channel is; a pedal is the driver's where the file has no unfiltered one."""
        to = _CHANNELS.get(name)
        if name in _PEDALS and f"{name} Unfiltered" not in self._channels and to is not None:
            return To(to.channel.removesuffix("_applied"), note="after driving aids: the file has no other")
        return to

    def _put_wear(self, builder: ChannelBuilder, rows: Array) -> None:
        """Put the tread: what is left of it falls, what is worn grows."""
        unit = self._channels[_WEAR].unit
        whole = 100.0 if unit == "%" else 1.0
        for at, values in enumerate(self._session.values(_WEAR, rows)):
            worn = bool(values[-1] > values[0])
            note = "the whole less what is worn" if worn else ""
            self._put(
                builder,
                f"{_WEAR}.{WHEELS[at]}",
                whole - values if worn else values,
                To("tyre_tread", at=at, note=note),
                unit,
            )

    def _put_way(self, builder: ChannelBuilder, rows: Array, times: Array) -> None:
        """Put positions: metres east, and south, of where the recording began."""
        if not set(_PLACE) <= self._channels.keys():
            return
        if self._plane is None:
            degrees = (self._session.values(name, np.arange(len(self._session.times)))[0] for name in _PLACE)
            self._plane = local_metres(*degrees)
        plane = self._plane[rows]
        builder.put("GPS Longitude", plane[:, 0], To("position", "m", X, note="metres east"))
        builder.put("GPS Latitude", plane[:, 1], To("position", "m", Z, note="metres north"))
        builder.put(
            "GPS Latitude", np.zeros(len(times)), To("position", "m", Y, note="the file has no height")
        )

    def _put_forces(self, builder: ChannelBuilder, rows: Array) -> None:
        """Put accelerations, signed as the car moved."""
        made = builder.samples()
        if "speed" not in made or "position" not in made:
            return
        times = made["lap_time"]
        plane = made["position"].astype(np.float64)[:, [X, Z]]
        expected = {
            "G Force Lat": directions.leftward_acceleration(plane, times),
            "G Force Long": -directions.forward_acceleration(made["speed"].astype(np.float64), times),
        }
        for name in ("G Force Lat", "G Force Vert", "G Force Long"):
            if name in self._channels:
                values = self._session.values(name, rows)[0]
                sign = directions.sign_of(values, expected[name]) if name in expected else 1.0
                if sign:
                    self._put(
                        builder, name, values, _CHANNELS[name]._replace(times=sign), self._channels[name].unit
                    )

    def _put_events(self, builder: ChannelBuilder, times: Array) -> None:
        for name, to in _EVENTS.items():
            self._put_event(builder, name, times, to, 0.0)
        _, sectors = self._file.events("Current Sector")
        if len(sectors):
            self._put_event(builder, "Current Sector", times, To("sector"), float(sectors.min() == 0))

    def _put_event(self, builder: ChannelBuilder, name: str, times: Array, to: To, add: float) -> None:
        clocks, values = self._file.events(name)
        if len(clocks):
            at = np.searchsorted(clocks, times + _SAME_S, side="right") - 1
            builder.put(name, np.where(at >= 0, values[np.maximum(at, 0)], np.nan) + add, to)


def _without_last_lap(distance: Array) -> Array:
    """Return the distance of a lap; NaN where it is that of the lap before or after, or on its way there."""
    steps = np.flatnonzero(np.diff(distance) < 0)
    middle = len(distance) // 2
    before, after = steps[steps < middle], steps[steps >= middle]
    first = int(before[-1]) + 1 if len(before) else 0
    end = int(after[0]) + 1 if len(after) else len(distance)
    at = np.arange(len(distance))
    return np.where((at >= first) & (at < end), distance, np.nan)
