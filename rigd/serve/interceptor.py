"""The one place on the server that every call goes through: open calls are counted, callers let in or not,
requests read, and errors become status codes.
"""

import contextlib
import inspect
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import grpc
import grpc.aio
import lmdb
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from rig.errors import BadRequest, Exhausted, RigError, Unavailable
from rigd import log
from rigd.auth.lease import Lease
from rigd.serve.accounts import Accounts
from rigd.serve.connections import ANY_SOCKET
from rigd.serve.limits import MAX_CALLS_OVER_SOCKETS, MAX_CALLS_PER_CLIENT
from rigd.serve.pages import PageTokens

DOMAIN: Final = "rigd"
_LONGEST_TEXT: Final = 400
_LONGEST_FACT: Final = 100
"""Characters. What a caller sent stands in the message, and all that goes back must fit headers of 8 kB."""

_UPLOADS: Final = frozenset({"/rig.v1.LapService/ImportLap"})
"""Calls whose requests are pieces of one file."""

Behavior = Callable[[Any, Any], Awaitable[Any]]
Reading = Callable[[Any, Lease], Any]
"""Of a request, or of a stream of them."""

_KINDS: Final[dict[tuple[bool, bool], Callable[[Any], tuple[Any, Behavior]]]] = {
    (False, False): lambda handler: (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
    (False, True): lambda handler: (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
    (True, False): lambda handler: (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
    (True, True): lambda handler: (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
}
"""Whether requests and responses stream: how such a handler is made, and what it does."""


class Admission(Protocol):
    """Who lets calls in: the gate."""

    def admit(self, method: str, context: Any) -> AbstractContextManager[Lease]:
        """Let a call in, for as long as it goes on; `method` "" is one that no service has. Raises an error
        of the tree for one that may not be made.
        """


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Turns errors of the tree into a status with `google.rpc.ErrorInfo`; others into INTERNAL, logged.

    Requests are read here as well: what gRPC cannot read it answers with INTERNAL, and a trace in the log.
    """

    def __init__(self, gate: Admission, pages: PageTokens, accounts: Accounts | None = None) -> None:
        self._gate, self._pages = gate, pages
        self._accounts = accounts or Accounts()
        self._open: Counter[str] = Counter()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details) or _UNKNOWN
        make, behavior = _KINDS[handler.request_streaming, handler.response_streaming](handler)
        read = _each if handler.request_streaming else _read
        parse = handler.request_deserializer or bytes
        method = "" if handler is _UNKNOWN else handler_call_details.method
        call = self._guarded(method, _awaited(behavior), lambda given, lease: read(parse, given, lease))
        return make(call, None, handler.response_serializer)

    def _guarded(self, method: str, behavior: Behavior, read: Reading) -> Behavior:
        async def call(request: Any, context: Any) -> Any:
            try:
                with self._counted(context.peer()), self._gate.admit(method, context) as lease:
                    counted = self._accounts.counted(read(request, lease), upload=method in _UPLOADS)
                    opened = self._pages.open(counted)
                    return self._pages.close(await behavior(opened, context))
            except RigError as error:
                await _abort(context, error)
            except grpc.aio.AbortError:
                raise
            except grpc.aio.InternalError:
                pass  # the connection broke under a write: the caller is gone, and there is nobody to tell
            except (OSError, lmdb.Error, sqlite3.Error) as error:
                log.say(log.CALL_REFUSED, method=_named(behavior), what=repr(error))
                await _abort(
                    context, Unavailable(f"disk or store refuse: {_why(error)}", hint="try again later")
                )
            except Exception:  # noqa: BLE001  the outermost frame of a call: the log gets the cause
                log.say(log.CALL_FAILED, method=_named(behavior), trace=True)
                await context.abort(
                    grpc.StatusCode.INTERNAL, "internal error; the server's log has the cause"
                )

        return call

    @contextlib.contextmanager
    def _counted(self, peer: str) -> Iterator[None]:
        """Raise Exhausted for a connection that has enough calls open."""
        limit = MAX_CALLS_OVER_SOCKETS if peer.startswith(ANY_SOCKET) else MAX_CALLS_PER_CLIENT
        if self._open[peer] >= limit:
            raise Exhausted(f"this connection has {limit} calls open, which is the limit", limit=limit)
        self._open[peer] += 1
        try:
            yield
        finally:
            self._open[peer] -= 1
            if not self._open[peer]:
                del self._open[peer]


def _why(error: Exception) -> str:
    """Return what refused, for callers: paths of this machine are in its log alone."""
    why = error.strerror if isinstance(error, OSError) else str(error).rpartition(": ")[2]
    return why or type(error).__name__


def _named(behavior: Behavior) -> str:
    return getattr(behavior, "__qualname__", str(behavior))


def _read(parse: Callable[[bytes], Any], data: bytes, _lease: Lease | None = None) -> Any:
    """A request out of its bytes. Raises BadRequest."""
    try:
        return parse(data)
    except (DecodeError, ValueError):
        raise BadRequest(
            f"the request's {len(data)} bytes are not what this call takes",
            hint="is the client of another version?",
        ) from None


async def _each(
    parse: Callable[[bytes], Any], stream: AsyncIterator[bytes], lease: Lease
) -> AsyncIterator[Any]:
    """Requests as they come. Raises BadRequest, and why the lease is over."""
    requests = aiter(stream)
    while (data := await lease.within(_next(requests))) is not None:
        yield _read(parse, data)


async def _next(requests: AsyncIterator[bytes]) -> bytes | None:
    return await anext(requests, None)


def _awaited(behavior: Behavior) -> Behavior:
    """Return a behavior that writes its responses, where it yields them."""
    if not inspect.isasyncgenfunction(behavior):
        return behavior

    async def call(request: Any, context: Any) -> None:
        async for response in behavior(request, context):
            await context.write(response)

    return call


async def _unknown(_requests: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this version of rigd does not have that call")


_UNKNOWN: Final[Any] = grpc.stream_stream_rpc_method_handler(_unknown)
"""Of what no service has: those who may not ask are not told even that."""


async def _abort(context: Any, error: RigError) -> None:
    code, text = grpc.StatusCode[error.status].value[0], _clipped(str(error), _LONGEST_TEXT)
    facts = {name: _clipped(fact, _LONGEST_FACT) for name, fact in error.facts.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason(), domain=DOMAIN, metadata=facts)
    details = any_pb2.Any()
    details.Pack(info)
    status = rpc_status.to_status(status_pb2.Status(code=code, message=text, details=[details]))
    # `abort_with_status` is only of the servers that are not asynchronous.
    await context.abort(status.code, status.details, status.trailing_metadata)


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
