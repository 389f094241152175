"""`rig watch`: the live view, and the exact count of what came while it ran."""

import contextlib
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any, Final

from rich.console import Console

from rigclient.blocking import connect
from rigclient.cli.terminal.keyboard import Keyboard
from rigclient.cli.terminal.line import Line
from rigclient.cli.terminal.palette import DIM, GOOD, STRONG, TEXT, YELLOW
from rigclient.cli.terminal.screen import Screen
from rigclient.cli.terminal.text import Text
from rigclient.cli.watch import headline, leaderboard, view
from rigclient.cli.watch.board import PHYSICS_CHANNELS, SCORING_CHANNELS, Board, Condition
from rigclient.cli.watch.debrief import Debrief
from rigclient.cli.watch.feeds import Feeds
from rigclient.waiting import LOG
from riglap.times import clock, gap, lap_time

REFRESH_S: Final = 0.08
LINE_S: Final = 1.0
"""Without a screen: seconds between two lines."""


@dataclass(frozen=True)
class WatchSummary:
    """What came over the complete telemetry stream while the view ran."""

    received: int
    declared_missing: int
    """Sequence numbers between the first and the last that gaps account for."""
    undeclared_missing: int
    """Sequence numbers that nothing accounts for: a defect, must be 0."""
    first_seq: int
    last_seq: int
    """0 when nothing came."""
    reconnects: int

    def plain(self) -> dict[str, int]:
        """Return plain values for machines."""
        return asdict(self)

    def text(self) -> str:
        """Return one line for people."""
        if not self.received:
            return "nothing was received"
        loss = f"{self.declared_missing} declared missing, {self.undeclared_missing} lost without a word"
        span = f"seq {self.first_seq} to {self.last_seq}"
        return f"{self.received} frames received ({span}), {loss}, {self.reconnects} reconnects"


def watch(
    address: str,
    for_s: float | None,
    car: int | None,
    screen: bool,
    console: Console,
    *,
    coach: bool = False,
    say_plain: Callable[[dict[str, Any]], None] | None = None,
) -> WatchSummary:
    """Show the rig at `address` until q, Ctrl-C or `for_s` seconds, and count every record.

    `car` is the slot id of the car in the cockpit, None for the player's. Without `screen`, or when the
    console is no terminal, one line a second is printed instead. With `coach` every lap of that car is
    followed by tips; `say_plain` gets them as well, as plain values.
    """
    board = Board(address, car)
    LOG.addHandler(logging.NullHandler())  # the view itself says what is awaited
    until = math.inf if for_s is None else time.monotonic() + for_s
    with connect(address) as rig, _quiet_end():
        feeds = Feeds(rig, {"channels": PHYSICS_CHANNELS}, {"channels": SCORING_CHANNELS})
        debrief = Debrief(rig, car) if coach else None
        feeds.start()
        if debrief is not None:
            debrief.start()
        try:
            show = _on_screen if screen and console.is_terminal else _line_by_line
            show(board, feeds, until, console, debrief, say_plain)
        finally:
            if debrief is not None:
                debrief.close()
            feeds.close()
            board.take(feeds.take())
    return _summary(board, feeds.reconnects)


Say = Callable[[dict[str, Any]], None] | None


def _on_screen(
    board: Board, feeds: Feeds, until: float, console: Console, debrief: Debrief | None, say: Say
) -> None:
    with Keyboard() as keyboard, Screen(console) as screen:
        choice, frozen = view.ViewSettings(keys=keyboard.works), False
        due, size, rows = time.monotonic(), (0, 0), list[Line]()
        while due < until:
            board.take(feeds.take())
            for told in debrief.take() if debrief else ():
                choice.said = told.lines()
                if say is not None:
                    say(told.plain())
            if not choice.paused or size != screen.size:
                size = screen.size
                rows = view.lines(board, *size, choice, feeds.reconnects)
            screen.paint(rows, size)
            due = max(due + REFRESH_S, time.monotonic())
            if not _follow_keys(keyboard, min(due, until), board, choice):
                return
            if choice.paused and not frozen:
                rows = view.lines(board, *size, choice, feeds.reconnects)
            frozen = choice.paused


def _follow_keys(keyboard: Keyboard, due: float, board: Board, choice: view.ViewSettings) -> bool:
    """Do what the keys say until the next refresh is due; False means quit."""
    while (left := due - time.monotonic()) > 0:
        for key in keyboard.wait(left):
            if key == "q":
                return False
            press(key, board, choice)
    return True


def press(key: str, board: Board, choice: view.ViewSettings) -> None:
    """Do what a key says. Any key ends a pause."""
    choice.paused = key in ("p", " ") and not choice.paused
    match key:
        case "j" | "k":
            board.choose(1 if key == "j" else -1, leaderboard.order(board, choice.sort))
        case "s":
            at = leaderboard.SORTS.index(choice.sort) + 1
            choice.sort = leaderboard.SORTS[at % len(leaderboard.SORTS)]
        case "t":
            choice.pedals = not choice.pedals
        case "?":
            choice.helping = not choice.helping


def _line_by_line(
    board: Board, feeds: Feeds, until: float, console: Console, debrief: Debrief | None, say: Say
) -> None:
    due = time.monotonic()
    while due < until:
        due += LINE_S
        time.sleep(max(min(due, until) - time.monotonic(), 0.0))
        board.take(feeds.take())
        console.print(summary_line(board, feeds.reconnects), soft_wrap=True, end="")
        for told in debrief.take() if debrief else ():
            for text in told.lines():
                console.print(Text(text, STRONG if text is told.headline else TEXT), soft_wrap=True)
            if say is not None:
                say(told.plain())


def summary_line(board: Board, reconnects: int) -> Line:
    """Return the view in one line."""
    line = Line(f"{clock(board.clock_s):>7} ", STRONG)
    if board.state.condition is not Condition.LIVE:
        return line.put(headline.sentence(board), YELLOW)
    _put_leader(line, board)
    _put_car(line, board)
    tally, recorder = board.tally, board.recorder
    rate = recorder.physics_rate_hz if recorder is not None else 0.0
    line.put(f" | {rate:.0f} Hz {board.latency_ms:.1f} ms seq {tally.last_seq}", DIM)
    return line.put(f" missed {tally.declared_missing} reconnects {reconnects}", DIM)


def _put_leader(line: Line, board: Board) -> None:
    order = board.order
    if board.scoring is None or not order:
        return
    leader = board.scoring.car(order[0])
    assert leader is not None
    line.put("P1 ", DIM).put(board.name(order[0]), TEXT).put(f" lap {leader.laps + 1}", DIM)
    line.put(f" {lap_time(float(leader.last_lap_time))}".rstrip(), GOOD)


def _put_car(line: Line, board: Board) -> None:
    car, standing, focus = board.car, board.standing, board.focus
    if car is None or focus is None:
        return
    if board.absent is not None:
        line.put(f" | car {board.absent} is not there, so", YELLOW)
    place = "" if standing is None else f"P{standing.place} "
    line.put(f" | {place}", DIM).put(board.name(focus), TEXT)
    if standing is not None and standing.place > 1:
        line.put(f" {gap(float(standing.time_behind_leader))}".rstrip(), DIM)
    gear = {-1: "R", 0: "N"}.get(int(car.gear), str(car.gear))
    line.put(f" {gear} {car.speed * 3.6:.0f} km/h {car.engine_rpm:.0f} rpm", STRONG)


def _summary(board: Board, reconnects: int) -> WatchSummary:
    tally = board.tally
    return WatchSummary(
        tally.received,
        tally.declared_missing,
        tally.undeclared_missing,
        tally.first_seq,
        tally.last_seq,
        reconnects,
    )


@contextlib.contextmanager
def _quiet_end() -> Iterator[None]:
    """Let Ctrl-C end the view, and SIGTERM and SIGHUP leave a usable terminal behind."""
    taken = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                taken[number] = signal.signal(number, _leave)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, before in taken.items():
            signal.signal(number, before)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
