"""The head of the live view: track, session, flags, clock and weather."""

from typing import Final

from rich.style import Style

from rig.v1 import event_pb2, session_pb2
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import ALARM, BLUE, DIM, FAINT, FLAGS, RED, STRONG, TEXT, WARNING
from rigclient.cli.watch.board import Board, Condition
from riglap.times import clock

_PHASES: Final = {
    0: ("GARAGE", "none"),
    1: ("RECON", "none"),
    2: ("GRID", "none"),
    3: ("FORMATION", "white"),
    4: ("COUNTDOWN", "red"),
    5: ("GREEN", "green"),
    6: ("FULL-COURSE YELLOW", "yellow"),
    7: ("STOPPED", "red"),
    8: ("CHEQUERED", "white"),
    9: ("PAUSED", "none"),
}
_YELLOW_STEPS: Final = {
    1: "pending",
    2: "pits closed",
    3: "pit lead lap",
    4: "pits open",
    5: "last lap",
    6: "resume",
}
_COUNTDOWN, _GREEN, _FULL_YELLOW = 4, 5, 6
_YELLOW_SECTOR: Final = 1
_WET: Final = 0.02


def lines(board: Board, width: int) -> list[Line]:
    """Return two lines: the session, and either the weather or what is wrong."""
    return [_session(board, width), _trouble(board, width) or _weather(board, width)]


def sentence(board: Board) -> str:
    """Return what is wrong, in words; nothing when all is well."""
    state = board.state
    return "" if state.condition is Condition.LIVE else f"{state.word}: {state.sentence}"


def _session(board: Board, width: int) -> Line:
    session = board.session
    if session is None:
        return Line(" rig watch ", STRONG).put(f" {board.address}", DIM).to(width)
    right = _limits(board, session)
    line = _flag(session).put(f" {kind(session)} ", STRONG)
    line.fit(session.track_name, max(width - line.width - right.width, 0), TEXT)
    return line.add(right).to(width)


def kind(session: session_pb2.SessionState) -> str:
    """Return the kind and number of a session: RACE, PRACTICE 2, ..."""
    name = session_pb2.SessionKind.Name(session.kind).removeprefix("SESSION_KIND_").replace("_", " ")
    return "SESSION" if name == "UNSPECIFIED" else name


def _flag(session: session_pb2.SessionState) -> Line:
    if session.game_phase == _COUNTDOWN and session.num_red_lights:
        lit = min(max(session.start_light, 0), session.num_red_lights)
        line = Line(" ")
        return line.put("● " * lit, RED).put("● " * (session.num_red_lights - lit), FAINT)
    word, flag = _PHASES.get(session.game_phase, (f"PHASE {session.game_phase}", "none"))
    if session.game_phase == _GREEN and _YELLOW_SECTOR in session.sector_flags:
        word, flag = "YELLOW", "yellow"
    line = Line(f" {word} ", FLAGS[flag])
    if session.game_phase == _FULL_YELLOW and session.yellow_flag_state in _YELLOW_STEPS:
        line.put(f" {_YELLOW_STEPS[session.yellow_flag_state]}", TEXT)
    return line


def flag_words(changed: event_pb2.FlagChanged) -> str:
    """Return the flags in words: green; green, local yellow; full-course yellow, pits closed."""
    words = [_PHASES.get(changed.game_phase, (f"phase {changed.game_phase}", ""))[0].lower()]
    words += ["local yellow"] if _YELLOW_SECTOR in changed.sector_flags else []
    step = _YELLOW_STEPS.get(changed.yellow_flag_state)
    return ", ".join([*words, step] if step else words)


def _limits(board: Board, session: session_pb2.SessionState) -> Line:
    """Return clock, and what is left of the session."""
    line = Line(" " + clock(board.clock_s), STRONG)
    if session.HasField("end_time"):
        line.put(f"  left {clock(session.end_time - board.clock_s)}", TEXT)
    if board.scoring is not None and len(board.scoring):
        lap = int(board.scoring.laps.max()) + 1
        if session.HasField("max_laps"):
            line.put(f"  lap {min(lap, session.max_laps)}/{session.max_laps}", TEXT)
        else:
            line.put(f"  lap {lap}", TEXT)
    return line.put(" ")


def _trouble(board: Board, width: int) -> Line | None:
    state = board.state
    if state.condition is Condition.LIVE:
        return None
    style = WARNING if state.condition in (Condition.SILENT, Condition.CONNECTING) else ALARM
    return (
        Line(f" {state.word} ", style).put(" ").fit(state.sentence, max(width - len(state.word) - 3, 0), TEXT)
    )


def _weather(board: Board, width: int) -> Line:
    session = board.session
    if session is None:
        return Line().to(width)
    weather = session.weather
    line = Line(" air ", DIM).put(f"{weather.ambient_temp:.0f}°", TEXT)
    line.put("  track ", DIM).put(f"{weather.track_temp:.0f}°", TEXT)
    line.put("  road ", DIM).put(*_road(weather))
    if weather.raining > _WET:
        line.put("  rain ", DIM).put(f"{weather.raining:.0%}", BLUE)
    line.put("  cloud ", DIM).put(f"{weather.dark_cloud:.0%}", TEXT)
    line.put("  wind ", DIM).put(f"{_wind_kmh(weather):.0f} km/h", TEXT)
    sectors = _sectors(session)
    return line.to(max(width - sectors.width, 0)).add(sectors).to(width)


def _road(weather: session_pb2.Weather) -> tuple[str, Style]:
    if weather.avg_path_wetness <= _WET:
        return "dry", TEXT
    return f"wet {weather.avg_path_wetness:.0%}", BLUE


def _wind_kmh(weather: session_pb2.Weather) -> float:
    return 3.6 * float(sum(part * part for part in weather.wind) ** 0.5)


def _sectors(session: session_pb2.SessionState) -> Line:
    """Return one lamp per sector."""
    line = Line()
    for number, flag in enumerate(session.sector_flags, start=1):
        line.put(f" S{number} ", FLAGS["yellow"] if flag == _YELLOW_SECTOR else FLAGS["none"]).put(" ")
    return line
