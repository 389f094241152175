"""The server as a program, started for other machines for the first time."""

import subprocess
import sys
from pathlib import Path

import pytest

import rigclient
from rig.join import read_join
from tests.stage import free_port


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Of a server. LOCALHOST is loopback, written as no address that the server takes for loopback."""
    return [sys.executable, "-m", "rigd", "serve", "--data", str(tmp_path / "data")]


def test_it_says_what_is_next_and_makes_room_for_it(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address for others brings the socket with it at which devices are paired."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "rigd").mkdir(mode=0o700)
    address = f"LOCALHOST:{free_port()}"
    server = subprocess.Popen([*words, "--address", address], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == f"listening on unix:{tmp_path}/rigd/rig.sock, {address}\n"
        assert "rigd pair NAME" in server.stdout.readline()
        with rigclient.connect() as rig:
            assert read_join(rig.create_pairing("pit wall", ["live"]).join).addresses == (address,)
    finally:
        server.terminate()
        server.communicate(timeout=240)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--certificate-key", "key.pem"], "--certificate-key without --certificate"),
        (["--certificate", "chain.pem"], "--certificate is for other machines"),
        (["--certificate", "no.pem", "--address", "LOCALHOST:1"], "there is no file no.pem"),
        (["--address", "no-such-host.invalid:7341"], "no such host"),
    ],
)
def test_what_cannot_work_is_a_sentence(words: list[str], more: list[str], said: str) -> None:
    done = subprocess.run([*words, *more], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
