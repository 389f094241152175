"""What systemd does for a unit of Type=notify, for machines where it does not run.

It reads ExecStart, WatchdogSec, Restart and RestartPreventExitStatus out of the unit, hands the process a
socket to say how it is, and watches from READY=1 on: who falls silent, or says that it is dead, gets SIGABRT
and is started anew. Written from sd_notify(3) and systemd.service(5) alone.
"""

import os
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_LOOK_S = 0.05


def settings(unit: Path) -> dict[str, str]:
    """The settings of a unit, the last of a name."""
    lines = [line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


class Manager:
    """Keeps one unit running. `instead` stands for its program, `more` follows its words."""

    def __init__(
        self, unit: Path, folder: Path, instead: Sequence[str], more: Sequence[str], watchdog_s: float = 0.0
    ) -> None:
        told = settings(unit)
        assert (told["Type"], told["Restart"]) == ("notify", "always")
        self.watchdog_s = watchdog_s or float(told["WatchdogSec"])
        self._refused = int(told["RestartPreventExitStatus"])
        self._command = [*instead, *shlex.split(told["ExecStart"])[1:], *more]
        self.log = folder / f"{unit.stem}.log"
        self._path = folder / f"{unit.stem}.notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._socket.settimeout(_LOOK_S)
        self.ready = self.aborted = 0
        """Starts that said READY=1, and processes that were killed for their silence."""
        self.status = ""
        """What it has said of itself last; `told` is everything."""
        self.told: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self.log.open("ab") as log:
                told = {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": str(round(self.watchdog_s * 1e6))}
                self.process = subprocess.Popen(
                    self._command, env={**os.environ, **told}, stdout=log, stderr=log
                )
            self._attend(self.process)
            if self.process.wait() == self._refused:
                return

    def _attend(self, process: subprocess.Popen[bytes]) -> None:
        ready, fed_at = False, time.monotonic()
        while process.poll() is None and not self._stop.is_set():
            said = self._hear()
            if "READY=1" in said:
                ready, fed_at = True, time.monotonic()
                self.ready += 1
            if "WATCHDOG=1" in said:
                fed_at = time.monotonic()
            if ready and ("WATCHDOG=trigger" in said or time.monotonic() - fed_at > self.watchdog_s):
                process.send_signal(signal.SIGABRT)
                process.wait()
                self.aborted += process.returncode == -signal.SIGABRT

    def _hear(self) -> list[str]:
        try:
            said = self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []
        for line in said:
            if line.startswith("STATUS="):
                self.status = line.removeprefix("STATUS=")
                self.told.add(self.status)
        return said

    def close(self) -> None:
        """End it as `systemctl stop` does."""
        self._stop.set()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join()
        self._socket.close()
