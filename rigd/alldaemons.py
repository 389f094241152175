"""All daemons of one machine together, and with `--watch` someone who looks at them."""

import functools
import importlib.util
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import rigclient
from rig import sockets
from rig.errors import RigError, Unavailable
from rig.v1 import rig_pb2
from rigclient.cli.terminal.text import Console, Text
from rigd.demo.folder import BuffersFolder
from rigd.process import stop_signals
from rigd.ring.lock import laps_lock, ring_lock
from rigd.serve.binding import ensure_free, own_address
from rigd.supervisor import WATCHDOG_S, Daemon, Supervisor

_UP_WITHIN_S: Final = 60.0
_DRAIN_S: Final = 1.5
"""The recorder says how it is once a second; after this its counts are final."""


@dataclass(frozen=True)
class AllDaemons:
    """What runs, and where."""

    data: Path
    buffers: Path
    instance: str
    """Name of the socket at which local tools find the server."""
    addresses: tuple[str, ...] = ()
    """Where it listens besides."""
    demo: bool = False
    """Whether the simulated game belongs to it."""
    common: tuple[str, ...] = ()
    """Options for the command lines of all daemons, of the recorder, ..."""
    recording: tuple[str, ...] = ()
    archiving: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()
    playing: tuple[str, ...] = ()
    web_port: int = 0
    """Where pages for browsers are served, on this machine alone; 0: nowhere."""
    watchdog_s: float = WATCHDOG_S
    """Silence after which a daemon is started again."""

    @functools.cached_property
    def address(self) -> str:
        """Where we ask the server ourselves."""
        return own_address(self.instance)

    def claim(self) -> None:
        """Raise Busy where another process has what is needed: data, buffers, an address. Buffers of a killed
        game are removed.
        """
        for lock in (ring_lock, laps_lock):
            lock(self.data).release()
        for address in (self.address, *self.addresses):
            sockets.check(address, first_port=0)
            ensure_free(address)
        if self.web_port:
            self._check_web()
        if self.demo:
            with BuffersFolder(self.buffers) as folder:
                folder.clear()

    def daemons(self) -> list[Daemon]:
        """Return the daemons in the order of their start."""
        logs = self.data / "log"
        common = ["--data", str(self.data), *self.common]
        record = ["record", *common, "--buffers", str(self.buffers), *self.recording]
        if self.demo:
            record += ["--origin", "demo"]
        serve = ["serve", *common, "--instance", self.instance, *self.serving]
        for address in self.addresses:
            serve += ["--address", address]
        words = {"record": record, "serve": serve, "archive": ["archive", *common, *self.archiving]}
        return [Daemon(name, words[name], logs / f"{name}.log", watchdog_s=self.watchdog_s) for name in words]

    @property
    def web(self) -> str:
        """The address of the pages."""
        return f"http://127.0.0.1:{self.web_port}/"

    def _check_web(self) -> None:
        """Raise Unavailable where the gateway is not installed, Busy where somebody listens at its port."""
        if importlib.util.find_spec("aiohttp") is None:
            raise Unavailable("pages for browsers need aiohttp", hint="pip install 'rigd[gateway]'")
        ensure_free(f"127.0.0.1:{self.web_port}")

    def gateway(self) -> Daemon:
        """Return the gateway for browsers. Without it everything else goes on."""
        words = ["gateway", "--rig", self.instance, "--port", str(self.web_port)]
        return Daemon("gateway", words, self.data / "log/gateway.log", program="rigclient", needed=False)

    def game(self) -> Daemon:
        """Return the simulated game."""
        words = ["demo-game", "--buffers", str(self.buffers), *self.playing]
        return Daemon("demo-game", words, self.data / "log/demo-game.log")


def run_all(daemons: AllDaemons, watch: bool, seconds: float | None, console: Console) -> int:
    """Run until stopped, or for `seconds`. Returns the exit code. Raises Busy before anything is started."""
    daemons.claim()
    supervisor = Supervisor(daemons.daemons())
    for number in stop_signals():
        signal.signal(number, _leave)
    try:
        supervisor.start()
        _wait_until(supervisor, daemons.address, lambda status: status.HasField("recorder"))
        if daemons.demo:
            supervisor.add(daemons.game())  # once the recorder looks: it shall see the first frame
            _wait_until(supervisor, daemons.address, lambda status: status.recorder.captured > 0)
        if daemons.web_port:
            supervisor.add(daemons.gateway())
            console.print(Text.assemble("look in a browser: ", (daemons.web, "bold")), soft_wrap=True)
        if watch or seconds:
            return _attended(supervisor, daemons, seconds, console, screen=watch)
        console.print(
            f"recording {daemons.buffers} into {daemons.data}, serving {_where(daemons)}",
            soft_wrap=True,
        )
        look = ("look with ", ("rig watch", "bold"), " and ", ("rig status", "bold"))
        console.print(Text.assemble("stop with Ctrl-C; ", *look))
        supervisor.run()
        return 0
    finally:
        supervisor.close()


def _leave(number: int, _frame: FrameType | None) -> None:
    """End what runs in the main thread; what was started is stopped on the way out."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _where(daemons: AllDaemons) -> str:
    return ", ".join((daemons.address, *daemons.addresses))


def _attended(
    supervisor: Supervisor, daemons: AllDaemons, seconds: float | None, console: Console, *, screen: bool
) -> int:
    """Watch, then count: what was captured, committed, streamed, missed."""
    from rigclient.cli.watch import watch

    seen = watch(daemons.address, seconds, None, screen and sys.stdout.isatty(), console)
    _stop_game(supervisor)
    time.sleep(_DRAIN_S)
    recorder = _last_word(daemons.address)
    undeclared = seen.undeclared_missing
    console.print(
        f"captured {recorder.captured} ticks, committed {recorder.committed}, streamed {seen.received}, "
        f"missed {recorder.missed} declared and {undeclared} undeclared"
    )
    return 1 if undeclared or recorder.committed != recorder.captured or not seen.received else 0


def _stop_game(supervisor: Supervisor) -> None:
    for daemon in supervisor.daemons:
        if daemon.name == "demo-game":
            daemon.keep = False
            daemon.stop()


def _wait_until(
    supervisor: Supervisor, address: str, so: Callable[[rig_pb2.GetStatusResponse], bool]
) -> None:
    """Return when the status is `so`. Raises what a daemon that refused has said, Unavailable."""
    deadline = time.monotonic() + _UP_WITHIN_S
    with rigclient.connect(address) as rig:
        while time.monotonic() < deadline:
            if supervisor.trouble is not None:
                raise supervisor.trouble
            try:
                if so(rig.status()):
                    return
            except RigError:
                pass  # not up yet: asked again until the deadline
            time.sleep(0.05)
    raise Unavailable(f"the daemons did not come up within {_UP_WITHIN_S:.0f} s", hint="see the logs")


def _last_word(address: str) -> rig_pb2.RecorderStatus:
    with rigclient.connect(address) as rig:
        return rig.status().recorder
