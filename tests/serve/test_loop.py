"""The server's event loop: what gRPC's thread says by one byte each is heard at once."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from rigd.serve.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    with reader, writer:
        yield reader, writer


async def heard(calls: list[bytes], count: int) -> None:
    """Wait for so many calls of a reader; then it has time for more of them."""
    async with asyncio.timeout(10):
        while len(calls) < count:
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0.001)
    assert len(calls) == count


@pytest.mark.parametrize("waiting", [1, 2, 32, 5000])
def test_a_reader_of_one_byte_is_called_once_for_all_that_wait(
    loop: Loop, pair: tuple[socket.socket, socket.socket], waiting: int
) -> None:
    calls: list[bytes] = []

    async def follow() -> None:
        reader, writer = pair
        loop.add_reader(reader, lambda: calls.append(reader.recv(1)))
        for at in (1, 2):  # what comes later is heard as well
            writer.sendall(b"1" * waiting)
            await heard(calls, at)
        loop.remove_reader(reader)

    loop.run_until_complete(follow())


def test_datagrams_are_all_heard(loop: Loop) -> None:
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    calls: list[bytes] = []

    async def follow() -> None:
        loop.add_reader(reader, lambda: calls.append(reader.recv(10)))
        for word in (b"one", b"two", b"three"):
            writer.send(word)
        await heard(calls, 3)
        loop.remove_reader(reader)

    with reader, writer:
        loop.run_until_complete(follow())
    assert calls == [b"one", b"two", b"three"]
