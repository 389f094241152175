"""Draws the pictures of README and pages: the real views, on a race of the simulated game.

    make pictures

A fast race gives laps to list and to plot, then a race at the game's own pace is watched. It takes three
minutes, and needs chromium and `make web`. Only what was asked for by name is drawn:
`python docs/draw_pictures.py watch status`.
"""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the browser and the race of the tests

import rigclient
from rig.errors import RigError
from rig.v1 import catalog_pb2
from rigclient.cli.watch import view
from rigclient.cli.watch.board import PHYSICS_CHANNELS, SCORING_CHANNELS, Board
from rigclient.cli.watch.feeds import Feeds
from riglap.season.page import write as write_season
from tests.riglap.season import driven

PICTURES: Final = Path(__file__).parent / "pictures"
HOME: Final = Path(tempfile.gettempdir()) / "rigd-pictures"
"""Buffers, data and socket: shown in a picture, so the same on every machine."""
ADDRESS: Final = f"unix:{HOME}/rig.sock"
WATCH: Final = (110, 32)
"""Columns and rows of the live view."""
TABLE_COLUMNS: Final = 110
FIRST_LAPS: Final = 24
"""Of twelve cars: two of each."""
WATCHED_S: Final = 50.0
"""So that the first lap of the short circuit is over."""

WEB_PORT: Final = 8791
PAGE_S: Final = 12.0
"""So that the traces of the wall and its log reach back."""

THEME: Final = TerminalTheme(
    (16, 20, 24),
    (215, 221, 227),
    [(58, 66, 75), (255, 93, 93), (79, 214, 117), (255, 210, 63), (90, 169, 255), (199, 125, 255)],
)
_FONT_FACE: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rich asks a host for its font; the reader's own monospace does as well."""


def main(names: list[str]) -> None:
    """Draw all pictures, or those named."""
    every = (laps, plot, watch, status, pages, garage, season)
    drawers: dict[str, Callable[[], None]] = {one.__name__: one for one in every}
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rigd-pictures-", dir="/dev/shm") as buffers, _home():
        with _running("archive"), _recording(buffers), _game(buffers, "--speed", "8"):
            _wait(lambda: len(list(HOME.glob("data/laps/*/[!.]*.lap"))) >= FIRST_LAPS)
        with _running("archive"), _recording(buffers), _running("serve", "--address", ADDRESS):
            _wait(_recorder_heard)
            with _game(buffers, "--short", "--seed", "2"):
                for name, draw in drawers.items():
                    if name in (names or drawers):
                        draw()
                        print(f"drew {name}")


def laps() -> None:
    """`rig laps` of the fast race."""
    with rigclient.connect(ADDRESS) as rig:
        first = list(rig.sessions())[-1].name
    _save("laps.svg", _shown("laps", first, "--order-by", "lap_time", "--limit", "12"), title="rig laps")


def plot() -> None:
    """`rig plot` of the two fastest drivers."""
    with rigclient.connect(ADDRESS) as rig:
        first = list(rig.sessions())[-1].name
        best = [lap.name for lap in rig.laps(first, best_of="driver", order_by="lap_time")]
    _rig("plot", *best[:2], "--channels", "speed,throttle,brake", "--out", str(PICTURES / "plot.png"))


def watch() -> None:
    """`rig watch`, after a lap."""
    board = Board(ADDRESS)
    with rigclient.connect(ADDRESS) as rig:
        feeds = Feeds(rig, {"channels": PHYSICS_CHANNELS}, {"channels": SCORING_CHANNELS})
        feeds.start()
        end = time.monotonic() + WATCHED_S
        while time.monotonic() < end:
            time.sleep(0.1)
            board.take(feeds.take())
        lines = view.lines(board, *WATCH, view.ViewSettings(keys=True))
        feeds.close()
    _save("watch.svg", *lines, title="rig watch", columns=WATCH[0])


def status() -> None:
    """`rig status`, while somebody reads."""
    with rigclient.connect(ADDRESS) as rig, contextlib.closing(rig.physics(["speed"])) as stream:
        next(stream)
        _save("status.svg", _shown("status"), title="rig status")


def garage() -> None:
    """The garage: two setups of a car, and what is different."""
    with rigclient.connect(ADDRESS) as rig:
        event = catalog_pb2.RacingEvent(title="Meander 6 h", start_date="2026-11-28", end_date="2026-11-29")
        rig.catalog.create("events", event)
        made = catalog_pb2.Vehicle(title="Copper GT3", number="12", vehicle_class="GT3")
        vehicle = rig.catalog.create("vehicles", made).name
        setups = [
            rig.catalog.create(f"{vehicle}/setups", _setup(*one)).name
            for one in (("endurance", "4", "62.0", "165"), ("sprint", "6", "70.5", "162"))
        ]
    address = f"garage?rig=rig&show={vehicle}&setup={setups[0]}&setup={setups[1]}"
    with _gateway(), _browser() as browser:
        _photograph(browser, "garage", address, 1280, 820, 2.0)


def _setup(title: str, wing: str, spring: str, pressure: str) -> catalog_pb2.Setup:
    made = catalog_pb2.Setup(title=title)
    made.parameters.add(section="FRONTWING", key="FWSetting", value=wing)
    made.parameters.add(section="GENERAL", key="BrakePressureSetting", value="90", unit="%")
    for wheel in ("FRONTLEFT", "FRONTRIGHT"):
        made.parameters.add(section=wheel, key="SpringSetting", value=spring, unit="N/mm")
        made.parameters.add(section=wheel, key="PressureSetting", value=pressure, unit="kPa")
    return made


def season() -> None:
    """The report of a season: six races as the tests drive them, for a demo has one."""
    path = HOME / "season.html"
    races = [
        driven.race(driven.even([100.0 + 0.4 * (car + nth * car % 3) for car in range(6)]), nth, where)
        for nth, where in enumerate(("Meander Valley", "Harbour") * 3, 1)
    ]
    write_season(path, driven.season(races))
    with _browser() as browser:
        _photograph(browser, "season", path.as_uri(), 1280, 900, 1.0)


def pages() -> None:
    """What the gateway shows browsers: the first page, overlays, pit wall and two laps compared."""
    with rigclient.connect(ADDRESS) as rig:
        first = list(rig.sessions())[-1].name
        best = [lap.name for lap in rig.laps(first, best_of="driver", order_by="lap_time")][:2]
    compared = f"compare?rig=rig&a={best[0]}&b={best[1]}"
    with _gateway(), _browser() as browser:
        for name, path, width, height in (
            ("rigs", "?rig=rig", 1280, 900),
            ("compare", compared, 1440, 900),
            ("dash", "overlay/dash?rig=rig&bg=%2356654e", 384, 214),
            ("standings", "overlay/standings?rig=rig&bg=%2356654e", 736, 480),
            ("wall", "wall?rig=rig", 1440, 900),  # the last: by then a lap is over
        ):
            _photograph(browser, name, path, width, height)


@contextlib.contextmanager
def _gateway() -> Iterator[None]:
    command = [sys.executable, "-m", "rigclient", "--rig", ADDRESS, "gateway", "--port", str(WEB_PORT)]
    gateway = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert gateway.stdout is not None
        gateway.stdout.readline()
        yield
    finally:
        gateway.terminate()
        gateway.wait()


@contextlib.contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def _photograph(
    browser: Browser, name: str, path: str, width: int, height: int, wait_s: float = PAGE_S
) -> None:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark")
    page.goto(path if path.startswith("file:") else f"http://127.0.0.1:{WEB_PORT}/{path}")
    page.wait_for_timeout(wait_s * 1000)
    with Image.open(io.BytesIO(page.screenshot())) as shown:
        shown.save(PICTURES / f"{name}.webp", quality=85, method=6)
    page.close()


def _save(name: str, *parts: RenderableType, title: str, columns: int = TABLE_COLUMNS) -> None:
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for part in parts:
        console.print(part, end="")
    drawn = console.export_svg(title=title, theme=THEME, unique_id=name.removesuffix(".svg"))
    (PICTURES / name).write_text(_FONT_FACE.sub("", drawn))


def _shown(*words: str) -> Text:
    """What a command of `rig` prints on a terminal."""
    return Text.from_ansi(_rig(*words))


def _rig(*words: str) -> str:
    terminal = {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color"}
    environment = {**os.environ, **terminal, "COLUMNS": str(TABLE_COLUMNS)}
    command = [sys.executable, "-m", "rigclient", "--rig", ADDRESS, *words]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def _home() -> Iterator[None]:
    """The folder; it must not be there, and goes at the end."""
    HOME.mkdir(mode=0o700)
    try:
        yield
    finally:
        subprocess.run(["rm", "-r", HOME], check=True)


def _recording(buffers: str) -> contextlib.AbstractContextManager[None]:
    return _running("record", "--buffers", buffers, "--origin", "demo")


def _running(*words: str) -> contextlib.AbstractContextManager[None]:
    return _process(*words, "--data", str(HOME / "data"))


def _game(buffers: str, *words: str) -> contextlib.AbstractContextManager[None]:
    return _process("demo-game", "--buffers", buffers, "--cars", "12", *words)


@contextlib.contextmanager
def _process(*words: str) -> Iterator[None]:
    """A command of `rigd`, stopped at the end."""
    process = subprocess.Popen([sys.executable, "-m", "rigd", *words], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _recorder_heard() -> bool:
    try:
        with rigclient.connect(ADDRESS) as rig:
            return rig.status().HasField("recorder")
    except RigError:
        return False  # not up yet


def _wait(ready: Callable[[], bool], seconds: float = 600.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            sys.exit("the race did not come to that within ten minutes")
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1:])
