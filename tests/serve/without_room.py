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
    for kind, flags, number, body in frames:
        writer.write(struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, number) + body)
    async with asyncio.timeout(30):
        while (head := await reader.readexactly(9))[3] != 1:  # until the call begins to be answered
            await reader.readexactly(int.from_bytes(head[:3]))
    yield
    writer.close()
