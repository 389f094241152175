"""`rig connect`, `rigs`, `forget`, `whoami`: what people see, and the exit code of each failure."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rig import sockets
from rig.errors import Denied, TokenExpired, Unauthenticated
from rigclient import paired
from rigclient.cli.main import rig
from tests.rigclient.tls_rig import CODE, TLSRig, identity

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("RIG_ADDRESS", raising=False)
    monkeypatch.setattr(sockets, "SYSTEM", tmp_path / "system")
    return tmp_path


@pytest.fixture
def server() -> Iterator[TLSRig]:
    serving = TLSRig()  # type: ignore[abstract]
    yield serving
    serving.stop()


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(rig, words)

    return invoke


class TestConnect:
    def test_says_what_to_do_next(self, run: Run, server: TLSRig) -> None:
        done = run("connect", server.join())
        assert done.exit_code == 0, done.output
        assert f"paired as simrig: {server.address}, user birch, valid until" in done.output
        assert "scopes: live, laps" in done.output
        assert "try: rig --rig simrig status" in done.output
        assert "scripted" in run("--rig", "simrig", "status").output

    def test_a_join_string_need_not_stand_on_the_command_line(self, home: Path, server: TLSRig) -> None:
        done = CliRunner().invoke(rig, ["connect", "-"], input=f"{server.join()}\n")
        assert done.exit_code == 0, done.output
        assert "paired as simrig" in done.output
        for said in ("", "\n", "rig://" + "x" * 100_000):
            assert CliRunner().invoke(rig, ["connect", "-"], input=said).exit_code == 2

    def test_for_machines_without_the_secret(self, run: Run, server: TLSRig) -> None:
        told = json.loads(run("connect", server.join(), "--name", "wall", "--json").output)
        kept = paired.load("wall")
        assert told["name"] == "wall"
        assert told["token_id"] == kept.token_id
        assert kept.token not in json.dumps(told)

    @pytest.mark.parametrize(
        ("alter", "code", "said"),
        [
            (lambda join: join[:-3], 2, "was cut"),
            (lambda join: join[: len(join) // 2], 2, "was cut"),
            (lambda join: join.replace("/a", "/b", 1), 2, "was altered"),
            (lambda join: join.replace("127.0.0.1", "192.0.2.1"), 2, "was altered"),
            (lambda join: join[3:], 2, "is no join string"),
            (lambda join: "", 2, "is no join string"),
            (lambda join: join.replace("rig://", "rig2://"), 6, "newer version"),
            (lambda join: "rig://" + "x" * 5000, 2, "at most 2048"),
            (lambda join: f"\x1b[31m{join}", 2, "is no join string"),
        ],
        ids=["cut", "half", "altered", "another address", "no beginning", "nothing", "newer", "long", "odd"],
    )
    def test_an_altered_string_uses_nothing(
        self, run: Run, server: TLSRig, alter: Callable[[str], str], code: int, said: str
    ) -> None:
        done = run("connect", alter(server.join()))
        assert (done.exit_code, said in done.output) == (code, True), done.output
        assert "\x1b" not in done.output
        assert server.codes == {CODE}

    def test_with_blanks_around_it_as_chats_have_them(self, run: Run, server: TLSRig) -> None:
        assert run("connect", f" {server.join()}\n").exit_code == 0

    def test_used_twice(self, run: Run, server: TLSRig) -> None:
        assert run("connect", server.join()).exit_code == 0
        again = run("connect", server.join())
        assert again.exit_code == 4
        assert "that code was used" in again.output
        assert run("--rig", "simrig", "status").exit_code == 0

    def test_a_rig_that_is_off(self, run: Run, server: TLSRig) -> None:
        server.stop()
        done = run("connect", server.join())
        assert done.exit_code == 3
        assert f"the rig is off: the machine at {server.address} answers" in done.output


class TestCodes:
    """Each failure of a paired rig ends every command with the same code."""

    @pytest.fixture(autouse=True)
    def _paired(self, run: Run, server: TLSRig) -> None:
        assert run("connect", server.join()).exit_code == 0

    @pytest.mark.parametrize("words", [("status",), ("laps",), ("whoami",), ("tail",)], ids=lambda w: w[0])
    def test_another_certificate(self, run: Run, server: TLSRig, words: tuple[str, ...]) -> None:
        server.stop()
        server.shown = identity()
        server.start()
        done = run("--rig", "simrig", *words)
        assert done.exit_code == 6
        assert "another certificate answers" in done.output

    @pytest.mark.parametrize(
        ("refusal", "code"),
        [(TokenExpired("it expired"), 13), (Unauthenticated("revoked"), 4), (Denied("not yours"), 4)],
        ids=["expired", "revoked", "denied"],
    )
    def test_a_token_that_is_refused(
        self, run: Run, server: TLSRig, refusal: TokenExpired, code: int
    ) -> None:
        server.refusal = refusal
        for words in (("status",), ("whoami",)):
            done = run("--rig", "simrig", *words)
            assert (done.exit_code, refusal.message in done.output) == (code, True), done.output

    def test_plain_text(self, run: Run, server: TLSRig) -> None:
        assert run("--rig", server.address, "status").exit_code == 6
        server.stop()
        server.start(secure=False)
        assert run("--rig", "simrig", "status").exit_code == 6

    def test_off(self, run: Run, server: TLSRig) -> None:
        server.stop()
        assert run("--rig", "simrig", "status").exit_code == 3

    def test_a_file_others_can_read(self, run: Run, home: Path) -> None:
        (home / "rig/rigs/simrig.json").chmod(0o644)
        done = run("--rig", "simrig", "status")
        assert done.exit_code == 4
        assert "hint: chmod 600" in done.output

    def test_a_damaged_file(self, run: Run, home: Path) -> None:
        (home / "rig/rigs/simrig.json").write_text("{")
        done = run("--rig", "simrig", "status")
        assert done.exit_code == 8
        assert "rig forget simrig" in done.output

    def test_without_a_name_the_paired_are_named(self, run: Run) -> None:
        done = run("status")
        assert done.exit_code == 3
        assert "Paired rigs: --rig simrig" in done.output

    def test_a_name_that_nobody_has(self, run: Run) -> None:
        done = run("--rig", "nosuch", "status")
        assert done.exit_code == 3
        assert "`rig rigs` lists what there is. Paired rigs: --rig simrig." in done.output.replace("\n", " ")


class TestRigs:
    def test_none(self, run: Run) -> None:
        assert "none is paired" in run("rigs").output
        assert json.loads(run("rigs", "--json").output) == []

    def test_local_ones_and_paired_ones(self, run: Run, server: TLSRig, home: Path) -> None:
        run("connect", server.join())
        run_dir = home / "rigd"
        run_dir.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as here:
            here.bind(str(run_dir / "demo.sock"))
            here.listen()
            shown = run("rigs").output
            assert f"unix:{run_dir}/demo.sock" in shown
            assert "live, laps" in shown
            listed = json.loads(run("rigs", "--json").output)
        assert [(one["name"], one["kind"]) for one in listed] == [("demo", "local"), ("simrig", "paired")]

    def test_a_damaged_one_hides_no_other(self, run: Run, server: TLSRig, home: Path) -> None:
        run("connect", server.join())
        (home / "rig/rigs/bad.json").touch(mode=0o600)
        shown = run("rigs")
        assert shown.exit_code == 0
        assert "bad.json is damaged" in shown.output
        assert server.address in shown.output
        assert "error" in json.loads(run("rigs", "--json").output)[0]

    def test_forgotten(self, run: Run, server: TLSRig) -> None:
        run("connect", server.join())
        done = run("forget", "simrig")
        assert "on the rig: rigd token revoke t0" in done.output
        assert run("--rig", "simrig", "status").exit_code == 3
        gone = run("forget", "simrig")
        assert gone.exit_code == 5
        assert "no rig called simrig is paired" in gone.output


def test_whoami(run: Run, server: TLSRig) -> None:
    run("connect", server.join())
    assert "birch at simrig, never expires" in run("--rig", "simrig", "whoami").output
    assert json.loads(run("--rig", "simrig", "whoami", "--json").output)["user"] == "birch"
