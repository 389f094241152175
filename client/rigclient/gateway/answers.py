"""What a rig answers to questions, as JSON: the contract's messages in protobuf's own mapping."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from rig.errors import BadRequest, RigError
from rig.v1 import access_pb2, analysis_pb2, catalog_pb2, laps_pb2, rig_pb2
from rigclient import queries
from rigclient.aio import AsyncRig

MAX_LAPS: Final = 20
_MAX_TEXT: Final = 4000


class PageCall(NamedTuple):
    """A call that pages may make."""

    method: str
    request: type[Message]
    answer: type[Message]
    laps: tuple[str, ...] = ()
    """Fields of the request that name laps: also "best", and the end of a name."""
    session: str = ""
    """The field that names a session: also a part of it, empty for the newest."""


_RIG, _LAP, _ANALYSIS, _ACCESS, _CATALOG = (
    f"rig.v1.{name}Service/" for name in ("Rig", "Lap", "Analysis", "Access", "Catalog")
)
QUESTIONS: Final = {
    "status": PageCall(_RIG + "GetStatus", rig_pb2.GetStatusRequest, rig_pb2.GetStatusResponse),
    "channels": PageCall(_RIG + "ListChannels", rig_pb2.ListChannelsRequest, rig_pb2.ListChannelsResponse),
    "losses": PageCall(_RIG + "GetLosses", rig_pb2.GetLossesRequest, rig_pb2.GetLossesResponse),
    "sessions": PageCall(_LAP + "ListSessions", laps_pb2.ListSessionsRequest, laps_pb2.ListSessionsResponse),
    "session": PageCall(
        _LAP + "GetSession", laps_pb2.GetSessionRequest, laps_pb2.GetSessionResponse, session="name"
    ),
    "laps": PageCall(
        _LAP + "ListLaps", laps_pb2.ListLapsRequest, laps_pb2.ListLapsResponse, session="parent"
    ),
    "lap": PageCall(_LAP + "GetLap", laps_pb2.GetLapRequest, laps_pb2.GetLapResponse, ("name",)),
    "marks": PageCall(_LAP + "ListMarks", laps_pb2.ListMarksRequest, laps_pb2.ListMarksResponse),
    "circuits": PageCall(
        _ANALYSIS + "ListCircuits", analysis_pb2.ListCircuitsRequest, analysis_pb2.ListCircuitsResponse
    ),
    "circuit": PageCall(
        _ANALYSIS + "GetCircuit", analysis_pb2.GetCircuitRequest, analysis_pb2.GetCircuitResponse, ("lap",)
    ),
    "corners": PageCall(
        _ANALYSIS + "ListCorners", analysis_pb2.ListCornersRequest, analysis_pb2.ListCornersResponse, ("lap",)
    ),
    "compare": PageCall(
        _ANALYSIS + "CompareLaps",
        analysis_pb2.CompareLapsRequest,
        analysis_pb2.CompareLapsResponse,
        ("laps",),
    ),
    "coach": PageCall(
        _ANALYSIS + "Coach", analysis_pb2.CoachRequest, analysis_pb2.CoachResponse, ("lap", "reference")
    ),
    "assistant": PageCall(
        _ANALYSIS + "GetAssistant", analysis_pb2.GetAssistantRequest, analysis_pb2.GetAssistantResponse
    ),
    "resources": PageCall(
        _CATALOG + "ListResources", catalog_pb2.ListResourcesRequest, catalog_pb2.ListResourcesResponse
    ),
    "resource": PageCall(
        _CATALOG + "GetResource", catalog_pb2.GetResourceRequest, catalog_pb2.GetResourceResponse
    ),
    "differences": PageCall(
        _CATALOG + "DiffSetups", catalog_pb2.DiffSetupsRequest, catalog_pb2.DiffSetupsResponse
    ),
    "seat": PageCall(_ACCESS + "GetSeat", access_pb2.GetSeatRequest, access_pb2.GetSeatResponse),
    "caller": PageCall(_ACCESS + "GetCaller", access_pb2.GetCallerRequest, access_pb2.GetCallerResponse),
}
"""By the last part of the address, asked with GET. They change nothing on the rig."""

CHANGES: Final = {
    "marks": PageCall(_LAP + "Mark", laps_pb2.MarkRequest, laps_pb2.MarkResponse),
    "create": PageCall(
        _CATALOG + "CreateResource", catalog_pb2.CreateResourceRequest, catalog_pb2.CreateResourceResponse
    ),
    "update": PageCall(
        _CATALOG + "UpdateResource", catalog_pb2.UpdateResourceRequest, catalog_pb2.UpdateResourceResponse
    ),
    "delete": PageCall(
        _CATALOG + "DeleteResource", catalog_pb2.DeleteResourceRequest, catalog_pb2.DeleteResourceResponse
    ),
    "decide": PageCall(
        _CATALOG + "DecidePlanItem", catalog_pb2.DecidePlanItemRequest, catalog_pb2.DecidePlanItemResponse
    ),
}
"""What pages may change: marks, what people enter, whether what is proposed is done. Their fields come as the
body, in JSON.
"""

HTTP: Final = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 502,  # the gateway's own token, not the page's key
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "OUT_OF_RANGE": 410,
    "FAILED_PRECONDITION": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}
"""By the status of gRPC; others are 500."""


async def answer(rig: AsyncRig, question: PageCall, given: Iterable[tuple[str, str]]) -> str:
    """Return the rig's answer to a question with these parameters, as JSON. Raises BadRequest for unknown
    ones, and what the rig says.
    """
    request = question.request()
    _fill(request, _nested(request, given))
    for name in question.laps:
        await _find_laps(rig, request, name)
    if question.session:
        found = getattr(request, question.session) or ("" if question.session == "name" else queries.ALL)
        setattr(request, question.session, await rig.find_session(found))
    return await asyncio.to_thread(text, await rig.call(question.method, request, question.answer))


async def change(rig: AsyncRig, call: PageCall, body: bytes) -> str:
    """Change something as a page asks for; returns the rig's answer as JSON. Raises BadRequest, and what the
    rig says.
    """
    request = call.request()
    _fill(request, members(body, call.request.DESCRIPTOR.name))
    return await asyncio.to_thread(text, await rig.call(call.method, request, call.answer))


def members(body: bytes, what: str) -> dict[str, Any]:
    """Return the members of a JSON object. Raises BadRequest for anything else; `what` is what it is of."""
    try:
        found = json.loads(body or b"{}")
        json.dumps(found, ensure_ascii=False).encode()  # JSON may name half a character, which is no text
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON", hint=f"the fields of {what}") from None
    if not isinstance(found, dict):
        raise BadRequest("the body is no object", hint=f"the fields of {what}")
    return found


def text(message: Message) -> str:
    """Return a message as JSON: names of the contract, also fields that are zero."""
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
    )


def error_text(error: RigError) -> tuple[int, str]:
    """Return the HTTP status of an error, and its JSON."""
    words = {"code": error.reason(), "message": error.message, "hint": error.hint}
    unimplemented = error.message.startswith("UNIMPLEMENTED")
    return 501 if unimplemented else HTTP.get(error.status, 500), json.dumps({"error": words})


async def _find_laps(rig: AsyncRig, request: Message, name: str) -> None:
    found: Any = getattr(request, name)
    if isinstance(found, str):
        if found:
            setattr(request, name, await rig.find_lap(found))
    elif len(found) <= MAX_LAPS:
        found[:] = [await rig.find_lap(one) for one in found]


def _nested(request: Message, given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return parameters as members: repeated ones as lists, `filter.valid` in an object."""
    members: dict[str, Any] = {}
    for path, value in given:
        if len(path) + len(value) > _MAX_TEXT:
            raise BadRequest(f"the parameter {path[:40]!r} is too long", hint=f"at most {_MAX_TEXT}")
        _put(members, request.DESCRIPTOR, path, value)
    return members


def _put(members: dict[str, Any], descriptor: Any, path: str, value: str) -> None:
    name, _, rest = path.partition(".")
    field = descriptor.fields_by_name.get(name)
    if field is None or bool(rest) != (field.type == FieldDescriptor.TYPE_MESSAGE):
        known = ", ".join(descriptor.fields_by_name) or "none"
        raise BadRequest(f"there is no parameter {path[:40]!r}", hint=f"there are {known}")
    if rest:
        _put(members.setdefault(name, {}), field.message_type, rest, value)
    elif field.is_repeated:
        members.setdefault(name, []).append(value)
    else:
        members[name] = value.lower() == "true" if field.type == FieldDescriptor.TYPE_BOOL else value


def _fill(request: Message, members: dict[str, Any]) -> None:
    try:
        json_format.ParseDict(members, request)
    except json_format.ParseError as error:
        raise BadRequest(str(error)[:200], hint="fields as in the contract") from None
