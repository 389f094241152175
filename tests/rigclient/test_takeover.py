"""A lap that its driver did not drive is marked wherever laps are listed, and is in no best."""

import pytest

from rig.v1 import lap_pb2
from rigclient.cli.commands.laps import flags
from rigclient.warehouse import table_rows, tables
from rigd.store.index.rows import lap_row

NAME = "sessions/a/laps/car007-0001"


@pytest.mark.parametrize(
    ("field", "word", "column"),
    [("ai_takeover", "AI", "AI_TAKEOVER"), ("undriven", "undriven", "UNDRIVEN")],
)
def test_it_is_marked_in_lists_and_in_the_warehouse(field: str, word: str, column: str) -> None:
    lap = lap_pb2.Lap(name=NAME, kind=lap_pb2.LAP_KIND_LAP, complete=True, lap_time=60.0)
    assert flags(lap).plain == "invalid"
    setattr(lap, field, True)
    assert flags(lap).plain == f"invalid {word}"
    assert table_rows.lap("rig", lap)[column] is True
    assert tables.LAPS.type_of(column) == tables.FLAG
    assert not lap_row(lap)["counted"]


def test_torn_samples_reach_the_warehouse() -> None:
    lap = lap_pb2.Lap(name=NAME, torn_samples=7)
    assert table_rows.lap("rig", lap)["TORN_SAMPLES"] == 7
    assert tables.SAMPLES.type_of("WHOLE") == tables.FLAG
    assert tables.UPDATES.type_of("WHOLE") is None
