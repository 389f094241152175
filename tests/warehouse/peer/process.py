"""The peer as tests start, break and stop it. Needs nothing of what the peer itself needs.

with PeerProcess(tmp_path) as peer:
    peer.add_user("RIGD", password="secret")
    peer.faults(("after", "^COPY", "drop1"))
    ...  # a client: host 127.0.0.1, port peer.port, protocol http, account FAKESNOW, database RIG
    assert [line["subject"] for line in peer.journal("done")]
"""

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ACCOUNT: Final = "FAKESNOW"
DATABASE: Final = "RIG"
USERS: Final = "users.json"
FAULTS: Final = "faults"
JOURNAL: Final = "journal.jsonl"

PYTHON: Final = os.environ.get("RIGD_PEER_PYTHON", sys.executable)
"""The interpreter that has fakesnow, where the tests' own has another connector."""
_ROOT: Final = Path(__file__).resolve().parents[3]
_WAIT_S: Final = 60


class PeerProcess:
    """A peer on a free port of this machine, which it keeps when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        if not (folder / USERS).exists():
            (folder / USERS).write_text("{}")

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [PYTHON, "-m", "tests.warehouse.peer", str(self.folder), "--port", str(self.port)]
        words = [*command, "--database", DATABASE]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self.ended()

    def ended(self) -> int:
        """Its exit status, once it has ended by itself."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.wait(_WAIT_S)

    def stop(self) -> None:
        """End it in peace."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self.ended()

    def add_user(
        self, name: str, *, password: str = "", roles: tuple[str, ...] = ("RIGD_LOADER",), **more: Any
    ) -> None:
        """Let somebody in. `more` as in users.py: keys, tokens, reads_only."""
        known = json.loads((self.folder / USERS).read_text())
        sha = hashlib.sha256(password.encode()).hexdigest() if password else ""
        known[name] = {"password_sha256": sha, "roles": list(roles), **more}
        (self.folder / USERS).write_text(json.dumps(known))

    def faults(self, *wanted: tuple[str, str, str]) -> None:
        """From now on these faults strike, see faults.py; none: no more."""
        (self.folder / FAULTS).write_text("".join("\t".join(fault) + "\n" for fault in wanted))

    def journal(self, at: str = "done") -> list[dict[str, Any]]:
        """What was asked, or what came of it."""
        file = self.folder / JOURNAL
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if line["at"] == at]

    def abort_detached(self, idle_s: float = 0.0) -> list[int]:
        """Throw out who asked nothing for so long, as Snowflake does with the vanished. Their numbers."""
        url = f"http://127.0.0.1:{self.port}/__abort_detached?idle_s={idle_s}"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=_WAIT_S) as reply:
            return list(json.load(reply)["data"])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
