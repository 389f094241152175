"""Files of programs for rFactor 2 and Le Mans Ultimate, written from a lap whose every number is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.imports.known import DRIVER, LENGTH_M, TRACK, VEHICLE, Known, in_g

Array = np.ndarray[Any, np.dtype[Any]]

FULL: Final = (
    "LapDistance [m],TotalDistance [m],LapTime [s],Sector1Time [s],Sector2Time [s],Speed [km/h],"
    "EngineRevs [rpm],ThrottlePercentage [%],BrakePercentage [%],Steer [%],Clutch [%],Gear [int],"
    "DRS [0/1],CanUseDRS [0/1],KERSLevel [J],EngineTemperature [C],RacePosition [int],Sector [int],"
    "InPits [int],FuelRemaining [l],CurrentFlag [int],CurrentLapInvalid [int],X [m],Y [m],Z [m],"
    "GForceLatitudinal [G],GForceLongitudinal [G],GForceVertical [G],WheelSpeedRearLeft [km/h],"
    "WheelSpeedRearRight [km/h],WheelSpeedFrontLeft [km/h],WheelSpeedFrontRight [km/h],"
    "BrakeTemperatureRearLeft [C],BrakeTemperatureRearRight [C],BrakeTemperatureFrontLeft [C],"
    "BrakeTemperatureFrontRight [C],TyreTemperatureRearLeft [C],TyreTemperatureRearRight [C],"
    "TyreTemperatureFrontLeft [C],TyreTemperatureFrontRight [C],TyreWearRearLeft [%],"
    "TyreWearRearRight [%],TyreWearFrontLeft [%],TyreWearFrontRight [%],SuspensionPositionRearLeft [m],"
    "SuspensionPositionRearRight [m],SuspensionPositionFrontLeft [m],SuspensionPositionFrontRight [m],"
    "SuspensionVelocityRearLeft [m/s],SuspensionVelocityRearRight [m/s],SuspensionVelocityFrontLeft [m/s],"
    "SuspensionVelocityFrontRight [m/s],SuspensionAccelerationRearLeft [m/s^2],"
    "SuspensionAccelerationRearRight [m/s^2],SuspensionAccelerationFrontLeft [m/s^2],"
    "SuspensionAccelerationFrontRight [m/s^2],MGUKHarvested [J],MGUHHarvested [J],ERSSpent [J],"
    "ERSMode [int],FuelMixMode [int],Yaw [rad],Roll [rad],Pitch [rad],TyreCarcassTemperatureRearLeft [C],"
    "TyreCarcassTemperatureRearRight [C],TyreCarcassTemperatureFrontLeft [C],"
    "TyreCarcassTemperatureFrontRight [C],TyrePressureRearLeft [PSI],TyrePressureRearRight [PSI],"
    "TyrePressureFrontLeft [PSI],TyrePressureFrontRight [PSI],WheelSlipRearLeft [%],"
    "WheelSlipRearRight [%],WheelSlipFrontLeft [%],WheelSlipFrontRight [%],Torque [Nm],Handbrake [%],"
    "RearLeftInside [C],RearLeftMiddle [C],RearLeftOutside [C],RearRightInside [C],RearRightMiddle [C],"
    "RearRightOutside [C],FrontLeftInside [C],FrontLeftMiddle [C],FrontLeftOutside [C],"
    "FrontRightInside [C],FrontRightMiddle [C],FrontRightOutside [C],WoldSpeedX [km/h],WoldSpeedY [km/h],"
    "WoldSpeedZ [km/h],LocalAngularVelocityX [rad/s],LocalAngularVelocityY [rad/s],"
    "LocalAngularVelocityZ [rad/s],IcePower [W],MgukPower [W],FrontRideHeight [m],RearRideHeight [m],"
    "LoadRearLeft [N],LoadRearRight [N],LoadFrontLeft [N],LoadFrontRight [N],Extra1 [m],Extra2 [],"
    "Extra3 [],Extra4 []"
)
"""The columns of the Telemetry Tool, as it spells them."""
SOME: Final = (
    "LapDistance [m],LapTime [s],Sector [int],Speed [km/h],EngineRevs [rpm],ThrottlePercentage [%],"
    "BrakePercentage [%],Steer [%],Gear [int],X [m],Y [m],Z [m]"
)
OPPONENT: Final = (
    "sector [int],laptime [s],lapdistance [m],speed [m/s],throttle [%],brake [%],steer [%],clutch [%],"
    "gear [int],drs,revs [int],x [m],y [m],z [m],glat [G],glon [G],erslevel [kj],mguk [kj],mguh [kj]"
)
_CORNERS: Final = (("FrontLeft", 0), ("FrontRight", 1), ("RearLeft", 2), ("RearRight", 3))


def table(columns: str, values: Mapping[str, Array], digits: int = 9) -> str:
    """Rows of a table; a column without values is 0."""
    names = columns.split(",")
    rows = len(next(iter(values.values())))
    assert values.keys() <= set(names), values.keys() - set(names)
    cells = [
        [f"{value:.{digits}g}" for value in values[name]] if name in values else ["0.0"] * rows
        for name in names
    ]
    return "\n".join([columns, *map(",".join, zip(*cells, strict=True)), ""])


def preamble(lap: Known, who: str = "player", valid: str = "true") -> str:
    """What the Telemetry Tool writes above its table."""
    version = "v8" if who == "player" else "v3"
    sectors = ",".join(f"{one:.3f}" for one in lap.sectors_s)
    return (
        f"{who},{version},{DRIVER},0,2025111417168338\n"
        "Game,version,date,track,car,event,laptime [s],S1 [s],S2 [s],S3 [s],S4+ [s]\n"
        f"LMU,0.9,2025-11-14 07:20:40,{TRACK},{VEHICLE},Practice,{lap.time_s:.3f},{sectors}\n"
        "TrackID [int],Tracklen [m],EventID [int],EventID2 [int],Weather [txt],TeamID [int],Tyre [txt],"
        "Valid [b],Pitlap [b],Online [b],Lap [int],LapsInRace [int],Fuel at Start [kg],MaxGears [int],"
        "MaxRevs [rpm],IdleRevs [rpm},TrackTemp [C],AmbientTemp [C],Windspeed [m/s],WindDirection [ ]\n"
        f"3,{LENGTH_M},1,121,Clear,6,Hard,{valid},false,true,{lap.number + 1},101,40.2,"
        "7,8400.0,1680.0,41.8,24.0,0.0,0.0\n"
        "FWing,RWing,OnThrottle,OffThrottle,FrontCamber,RearCamber,FrontToe,RearToe,FrontSusp,RearSusp,"
        "FrontAntiRoll,RearAntiRoll,FrontSuspH,RearSuspH,BrakePressure,BrakeBias,FLTyrePressure,"
        "FRTyrePressure,RLTyrePressure,RRTyrePressure,Ballast,FuelLoad\n"
        "0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,43.5,0.0,0.0,0.0,0.0,0.0,0.0,\n"
    )


def some_columns(lap: Known) -> dict[str, Array]:
    """The twelve columns; the tool's axes are the game's z and -x."""
    x, y, z = lap.position.T
    return {
        "LapDistance [m]": lap.distance,
        "LapTime [s]": lap.lap_time,
        "Sector [int]": lap.sector,
        "Speed [km/h]": lap.speed * 3.6,
        "EngineRevs [rpm]": lap.rpm,
        "ThrottlePercentage [%]": lap.throttle * 100,
        "BrakePercentage [%]": lap.brake * 100,
        "Steer [%]": lap.steering * 100,
        "Gear [int]": lap.gear,
        "X [m]": z,
        "Y [m]": y,
        "Z [m]": -x,
    }


def all_columns(lap: Known, left: float = 1.0) -> dict[str, Array]:
    """The 108; `left` is -1 where acceleration to the right counts as positive."""
    found = some_columns(lap)
    found["FuelRemaining [l]"] = lap.fuel
    found["WoldSpeedX [km/h]"] = np.gradient(lap.position[:, 0], lap.clock)
    found["WoldSpeedZ [km/h]"] = np.gradient(lap.position[:, 2], lap.clock)
    found["GForceLatitudinal [G]"] = left * in_g(lap.left)
    found["GForceLongitudinal [G]"] = in_g(lap.forward)
    for corner, at in _CORNERS:
        found[f"BrakeTemperature{corner} [C]"] = lap.brake_temp[:, at]
        found[f"TyreCarcassTemperature{corner} [C]"] = lap.carcass[:, at]
        found[f"TyrePressure{corner} [PSI]"] = lap.pressure[:, at] / 6.894757
        found[f"TyreWear{corner} [%]"] = 100 - 100 * lap.tread[:, at]
        found[f"SuspensionPosition{corner} [m]"] = lap.deflection[:, at]
        found[f"Load{corner} [N]"] = lap.load[:, at]
        parts = (
            ("Outside", "Middle", "Inside") if corner.endswith("Left") else ("Inside", "Middle", "Outside")
        )
        for part, name in enumerate(parts):
            found[f"{corner}{name} [C]"] = lap.tyre_temp[:, 3 * at + part]
    return found


def player(lap: Known, columns: str = FULL, left: float = 1.0) -> str:
    values = all_columns(lap, left) if columns == FULL else some_columns(lap)
    return preamble(lap) + table(columns, values)


def scaled(lap: Known) -> str:
    """Hundredths of seconds and centimetres, whole numbers without a mark."""
    hundredths = ("LapDistance [m]", "LapTime [s]", "X [m]", "Y [m]", "Z [m]")
    values = {
        name: np.rint(one * 100 if name in hundredths else one) for name, one in some_columns(lap).items()
    }
    return preamble(lap) + table(SOME, values)


def sparse(lap: Known) -> str:
    """Blank where a value is what it was in the row that last told it, or nearly."""
    steps = {"LapTime [s]": 0.03, "Speed [km/h]": 0.05, "X [m]": 0.05, "Y [m]": 0.05, "Z [m]": 0.05}
    columns = {name: _blanked(one, steps.get(name, 1e-6)) for name, one in some_columns(lap).items()}
    rows = map(",".join, zip(*columns.values(), strict=True))
    return preamble(lap) + "\n".join([SOME, *rows, ""])


def _blanked(values: Array, step: float) -> list[str]:
    cells, last = [], np.inf
    for value in values:
        cells.append(f"{value:.9g}" if abs(value - last) > step else "")
        last = value if cells[-1] else last
    return cells


def opponent(lap: Known) -> str:
    """Of an opponent: lower case, sectors from 1, and a speed in km/h that is labelled m/s."""
    x, y, z = lap.position.T
    values = {
        "sector [int]": lap.sector + 1,
        "laptime [s]": lap.lap_time,
        "lapdistance [m]": lap.distance,
        "speed [m/s]": lap.speed * 3.6,
        "throttle [%]": lap.throttle * 100,
        "brake [%]": lap.brake * 100,
        "steer [%]": lap.steering * 100,
        "gear [int]": lap.gear,
        "revs [int]": lap.rpm,
        "x [m]": z,
        "y [m]": y,
        "z [m]": -x,
        "glat [G]": -in_g(lap.left),
        "glon [G]": in_g(lap.forward),
    }
    return preamble(lap, "opponent", "VALID") + table(OPPONENT, values)


def lmu_telemetry_2(lap: Known, repeat: int = 5) -> str:
    """Version 2: no clock of use, a distance that moves five times a second, rows repeated."""
    values = some_columns(lap) | {
        "LapTime [s]": np.full(len(lap), lap.start_s + lap.time_s),
        "LapDistance [m]": lap.distance[np.arange(len(lap)) // 10 * 10],
        "X [m]": lap.position[:, 0],
        "Z [m]": lap.position[:, 2],
    }
    rows = np.repeat(np.arange(len(lap)), np.where(np.arange(len(lap)) % repeat < 2, 2, 1))
    head = (
        f"Format,LMUTelemetry v2\nVersion,1\nPlayer,{DRIVER}\nTrackName,{TRACK}\nCarName,{VEHICLE}\n"
        f"SessionUTC,2025-11-18T16:38:08Z\nLapTime [s],{lap.start_s + lap.time_s:.6f}\nTrackLen [m],0.00\n"
        "GameVersion,1.0\nEvent,Practice\n\n"
    )
    return head + table(SOME, {name: one[rows] for name, one in values.items()})


def lmu_telemetry_3(lap: Known) -> str:
    """Version 3: no clock at all, no height, and where the sectors end."""
    columns = ",".join(name for name in SOME.split(",") if name not in ("LapTime [s]", "Y [m]"))
    values = some_columns(lap) | {"X [m]": lap.position[:, 0], "Z [m]": lap.position[:, 2]}
    head = (
        f"Format,LMUTelemetry v3\nVersion,1\nPlayer,{DRIVER}\nTrackName,{TRACK}\nCarClass,GTE\n"
        f"CarName,{VEHICLE}\nSessionUTC,2025-11-21T10:50:24Z\nLapTime [s],0.000\n"
        f"TrackLen [m],{LENGTH_M:.6f}\nNumSectors,3\n"
        f"Sector1End [m],{LENGTH_M / 3:.6f}\nSector2End [m],{LENGTH_M * 2 / 3:.6f}\n"
        f"Sector3End [m],{LENGTH_M:.6f}\nGameVersion,1.0\nEvent,Practice\n\n"
    )
    return head + table(columns, {name: values[name] for name in columns.split(",")})


def only_commas(rows: int = 6600) -> str:
    """Version 3 of a recorder that had nothing to tell."""
    columns = ",".join(name for name in SOME.split(",") if name not in ("LapTime [s]", "Y [m]"))
    head = "Format,LMUTelemetry v3\nVersion,1\nLapTime [s],0.000\n\n"
    return head + columns + "\n" + (",," * 4 + ",\n") * rows


def perrinn(laps: Sequence[Known]) -> str:
    """Two clocks, and a line of units."""
    names = (
        "FRAME,TIME,DISTANCE,TOTALTIME,TOTALDISTANCE,SEGMENTNUM,SECTOR,MARKERS,MARKERTIME,MARKERFLAG,"
        "POSITIONX,POSITIONY,POSITIONZ,ROTATIONX,ROTATIONY,ROTATIONZ,STEERINGANGLE,THROTTLE,BRAKEPRESSURE,GEAR,SPEED"
    )
    position = np.concatenate([lap.position for lap in laps])
    units = "n/a,s,m,s,m,n/a,n/a,n/a,n/a,n/a,m,m,m,°,°,°,°,%,bar,,km/h"
    values = {
        "TIME": np.concatenate([lap.lap_time for lap in laps]) - 0.00026,
        "DISTANCE": np.concatenate([lap.distance for lap in laps]),
        "TOTALTIME": np.concatenate([lap.clock for lap in laps]),
        "TOTALDISTANCE": np.concatenate([lap.distance + lap.number * LENGTH_M for lap in laps]),
        "SEGMENTNUM": np.concatenate([np.full(len(lap), lap.number + 1) for lap in laps]),
        **{f"POSITION{axis}": position[:, at] for at, axis in enumerate("XYZ")},
        "THROTTLE": np.concatenate([lap.throttle for lap in laps]),
        "GEAR": np.concatenate([lap.gear for lap in laps]),
        "SPEED": np.concatenate([lap.speed * 3.6 for lap in laps]),
    }
    rows = table(names, values).split("\n", 1)
    return f"{rows[0]}\n{units}\n{rows[1]}"


def lmu_duckdb(path: Path, laps: Sequence[Known], *, steering: str = "", without: Sequence[str] = ()) -> Path:
    """The game's own file: a channel a table, each at its rate, and events as they happen."""
    import duckdb

    clock = np.concatenate([lap.clock for lap in laps])
    whole = {name: np.concatenate([getattr(lap, name) for lap in laps]) for name in _OF_LAPS}
    metre = np.pi / 180 * 6_371_008.8
    latitude = 45.6 + whole["position"][:, 2] / metre
    longitude = 9.3 + whole["position"][:, 0] / metre / np.cos(np.radians(latitude))
    share = 100.0 if steering == "%" else 1.0
    channels: dict[str, tuple[int, str, Array]] = {
        "GPS Time": (50, "s", clock),
        "Ground Speed": (50, "km/h", whole["speed"] * 3.6),
        "Throttle Pos": (50, "%", whole["throttle"] * 100),
        "Brake Pos": (50, "%", whole["brake"] * 100),
        "Steering Pos": (50, steering, whole["steering"] * share),
        "Engine RPM": (50, "rpm", whole["rpm"]),
        "Lap Dist": (10, "m", whole["distance"]),
        "GPS Latitude": (10, "deg", latitude),
        "GPS Longitude": (10, "deg", longitude),
        "G Force Lat": (10, "G", in_g(whole["left"])),
        "G Force Long": (10, "G", in_g(whole["forward"])),
        "TyresPressure": (10, "kPa", whole["pressure"]),
        "Tyres Wear": (10, "%", whole["tread"] * 100),
        "Susp Pos": (50, "m", whole["deflection"]),
        "TyresTempLeft": (50, "C", whole["tyre_temp"][:, 0::3]),
        "TyresTempCentre": (50, "C", whole["tyre_temp"][:, 1::3]),
        "TyresTempRight": (50, "C", whole["tyre_temp"][:, 2::3]),
        "FFB Output": (50, "%", whole["steering"]),
    }
    ends = [lap.start_s + lap.time_s for lap in laps]
    events = {
        "Lap": [(lap.start_s, lap.number) for lap in laps] + [(ends[-1], laps[-1].number + 1)],
        "Lap Time": [(end, lap.time_s) for end, lap in zip(ends, laps, strict=True)],
        "Last Sector1": [(end, lap.sectors_s[0]) for end, lap in zip(ends, laps, strict=True)],
        "Last Sector2": [(end, sum(lap.sectors_s[:2])) for end, lap in zip(ends, laps, strict=True)],
        "Gear": _changes(clock, whole["gear"]),
        "Current Sector": _changes(clock, whole["sector"]),
        "In Pits": [(float(clock[0]), 0.0)],
    }
    said = {
        "DriverName": DRIVER,
        "TrackName": TRACK,
        "TrackLayout": TRACK,
        "CarName": VEHICLE,
        "CarClass": "GT3",
        "SessionType": "Practice",
        "RecordingTime": "2026-02-07T22_56_50Z",
        "SteamID": "123",
        "CarSetup": '{"VM_BRAKE_BALANCE": {"stringValue": "52.0:48.0", "value": 4}, "wing": {"rear": 7}}',
    }
    with duckdb.connect(str(path)) as file:
        for name, (hertz, _, values) in channels.items():
            if name not in without:
                _fill(file, name, values[:: 50 // hertz])
        for name, rows in events.items():
            if name not in without:
                file.execute(f'CREATE TABLE "{name}" (ts DOUBLE, value DOUBLE)')
                file.executemany(f'INSERT INTO "{name}" VALUES (?, ?)', rows)
        file.execute("CREATE TABLE channelsList (channelName VARCHAR, frequency INTEGER, unit VARCHAR)")
        listed = [(name, hertz, unit) for name, (hertz, unit, _) in channels.items() if name not in without]
        file.executemany("INSERT INTO channelsList VALUES (?, ?, ?)", listed)
        file.execute("CREATE TABLE metadata (key VARCHAR, value VARCHAR)")
        file.executemany("INSERT INTO metadata VALUES (?, ?)", list(said.items()))
        if "channelsList" in without:
            file.execute("DROP TABLE channelsList")
    return path


_OF_LAPS: Final = (
    *("distance", "position", "speed", "left", "forward", "throttle", "brake", "steering", "gear", "rpm"),
    *("sector", "tyre_temp", "pressure", "tread", "deflection"),
)


def _fill(file: Any, name: str, values: Array) -> None:
    columns = values.reshape(len(values), -1)
    names = ["value"] if columns.shape[1] == 1 else [f"value{at}" for at in range(1, columns.shape[1] + 1)]
    file.execute(f'CREATE TABLE "{name}" ({", ".join(f"{one} DOUBLE" for one in names)})')
    lists = {f"c{at}": columns[:, at].tolist() for at in range(len(names))}
    wanted = ", ".join(f"unnest(${one})" for one in lists)
    file.execute(f'INSERT INTO "{name}" SELECT {wanted}', lists)


def _changes(clock: Array, values: Array) -> list[tuple[float, float]]:
    at = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
    return [(float(clock[one]), float(values[one])) for one in at]
