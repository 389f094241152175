"""The contract's derived files are fresh, its style is clean, and its past keeps working."""

import shutil
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

import generate
from tests.rig.contract import ROOT, SNAPSHOT, buf

HOW_TO_NOTE = "run `python proto/generate.py --snapshot` and commit tests/rig/rig_v1.binpb"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the contract that a test may break."""
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    shutil.copytree(ROOT / "proto", tmp_path / "proto", ignore=shutil.ignore_patterns("*.py*", "__pycache__"))
    return tmp_path


def change(copy: Path, name: str, before: str, after: str) -> None:
    """Replace the one occurrence of `before`."""
    path = copy / "proto/rig/v1" / name
    source = path.read_text()
    assert source.count(before) == 1
    path.write_text(source.replace(before, after))


def breaks(copy: Path) -> str:
    """What is no longer compatible with the snapshot."""
    return buf("breaking", "--against", str(SNAPSHOT), cwd=copy)


def fields(snapshot: Path) -> set[str]:
    """Everything a snapshot holds, as dotted names with numbers and types."""
    files = descriptor_pb2.FileDescriptorSet.FromString(snapshot.read_bytes()).file
    found = set()
    for file in files:
        found |= {f"{m.name}.{f.name} {f.number} {f.type}" for m in file.message_type for f in m.field}
        found |= {f"{e.name}.{v.name} {v.number}" for e in file.enum_type for v in e.value}
        found |= {f"{s.name}.{r.name} {r.input_type} {r.output_type}" for s in file.service for r in s.method}
    return found


def test_generated_files_are_what_the_sources_give() -> None:
    assert generate.drift() == []


def test_a_stale_generated_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = generate.generated(generate.PROTO)
    kept = {**fresh, "rig/tables.py": b"# edited by hand\n", "rig/v1/gone_pb2.py": b""}
    del kept["CHANNELS.md"]
    monkeypatch.setattr(generate, "generate", lambda target: None)
    monkeypatch.setattr(generate, "generated", lambda folder: kept if folder == generate.PROTO else fresh)
    assert generate.drift() == ["CHANNELS.md", "rig/tables.py", "rig/v1/gone_pb2.py"]


def test_the_contract_is_in_style() -> None:
    assert buf("lint") == ""


def test_the_contract_keeps_what_it_promised() -> None:
    assert buf("breaking", "--against", str(SNAPSHOT)) == ""


def test_the_snapshot_knows_the_whole_contract(tmp_path: Path) -> None:
    now = tmp_path / "now.binpb"
    generate.note(now)
    assert fields(now) <= fields(SNAPSHOT), f"the contract grew: {HOW_TO_NOTE}"


@pytest.mark.parametrize(
    ("name", "before", "after", "complaint"),
    [
        ("physics.proto", "repeated float engine_rpm = 26 [", "repeated float engine_rpm = 126 [", "26"),
        ("physics.proto", "repeated float engine_rpm = 26 [", "repeated double engine_rpm = 26 [", "double"),
        ("physics.proto", "fixed32 rows = 7;", "", "rows"),
        ("physics.proto", "repeated float throttle = 30 [", "repeated float gas = 30 [", "throttle"),
        (
            "telemetry.proto",
            "  rpc StreamEvents(StreamEventsRequest) returns (stream StreamEventsResponse);\n",
            "",
            "StreamEvents",
        ),
        (
            "telemetry.proto",
            "returns (stream StreamEventsResponse)",
            "returns (StreamEventsResponse)",
            "StreamEvents",
        ),
        ("event.proto", "  GAP_REASON_TORN = 2;\n", "", "GapReason"),
        ("event.proto", "GAP_REASON_TORN = 2;", "GAP_REASON_TORN = 20;", "GapReason"),
    ],
    ids=["renumbered", "retyped", "removed", "renamed", "rpc gone", "no stream", "value gone", "value moved"],
)
def test_a_broken_promise_is_caught(copy: Path, name: str, before: str, after: str, complaint: str) -> None:
    change(copy, name, before, after)
    assert complaint in breaks(copy)


def test_growing_breaks_nothing(copy: Path) -> None:
    change(
        copy,
        "physics.proto",
        "bool whole = 10;",
        "bool whole = 10;\n  // New.\n  repeated float tomorrow = 1999;",
    )
    assert breaks(copy) == ""


def test_a_snapshot_of_a_broken_contract_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = copy / "kept.binpb"
    shutil.copy(SNAPSHOT, kept)
    change(copy, "physics.proto", "fixed32 rows = 7;", "")
    monkeypatch.setattr(generate, "PROTO", copy / "proto")
    with pytest.raises(SystemExit, match="rows"):
        generate.note(kept)
    assert kept.read_bytes() == SNAPSHOT.read_bytes()
