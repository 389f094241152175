"""`rig channels`: from the rig, else from what is installed, and it says which."""

import json

from rig.channels import PHYSICS, SCORING
from tests.cli.conftest import Run


def test_lists_what_the_rig_tells(run: Run) -> None:
    result = run("channels")
    assert result.exit_code == 0
    assert f"{len(PHYSICS.columns) + len(SCORING.columns)} channels, from the rig at" in result.output
    assert "mWheels.mTireLoad" in result.output


def test_without_a_rig_lists_the_installed_registry(run: Run, nowhere: str) -> None:
    result = run("channels", "tyre_t", address=nowhere)
    assert result.exit_code == 0
    assert "2 channels, from the installed registry; no rig answers" in result.output
    assert "Surface temperature left, centre, right" in result.output


def test_json_has_every_fact(run: Run, nowhere: str) -> None:
    found = json.loads(run("channels", "tyre_temp", "--json", address=nowhere).output)
    assert found["origin"].startswith("the installed registry")
    (entry,) = found["channels"]
    assert entry["stream"] == "physics"
    assert (entry["unit"], entry["per_car"], entry["dtype"]) == ("°C", 12, "float32")
    assert entry["source"] == "mWheels.mTemperature"


def test_both_origins_agree(run: Run, nowhere: str) -> None:
    there = json.loads(run("channels", "--json").output)["channels"]
    here = json.loads(run("channels", "--json", address=nowhere).output)["channels"]
    assert [entry["name"] for entry in there] == [entry["name"] for entry in here]
    assert [entry["dtype"] for entry in there] == [entry["dtype"] for entry in here]


def test_patterns_match_names_and_fields_of_the_game(run: Run) -> None:
    def names(*arguments: str) -> list[str]:
        found = json.loads(run("channels", *arguments, "--json").output)
        return [entry["name"] for entry in found["channels"]]

    assert names("tyre_t*") == ["tyre_temp", "tyre_tread"]
    assert names("MPITSTATE") == ["pit_state"]
    assert names("speed", "--stream", "scoring") == ["speed"]


def test_nothing_found_is_a_failure_with_a_way_out(run: Run) -> None:
    result = run("channels", "warp")
    assert result.exit_code == run("channels", "warp", "--json").exit_code == 5
    assert result.stderr.splitlines() == [
        "error: no channel matches 'warp'",
        "hint: `rig channels` lists them all",
    ]
