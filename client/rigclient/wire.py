"""Where status codes become errors again: the one place on the client."""

import contextlib
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from rig import sockets
from rig.errors import RigError, Unavailable, by_reason
from rigclient import paired

_CLASSES: Final = by_reason()
_UNANSWERED: Final = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
_TREE: Final[list[type[RigError]]] = [*reversed(RigError.__subclasses__()), RigError]
_BY_STATUS: Final = {cls.status: cls for cls in _TREE}


def translated(error: Any, address: str) -> RigError:
    """Return the error of the tree behind a gRPC error."""
    # The error is the call itself; through its frames it would be in a cycle, and alive when Python ends.
    error.__traceback__ = None
    code = error.code() or grpc.StatusCode.UNKNOWN
    info = _info(error)
    if info is not None and info.reason in _CLASSES:
        message, hint = _parted(error.details() or "")
        found = _CLASSES[info.reason](message, hint=hint)
        found.facts = dict(info.metadata)
        return found
    if code in _UNANSWERED:
        return Unavailable(f"no rig answers at {address}", hint=_way_to(address), address=address)
    return _BY_STATUS.get(code.name, RigError)(f"{code.name}: {error.details()}")


def unanswered(error: Any) -> bool:
    """Return whether gRPC itself says so, to whom nobody answered, and no rig."""
    return error.code() in _UNANSWERED and _info(error) is None


def _way_to(address: str) -> str:
    """Return how to make a rig answer there."""
    if address.startswith("unix:"):
        known = {"Rigs that answer here": list(sockets.living()), "Paired rigs": paired.names()}
        said = (f" {what}: --rig {', '.join(names)}." for what, names in known.items() if names)
        return "is `rigd run` running? `rig rigs` lists what there is." + "".join(said)
    if ":" not in address:
        return "it is on, and broke the connection: try again"
    return f"is it running, and with that address? rigd run --address {address}"


def _parted(text: str) -> tuple[str, str]:
    """Return message and hint of "message (hint)", in which parentheses come in pairs."""
    depth = 0
    for at in range(len(text) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(text[at], 0)
        if not depth:
            break
    else:
        return text, ""
    return (text[: at - 1], text[at + 1 : -1]) if text[at - 1 : at + 1] == " (" else (text, "")


def _info(error: Any) -> error_details_pb2.ErrorInfo | None:
    """Return what the server says of an error beyond its status; None where another wrote it, unreadably."""
    info = error_details_pb2.ErrorInfo()
    with contextlib.suppress(DecodeError, ValueError):
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            if detail.Unpack(info):
                return info
    return None
