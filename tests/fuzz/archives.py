"""Small files of the archive that people and crashes may have touched, page tokens and questions."""

import base64
import contextlib
import json
import zlib
from functools import cache

from google.protobuf.message import DecodeError

from rig.errors import RigError
from rig.v1 import laps_pb2
from rigd.archive.excerpts import _until_ns
from rigd.store.checksummed import load_json
from rigd.store.commands import CommandQueue, process
from rigd.store.index import Index, IndexReader
from rigd.store.marks import Marks
from rigd.store.store import Store
from tests.fuzz.target import Target, file_of, folder
from tests.store.lap_store import SESSION, lap, session

_OWN = SESSION.removeprefix("sessions/")
_LAP = lap().name
_PART = b"\n--\n"
"""Between the files of an input that has several."""


def _parts(data: bytes, count: int) -> list[bytes]:
    return (data.split(_PART, count - 1) + [b""] * count)[:count]


@cache
def _archive(name: str) -> Store:
    """An archive with one lap, which lies there as a file and is listed."""
    data = folder() / name
    store = Store.open(data)
    store.put_session(session())
    store.folder.write(_LAP, b"a lap")
    store.index.put_lap(lap())
    return store


# Sessions, and what is gone.


@cache
def _session_files() -> list[bytes]:
    laps = _archive("seeds").folder
    laps.add_tombstone(_LAP, {"why": "deleted on request"})
    laps.add_tombstone(_LAP, {"why": "the disk was full", "forced": True})
    kept, gone = ((laps.root / _OWN / name).read_bytes() for name in ("session.json", "gone.jsonl"))
    bare = b"\n".join(_bare(line) for line in gone.splitlines() if line)
    return [kept + _PART + gone, _bare(kept) + _PART + bare, kept, b"{}" + _PART + bare]


def _bare(data: bytes) -> bytes:
    """An object without its checksum, as somebody writes it by hand: a changed one is looked at closely."""
    return json.dumps(load_json(data)).encode()


def _session(data: bytes) -> None:
    """The archiver starts on them: what is listed has its own name, what is gone are laps of it."""
    store = _archive("sessions")
    laps = store.folder
    kept, gone = _parts(data, 2)
    for aside in laps.aside():
        aside.unlink()
    file_of(f"sessions/laps/{_OWN}/session.json", kept)
    file_of(f"sessions/laps/{_OWN}/gone.jsonl", gone)
    file_of(f"sessions/laps/{_OWN}-b/car001-0001.lap", b"of another session")
    for each in laps.sessions():
        assert each.name == f"sessions/{_OWN}"
        assert all(name.startswith(f"{SESSION}/laps/") for name in laps.tombstones(each.name))
    store.reconcile()
    assert (laps.root / f"{_OWN}-b").exists(), "nothing of another session is touched"


# Orders.


def _orders() -> list[bytes]:
    return [
        json.dumps({"kind": kind, "name": _LAP}).encode() for kind in ("pin", "unpin", "examine", "delete")
    ]


def _order(data: bytes) -> None:
    """The order is carried out or refused with an error; in neither case does it stay."""
    store = _archive("orders")
    if store.index.lap(_LAP) is None:  # an order to delete it was obeyed
        store.folder.write(_LAP, b"a lap")
        store.index.put_lap(lap())
    queue = _queue("orders")
    order = f"{1_700_000_000_000_000_000:019d}-1-1"
    file_of(f"orders/inbox/{order}.order", data)
    process(queue, store)
    assert not [path for path in (folder() / "orders/inbox").iterdir() if path.suffix == ".taken"]
    queue.settled(order)


@cache
def _queue(name: str) -> CommandQueue:
    return CommandQueue(folder() / name)


def _answers() -> list[bytes]:
    words = {"reason": "PINNED", "message": "it is pinned", "hint": "unpin it", "facts": {"name": _LAP}}
    return [json.dumps(words).encode(), json.dumps(words | {"reason": "NEWER", "facts": {}}).encode()]


def _answer(data: bytes) -> None:
    """An order that was refused raises what it was refused with."""
    queue = _queue("answers")
    file_of("answers/inbox/1-1-1.refused", data)
    with contextlib.suppress(RigError):
        raise AssertionError(f"a refusal was taken for success: {queue.settled('1-1-1')}")
    assert not (folder() / "answers/inbox/1-1-1.refused").exists()


def _foreign_name(data: bytes) -> None:
    """Names of files in the queue."""
    queue, store = _queue("names"), _archive("names")
    name = data.decode("latin-1").replace("/", "").replace("\0", "")[:80]
    with contextlib.suppress(OSError):
        file_of(f"names/inbox/{name or 'x'}", _orders()[0])
    process(queue, store)
    for path in (folder() / "names/inbox").iterdir():
        path.unlink()


# Marks.


def _mark_files() -> list[bytes]:
    (folder() / "mark-seeds").mkdir(exist_ok=True)
    marks = Marks(folder() / "mark-seeds")
    moment = laps_pb2.Moment(
        name="marks/one", time_ns=10**18, before_s=2.0, after_s=1.5, cars=[3, 9], note="hm"
    )
    moment.status = laps_pb2.MOMENT_STATUS_PENDING
    marks.put(moment)
    first = (folder() / "mark-seeds/marks/one.json").read_bytes()
    moment.status = laps_pb2.MOMENT_STATUS_KEPT
    moment.laps.append(_LAP)
    marks.put(moment)
    second = (folder() / "mark-seeds/marks/one.json").read_bytes()
    return [first, second, _bare(first), _bare(second)]


def _mark(data: bytes) -> None:
    """A mark that is given bears its name and a time that can be looked for; nothing else is written."""
    path = file_of("marks/marks/one.json", data)
    path.with_suffix(".damaged").unlink(missing_ok=True)
    marks = Marks(folder() / "marks")
    for moment in marks.all():
        assert moment.name == "marks/one"
        assert moment.time_ns - int(moment.before_s * 1e9) <= _until_ns(moment)
        marks.put(moment)
    assert {each.name for each in path.parent.iterdir()} <= {"one.json", "one.damaged"}


# Tokens and questions.

_ASKED = laps_pb2.ListLapsRequest(parent="sessions/-", page_size=2, order_by="lap_time desc, driver, car")


@cache
def _reader() -> IndexReader:
    path = folder() / "tokens/index.sqlite"
    index = Index(path)
    index.put_session(session())
    for number in range(6):
        index.put_lap(lap(index=number))
    return IndexReader(path)


@cache
def _tokens() -> list[bytes]:
    return [_reader().list_laps(_ASKED).next_page_token.encode()]


def _token(data: bytes) -> None:
    """As it came, and as a body with its question and its check put right."""
    body = _head() + data
    forged = base64.urlsafe_b64encode(body + zlib.crc32(body).to_bytes(4, "little")).decode()
    try:
        page = _page(forged)
    except RigError:
        page = _page(data.decode("latin-1"))
    assert len(page.laps) <= 2


def _page(token: str) -> laps_pb2.ListLapsResponse:
    asked = laps_pb2.ListLapsRequest(page_token=token)
    asked.MergeFrom(_ASKED)
    return _reader().list_laps(asked)


@cache
def _head() -> bytes:
    """What begins the body of a token of our question."""
    token = _tokens()[0]
    return base64.urlsafe_b64decode(token + b"=" * (-len(token) % 4))[:11]


def _positions() -> list[bytes]:
    """Bodies of tokens, and whole tokens."""
    return [
        json.dumps([91.0, "a. alder", 12, _LAP]).encode(),
        json.dumps([1e999, "", -1, "x"]).encode(),
        *_tokens(),
    ]


def _questions() -> list[bytes]:
    wanted = laps_pb2.LapFilter(
        driver="ALD", valid=True, max_lap_time=99.0, cars=[12, 3], until_time_ns=2**60
    )
    best = laps_pb2.ListLapsRequest(parent=SESSION, best_of=laps_pb2.BEST_OF_CAR, filter=wanted)
    return [each.SerializeToString() for each in (_ASKED, best)]


def _question(data: bytes) -> None:
    """What is no message at all is refused by gRPC before anyone sees it."""
    with contextlib.suppress(DecodeError):
        asked = laps_pb2.ListLapsRequest.FromString(data)
        assert len(_reader().list_laps(asked).laps) <= 6


TARGETS = (
    Target("session_files", _session_files, _session),
    Target("order", _orders, _order),
    Target("order_answer", _answers, _answer),
    Target("order_name", lambda: [b"0001-2-3.order", b"x.refused", b"0001-2-3.taken"], _foreign_name),
    Target("mark", _mark_files, _mark),
    Target("page_token", _positions, _token),
    Target("question", _questions, _question),
)
