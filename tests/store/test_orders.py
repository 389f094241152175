"""Pins and deletions go through the inbox to whoever carries them out, and come back with an answer."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from rig.errors import BadRequest, Corrupt, Exhausted, NotFound, Pinned
from rig.v1 import laps_pb2
from rigd.store import commands as inboxes
from rigd.store.commands import Inbox, Order
from rigd.store.process import obey
from rigd.wake import Listener
from tests.store.shelf import Clerk, Shelf, lap
from tests.store.test_finding import refused

NAME = lap().name


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.close()


@pytest.fixture
def archiver(tmp_path: Path) -> Iterator[Inbox]:
    """The other end."""
    made = Inbox(tmp_path)
    yield made
    made.close()


async def test_a_pinned_lap_stays_pinned_and_cannot_be_deleted(shelf: Shelf, clerk: Clerk, stub: Any) -> None:
    shelf.put(lap())
    assert (await stub.PinLap(laps_pb2.PinLapRequest(name=NAME))).lap.pinned
    assert (await stub.GetLap(laps_pb2.GetLapRequest(name=NAME))).lap.pinned
    error = await refused(stub.DeleteLap(laps_pb2.DeleteLapRequest(name=NAME)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "is pinned" in str(error.details())
    assert shelf.path(lap()).exists()
    assert not (await stub.UnpinLap(laps_pb2.UnpinLapRequest(name=NAME))).lap.pinned
    await stub.DeleteLap(laps_pb2.DeleteLapRequest(name=NAME))
    assert not shelf.path(lap()).exists()
    assert (await refused(stub.GetLap(laps_pb2.GetLapRequest(name=NAME)))).code() is grpc.StatusCode.NOT_FOUND
    assert not os.listdir(shelf.data / "inbox")


async def test_without_an_archiver_orders_are_taken_back(
    shelf: Shelf, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.serve.laps._ANSWER_WITHIN_S", 0.02)
    shelf.put(lap())
    for call in (
        stub.PinLap(laps_pb2.PinLapRequest(name=NAME)),
        stub.UnpinLap(laps_pb2.UnpinLapRequest(name=NAME)),
        stub.DeleteLap(laps_pb2.DeleteLapRequest(name=NAME)),
    ):
        error = await refused(call)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "start `rigd archive`" in str(error.details())
    assert not os.listdir(shelf.data / "inbox")
    assert shelf.path(lap()).exists()


async def test_an_archiver_that_has_begun_is_not_taken_for_absent(
    shelf: Shelf, archiver: Inbox, stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rigd.serve.laps._ANSWER_WITHIN_S", 0.02)
    post = Inbox.post

    def taken(self: Inbox, kind: str, name: str) -> str:
        order = post(self, kind, name)
        assert len(archiver.orders()) == 1
        return order

    monkeypatch.setattr(Inbox, "post", taken)
    shelf.put(lap())
    error = await refused(stub.PinLap(laps_pb2.PinLapRequest(name=NAME)))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "has begun" in str(error.details())


def test_an_order_is_open_until_it_is_done(inbox: Inbox, archiver: Inbox) -> None:
    first, second = inbox.post("pin", "a"), inbox.post("delete", "b")
    assert not inbox.settled(first)
    orders = archiver.orders()
    assert [(order.id, order.kind, order.name) for order in orders] == [
        (first, "pin", "a"),
        (second, "delete", "b"),
    ]
    assert not inbox.settled(first)
    archiver.done(orders[0])
    assert inbox.settled(first)
    assert not inbox.settled(second)


def test_a_refusal_brings_the_error_once(inbox: Inbox, archiver: Inbox) -> None:
    order = inbox.post("delete", "a")
    archiver.refuse(archiver.orders()[0], Pinned("a is pinned", hint="unpin it", name="a"))
    with pytest.raises(Pinned) as caught:
        inbox.settled(order)
    assert (caught.value.message, caught.value.hint, caught.value.facts) == (
        "a is pinned",
        "unpin it",
        {"name": "a"},
    )
    assert not archiver.orders()


def test_what_is_withdrawn_is_not_seen_and_what_is_taken_stays(inbox: Inbox, archiver: Inbox) -> None:
    assert inbox.withdraw(inbox.post("pin", "a"))
    assert archiver.orders() == []
    order = inbox.post("pin", "b")
    assert len(archiver.orders()) == 1
    assert not inbox.withdraw(order)


def test_what_a_killed_archiver_had_taken_is_taken_again(
    inbox: Inbox, archiver: Inbox, tmp_path: Path
) -> None:
    order = inbox.post("pin", "a")
    archiver.orders()
    again = Inbox(tmp_path)
    assert [one.id for one in again.orders()] == [order]
    again.close()


def test_an_order_rings_the_bell(inbox: Inbox, tmp_path: Path) -> None:
    listener = Listener(tmp_path / "wake")
    inbox.post("pin", "a")
    assert listener.take() == [b""]
    listener.close()


def test_half_written_orders_are_not_seen(inbox: Inbox, archiver: Inbox, tmp_path: Path) -> None:
    order = inbox.post("pin", "a")
    path = tmp_path / "inbox" / f"{order}.order"
    path.rename(path.with_name(f".writing-{path.name}"))
    assert archiver.orders() == []


def test_an_order_that_is_none_is_refused_and_keeps_no_other_waiting(
    archiver: Inbox, inbox: Inbox, tmp_path: Path
) -> None:
    broken = inbox.post("pin", "b")
    (tmp_path / f"inbox/{broken}.order").write_text("{}")
    inbox.post("pin", "a")
    assert [order.name for order in archiver.orders()] == ["a"]
    with pytest.raises(Corrupt, match="cannot be read"):
        inbox.settled(broken)


def test_more_orders_than_the_limit_are_refused(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inboxes, "MAX_ORDERS", 2)
    inbox.post("pin", "a")
    inbox.post("pin", "b")
    with pytest.raises(Exhausted, match="2 orders wait"):
        inbox.post("pin", "c")


def test_answers_that_nobody_came_for_are_forgotten_after_a_minute(
    inbox: Inbox, archiver: Inbox, tmp_path: Path
) -> None:
    inbox.post("pin", "a")
    (order,) = archiver.orders()
    archiver.refuse(order._replace(id="0000000000000000001-1-0"), NotFound("long ago"))
    archiver.refuse(order, NotFound("there is no lap"))
    assert os.listdir(tmp_path / "inbox") == [f"{order.id}.refused"]


@pytest.mark.parametrize(
    "order",
    [
        b'{"kind": "pin", "name": ["a"]}',
        b'{"kind": 3, "name": "a"}',
        b'{"kind": "pin", "name": null}',
        b'{"kind": "pin", "name": "\\ud800"}',
        b"[]",
        b"\xff",
        b"[" * 30_000,
    ],
)
def test_an_order_of_other_things_than_words_is_refused_for_good(
    shelf: Shelf, inbox: Inbox, order: bytes
) -> None:
    """It stopped the archiver, and the next one, and the one after."""
    asked = inbox.post("pin", "a")
    (shelf.data / f"inbox/{asked}.order").write_bytes(order)
    obey(inbox, shelf.store, shelf.index)
    with pytest.raises(Corrupt, match="cannot be read"):
        inbox.settled(asked)
    assert not os.listdir(shelf.data / "inbox")


def test_an_order_that_nobody_knows_is_refused(shelf: Shelf, inbox: Inbox) -> None:
    shelf.put(lap())
    asked = inbox.post("polish", NAME)
    obey(inbox, shelf.store, shelf.index)
    with pytest.raises(BadRequest, match="there is no order 'polish'"):
        inbox.settled(asked)


def test_files_that_are_named_otherwise_are_no_orders(archiver: Inbox, tmp_path: Path) -> None:
    for name in ("x.order", "notes.txt", "1-2.taken", "later.refused"):
        (tmp_path / "inbox" / name).write_text("{}")
    assert archiver.orders() == []
    archiver.refuse(Order("1-2-3", "pin", "a", {}), NotFound("there is no lap"))
    assert len(os.listdir(tmp_path / "inbox")) == 4, "theirs, and ours is old enough to be forgotten"


@pytest.mark.parametrize("answer", [b"", b"\xff", b"3", b'{"reason": "PINNED"}', b"[" * 30_000])
def test_an_answer_that_cannot_be_read_is_a_refusal(inbox: Inbox, tmp_path: Path, answer: bytes) -> None:
    (tmp_path / "inbox/1-2-3.refused").write_bytes(answer)
    with pytest.raises(Corrupt, match="the answer cannot be read"):
        inbox.settled("1-2-3")
    assert inbox.settled("1-2-3")


def test_facts_of_an_answer_may_have_any_name(inbox: Inbox, archiver: Inbox) -> None:
    asked = inbox.post("pin", "a")
    (order,) = archiver.orders()
    error = Pinned("it is pinned")
    error.facts = {"message": "one", "hint": "two"}
    archiver.refuse(order, error)
    with pytest.raises(Pinned) as caught:
        inbox.settled(asked)
    assert caught.value.facts == error.facts
