"""Where errors become status codes: the one place on the server."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio
import lmdb
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from rig.errors import RigError, Unavailable

DOMAIN: Final = "rigd"
_DETAILS_KEY: Final = "grpc-status-details-bin"
_LONGEST_TEXT: Final = 400
_LONGEST_FACT: Final = 100
"""Characters. What a caller sent stands in the message, and all that goes back must fit headers of 8 kB."""

_log = logging.getLogger(__name__)

Behavior = Callable[[Any, Any], Awaitable[Any]]

_KINDS: Final[dict[tuple[bool, bool], Callable[[Any], tuple[Any, Behavior]]]] = {
    (False, False): lambda handler: (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
    (False, True): lambda handler: (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
    (True, False): lambda handler: (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
}
"""Whether requests and responses stream: how such a handler is made, and what it does."""


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Turns errors of the tree into a status with `google.rpc.ErrorInfo`; others into INTERNAL, logged."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith("/rig."):
            return handler
        make, behavior = _KINDS[handler.request_streaming, handler.response_streaming](handler)
        return make(_translated(behavior), handler.request_deserializer, handler.response_serializer)


def _translated(behavior: Behavior) -> Behavior:
    async def call(request: Any, context: Any) -> Any:
        try:
            return await behavior(request, context)
        except RigError as error:
            await _abort(context, error)
        except grpc.aio.AbortError:
            raise
        except grpc.aio.InternalError:
            pass  # the connection broke under a write: the caller is gone, and there is nobody to tell
        except (OSError, lmdb.Error, sqlite3.Error) as error:
            _log.warning(
                "call_refused method=%s error=%r", getattr(behavior, "__qualname__", behavior), error
            )
            await _abort(context, Unavailable(f"disk or store refuse: {error}", hint="try again later"))
        except Exception:  # noqa: BLE001  the outermost frame of a call: the log gets the cause
            _log.exception("call_failed method=%s", getattr(behavior, "__qualname__", behavior))
            await context.abort(grpc.StatusCode.INTERNAL, "internal error; the server's log has the cause")

    return call


async def _abort(context: Any, error: RigError) -> None:
    code, text = grpc.StatusCode[error.status], _clipped(str(error), _LONGEST_TEXT)
    facts = {name: _clipped(fact, _LONGEST_FACT) for name, fact in error.facts.items()}
    info = error_details_pb2.ErrorInfo(reason=error.reason(), domain=DOMAIN, metadata=facts)
    details = any_pb2.Any()
    details.Pack(info)
    status = status_pb2.Status(code=code.value[0], message=text, details=[details])
    await context.abort(code, text, ((_DETAILS_KEY, status.SerializeToString()),))


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
