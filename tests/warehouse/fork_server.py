"""A server of forks: processes that need not import, each forked from one that has done nothing but that, and
runs a command.

Half of the time of a short `rig sync` is spent on importing. What runs is the command's own `main` with a
command line and an environment of its own, in a process that can be killed like any other.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

ROOT = Path(__file__).resolve().parents[2]


class Exited(NamedTuple):
    """How a child ended."""

    status: int
    """Exit status, or the negative number of the signal that ended it."""
    out: str
    err: str


class ForkServer:
    """The process that forks, as the tests see it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        self._logs: dict[int, Path] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warehouse.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def start(self, *words: str, env: Mapping[str, str]) -> int:
        """Start `tests.warehouse.killed_loader WORDS` and return its process id."""
        self._started += 1
        log = self._folder / f"child{self._started}"
        pid = int(self._ask({"words": words, "env": dict(env), "log": str(log)}))
        self._logs[pid] = log
        return pid

    def wait(self, pid: int) -> Exited:
        """Wait for a child and return how it ended."""
        status = os.waitstatus_to_exitcode(int(self._ask({"wait": pid})))
        log = self._logs.pop(pid)
        return Exited(status, log.with_suffix(".out").read_text(), log.with_suffix(".err").read_text())

    def run(self, *words: str, env: Mapping[str, str]) -> Exited:
        """Run it to its end; see `start`."""
        return self.wait(self.start(*words, env=env))

    def _ask(self, order: dict[str, object]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def child(order: dict[str, object]) -> None:
    """Become the command of `order`, in the forked process."""
    from tests.warehouse import killed_loader

    words, env, log = order["words"], order["env"], Path(str(order["log"]))
    assert isinstance(words, list)
    assert isinstance(env, dict)
    for number, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(log.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(env)
    sys.argv = ["killed_loader", *map(str, words)]
    killed_loader.main()


def main() -> None:
    import duckdb  # noqa: F401
    import pyarrow.pandas_compat
    import pyarrow.parquet  # noqa: F401
    import snowflake.connector.file_transfer_agent  # noqa: F401

    import rigclient.cli.commands.sync
    import rigclient.cli.commands.warehouse
    import rigclient.cli.main  # noqa: F401
    import tests.warehouse.killed_loader
    import tests.warehouse.naive_loader  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitpid(order["wait"], 0)[1], flush=True)
        elif pid := os.fork():
            print(pid, flush=True)
        else:
            child(order)
            sys.exit(0)


if __name__ == "__main__":
    main()
