"""Laps that clients bring: what is taken, from whom, and that nothing of a refused one is left."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

import rigclient
from rig.errors import (
    BadRequest,
    Corrupt,
    Denied,
    Exhausted,
    MissingChannel,
    NotFound,
    Raced,
    RigError,
    Unavailable,
)
from rig.lapfile import LapFile, pack
from rig.lapfile.head import beginning
from rig.v1 import archive_pb2, lap_pb2, laps_pb2, session_pb2
from rigclient import queries
from rigclient.wire import translated
from rigd.auth.caller import Scope
from rigd.auth.tokens import TokenStore
from rigd.serve.limits import MAX_IMPORTS_PER_TOKEN, Quotas
from rigd.store.commands import CommandQueue
from rigd.store.folder import LapFolder
from rigd.store.imports import FLOOR_BYTES
from rigd.store.reindex import reindex
from rigd.verify.run import DataCheck
from tests.stage import until
from tests.store import import_laps
from tests.store.import_laps import SESSION, file
from tests.store.lap_store import SESSION as RECORDED
from tests.store.lap_store import CommandThread, LapStore, samples
from tests.store.lap_store import session as recorded_session

pytestmark = pytest.mark.usefixtures("command_thread")

TIMED, SAMPLED = import_laps.lap(1), import_laps.lap(2)


@pytest.fixture
async def rig(address: str) -> Any:
    async with rigclient.aio.connect(address) as connected:
        yield connected


@pytest.fixture
async def user(tmp_path: Path, address: str) -> Any:
    """Connects users with the scope `laps`."""
    open_channels: list[Any] = []

    def connect(name: str, *scopes: Scope) -> rigclient.aio.AsyncRig:
        token = TokenStore(tmp_path).create(name or "nobody", name, scopes or (Scope.LAPS,), 0)[0]
        made = rigclient.aio.connect(address)
        words = (("authorization", f"Bearer {token}"),)

        def told(method: Any) -> Any:
            return lambda request, timeout=None: method(request, timeout=timeout, metadata=words)

        for call in ("ImportLap", "ListLaps", "GetLap", "ListSessions", "DeleteLap"):
            setattr(made._lap, call, told(getattr(made._lap, call)))
        open_channels.append(made)
        return made

    yield connect
    for one in open_channels:
        await one.close()


def nothing_waits(data: Path) -> bool:
    return not os.listdir(data / "inbox")


async def test_an_imported_lap_is_a_lap_like_any_other(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig
) -> None:
    data = file(SAMPLED, samples())
    answer = await rig.import_lap(import_laps.session(), data)
    assert (answer.lap, answer.existed) == (SAMPLED.name, False)
    assert await rig.lap_file(SAMPLED.name) == data
    lap = await rig.lap(SAMPLED.name, ["speed"])
    assert len(lap["speed"]) == len(samples()["speed"])
    (found,) = await rig.laps(imported=True).to_list()
    assert (found.name, found.message.digest) == (SAMPLED.name, LapFile(data).digest)
    kept = await rig.session(SESSION)
    assert (kept.message.laps, kept.message.best_lap) == (1, SAMPLED.name)
    await came(lambda: nothing_waits(lap_store.data))


async def test_a_lap_of_times_alone_can_be_listed_and_read(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig
) -> None:
    data = file(TIMED)
    await rig.import_lap(import_laps.session(), data)
    assert (await rig.lap_info(TIMED.name)).lap_time == TIMED.lap_time
    assert await rig.lap_file(TIMED.name) == data
    assert len(await rig.lap(TIMED.name)) == 0
    with pytest.raises(MissingChannel, match="speed"):
        await rig.lap(TIMED.name, ["speed"])
    assert [one.name for one in await rig.laps(SESSION, best_of="car").to_list()] == [TIMED.name]


def test_room_is_known_before_there_is_a_lap(tmp_path: Path) -> None:
    assert LapFolder(tmp_path / "later").free_bytes() > 0


async def test_the_same_again_changes_nothing_and_another_file_has_to_be_asked_for(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig
) -> None:
    data, other = file(SAMPLED, samples()), file(SAMPLED, samples(100))
    await rig.import_lap(import_laps.session(), data)
    lap_store.store.sync(SAMPLED.name)
    before = lap_store.path(SAMPLED).stat()
    assert (await rig.import_lap(import_laps.session(), data)).existed
    without_digest = queries.import_lap(import_laps.session(), data)
    messages = list(without_digest())
    messages[0].start.digest = ""
    assert (await rig._lap.ImportLap(iter(messages))).existed
    after = lap_store.path(SAMPLED).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    with pytest.raises(Raced, match="another file"):
        await rig.import_lap(import_laps.session(), other)
    changed = import_laps.session(number=3)
    assert not (await rig.import_lap(changed, other, replace=True)).existed
    assert await rig.lap_file(SAMPLED.name) == other
    assert not (await rig.lap_info(SAMPLED.name)).synced, "the warehouse has the other file"
    assert (await rig.session(SESSION)).message.number == 3
    await came(lambda: nothing_waits(lap_store.data))


async def test_its_last_lap_takes_the_session_along(lap_store: LapStore, rig: rigclient.aio.AsyncRig) -> None:
    for lap in (TIMED, SAMPLED):
        await rig.import_lap(import_laps.session(), file(lap))
    await rig.delete_lap(TIMED.name)
    assert (await rig.session(SESSION)).message.laps == 1
    await rig.import_lap(import_laps.session(), file(TIMED))
    assert (await rig.session(SESSION)).message.laps == 2, "what was deleted may come again"
    await rig.delete_lap(TIMED.name)
    await rig.delete_lap(SAMPLED.name)
    with pytest.raises(NotFound):
        await rig.session(SESSION)
    assert not lap_store.path(TIMED).parent.exists()


async def test_it_is_kept_through_a_check_and_a_new_index(
    lap_store: LapStore, command_thread: CommandThread, rig: rigclient.aio.AsyncRig
) -> None:
    await rig.import_lap(import_laps.session(), file(TIMED))
    await rig.import_lap(import_laps.session(), file(SAMPLED, samples()))
    found = [one for part in DataCheck(lap_store.data).responses() for one in part.findings]
    assert [one for one in found if "import" in one.where] == []
    command_thread.stop()
    lap_store.close()
    tally = reindex(lap_store.data)
    assert (tally.laps, tally.damaged) == (2, 0)
    assert len(await rig.laps(SESSION).to_list()) == 2


async def test_an_import_is_never_the_newest_session(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig
) -> None:
    later = f"{SESSION}9"
    now = import_laps.session(later, start_time_ns=time.time_ns())
    await rig.import_lap(now, file(import_laps.lap(1, later, start_time_ns=time.time_ns()), of=now))
    assert [one.name async for one in rig.sessions()] == [later, RECORDED]
    assert (await rig.session()).name == RECORDED
    assert [one.name async for one in rig.sessions(imported=True)] == [later]


async def test_where_there_is_nothing_else_the_newest_import_is_meant(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig
) -> None:
    lap_store.store.index.remove_session(RECORDED)
    await rig.import_lap(import_laps.session(), file(TIMED))
    assert (await rig.session()).name == SESSION


Change = Callable[[laps_pb2.LapImport], None]


def start_with(**fields: Any) -> Change:
    def change(start: laps_pb2.LapImport) -> None:
        for name, value in fields.items():
            setattr(start, name, value)

    return change


def session_with(**fields: Any) -> Change:
    def change(start: laps_pb2.LapImport) -> None:
        for name, value in fields.items():
            setattr(start.session, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (start_with(lap="sessions/../laps/x"), "lap is"),
        (start_with(lap=f"{SESSION}/laps/car007-running"), "lap is"),
        (start_with(lap=f"{SESSION}/laps/{'a' * 81}"), "lap is"),
        (start_with(lap=f"{SESSION}-other/laps/car007-0001"), "its session is"),
        (start_with(size=0), "size is 0"),
        (start_with(size=1 << 60), "size is"),
        (start_with(digest="ABC"), "digest is"),
        (session_with(source=session_pb2.SESSION_SOURCE_LIVE), "source is 1"),
        (session_with(status=session_pb2.SESSION_STATUS_RECORDING), "status is 1"),
        (session_with(ring="5f3a"), "ring"),
        (session_with(laps=4), "laps"),
        (session_with(track_length=float("nan")), "track_length is nan"),
        (session_with(start_time_ns=(1 << 63) + 1), "more than a day ahead"),
        (session_with(track_name="x" * 20_000), "the limit is"),
    ],
)
async def test_what_cannot_be_an_import_is_refused_before_its_file_comes(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig, change: Change, said: str
) -> None:
    start = laps_pb2.LapImport(session=import_laps.session(), lap=TIMED.name, size=1000)
    change(start)
    with pytest.raises(BadRequest, match=said):
        await send(rig, laps_pb2.ImportLapRequest(start=start))
    assert nothing_waits(lap_store.data)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": lap_pb2.LAP_KIND_EXCERPT}, "kind is 2"),
        ({"damage": "a word"}, "damage"),
        ({"pinned": True}, "pinned"),
        ({"lap_time": -3.0}, "lap_time is -3.0"),
        ({"lap_time": float("nan")}, "lap_time is nan"),
        ({"sector2": float("inf")}, "sector2 is inf"),
        ({"end_time": float("inf")}, "end_time is inf"),
        ({"pit_visits": [lap_pb2.PitVisit(enter_time=float("nan"))]}, "pit_visits's enter_time is nan"),
        ({"start_time_ns": 1 << 63}, "more than a day ahead"),
        ({"driver": "x" * 9000}, "the limit is"),
        ({"name": f"{SESSION}/laps/another"}, "the file says"),
    ],
)
async def test_a_head_that_no_import_has_is_refused(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig, fields: dict[str, Any], said: str
) -> None:
    made = import_laps.lap(1, **fields)
    with pytest.raises(BadRequest, match=said):
        await send_file(rig, TIMED.name, file(made))
    assert nothing_waits(lap_store.data)
    assert not lap_store.path(TIMED).parent.exists()


async def test_columns_are_those_of_the_registry(lap_store: LapStore, rig: rigclient.aio.AsyncRig) -> None:
    foreign = LapFile(file(SAMPLED, samples()))
    for number, (name, dtype, said) in enumerate(
        (("own_channel", "<f4", "no channel 'own_channel'"), ("speed", "<f8", "speed is <f8"))
    ):
        (column,) = (one for one in foreign.header.columns if one.name == ("speed", "own_channel")[number])
        column.name, column.dtype = name, dtype
        with pytest.raises(BadRequest, match=said):
            await send_file(rig, SAMPLED.name, rebuilt(foreign))
    bare = {"speed": samples()["speed"]}
    made = import_laps.lap(2, samples=len(bare["speed"]))
    data = pack(archive_pb2.LapHeader(lap=made, session=import_laps.session()), bare, {})
    with pytest.raises(BadRequest, match="without lap_time"):
        await send_file(rig, SAMPLED.name, data)


def rebuilt(file_: LapFile) -> bytes:
    """The file with its head as it was changed."""
    return b"".join([beginning(file_.header), *map(file_._block, file_.header.columns)])


async def test_a_damaged_file_leaves_nothing(lap_store: LapStore, rig: rigclient.aio.AsyncRig) -> None:
    data = bytearray(file(SAMPLED, samples()))
    data[-10] ^= 1
    with pytest.raises(Corrupt, match="CRC"):
        await send_file(rig, SAMPLED.name, bytes(data))
    with pytest.raises(Corrupt, match="no lap file"):
        await send_file(rig, SAMPLED.name, b"\0" * 100)
    with pytest.raises(Corrupt, match="was announced"):
        await send_file(rig, TIMED.name, file(TIMED), digest="0" * 16)
    assert nothing_waits(lap_store.data)
    assert not lap_store.path(TIMED).parent.exists()


async def test_as_many_bytes_come_as_were_announced(lap_store: LapStore, rig: rigclient.aio.AsyncRig) -> None:
    data = file(TIMED)
    for size in (len(data) - 1, len(data) + 1):
        with pytest.raises(BadRequest, match="were announced"):
            await send_file(rig, TIMED.name, data, size=size)
    start = laps_pb2.LapImport(session=import_laps.session(), lap=TIMED.name, size=len(data))
    with pytest.raises(BadRequest, match="does not say what comes"):
        await send(rig, laps_pb2.ImportLapRequest(data=data))
    with pytest.raises(BadRequest, match="brings nothing"):
        await send(rig, laps_pb2.ImportLapRequest(start=start), laps_pb2.ImportLapRequest(start=start))
    assert nothing_waits(lap_store.data)


async def test_a_client_that_stops_sending_or_goes_leaves_nothing(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = file(SAMPLED, samples())
    start = laps_pb2.LapImport(session=import_laps.session(), lap=SAMPLED.name, size=len(data))
    first = [laps_pb2.ImportLapRequest(start=start), laps_pb2.ImportLapRequest(data=data[:1000])]
    call = rig._lap.ImportLap()
    for message in first:
        await call.write(message)
    await came(lambda: not nothing_waits(lap_store.data))
    call.cancel()
    await came(lambda: nothing_waits(lap_store.data))
    monkeypatch.setattr("rigd.serve.laps.imports.MAX_SILENCE_S", 0.05)
    call = rig._lap.ImportLap()
    for message in first:
        await call.write(message)
    with pytest.raises(Unavailable, match="less than a mebibyte of the lap came"):
        await asked(rig, call)
    assert nothing_waits(lap_store.data)


async def test_a_byte_now_and_then_holds_no_place(
    lap_store: LapStore, rig: rigclient.aio.AsyncRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.serve.laps.imports.MAX_SILENCE_S", 0.5)
    start = laps_pb2.LapImport(session=import_laps.session(), lap=SAMPLED.name, size=1 << 20)

    async def drops() -> Any:
        yield laps_pb2.ImportLapRequest(start=start)
        while True:
            yield laps_pb2.ImportLapRequest(data=b"x")
            await asyncio.sleep(0.02)

    async def refused() -> RigError:
        """What the rig says, where gRPC does not put words of its own in its place (grpc/grpc#36066)."""
        while True:
            with pytest.raises(RigError) as caught:
                await asked(rig, rig._lap.ImportLap(drops()))
            if "Internal error from Core" not in caught.value.message:
                return caught.value

    with pytest.raises(Unavailable, match="less than a mebibyte"):
        raise await refused()
    await came(lambda: nothing_waits(lap_store.data))


async def test_a_recorded_session_takes_no_imports(lap_store: LapStore, rig: rigclient.aio.AsyncRig) -> None:
    lap_store.store.put_session(recorded_session())
    of = import_laps.session(RECORDED)
    data = file(import_laps.lap(1, RECORDED), of=of)
    with pytest.raises(BadRequest, match="was recorded here"):
        await rig.import_lap(of, data)
    queue = CommandQueue(lap_store.data)
    command = queue.new_id()
    queue.upload(command).write_bytes(data)
    queue.post_import(command, LapFile(data).header.lap.name, of, user="", replaces=True)
    with pytest.raises(BadRequest, match="was recorded here"):  # the archiver has the last word
        until(lambda: queue.settled(command))
    queue.close()
    assert nothing_waits(lap_store.data)


class TestUsers:
    async def test_a_user_imports_laps_of_their_own_alone(self, lap_store: LapStore, user: Any) -> None:
        ann = user("ann")
        own = import_laps.lap(1, user="ann")
        await ann.import_lap(import_laps.session(), file(own))
        assert [one.name for one in await ann.laps().to_list()] == [own.name]
        for other in ("bob", ""):
            with pytest.raises(Denied, match="yours is 'ann'"):
                await ann.import_lap(import_laps.session(), file(import_laps.lap(2, user=other)))
        await ann.delete_lap(own.name)
        assert not lap_store.path(own).exists()
        assert nothing_waits(lap_store.data)

    async def test_nobody_gets_into_the_session_of_another(self, lap_store: LapStore, user: Any) -> None:
        """Else a lap of one's own would open all other cars of it."""
        ann, bob = user("ann"), user("bob")
        await ann.import_lap(import_laps.session(), file(import_laps.lap(1, user="ann")))
        for index, replaces in ((1, False), (1, True), (2, False)):
            with pytest.raises(Denied, match="taken by somebody else"):
                await bob.import_lap(
                    import_laps.session(), file(import_laps.lap(index, user="bob")), replace=replaces
                )
        assert await bob.laps().to_list() == []

    async def test_who_sees_all_laps_imports_for_anybody(self, lap_store: LapStore, user: Any) -> None:
        everyone, ann = user("carl", Scope.LAPS_ALL), user("ann")
        await everyone.import_lap(import_laps.session(), file(import_laps.lap(1, user="ann")))
        await everyone.import_lap(import_laps.session(), file(import_laps.lap(2)))
        assert len(await ann.laps().to_list()) == 2, "her own, and that of another car of its session"
        with pytest.raises(Denied, match="somebody else's"):
            await ann.import_lap(import_laps.session(), file(import_laps.lap(2, user="ann")), replace=True)

    async def test_a_token_without_a_user_imports_nothing(self, lap_store: LapStore, user: Any) -> None:
        with pytest.raises(Denied, match="names no user"):
            await user("").import_lap(import_laps.session(), file(TIMED))

    @pytest.mark.parametrize("limits", [replace(Quotas(), imported_bytes_per_user=1000)])
    async def test_a_user_has_so_many_bytes(self, lap_store: LapStore, user: Any, limits: Quotas) -> None:
        ann = user("ann")
        await ann.import_lap(import_laps.session(), file(import_laps.lap(1, user="ann")))
        with pytest.raises(Exhausted, match="bytes of laps imported, the limit is 1000"):
            await ann.import_lap(import_laps.session(), file(import_laps.lap(2, user="ann"), samples()))
        assert nothing_waits(lap_store.data)

    async def test_a_token_imports_so_many_at_once(self, lap_store: LapStore, user: Any) -> None:
        ann = user("ann")
        start = laps_pb2.LapImport(session=import_laps.session(), lap=TIMED.name, size=1000)
        calls = [Half(start) for _ in range(MAX_IMPORTS_PER_TOKEN)]
        waiting = [asyncio.ensure_future(ann._lap.ImportLap(call)) for call in calls]
        await came(lambda: len(os.listdir(lap_store.data / "inbox")) == len(calls))
        with pytest.raises(Exhausted, match="laps that it imports"):
            await ann.import_lap(import_laps.session(), file(import_laps.lap(1, user="ann")))
        for call in calls:
            call.over.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        await ann.import_lap(import_laps.session(), file(import_laps.lap(1, user="ann")))

    @pytest.mark.parametrize("limits", [replace(Quotas(), messages_per_second=10)])
    async def test_pieces_are_no_messages_of_their_own(
        self, lap_store: LapStore, user: Any, limits: Quotas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queries, "IMPORT_PIECE_BYTES", 100)
        made = import_laps.lap(1, user="ann")
        data = file(made, samples())
        assert len(data) > 1500
        await user("ann").import_lap(import_laps.session(), data)


class Half:
    """An upload that waits after its first message."""

    def __init__(self, start: laps_pb2.LapImport) -> None:
        self._start, self.over = start, asyncio.Event()

    async def __aiter__(self) -> Any:
        yield laps_pb2.ImportLapRequest(start=self._start)
        await self.over.wait()


class TestDisk:
    async def test_a_lap_that_leaves_too_little_room_is_refused(
        self, lap_store: LapStore, rig: rigclient.aio.AsyncRig
    ) -> None:
        lap_store.store.index.set_meta(FLOOR_BYTES, str(1 << 60))
        with pytest.raises(Exhausted, match="stay free"):
            await rig.import_lap(import_laps.session(), file(TIMED))
        assert nothing_waits(lap_store.data)
        assert not lap_store.path(TIMED).parent.exists()

    async def test_a_disk_that_is_full_when_the_lap_is_placed_leaves_nothing_of_it(
        self, lap_store: LapStore, rig: rigclient.aio.AsyncRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("shutil.copyfileobj", full)
            with pytest.raises(Exhausted, match="disk of the rig is full"):
                await rig.import_lap(import_laps.session(), file(TIMED))
        assert nothing_waits(lap_store.data)
        assert not lap_store.path(TIMED).parent.exists()
        await rig.import_lap(import_laps.session(), file(TIMED))

    async def test_a_disk_that_is_full_when_the_file_comes_leaves_nothing_of_it(
        self, lap_store: LapStore, rig: rigclient.aio.AsyncRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("rigd.serve.laps.imports._finish", full)
        with pytest.raises(Unavailable, match="No space left"):
            await rig.import_lap(import_laps.session(), file(TIMED))
        assert nothing_waits(lap_store.data)


# Helpers of these tests.


async def send(rig: rigclient.aio.AsyncRig, *messages: laps_pb2.ImportLapRequest) -> Any:
    return await asked(rig, rig._lap.ImportLap(iter(messages)))


async def asked(rig: rigclient.aio.AsyncRig, call: Any) -> Any:
    try:
        return await call
    except grpc.RpcError as error:
        raise translated(error, rig.address) from None


async def send_file(
    rig: rigclient.aio.AsyncRig, name: str, data: bytes, size: int | None = None, digest: str = ""
) -> Any:
    start = laps_pb2.LapImport(
        session=import_laps.session(), lap=name, size=len(data) if size is None else size, digest=digest
    )
    return await send(rig, laps_pb2.ImportLapRequest(start=start), laps_pb2.ImportLapRequest(data=data))


async def came(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(240):
        while not condition():
            await asyncio.sleep(0.01)
