"""Rigs of this machine are found by their sockets."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import rigclient
from rig import sockets
from rig.errors import BadRequest, Busy, Denied
from rigclient.cli.main import rig
from rigd.serve.binding import ensure_free, own_address, protect


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What stands for $XDG_RUNTIME_DIR/rigd, with nothing of the system's."""
    with tempfile.TemporaryDirectory(prefix="rigd-run-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
        monkeypatch.delenv("RIG_ADDRESS", raising=False)
        monkeypatch.setattr(sockets, "SYSTEM", Path(folder, "system"))
        own = Path(folder, "rigd")
        own.mkdir(mode=0o700)
        yield own


@contextmanager
def listening(path: Path) -> Iterator[str]:
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield f"unix:{path}"


class TestChoosing:
    def test_the_only_one_that_answers(self, home: Path) -> None:
        with listening(home / "killed.sock"):
            pass
        assert sockets.resolve() == f"unix:{home}/rig.sock"
        with listening(home / "demo.sock") as address:
            assert sockets.resolve() == address
            assert rigclient.connect().address == rigclient.connect("demo").address == address
        with listening(sockets.SYSTEM / "rig.sock") as address:
            assert sockets.resolve() == sockets.resolve("rig") == address

    def test_of_several_none_is_chosen(self, home: Path) -> None:
        with ExitStack() as stack:
            for path in (home / "rig.sock", home / "demo.sock", sockets.SYSTEM / "rig.sock"):
                stack.enter_context(listening(path))
            listed = f"3 rigs answer here: demo, rig, unix:{sockets.SYSTEM}/rig.sock"
            with pytest.raises(BadRequest, match=listed):
                rigclient.connect()
            with pytest.raises(BadRequest, match="choose with --rig demo"):
                rigclient.aio.connect()
            assert sockets.resolve("rig") == f"unix:{home}/rig.sock"
            said = CliRunner().invoke(rig, ["status"])
            assert said.exit_code == 2
            assert listed in said.output
            assert CliRunner().invoke(rig, ["status", "--help"]).exit_code == 0

    @pytest.mark.parametrize(
        "address", ["127.0.0.1:7340", "[::1]:1", "unix:/run/x.sock", "unix:///run/x.sock"]
    )
    def test_an_address_is_itself(self, home: Path, address: str) -> None:
        assert sockets.resolve(address) == address

    @pytest.mark.parametrize("name", ["../rig", "a b", ".rig", "x" * 33, "unix:", f"unix:/{'x' * 107}"])
    def test_what_is_neither_is_refused(self, home: Path, name: str) -> None:
        with pytest.raises(BadRequest):
            sockets.resolve(name)

    def test_a_refused_port_says_how_to_begin_with_one(self) -> None:
        said = CliRunner().invoke(rig, ["--rig", "127.0.0.1:9", "status"])
        assert said.exit_code == 3
        assert "rigd run --address 127.0.0.1:9" in said.output


class TestFolder:
    def test_without_a_folder_of_the_session_it_is_a_temporary_one(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        address = own_address("rig")
        (folder,) = tmp_path.iterdir()
        assert address == f"unix:{folder}/rig.sock"
        assert folder.stat().st_mode & 0o777 == 0o700

    def test_one_that_may_be_anyones_is_refused(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        home.rmdir()
        home.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Denied, match="belongs to another user"):
            own_address("rig")
        with pytest.raises(Denied, match="belongs to another user"):
            sockets.resolve()

    def test_that_of_the_system_is_its_groups(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = home.parent / "service"
        folder.mkdir(mode=0o750)
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
        with listening(sockets.path_of(own_address("rig"))) as address:
            protect(address)
        assert (folder / "rig.sock").stat().st_mode & 0o777 == 0o660

    def test_one_elsewhere_is_its_owners_though_a_group_may_enter(self, home: Path) -> None:
        folder = home.parent / "player"  # as some systems make homes, for a group that has everybody in it
        folder.mkdir(mode=0o750)
        with listening(folder / "rig.sock") as address:
            protect(address)
        assert (folder / "rig.sock").stat().st_mode & 0o777 == 0o600


class TestBinding:
    def test_a_socket_that_answers_is_named_with_its_process(self, home: Path) -> None:
        with (
            listening(home / "rig.sock") as address,
            pytest.raises(Busy, match=r"process \d+ listens on unix:"),
        ):
            ensure_free(address)

    def test_one_that_was_left_behind_is_removed(self, home: Path) -> None:
        with listening(home / "rig.sock") as address:
            pass
        ensure_free(address)
        assert not (home / "rig.sock").exists()

    def test_a_file_is_not(self, home: Path) -> None:
        (home / "rig.sock").write_text("mine")
        with pytest.raises(Busy, match="there is a file"):
            ensure_free(f"unix:{home}/rig.sock")
        assert (home / "rig.sock").read_text() == "mine"

    def test_a_port_that_answers_is_named_with_its_process(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            with pytest.raises(Busy, match=rf"process \d+ listens on {address}"):
                ensure_free(address)
        ensure_free(address)
