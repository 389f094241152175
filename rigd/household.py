"""All daemons of one machine together, and with `--watch` someone who looks at them."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

import rigclient
from rig.errors import RigError, Unavailable
from rig.v1 import rig_pb2
from rigd.supervisor import Daemon, Supervisor

_UP_WITHIN_S: Final = 20.0
_DRAIN_S: Final = 1.5
"""The recorder says how it is once a second; after this its counts are final."""


@dataclass(frozen=True)
class Household:
    """What runs, and where."""

    data: Path
    buffers: Path
    ring_size: int
    address: str
    demo_cars: int = 0
    """Cars of the simulated game; 0: the real game."""
    demo_profile: str = "full"
    """What the simulated game fills."""

    def daemons(self) -> list[Daemon]:
        """The daemons in the order of their start."""
        logs = self.data / "log"
        common = ["--data", str(self.data)]
        record = ["record", *common, "--buffers", str(self.buffers), "--ring-size", str(self.ring_size)]
        if self.demo_cars:
            record += ["--origin", "demo"]
        return [
            Daemon("record", record, logs / "record.log"),
            Daemon("serve", ["serve", *common, "--address", self.address], logs / "serve.log"),
            Daemon("archive", ["archive", *common], logs / "archive.log"),
        ]

    def game(self) -> Daemon:
        """The simulated game."""
        words = ["demo-game", "--buffers", str(self.buffers), "--cars", str(self.demo_cars)]
        words += ["--profile", self.demo_profile]
        return Daemon("demo-game", words, self.data / "log/demo-game.log")


def run_household(household: Household, watch: bool, seconds: float | None, console: Console) -> int:
    """Run until stopped, or for `seconds`. Returns the exit code."""
    supervisor = Supervisor(household.daemons())
    try:
        supervisor.start()
        _wait_until_up(supervisor, household.address)
        if household.demo_cars:
            supervisor.add(household.game())  # once the recorder looks: it shall see the first frame
        if watch or seconds:
            return _attended(supervisor, household, seconds, console, screen=watch)
        console.print(f"recording {household.buffers} into {household.data}, serving {household.address}")
        console.print("stop with Ctrl-C; look with [bold]rig watch[/] and [bold]rig status[/]")
        supervisor.run()
        return 0
    finally:
        supervisor.close()


def _attended(
    supervisor: Supervisor, household: Household, seconds: float | None, console: Console, *, screen: bool
) -> int:
    """Watch, then count: what was captured, committed, streamed, missed."""
    from rigclient.watch import watch

    seen = watch(household.address, seconds, None, screen and sys.stdout.isatty(), console)
    _stop_game(supervisor)
    time.sleep(_DRAIN_S)
    recorder = _last_word(household.address)
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


def _wait_until_up(supervisor: Supervisor, address: str) -> None:
    """Return when the recorder has been heard. Raises what a daemon that refused has said."""
    deadline = time.monotonic() + _UP_WITHIN_S
    with rigclient.connect(address) as rig:
        while time.monotonic() < deadline:
            if supervisor.trouble is not None:
                raise supervisor.trouble
            try:
                if rig.status().HasField("recorder"):
                    return
            except RigError:
                pass  # not up yet: asked again until the deadline
            time.sleep(0.05)
    raise Unavailable(f"the daemons did not come up within {_UP_WITHIN_S:.0f} s", hint="see the logs")


def _last_word(address: str) -> rig_pb2.RecorderStatus:
    with rigclient.connect(address) as rig:
        return rig.status().recorder
