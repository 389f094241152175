"""A client that lets nothing be sent to it, by hand: gRPC has no such one."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def without_room(port: int, method: str) -> AsyncIterator[None]:
    """Make a call with an empty request, and leave no room for an answer once it begins."""
    names = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "rig",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    words = [(name.encode(), value.encode()) for name, value in names.items()]
    fields = b"".join(b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in words)
    no_window = b"\x00\x04\x00\x00\x00\x00"
    frames = ((4, 0, 0, no_window), (1, 4, 1, fields), (0, 1, 1, b"\0\0\0\0\0"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    for frame in frames:
        writer.write(_frame(*frame))
    begun = asyncio.Event()
    living = asyncio.create_task(_live(reader, writer, begun))
    await asyncio.wait_for(begun.wait(), 30)
    yield
    living.cancel()
    writer.close()


def _frame(kind: int, flags: int, number: int, body: bytes) -> bytes:
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, number) + body


async def _live(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begun: asyncio.Event) -> None:
    """Answer pings, lest the server takes us for gone; `begun` is set when the call begins to be answered."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # the server hung up
        while True:
            head = await reader.readexactly(9)
            body = await reader.readexactly(int.from_bytes(head[:3]))
            if head[3] == 1:
                begun.set()
            elif head[3:5] == b"\x06\x00":
                writer.write(_frame(6, 1, 0, body))
