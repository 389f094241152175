"""AnalysisService over a real server, on a race that the real archiver kept."""

import shutil
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from rig.errors import NotFound
from rig.v1 import analysis_pb2, analysis_pb2_grpc
from rigd.serve.analysis.lapanalysis import LapAnalysis
from rigd.store.viewer import EVERYTHING, Viewer
from riglap.circuits.circuit import decoded
from riglap.circuits.shelf import Shelf
from riglap.compare import compare
from riglap.findings import findings
from riglap.lap import Lap
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.riglap.raced import Raced
from tests.stage import Stage, stage


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage() as made:
        kept = once(tmp_path_factory, "raced-real", real_drive)
        shutil.copytree(kept, made.data, dirs_exist_ok=True)
        made.serve()
        yield made


@pytest.fixture(scope="module")
def stub(here: Stage) -> Iterator[analysis_pb2_grpc.AnalysisServiceStub]:
    with grpc.insecure_channel(here.address) as channel:
        yield analysis_pb2_grpc.AnalysisServiceStub(channel)


@pytest.fixture(scope="module")
def laps(here: Stage) -> list[Lap]:
    found = [lap for lap in Raced(here.data).laps() if lap.info.valid and lap.info.number]
    return sorted(found, key=lambda lap: lap.info.lap_time or 0)


def test_the_archiver_has_surveyed_the_circuit(
    here: Stage, stub: analysis_pb2_grpc.AnalysisServiceStub
) -> None:
    (listed,) = stub.ListCircuits(analysis_pb2.ListCircuitsRequest()).circuits
    assert listed.name == "meander-valley-short-1201m/1"
    assert listed.frozen
    assert len(listed.corners) == 6
    assert len(listed.splits) == 2
    whole = stub.GetCircuit(analysis_pb2.GetCircuitRequest(name="meander-valley-short-1201m")).circuit
    assert (
        decoded(whole.file).corners
        == Shelf(here.data / "circuits").newest("meander-valley-short-1201m").corners
    )


def test_what_it_answers_is_what_the_library_computes(
    here: Stage, stub: analysis_pb2_grpc.AnalysisServiceStub, laps: list[Lap]
) -> None:
    names = [laps[0].info.name, laps[5].info.name]
    circuit = decoded(stub.GetCircuit(analysis_pb2.GetCircuitRequest(lap=names[0])).circuit.file)
    expected = compare([laps[0], laps[5]], circuit)
    answer = stub.CompareLaps(analysis_pb2.CompareLapsRequest(laps=names, channels=["speed", "lateral"]))
    assert np.allclose(answer.laps[1].delta, expected.delta(), atol=1e-4, equal_nan=True)
    assert [part.title for part in answer.laps[1].parts] == [part.segment.title for part in expected.parts()]
    total = sum(part.lost for part in answer.laps[1].parts) + answer.laps[1].uncompared
    assert total == pytest.approx(expected.lost())
    assert len(answer.laps[0].channels[0].values) == len(answer.places)
    kmh = stub.CompareLaps(
        analysis_pb2.CompareLapsRequest(laps=names, channels=["v = speed [km/h]", "speed"])
    )
    for lap in kmh.laps:
        assert [channel.name for channel in lap.channels] == ["v", "speed"]
        v, speed = (np.array(channel.values) for channel in lap.channels)
        assert np.allclose(v, 3.6 * speed, equal_nan=True, rtol=1e-5)
    with pytest.raises(grpc.RpcError, match=r"column 8: \[m/s\] cannot be told") as refused:
        stub.CompareLaps(analysis_pb2.CompareLapsRequest(laps=names, channels=["v = speed [kPa]"]))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    coached = stub.Coach(analysis_pb2.CoachRequest(lap=names[1], reference=names[0]))
    assert [one.id for one in coached.findings] == [one.id for one in findings(expected)]
    again = stub.Coach(
        analysis_pb2.CoachRequest(lap=names[1], reference=names[0], given=[tip.id for tip in coached.tips])
    )
    assert not {tip.id for tip in again.tips} & {tip.id for tip in coached.tips}
    corners = stub.ListCorners(analysis_pb2.ListCornersRequest(lap=names[0]))
    assert corners.circuit == circuit.name
    assert [one.corner for one in corners.corners] == [1, 2, 3, 4, 5, 6]
    assert all(one.clear and one.least_speed > 5 for one in corners.corners)
    ideal = stub.CompareLaps(analysis_pb2.CompareLapsRequest(laps=names, ideal=True, step=10))
    assert ideal.laps[0].lap_time <= (laps[0].info.lap_time or 0)
    assert len(ideal.places) < 150


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (analysis_pb2.CompareLapsRequest(laps=["sessions/x/laps/y"] * 2), grpc.StatusCode.NOT_FOUND),
        (analysis_pb2.CompareLapsRequest(laps=["../../etc/passwd"] * 2), grpc.StatusCode.NOT_FOUND),
        (analysis_pb2.CompareLapsRequest(laps=["a"]), grpc.StatusCode.INVALID_ARGUMENT),
        (analysis_pb2.CompareLapsRequest(laps=["a"] * 21), grpc.StatusCode.INVALID_ARGUMENT),
        (
            analysis_pb2.CompareLapsRequest(laps=["a"] * 2, step=float("nan")),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        (analysis_pb2.CompareLapsRequest(laps=["a"] * 2, step=1e-9), grpc.StatusCode.INVALID_ARGUMENT),
        (analysis_pb2.GetCircuitRequest(), grpc.StatusCode.INVALID_ARGUMENT),
        (analysis_pb2.GetCircuitRequest(name="../laps"), grpc.StatusCode.NOT_FOUND),
        (analysis_pb2.GetCircuitRequest(name="meander-valley-short-1201m/99"), grpc.StatusCode.NOT_FOUND),
        (analysis_pb2.ListCornersRequest(lap="nothing"), grpc.StatusCode.NOT_FOUND),
    ],
)
def test_odd_requests_are_refused(
    stub: analysis_pb2_grpc.AnalysisServiceStub, request_: object, code: grpc.StatusCode
) -> None:
    call: Any = {
        analysis_pb2.CompareLapsRequest: stub.CompareLaps,
        analysis_pb2.GetCircuitRequest: stub.GetCircuit,
        analysis_pb2.ListCornersRequest: stub.ListCorners,
    }[type(request_)]
    with pytest.raises(grpc.RpcError) as caught:
        call(request_)
    assert caught.value.code() == code


def test_a_coach_chooses_a_reference(stub: analysis_pb2_grpc.AnalysisServiceStub, laps: list[Lap]) -> None:
    clean = [lap for lap in laps if not (lap.info.in_lap or lap.info.out_lap or lap.info.pit_visits)]
    best, last = clean[0], clean[-1]
    own = next(lap for lap in clean if lap.info.driver == last.info.driver)
    told = stub.Coach(analysis_pb2.CoachRequest(lap=last.info.name))
    expected = own if own is not last else best
    assert told.reference == expected.info.name
    assert "best lap of the class" in told.reference_about
    assert told.lost == pytest.approx((last.info.lap_time or 0) - (expected.info.lap_time or 0))
    ideal = stub.Coach(analysis_pb2.CoachRequest(lap=best.info.name))
    assert (ideal.reference, ideal.lost >= 0) == ("", True)
    assert ideal.reference_about.startswith("the driver's ideal lap")
    chosen = stub.CompareLaps(analysis_pb2.CompareLapsRequest(laps=[last.info.name], reference="track"))
    assert [lap.name for lap in chosen.laps] == [best.info.name, last.info.name]
    with pytest.raises(grpc.RpcError) as caught:
        stub.Coach(analysis_pb2.CoachRequest(lap=best.info.name, reference="nobody"))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_track_that_nobody_surveyed_is_not_found(
    here: Stage, stub: analysis_pb2_grpc.AnalysisServiceStub, laps: list[Lap]
) -> None:
    away = here.data / "circuits.away"
    (here.data / "circuits").rename(away)
    try:
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetCircuit(analysis_pb2.GetCircuitRequest(lap=laps[0].info.name))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        answer = stub.CompareLaps(analysis_pb2.CompareLapsRequest(laps=[lap.info.name for lap in laps[:2]]))
        assert answer.circuit.name == ""  # along the way of one of them
        assert answer.laps[1].delta
    finally:
        away.rename(here.data / "circuits")


def test_a_lap_that_a_token_does_not_see_is_not_there(here: Stage, laps: list[Lap]) -> None:
    """Laps of a session belong to those who were in the seat."""
    analysis = LapAnalysis(here.data)
    request = analysis_pb2.CompareLapsRequest(laps=[lap.info.name for lap in laps[:2]])
    assert analysis.compare(request, EVERYTHING).laps
    for viewer in (Viewer(), Viewer("someone")):
        with pytest.raises(NotFound):
            analysis.compare(request, viewer)
        with pytest.raises(NotFound):
            analysis.get_circuit(analysis_pb2.GetCircuitRequest(lap=laps[0].info.name), viewer)
