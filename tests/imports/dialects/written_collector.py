"""Files of the old collector, written from laps whose every number is known. Headers are as it wrote them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.imports.known import DRIVER, LENGTH_M, VEHICLE, Known

Array = np.ndarray[Any, np.dtype[Any]]
Cells = Mapping[str, Array | str]

PHYSICS: Final = (
    "elapsed_time,lap_number,bias_front,pressure_0,pressure_1,pressure_2,pressure_3,temperature_0,"
    "temperature_1,temperature_2,temperature_3,carcass_temperature_0,carcass_temperature_1,"
    "carcass_temperature_2,carcass_temperature_3,compound_0,compound_1,compound_2,compound_3,"
    "compound_name_front,compound_name_rear,tyre_pressure_0,tyre_pressure_1,tyre_pressure_2,"
    "tyre_pressure_3,surface_temperature_avg_0,surface_temperature_avg_1,surface_temperature_avg_2,"
    "surface_temperature_avg_3,surface_temperature_ico_0,surface_temperature_ico_1,"
    "surface_temperature_ico_2,surface_temperature_ico_3,surface_temperature_ico_4,"
    "surface_temperature_ico_5,surface_temperature_ico_6,surface_temperature_ico_7,"
    "surface_temperature_ico_8,surface_temperature_ico_9,surface_temperature_ico_10,"
    "surface_temperature_ico_11,inner_temperature_avg_0,inner_temperature_avg_1,inner_temperature_avg_2,"
    "inner_temperature_avg_3,wear_0,wear_1,wear_2,wear_3,load_0,load_1,load_2,load_3,rotation_0,"
    "rotation_1,rotation_2,rotation_3,suspension_deflection_0,suspension_deflection_1,"
    "suspension_deflection_2,suspension_deflection_3,ride_height_0,ride_height_1,ride_height_2,"
    "ride_height_3,camber_0,camber_1,camber_2,camber_3,slip_angle_fl,slip_angle_fr,slip_angle_rl,"
    "slip_angle_rr,is_detached_0,is_detached_1,is_detached_2,is_detached_3,surface_type_0,surface_type_1,"
    "surface_type_2,surface_type_3,rpm,rpm_max,gear,gear_max,oil_temperature,water_temperature,torque,"
    "turbo,battery_charge,motor_rpm,motor_torque,motor_temperature,motor_water_temperature,motor_state,"
    "throttle,throttle_raw,brake_input,brake_raw,clutch,clutch_raw,steering,steering_raw,"
    "steering_range_physical,steering_range_visual,steering_shaft_torque,force_feedback,position_xyz_0,"
    "position_xyz_1,position_xyz_2,velocity_lateral,velocity_longitudinal,velocity_vertical,speed,"
    "accel_lateral,accel_longitudinal,accel_vertical,orientation_yaw_radians,rotation_lateral,"
    "rotation_longitudinal,rotation_vertical,fuel,damage_severity_0,damage_severity_1,damage_severity_2,"
    "damage_severity_3,damage_severity_4,damage_severity_5,damage_severity_6,damage_severity_7,distance,"
    "progress,path_lateral,track_edge"
)
SCORING: Final = (
    "elapsed_time,lap_number,update_trigger,behind_leader,behind_next,best_laptime,best_sector1,"
    "best_sector2,current_laptime,current_sector1,current_sector2,last_laptime,last_sector1,last_sector2,"
    "delta_best,estimated_laptime,estimated_time_into,sector_index,track_length,position_lateral,"
    "in_garage,in_pits,is_player,place,finish_state,green_flag,yellow_flag,blue_flag,in_race,in_countdown,"
    "in_formation,pit_open,raininess,wetness_average,wetness_minimum,wetness_maximum,session_elapsed,"
    "session_remaining,auto_clutch,drs_status,headlights,ignition_starter,speed_limiter"
)
COMPACT: Final = (
    "elapsed_time,lap_number,speed_kph,gear,rpm,throttle,brake,steering,pos_x,pos_y,pos_z,acc_x,acc_y,"
    "acc_z,sector,lap_dist,path_lateral,track_edge,surface_fl,surface_fr,surface_rl,surface_rr,lap_valid"
)
TIMING: Final = (
    "behind_leader,behind_next,best_laptime,best_sector1,best_sector2,current_laptime,current_sector1,"
    "current_sector2,delta_best,elapsed,elapsed_time,estimated_laptime,estimated_time_into,lap_number,"
    "last_laptime,last_sector1,last_sector2,start"
)
VEHICLE_COLUMNS: Final = (
    "accel_lateral,accel_longitudinal,accel_vertical,class_name,damage_severity_0,damage_severity_1,"
    "damage_severity_2,damage_severity_3,damage_severity_4,damage_severity_5,damage_severity_6,"
    "damage_severity_7,downforce_front,downforce_rear,driver_name,elapsed_time,finish_state,fuel,"
    "impact_magnitude,impact_position_0,impact_position_1,impact_time,in_garage,in_pits,is_detached,"
    "is_driving,is_player,lap_number,number_penalties,number_pitstops,orientation_yaw_radians,"
    "path_lateral,pit_request,place,player_index,position_lateral,position_longitudinal,position_vertical,"
    "position_xyz_0,position_xyz_1,position_xyz_2,qualification,same_class,slot_id,speed,tank_capacity,"
    "total_vehicles,track_edge,vehicle_name,velocity_lateral,velocity_longitudinal,velocity_vertical"
)
INPUTS: Final = (
    "brake,brake_raw,clutch,clutch_raw,elapsed_time,force_feedback,lap_number,steering,"
    "steering_range_physical,steering_range_visual,steering_raw,steering_shaft_torque,throttle,"
    "throttle_raw"
)
WHEEL: Final = (
    "camber_0,camber_1,camber_2,camber_3,elapsed_time,is_detached_0,is_detached_1,is_detached_2,"
    "is_detached_3,is_offroad,lap_number,position_vertical_0,position_vertical_1,position_vertical_2,"
    "position_vertical_3,ride_height_0,ride_height_1,ride_height_2,ride_height_3,rotation_0,rotation_1,"
    "rotation_2,rotation_3,slip_angle_fl,slip_angle_fr,slip_angle_rl,slip_angle_rr,"
    "suspension_deflection_0,suspension_deflection_1,suspension_deflection_2,suspension_deflection_3,"
    "suspension_force_0,suspension_force_1,suspension_force_2,suspension_force_3,"
    "third_spring_deflection_0,third_spring_deflection_1,third_spring_deflection_2,"
    "third_spring_deflection_3,toe_0,toe_1,toe_2,toe_3,toe_symmetric_0,toe_symmetric_1,toe_symmetric_2,"
    "toe_symmetric_3,velocity_lateral_0,velocity_lateral_1,velocity_lateral_2,velocity_lateral_3,"
    "velocity_longitudinal_0,velocity_longitudinal_1,velocity_longitudinal_2,velocity_longitudinal_3"
)
TYRE: Final = (
    "carcass_temperature_0,carcass_temperature_1,carcass_temperature_2,carcass_temperature_3,compound_0,"
    "compound_1,compound_front,compound_name_0,compound_name_1,compound_name_front,compound_name_rear,"
    "compound_rear,elapsed_time,inner_temperature_avg_0,inner_temperature_avg_1,inner_temperature_avg_2,"
    "inner_temperature_avg_3,inner_temperature_ico_0,inner_temperature_ico_1,inner_temperature_ico_10,"
    "inner_temperature_ico_11,inner_temperature_ico_2,inner_temperature_ico_3,inner_temperature_ico_4,"
    "inner_temperature_ico_5,inner_temperature_ico_6,inner_temperature_ico_7,inner_temperature_ico_8,"
    "inner_temperature_ico_9,lap_number,load_0,load_1,load_2,load_3,pressure_0,pressure_1,pressure_2,"
    "pressure_3,surface_temperature_avg_0,surface_temperature_avg_1,surface_temperature_avg_2,"
    "surface_temperature_avg_3,surface_temperature_ico_0,surface_temperature_ico_1,"
    "surface_temperature_ico_10,surface_temperature_ico_11,surface_temperature_ico_2,"
    "surface_temperature_ico_3,surface_temperature_ico_4,surface_temperature_ico_5,"
    "surface_temperature_ico_6,surface_temperature_ico_7,surface_temperature_ico_8,"
    "surface_temperature_ico_9,wear_0,wear_1,wear_2,wear_3"
)
WHEEL_MORE: Final = (
    "camber_0,camber_1,camber_2,camber_3,elapsed_time,grip_fraction_0,grip_fraction_1,grip_fraction_2,"
    "grip_fraction_3,is_detached_0,is_detached_1,is_detached_2,is_detached_3,is_flat_0,is_flat_1,"
    "is_flat_2,is_flat_3,is_offroad,lap_number,lateral_force_0,lateral_force_1,lateral_force_2,"
    "lateral_force_3,longitudinal_force_0,longitudinal_force_1,longitudinal_force_2,longitudinal_force_3,"
    "position_vertical_0,position_vertical_1,position_vertical_2,position_vertical_3,ride_height_0,"
    "ride_height_1,ride_height_2,ride_height_3,rotation_0,rotation_1,rotation_2,rotation_3,slip_angle_fl,"
    "slip_angle_fr,slip_angle_rl,slip_angle_rr,static_radius_0,static_radius_1,static_radius_2,"
    "static_radius_3,surface_type_0,surface_type_1,surface_type_2,surface_type_3,suspension_deflection_0,"
    "suspension_deflection_1,suspension_deflection_2,suspension_deflection_3,suspension_force_0,"
    "suspension_force_1,suspension_force_2,suspension_force_3,terrain_name_0,terrain_name_1,"
    "terrain_name_2,terrain_name_3,third_spring_deflection_0,third_spring_deflection_1,"
    "third_spring_deflection_2,third_spring_deflection_3,toe_0,toe_1,toe_2,toe_3,toe_symmetric_0,"
    "toe_symmetric_1,toe_symmetric_2,toe_symmetric_3,velocity_lateral_0,velocity_lateral_1,"
    "velocity_lateral_2,velocity_lateral_3,velocity_longitudinal_0,velocity_longitudinal_1,"
    "velocity_longitudinal_2,velocity_longitudinal_3,vertical_deflection_0,vertical_deflection_1,"
    "vertical_deflection_2,vertical_deflection_3"
)
BRAKE: Final = (
    "bias_front,elapsed_time,lap_number,pressure_0,pressure_1,pressure_2,pressure_3,temperature_0,temperature_1,"
    "temperature_2,temperature_3"
)
ENGINE: Final = (
    "elapsed_time,gear,gear_max,lap_number,oil_temperature,rpm,rpm_max,torque,turbo,water_temperature"
)
MOTOR: Final = "battery_charge,elapsed_time,lap_number,motor_temperature,rpm,state,torque,water_temperature"
LAP: Final = "distance,elapsed_time,lap_number,maximum,progress,sector_index,track_length"
SWITCH: Final = "elapsed_time,headlights,ignition_starter,lap_number,speed_limiter"

UPDATE_S: Final = 0.2
"""The scoring is as old as this."""
_NO_SENSOR: Final = -273.15


def table(columns: str, rows: int, cells: Cells) -> str:
    """Rows of a file; a column that is not given is 0."""
    names = columns.split(",")
    assert cells.keys() <= set(names), cells.keys() - set(names)
    texts = [_texts(cells.get(name, "0.0"), rows) for name in names]
    return "\n".join([columns, *map(",".join, zip(*texts, strict=True)), ""])


def _texts(values: Array | str, rows: int) -> list[str]:
    return [values] * rows if isinstance(values, str) else [repr(value) for value in values.tolist()]


def clocks(lap: Known) -> Cells:
    return {"elapsed_time": lap.clock, "lap_number": np.full(len(lap), lap.number)}


def of_wheels(name: str, values: Array) -> dict[str, Array]:
    return {f"{name}_{at}": values[:, at] for at in range(values.shape[1])}


def timing(lap: Known, before: Known | None) -> dict[str, Array]:
    """What the game tells of the lap before: a fifth of a second late."""
    late = lap.lap_time < UPDATE_S
    time_s, one, two, _ = (before.time_s, *np.cumsum(before.sectors_s)) if before else (-1.0,) * 4
    return {
        "last_laptime": np.where(late, -1.0, time_s),
        "last_sector1": np.where(late, -1.0, one),
        "last_sector2": np.where(late, -1.0, two),
    }


def way(lap: Known) -> dict[str, Array]:
    forward = -lap.speed
    return {
        **of_wheels("position_xyz", lap.position),
        "speed": lap.speed,
        "velocity_longitudinal": forward,
        "accel_lateral": lap.left,
        "accel_longitudinal": -lap.forward,
        "fuel": lap.fuel,
    }


def pedals(lap: Known) -> dict[str, Array]:
    return {
        "throttle": lap.throttle * 0.9,
        "throttle_raw": lap.throttle,
        "brake_raw": lap.brake,
        "steering": lap.steering,
        "steering_raw": lap.steering,
        "steering_range_visual": np.full(len(lap), 719.0),
    }


def tyres(lap: Known) -> dict[str, Array]:
    return {
        **of_wheels("carcass_temperature", lap.carcass),
        **of_wheels("surface_temperature_ico", lap.tyre_temp),
        **of_wheels("wear", lap.tread),
        **of_wheels("load", lap.load),
    }


def ten_files(lap: Known, before: Known | None) -> dict[str, str]:
    """The files of one lap, by what they are of."""
    rows, both = len(lap), clocks(lap)
    names: Cells = {"driver_name": DRIVER, "vehicle_name": VEHICLE, "class_name": "GT3", "in_pits": "False"}
    compounds: Cells = {"compound_name_front": "Medium", "compound_name_rear": "Soft"}
    blank: Cells = dict.fromkeys(("compound_name_0", "compound_name_1"), "Medium")
    dents = {"damage_severity_0": np.ones(rows), "place": np.full(rows, 4.0)}
    start = {"start": np.full(rows, lap.start_s), "elapsed": lap.clock, "current_laptime": lap.lap_time}
    pressure = of_wheels("pressure", lap.pressure)
    brakes = {**of_wheels("temperature", lap.brake_temp), "bias_front": np.full(rows, 0.5125)}
    engine = {"gear": lap.gear, "rpm": lap.rpm, "turbo": np.full(rows, 104_000.0)}
    motor = {"battery_charge": np.full(rows, 0.5), "motor_temperature": np.full(rows, _NO_SENSOR)}
    return {
        "brake": table(BRAKE, rows, {**both, **brakes}),
        "emotor": table(MOTOR, rows, {**both, **motor}),
        "engine": table(ENGINE, rows, {**both, **engine}),
        "inputs": table(INPUTS, rows, {**both, **pedals(lap), "brake": lap.brake}),
        "lap": table(LAP, rows, {**both, "distance": lap.distance, "track_length": np.full(rows, LENGTH_M)}),
        "switch": table(SWITCH, rows, both),
        "timing": table(TIMING, rows, {**both, **start, **timing(lap, before)}),
        "tyre": table(TYRE, rows, {**both, **tyres(lap), **pressure, **compounds, **blank}),
        "vehicle": table(VEHICLE_COLUMNS, rows, {**both, **way(lap), **names, **dents}),
        "wheel": table(WHEEL, rows, {**both, **of_wheels("suspension_deflection", lap.deflection * 1000)}),
    }


def write_ten(
    folder: Path, laps: Sequence[Known], change: Callable[[str], str] = lambda text: text
) -> list[Path]:
    """Ten files for every lap."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for before, lap in zip([None, *laps], laps, strict=False):
        for name, text in ten_files(lap, before).items():
            path = folder / f"lap{lap.number:03d}_{name}.csv"
            path.write_text(change(text))
            paths.append(path)
    return paths


def write_pair(folder: Path, laps: Sequence[Known]) -> list[Path]:
    """Physics and scoring of every lap; the scoring has a row when something changes, and every second."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for before, lap in zip([None, *laps], laps, strict=False):
        rows, both = len(lap), clocks(lap)
        compounds: Cells = {"compound_name_front": "Medium", "compound_name_rear": "Soft"}
        physics = {
            **both,
            **{name: one for name, one in pedals(lap).items() if name in PHYSICS.split(",")},
            **way(lap),
            **tyres(lap),
            **compounds,
            **of_wheels("tyre_pressure", lap.pressure),
            **of_wheels("temperature", lap.brake_temp),
            **of_wheels("suspension_deflection", lap.deflection * 1000),
            "brake_input": lap.brake,
            "gear": lap.gear,
            "rpm": lap.rpm,
            "distance": lap.distance,
            "motor_temperature": np.full(rows, _NO_SENSOR),
        }
        told = np.unique(np.concatenate([np.arange(0, rows, 50), np.flatnonzero(np.diff(lap.sector)) + 1]))
        scoring = {
            **both,
            **timing(lap, before),
            "current_laptime": lap.lap_time,
            "sector_index": lap.sector,
            "track_length": np.full(rows, LENGTH_M),
            "place": np.full(rows, 2.0),
        }
        cut: dict[str, Array | str] = {name: np.asarray(one)[told] for name, one in scoring.items()}
        cut["update_trigger"] = "periodic"
        for name, text in (
            ("physics", table(PHYSICS, rows, physics)),
            ("scoring", table(SCORING, len(told), cut)),
        ):
            path = folder / f"{lap.number:02d}-{name}.csv"
            path.write_text(text)
            paths.append(path)
    return paths


def write_compact(path: Path, laps: Sequence[Known]) -> Path:
    """All laps in one file of few columns."""
    texts = []
    for lap in laps:
        cells: Cells = {
            **clocks(lap),
            "speed_kph": lap.speed * 3.6,
            "gear": lap.gear,
            "throttle": lap.throttle,
            "brake": lap.brake,
            "steering": lap.steering,
            **{f"pos_{axis}": lap.position[:, at] for at, axis in enumerate("xyz")},
            "acc_x": lap.left,
            "acc_z": -lap.forward,
            "sector": lap.sector,
            "lap_dist": lap.distance,
            "lap_valid": "True",
        }
        texts.append(table(COMPACT, len(lap), cells).partition("\n")[2])
    path.write_text("\n".join([COMPACT, "".join(texts)]))
    return path
