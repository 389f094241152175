"""Laps that the warehouse has are marked, each by the fingerprint of its file, and found by that."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from rig.v1 import laps_pb2, rig_pb2, rig_pb2_grpc
from rigd.serve.identity import identity
from rigd.serve.limits import MAX_SYNCED
from rigd.store.index import Index
from rigd.store.store import Store
from tests.store.lap_store import CommandThread, LapStore, lap, session
from tests.store.test_finding import refused

ALL = laps_pb2.ListLapsRequest(parent="sessions/-")


async def mark(stub: Any, laps: dict[str, str]) -> list[str]:
    """Names of the laps that were not marked."""
    sent = [laps_pb2.SyncedLap(name=name, digest=digest) for name, digest in laps.items()]
    answer = await stub.MarkLapsSynced(laps_pb2.MarkLapsSyncedRequest(laps=sent))
    return list(answer.unmarked)


async def digests(stub: Any) -> dict[str, str]:
    return {one.name: one.digest for one in (await stub.ListLaps(ALL)).laps}


async def synced(stub: Any, wanted: bool) -> list[str]:
    request = laps_pb2.ListLapsRequest(parent="sessions/-", filter=laps_pb2.LapFilter(synced=wanted))
    return [one.name for one in (await stub.ListLaps(request)).laps]


async def test_marked_laps_are_told_from_others_and_stay_marked(
    lap_store: LapStore, command_thread: CommandThread, stub: Any
) -> None:
    for number in (1, 2, 3):
        lap_store.put(lap(index=number))
    known = await digests(stub)
    names = sorted(known)
    assert await mark(stub, {name: known[name] for name in names[:2]}) == []
    assert await synced(stub, wanted=True) == names[:2]
    assert await synced(stub, wanted=False) == names[2:]
    assert await mark(stub, known) == []
    assert await synced(stub, wanted=False) == []
    assert all(lap_store.store.folder.synced(name) for name in names)
    assert not os.listdir(lap_store.data / "inbox")


async def test_a_lap_with_another_digest_and_one_that_is_gone_are_not_marked(
    lap_store: LapStore, command_thread: CommandThread, stub: Any
) -> None:
    for number in (1, 2):
        lap_store.put(lap(index=number))
    first, second = sorted((await digests(stub)).items())
    wrong = {
        first[0]: first[1],
        second[0]: first[1][::-1],
        lap(index=9).name: first[1],
        "/etc/passwd": "",
    }
    assert await mark(stub, wrong) == [second[0], lap(index=9).name, "/etc/passwd"]
    assert await synced(stub, wanted=True) == [first[0]]


async def test_a_lap_whose_file_somebody_took_keeps_no_others_from_being_marked(
    lap_store: LapStore, command_thread: CommandThread, stub: Any
) -> None:
    for number in (1, 2):
        lap_store.put(lap(index=number))
    lap_store.path(lap(index=1)).unlink()
    assert await mark(stub, await digests(stub)) == [lap(index=1).name]
    assert await synced(stub, wanted=True) == [lap(index=2).name]


async def test_too_many_at_once_are_refused_with_the_limit(lap_store: LapStore, stub: Any) -> None:
    error = await refused(mark(stub, {f"sessions/s/laps/l{number}": "" for number in range(MAX_SYNCED + 1)}))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(MAX_SYNCED) in str(error.details())


async def test_without_an_archiver_nothing_is_marked(
    lap_store: LapStore, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.serve.laps.commands._ANSWER_WITHIN_S", 0.02)
    lap_store.put(lap())
    error = await refused(mark(stub, await digests(stub)))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert await synced(stub, wanted=True) == []


def test_an_index_made_anew_knows_digests_and_marks(lap_store: LapStore, tmp_path: Path) -> None:
    for number in (1, 2):
        lap_store.put(lap(index=number))
    lap_store.store.folder.put_session(session())
    before = {
        name: listed.digest
        for name in lap_store.store.folder.laps()
        if (listed := lap_store.store.index.lap(name))
    }
    lap_store.store.folder.sync(lap(index=2).name)
    index = Index(tmp_path / "other.sqlite")
    Store(lap_store.store.folder, index).reconcile()
    laps = [found for name in before if (found := index.lap(name))]
    assert {one.name: one.digest for one in laps} == before
    assert len(set(before.values())) == 2
    assert [one.synced for one in sorted(laps, key=lambda one: one.index)] == [False, True]
    index.close()


async def test_a_data_directory_has_one_identity_for_life(lap_store: LapStore, stub: Any) -> None:
    name = identity(lap_store.data)
    assert len(name) == 16
    assert identity(lap_store.data) == name
    assert os.listdir(lap_store.data).count("rig.id") == 1
    assert not [name for name in os.listdir(lap_store.data) if name.startswith("rig.id.")]


def test_servers_that_start_at_once_agree_on_the_identity(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def identify(_: int) -> str:
        start.wait()
        return identity(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(identify, range(8)))) == 1
    assert os.listdir(tmp_path) == ["rig.id"]


async def test_the_status_tells_the_identity(address: str, tmp_path: Path) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        rig: Any = rig_pb2_grpc.RigServiceStub(channel)
        status = await rig.GetStatus(rig_pb2.GetStatusRequest())
    assert status.rig_id == identity(tmp_path)


@pytest.mark.parametrize("text", ["", "xyz", "0123456789abcde", "0123456789ABCDEF", "0123456789abcdef0"])
def test_a_damaged_identity_is_said_and_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "rig.id").write_text(text)
    with pytest.raises(Exception, match="holds no identity"):
        identity(tmp_path)
    assert (tmp_path / "rig.id").read_text() == text
