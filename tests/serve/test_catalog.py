"""CatalogService over a real server: two users, the administrator, and a file that cannot be read."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import grpc
import pytest

import rigclient
from rig.errors import BadRequest, Corrupt, Denied, InUse, MalformedToken, Newer, NotFound, Raced, Taken
from rig.v1 import catalog_pb2
from rigclient.aio import AsyncRig
from rigclient.catalogdocument import dump, load
from rigd.auth.caller import LOCAL, Caller, Scope
from rigd.drivers import DriversFile
from rigd.seat import SeatFile
from rigd.serve.server import Server
from rigd.store.catalog.catalog import Catalog
from rigd.store.catalog.file import catalog_path
from tests.once import once
from tests.riglap.conftest import real_drive
from tests.serve.callers import Call
from tests.serve.callers import call as call
from tests.serve.scripted_recorder import PLAYER
from tests.serve.secured import settings
from tests.stage import stage, until
from tests.store.lap_store import SESSION, LapStore, lap, session

ANN: Final = Caller("ann", frozenset((Scope.CATALOG,)))
BOB: Final = Caller("bob", frozenset((Scope.CATALOG,)))
CHIEF: Final = Caller("chief", frozenset((Scope.ADMIN,)))
HERS: Final = lap(PLAYER, 1, player=True, user="ann")
HIS: Final = lap(PLAYER, 2, player=True, user="bob")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(settings(tmp_path, drivers={"C. Cedar": "cem"}))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def laps(tmp_path: Path) -> None:
    """One session with a lap of ann's and one of bob's."""
    store = LapStore(tmp_path)
    store.store.put_session(session())
    for one in (HERS, HIS):
        store.put(one)
    store.close()


async def names(found: AsyncIterator[catalog_pb2.Resource]) -> list[str]:
    return [one.name async for one in found]


async def refused(rig: AsyncRig, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        await rig.catalog.get("vehicles/v")


async def test_a_vehicle_with_setups_as_its_owner_and_others_see_it(call: Call, laps: None) -> None:
    ann, bob = call(ANN).catalog, call(BOB).catalog
    vehicle = await ann.create("vehicles", catalog_pb2.Vehicle(title="GT3", number="12"))
    assert (vehicle.name, vehicle.owner) == ("vehicles/gt3", "ann")
    first = await ann.create("vehicles/gt3/setups", catalog_pb2.Setup(title="Sprint"))
    second = await ann.create(
        "vehicles/gt3/setups",
        catalog_pb2.Setup(title="Sprint", parameters=[catalog_pb2.Parameter(key="Wing", value="3")]),
        identifier="wing-3",
    )
    (differing,) = (await ann.diff_setups(first.name, second.name)).differences
    assert (differing.key, differing.second) == ("Wing", "3")
    await ann.create("assignments", catalog_pb2.Assignment(lap=HERS.name, setup=second.name))
    assert await names(ann.list("assignments", target=HERS.name)) != []
    with pytest.raises(NotFound):
        await bob.get(vehicle.name)
    with pytest.raises(NotFound):
        await bob.create("vehicles/gt3/setups", catalog_pb2.Setup(title="x"))
    shared = await ann.update(vehicle.name, shared_with=["bob"], etag=vehicle.etag)
    assert await names(bob.list("vehicles/-/setups")) == [first.name, second.name]
    with pytest.raises(Denied):
        await bob.update(vehicle.name, catalog_pb2.Vehicle(number="13"), ["number"])
    with pytest.raises(Raced):
        await ann.update(vehicle.name, catalog_pb2.Vehicle(number="13"), ["number"], etag=vehicle.etag)
    with pytest.raises(BadRequest, match=r"vehicle\.numbr"):
        await ann.update(vehicle.name, catalog_pb2.Vehicle(number="13"), ["numbr"])
    changed = await ann.update(vehicle.name, catalog_pb2.Vehicle(number="13"), ["number"], etag=shared.etag)
    assert (changed.vehicle.title, changed.vehicle.number) == ("GT3", "13")
    with pytest.raises(InUse, match="2 setups"):
        await ann.delete(vehicle.name)
    assert await ann.delete(vehicle.name, force=True) == 4
    with pytest.raises(NotFound):
        await ann.get(vehicle.name)


async def test_notes_are_about_laps_that_there_are_for_who_writes(call: Call, laps: None) -> None:
    ann, bob = call(ANN).catalog, call(BOB).catalog
    await ann.create("notes", catalog_pb2.Note(target=HERS.name, text="Late.", place=120.0))
    await ann.create("tags", catalog_pb2.Tag(target=SESSION, text="wet"))
    with pytest.raises(Taken):
        await ann.create("tags", catalog_pb2.Tag(target=SESSION, text="wet"))
    for target in (HIS.name, "sessions/none", f"{SESSION}/laps/car001-0009"):
        with pytest.raises(NotFound, match="there is no"):
            await ann.create("notes", catalog_pb2.Note(target=target, text="x"))
    await call(LOCAL).catalog.create("notes", catalog_pb2.Note(target=HIS.name, text="x"), owner="bob")
    assert len(await names(bob.list("notes"))) == 1
    assert len(await names(call(CHIEF).catalog.list("notes"))) == 2
    assert (await call(LOCAL).catalog.check()).problems == []


async def test_a_page_token_is_the_servers_and_of_its_question(call: Call) -> None:
    ann = call(ANN).catalog
    for number in range(5):
        await ann.create("events", catalog_pb2.RacingEvent(title=f"Round {number}"))
    assert len(await names(ann.list("events", page_size=2))) == 5
    request = catalog_pb2.ListResourcesRequest(parent="events", page_size=2)
    list_call = "rig.v1.CatalogService/ListResources"
    answer = await call(ANN).call(list_call, request, catalog_pb2.ListResourcesResponse)
    for token, parent in (
        (answer.next_page_token[:-3] + "abc", "events"),
        (answer.next_page_token.partition(".")[0], "events"),
        (answer.next_page_token, "notes"),
    ):
        other = catalog_pb2.ListResourcesRequest(parent=parent, page_token=token)
        with pytest.raises(MalformedToken):
            await call(ANN).call(list_call, other, catalog_pb2.ListResourcesResponse)


async def test_users_are_those_of_tokens_and_of_the_configuration(call: Call, tmp_path: Path) -> None:
    chief = call(LOCAL).catalog
    assert await names(chief.list("users")) == ["users/cem"]
    with pytest.raises(Denied):
        await call(ANN).catalog.create("users", catalog_pb2.User(), identifier="dora")
    await call(ANN).catalog.create("events", catalog_pb2.RacingEvent(title="Test day"))
    assert await names(chief.list("users")) == ["users/ann", "users/cem"]
    assert await names(call(ANN).catalog.list("users")) == ["users/ann"]
    with pytest.raises(Denied, match="drivers"):
        await call(ANN).catalog.update("users/ann", catalog_pb2.User(drivers=["A. Alder"]), ["drivers"])
    await chief.update("users/ann", catalog_pb2.User(drivers=["A. Alder", "C. Cedar"]), ["drivers"])
    drivers = DriversFile(tmp_path)
    configured = {"C. Cedar": "cem", "D. Dogwood": "dora"}
    assert drivers.over(configured) == {"A. Alder": "ann", "C. Cedar": "ann", "D. Dogwood": "dora"}
    (told,) = (await chief.check()).problems
    assert told.resource == "users/ann"
    await chief.delete("users/ann", force=True)
    assert drivers.over(configured) == configured


def test_a_driver_of_the_catalog_is_put_into_the_seat() -> None:
    with stage() as here:
        here.serve()
        with rigclient.connect(here.address) as rig:
            rig.catalog.create("users", catalog_pb2.User(drivers=["Driver"]), identifier="ann")
            here.record()
            here.game(2, 50, 60)
            until(lambda: rig.seat().user == "ann")
            assert rig.seat().by_driver


async def test_who_is_in_the_seat_and_who_has_a_token_is_a_user_after_a_start(tmp_path: Path) -> None:
    first = Server(settings(tmp_path))
    first._tokens.create("laptop", "ann", frozenset((Scope.LAPS,)), 0)
    SeatFile(tmp_path).put(SeatFile(tmp_path).read().next("bob"))
    await first.start()
    async with rigclient.aio.connect(f"unix:{tmp_path}/socket") as rig:
        assert await names(rig.catalog.list("users")) == ["users/ann", "users/bob"]
    await first.stop()


async def test_an_export_goes_through_json_and_back(call: Call, laps: None) -> None:
    ann, chief = call(ANN).catalog, call(CHIEF).catalog
    await ann.create("vehicles", catalog_pb2.Vehicle(title="GT3"))
    for number in range(30):
        parameters = [catalog_pb2.Parameter(key=f"k{n}", value="ü" * 60) for n in range(500)]
        setup = catalog_pb2.Setup(title=f"Setup {number}", parameters=parameters)
        await ann.create("vehicles/gt3/setups", setup)
    await call(BOB).catalog.create("notes", catalog_pb2.Note(target=HIS.name, text="Mine."))
    before = [one async for one in chief.export()]
    assert await names(ann.export()) == [one.name for one in before if one.owner == "ann"]
    text = "".join(dump(before))
    assert load(text) == before
    for refused in (ann.import_all(before), ann.check(), ann.reset()):
        with pytest.raises(Denied):
            await refused
    reset = await chief.reset()
    assert Path(reset.backup).exists()
    assert await names(chief.list("vehicles")) == []
    answer = await chief.import_all(load(text))
    assert answer.added == len(before) - len([one for one in before if one.HasField("user")])
    after = [one async for one in chief.export()]
    assert [one for one in after if not one.HasField("user")] == [
        one for one in before if not one.HasField("user")
    ]
    before[-1].note.text = "Changed."
    with pytest.raises(Taken, match="notes/"):
        await chief.import_all(before)
    assert (await chief.import_all(before, replace=True)).replaced == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[", BadRequest),
        ("[]", BadRequest),
        ('{"format": "rig.v1.catalog", "version": 2, "resources": []}', Newer),
        ('{"format": "rig.v1.catalog", "version": 1}', BadRequest),
        ('{"format": "rig.v1.catalog", "version": 1, "resources": [{"nome": "x"}]}', BadRequest),
        ('{"format": "rig.v1.catalog", "version": 1, "resources": [3]}', BadRequest),
    ],
)
def test_a_document_that_is_none_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        load(text)


async def test_a_catalog_that_cannot_be_read_is_trouble_and_all_else_goes_on(
    call: Call, tmp_path: Path
) -> None:
    rig, path = call(LOCAL), catalog_path(tmp_path)
    await rig.catalog.create("vehicles", catalog_pb2.Vehicle(title="V"), identifier="v")
    assert list((await rig.status()).troubles) == []
    kept = tmp_path / "kept.sqlite"
    newer = Catalog(path)
    newer.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    newer.close()
    shutil.copyfile(path, kept)
    newer = Catalog(kept)
    newer.db.execute("PRAGMA user_version = 99")
    newer.close()
    kept.replace(path)
    await refused(rig, Newer, "99")
    (trouble,) = (await rig.status()).troubles
    assert trouble.daemon == "serve"
    assert "the catalog cannot be used" in trouble.what
    path.unlink()
    path.write_bytes(b"no database at all" * 1000)
    await refused(rig, Corrupt, "database")
    assert [one async for one in rig.sessions()] == []
    assert path.read_bytes().startswith(b"no database")
    path.unlink()
    assert await names(rig.catalog.list("users")) == ["users/cem"]
    assert list((await rig.status()).troubles) == []


async def test_a_resource_that_is_damaged_is_told_and_the_others_are_there(
    call: Call, tmp_path: Path
) -> None:
    rig = call(LOCAL)
    for identifier in ("v", "w"):
        await rig.catalog.create("vehicles", catalog_pb2.Vehicle(title="V"), identifier=identifier)
    with contextlib.closing(sqlite3.connect(catalog_path(tmp_path))) as db, db:
        db.execute("DELETE FROM vehicle WHERE resource = 'vehicles/v'")
    await refused(rig, Corrupt, "has lost what vehicles/v says")
    assert (await rig.catalog.get("vehicles/w")).vehicle.title == "V"
    assert list((await rig.status()).troubles) == []
    (told,) = (await rig.catalog.check()).problems
    assert told.resource == "vehicles/v"


async def test_circuits_are_those_of_the_store(
    call: Call, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert await names(call(ANN).catalog.list("circuits")) == []
    shutil.copytree(once(tmp_path_factory, "raced-real", real_drive) / "circuits", tmp_path / "circuits")
    (found,) = [one async for one in call(ANN).catalog.list("circuits", page_size=1)]
    assert found == await call(ANN).catalog.get(found.name)
    assert len(found.circuit.corners) == 6
    with pytest.raises(BadRequest, match="files of the store"):
        await call(LOCAL).catalog.delete(found.name)
    with pytest.raises(NotFound):
        await call(ANN).catalog.get("circuits/../laps")


async def test_the_blocking_client_has_the_same(server: Server, tmp_path: Path) -> None:
    def work() -> None:
        with rigclient.connect(f"unix:{tmp_path}/socket") as rig:
            made = rig.catalog.create(
                "layouts", catalog_pb2.SavedLayout(title="Mine", kind="k", document="{}")
            )
            assert [one.name for one in rig.catalog.list("layouts")] == [made.name] == ["layouts/mine"]
            assert made in list(rig.catalog.export())
            assert rig.catalog.import_all(rig.catalog.export()).same == 2
            with pytest.raises(NotFound):
                rig.catalog.get("layouts/none")

    await asyncio.to_thread(work)


async def test_a_request_beyond_the_limit_is_refused_and_one_within_it_is_not(call: Call) -> None:
    ann = call(ANN).catalog
    note = catalog_pb2.Note(target=SESSION, text="x" * (300 << 10))
    with pytest.raises(rigclient.RigError) as found:
        await ann.create("notes", note)
    assert found.value.status in (grpc.StatusCode.RESOURCE_EXHAUSTED.name, "INTERNAL")
    await ann.create("vehicles", catalog_pb2.Vehicle(title="V"))
    parameters = [catalog_pb2.Parameter(section="REARLEFT", key=f"Key{n}", value="1") for n in range(2000)]
    source = "x" * (64 << 10)
    setup = catalog_pb2.Setup(title="S", parameters=parameters, source=source)
    assert (await ann.create("vehicles/v/setups", setup)).setup == setup
