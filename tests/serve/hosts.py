"""Two hosts with a cable between them: network namespaces that end with the processes that hold them."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.stage import until

RIG: Final = "192.0.2.1"
LAPTOP: Final = "192.0.2.2"
RIG6: Final = "fd72:6967::1"
LAPTOP6: Final = "fd72:6967::2"
NOBODY: Final = "192.0.2.77"
"""An address of the cable's network that no host has."""


@dataclass
class Host:
    """A host: what is started there sees its network alone, and this machine's files."""

    process: int
    environment: dict[str, str] = field(default_factory=dict)

    def words(self, *command: str) -> list[str]:
        """Return the command line that runs a program there."""
        return ["nsenter", f"--net=/proc/{self.process}/ns/net", "--", *command]

    def start(self, *command: str, **more: Any) -> subprocess.Popen[str]:
        """Start a program there."""
        env = {**os.environ, **self.environment}
        return subprocess.Popen(self.words(*command), text=True, env=env, **more)

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program there to its end."""
        env = {**os.environ, **self.environment}
        return subprocess.run(
            self.words(*command), text=True, capture_output=True, env=env, check=False, timeout=120
        )


@contextlib.contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """The rig and a laptop. Skips where this machine lets nobody make hosts."""
    with contextlib.ExitStack() as stack:
        try:
            rig, laptop = (stack.enter_context(_held()) for _ in range(2))
            ends = ("netns", str(rig.process), "type", "veth", "peer", "name", "eth0")
            _ran("ip", "link", "add", "eth0", *ends, "netns", str(laptop.process))
            for host, address, address6 in ((rig, RIG, RIG6), (laptop, LAPTOP, LAPTOP6)):
                _ran(*host.words("ip", "address", "add", f"{address}/24", "dev", "eth0"))
                _ran(*host.words("ip", "link", "set", "lo", "up"))
                _ran(*host.words("ip", "link", "set", "eth0", "up"))
                host.run("ip", "address", "add", f"{address6}/64", "dev", "eth0", "nodad")
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            pytest.skip(f"this machine lets us make no second host: {said.strip()}")
        yield rig, laptop


@contextlib.contextmanager
def _held() -> Iterator[Host]:
    """A host, as long as a process holds it. Raises OSError where that cannot be."""
    holder = subprocess.Popen(
        ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stderr is not None
    try:
        until(lambda: holder.poll() is not None or _is_cat(holder.pid), 60)
        if holder.poll() is not None:
            raise OSError(holder.stderr.read())
        yield Host(holder.pid)
    finally:
        holder.stdin.close()
        holder.wait(60)
        holder.stderr.close()


def _is_cat(process: int) -> bool:
    """Whether `unshare` has done its work and become what it was to run."""
    return Path(f"/proc/{process}/comm").read_text().strip() == "cat"


def _ran(*words: str) -> None:
    subprocess.run(words, capture_output=True, text=True, check=True, timeout=240)
