"""Words of how far streams are: said in one call, in a new one when that has ended, and never in the way."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc.aio
import pytest

from rigclient.acknowledging import Acknowledger, AsyncAcknowledger, Word

FIRST, SECOND = (Word(subscription=name) for name in (b"first", b"second"))


class Calls:
    """A method of the blocking client: takes words in a thread, until it is ended."""

    def __init__(self) -> None:
        self.calls: list[list[Word]] = []
        self.ended: list[threading.Event] = []
        self.heard = threading.Semaphore(0)

    def future(self, words: Iterator[Word]) -> "Calls.Call":
        said: list[Word] = []
        ended = threading.Event()
        self.calls.append(said)
        self.ended.append(ended)

        def listen() -> None:
            for word in words:
                said.append(word)
                self.heard.release()
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        return Calls.Call()

    class Call:
        over = False

        def done(self) -> bool:
            return Calls.Call.over


@pytest.fixture
def calls() -> Iterator[Calls]:
    yield Calls()
    Calls.Call.over = False


def test_all_words_go_through_one_call(calls: Calls) -> None:
    acknowledger = Acknowledger(calls)
    for word in (FIRST, SECOND):
        acknowledger.tell(word)
        assert calls.heard.acquire(timeout=10)
    assert calls.calls == [[FIRST, SECOND]]
    acknowledger.close()
    assert calls.ended[0].wait(10)


def test_a_call_that_has_ended_is_followed_by_another_and_lets_go_of_its_thread(calls: Calls) -> None:
    acknowledger = Acknowledger(calls)
    acknowledger.tell(FIRST)
    assert calls.heard.acquire(timeout=10)
    Calls.Call.over = True
    acknowledger.tell(SECOND)
    assert calls.heard.acquire(timeout=10)
    assert calls.calls == [[FIRST], [SECOND]]
    assert calls.ended[0].wait(10)
    acknowledger.close()


def test_after_the_end_nothing_is_said(calls: Calls) -> None:
    acknowledger = Acknowledger(calls)
    acknowledger.close()
    acknowledger.tell(FIRST)
    assert calls.calls == []


class AsyncCall:
    """A call of the asyncio client that takes so many words."""

    def __init__(self, room: int) -> None:
        self.room, self.said = room, list[Word]()

    def done(self) -> bool:
        return False

    async def write(self, word: Word) -> None:
        await asyncio.sleep(0)
        if len(self.said) == self.room:
            raise asyncio.InvalidStateError("the call is over")
        self.said.append(word)


async def test_words_for_asyncio_wait_for_each_other_and_a_lost_one_is_like_one_not_said() -> None:
    calls = [AsyncCall(2), AsyncCall(9)]
    made: Iterator[Any] = iter(calls)
    acknowledger = AsyncAcknowledger(lambda: next(made))
    for word in (FIRST, SECOND, FIRST, SECOND):
        acknowledger.tell(word)
        await asyncio.sleep(0.01)
    assert [call.said for call in calls] == [[FIRST, SECOND], [SECOND]]


async def test_of_two_words_about_a_stream_the_later_one_is_said() -> None:
    call = AsyncCall(9)
    acknowledger = AsyncAcknowledger(lambda: call)
    later = Word(subscription=b"first", cursor=b"further")
    acknowledger.tell(FIRST)
    acknowledger.tell(later)
    await asyncio.sleep(0.01)
    assert call.said == [later]


async def test_a_closed_channel_is_nobodys_error() -> None:
    def closed() -> Any:
        raise grpc.aio.UsageError("Channel is closed.")

    acknowledger = AsyncAcknowledger(closed)
    acknowledger.tell(FIRST)
    await asyncio.sleep(0.01)
    assert acknowledger._telling is not None
    assert acknowledger._telling.exception() is None
