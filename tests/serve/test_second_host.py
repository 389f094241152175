"""The rig as another machine sees it: paired, streamed from at full rate, refused in every way there is."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import rigclient
from rig.join import read_join
from tests.serve import scan
from tests.serve.hosts import NOBODY, RIG, RIG6, Host, two_hosts
from tests.stage import Stage, stage, until

PORT = 7341
TICKS = 150
"""Three seconds of the game."""
OPEN = ("/rig.v1.AccessService/ExchangeCode", scan.HEALTH)
"""What answers whoever has no token; the first wants a code."""


@dataclasses.dataclass
class Pit:
    """The rig's machine and the pit wall's, with a race that goes on."""

    here: Stage
    rig: Host
    wall: Host
    folder: Path
    """Of the wall's user."""
    socket: str
    server: subprocess.Popen[str]

    def rigd(self, *words: str) -> str:
        """What a command of `rigd` on the rig prints."""
        done = self.rig.run(sys.executable, "-m", "rigd", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run `rig` on the pit wall."""
        return self.wall.run(sys.executable, "-m", "rigclient", *words)

    def join(self, name: str) -> str:
        """A join string, as `rigd pair` gets it."""
        with rigclient.connect(self.socket) as rig:
            return rig.create_pairing(name, ["live:all", "laps:all"]).join

    def pair(self, name: str, join: str = "") -> str:
        """Pair the wall under a name; the id of the token."""
        done = self.ask("connect", join or self.join(name), "--name", name, "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["token_id"])

    def serve(self) -> None:
        """Start the server, once it listens."""
        words = ["--data", str(self.here.data), "--instance", "rig", "--address", f"0.0.0.0:{PORT}"]
        words += ["--address", f"[{RIG6}]:{PORT + 1}"]
        self.server = self.rig.start(sys.executable, "-m", "rigd", "serve", *words, stdout=subprocess.PIPE)
        assert self.server.stdout is not None
        assert "listening" in self.server.stdout.readline()

    def stop(self) -> None:
        """Stop the server."""
        self.server.terminate()
        self.server.wait(60)
        assert self.server.stdout is not None
        self.server.stdout.close()


@pytest.fixture(scope="module")
def pit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pit]:
    run, home = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("home")
    with two_hosts() as (rig, wall), stage() as here:
        rig.environment = {"XDG_RUNTIME_DIR": str(run), "XDG_DATA_HOME": str(home / "rig")}
        wall.environment = {"XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home / "wall")}
        here.start("rigd", "demo-game", "--buffers", str(here.buffers), "--cars", "4", "--short")
        here.record("--origin", "demo")
        made = Pit(here, rig, wall, home / "wall", f"unix:{run}/rigd/rig.sock", None)  # type: ignore[arg-type]
        made.serve()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def paired(pit: Pit) -> str:
    """The name of a rig that the wall is paired with."""
    join = pit.rigd("pair", "wall", "--scope", "live:all,laps:all", "--user", "wall", "--for", "1d")
    pit.pair("wall", join.strip())
    return "wall"


def test_a_join_string_that_nobody_used_is_cancelled(pit: Pit) -> None:
    join = pit.rigd("pair", "tablet", "--scope", "live").strip()
    (waiting,) = json.loads(pit.rigd("pairing", "list", "--json"))
    assert (waiting["name"], waiting["scopes"]) == ("tablet", ["live"])
    assert waiting["id"] in pit.rigd("pairing", "list")
    assert pit.rigd("pairing", "cancel", waiting["id"]) == f"{waiting['id']} is cancelled\n"
    assert "no join string waits" in pit.rigd("pairing", "list")
    with pytest.raises(AssertionError, match="was cancelled"):
        pit.pair("tablet", join)


def test_every_tick_arrives_as_it_was(pit: Pit, paired: str) -> None:
    """The same numbers that the rig's own socket gives, none of them missing."""
    done = pit.wall.run(sys.executable, "-m", "tests.serve.ticks", paired, str(TICKS))
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout)
    numbers = [number for number, _ in came["ticks"]]
    assert numbers[-1] - numbers[0] + 1 == len(numbers) + came["missing"]
    with rigclient.connect(pit.socket) as rig:
        frames = rig.physics(["speed"], start="earliest")
        own = {frame.seq: frame.speed.tolist() for frame in islice(frames, numbers[-1])}
    assert came["ticks"] == [[number, own[number]] for number in numbers]


def test_who_it_is(pit: Pit, paired: str) -> None:
    caller = json.loads(pit.ask("--rig", paired, "whoami", "--json").stdout)
    assert (caller["user"], caller["local"]) == ("wall", False)
    assert caller["scopes"] == ["laps:all", "live:all"]
    assert [len(pin) for pin in caller["pins"]] == [64]
    (listed,) = json.loads(pit.ask("rigs", "--json").stdout)
    assert listed["addresses"][0] in (f"{RIG}:{PORT}", f"[{RIG6}]:{PORT + 1}")
    assert "secret" not in json.dumps(listed)


def test_over_ipv6(pit: Pit) -> None:
    join = pit.join("six")
    read = read_join(join)
    only = read._replace(addresses=tuple(one for one in read.addresses if one.startswith("[")))
    assert only.addresses == (f"[{RIG6}]:{PORT + 1}",)
    done = pit.ask("connect", only.text(), "--name", "six")
    assert done.returncode == 0, done.stderr
    assert pit.ask("--rig", "six", "status").returncode == 0


def test_a_join_string_is_good_once(pit: Pit) -> None:
    join = pit.join("once")
    assert pit.ask("connect", join, "--name", "once").returncode == 0
    again = pit.ask("connect", join, "--name", "twice")
    assert again.returncode == 4
    assert "used" in again.stderr


def test_a_join_string_for_another_certificate(pit: Pit) -> None:
    """Somebody in between, who has the rig's address: nothing is sent to them."""
    join = pit.join("between")
    other = read_join(join)._replace(fingerprint="0" * 64).text()
    refused = pit.ask("connect", other, "--name", "between")
    assert refused.returncode == 6
    assert "another certificate answers" in refused.stderr
    assert pit.ask("connect", join, "--name", "between").returncode == 0


def test_a_revoked_token_ends_what_runs(pit: Pit) -> None:
    token = pit.pair("revoked")
    words = ("-m", "rigclient", "--rig", "revoked", "tail", "--json")
    tail = pit.wall.start(sys.executable, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert tail.stdout is not None
    assert tail.stdout.readline()
    assert "revoked" in pit.rigd("token", "revoke", token)
    _, said = tail.communicate(timeout=240)
    assert tail.returncode == 4, said
    assert "revoked" in said
    refused = pit.ask("--rig", "revoked", "status")
    assert refused.returncode == 4
    assert "revoked" in refused.stderr


def test_an_expired_token_ends_what_runs(pit: Pit) -> None:
    token = pit.pair("expired")
    words = ("-m", "rigclient", "--rig", "expired", "tail", "--json")
    tail = pit.wall.start(sys.executable, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert tail.stdout is not None
    assert tail.stdout.readline()
    with rigclient.connect(pit.socket) as rig:
        rig.extend_token(token, 1)
    _, said = tail.communicate(timeout=240)
    assert tail.returncode == 13, said
    assert "expired" in said
    assert pit.ask("--rig", "expired", "status").returncode == 13
    pit.rigd("token", "extend", token, "--for", "1h")
    assert pit.ask("--rig", "expired", "status").returncode == 0


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        (f"{RIG}:{PORT}", 6, "speaks TLS, and this connection does not"),
        (f"{RIG}:{PORT + 5}", 3, "no rig answers"),
    ],
    ids=["plain text", "another port"],
)
def test_without_being_paired(pit: Pit, address: str, code: int, said: str) -> None:
    refused = pit.ask("--rig", address, "status")
    assert (refused.returncode, said in refused.stderr) == (code, True), refused.stderr


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        (f"{NOBODY}:{PORT}", 16, "nothing answers at"),
        (f"198.51.100.1:{PORT}", 16, "no way to"),
        ("no-such-host.invalid:1", 16, "no such host"),
        (f"{RIG}:{PORT + 5}", 3, "the rig is off"),
    ],
    ids=["nobody has it", "another network", "no such name", "nothing listens"],
)
def test_where_no_rig_is(pit: Pit, paired: str, address: str, code: int, said: str) -> None:
    kept = json.loads((pit.folder / f"rig/rigs/{paired}.json").read_text())
    file = pit.folder / "rig/rigs/moved.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({**kept, "addresses": [address]}))
    refused = pit.ask("--rig", "moved", "status")
    assert (refused.returncode, said in refused.stderr) == (code, True), refused.stderr


def test_a_scan_without_a_token_learns_nothing(pit: Pit) -> None:
    done = pit.wall.run(sys.executable, "-m", "tests.serve.scan", f"{RIG}:{PORT}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(scan.calls()) < set(found)
    plain, http, https = (found.pop(name) for name in ("plain", "http", "https"))
    assert plain[0] == "UNAVAILABLE"
    assert (http, https.partition("HTTP")[0]) == ("", "")
    assert found.pop(scan.HEALTH) == ["OK", "", "0801"], "SERVING"
    refused = {method: answer[0] for method, answer in found.items()}
    assert refused == dict.fromkeys(found, "UNAUTHENTICATED")
    assert [answer for answer in found.values() if len(answer) > 2] == []
    words = {answer[1] for method, answer in found.items() if method not in OPEN}
    assert len(words) == 1, "every refusal says the same"


def test_the_certificate_changes_as_it_was_announced(pit: Pit, paired: str) -> None:
    pit.rigd("certificate", "prepare")
    announced = json.loads(pit.ask("--rig", paired, "whoami", "--json").stdout)["pins"]
    pit.rigd("certificate", "use")
    changed = pit.ask("--rig", paired, "whoami", "--json")
    assert changed.returncode == 0, changed.stderr
    assert json.loads(changed.stdout)["pins"] == announced[1:]
    assert len(announced) == 2


def test_another_certificate(pit: Pit, paired: str) -> None:
    """Last: all who are paired with the rig have lost it, until its certificate is back."""
    pit.stop()
    folder = pit.here.data / "tls"
    folder.rename(folder.with_name("away"))
    pit.serve()
    refused = pit.ask("--rig", paired, "status")
    assert refused.returncode == 6
    assert refused.stderr.startswith("error: another certificate answers"), "nor does gRPC say anything"
    pit.stop()
    off = pit.ask("--rig", paired, "status")
    assert off.returncode == 3
    assert "the rig is off" in off.stderr
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.with_name("away").rename(folder)
    pit.serve()
    until(lambda: pit.ask("--rig", paired, "status").returncode == 0)
