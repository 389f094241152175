"""The catalog as messages and as one JSON document, a line for each resource."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from google.protobuf import json_format

from rig.errors import BadRequest, Newer
from rig.v1 import catalog_pb2

Body = (
    catalog_pb2.User
    | catalog_pb2.RacingEvent
    | catalog_pb2.EventSession
    | catalog_pb2.Vehicle
    | catalog_pb2.Configuration
    | catalog_pb2.Setup
    | catalog_pb2.Assignment
    | catalog_pb2.Note
    | catalog_pb2.Tag
    | catalog_pb2.SavedLayout
    | catalog_pb2.MathChannel
    | catalog_pb2.Car
    | catalog_pb2.Conversation
    | catalog_pb2.ChatMessage
    | catalog_pb2.Plan
)
"""What a resource of the catalog says."""

FORMAT: Final = "rig.v1.catalog"
VERSION: Final = 1
_MESSAGE_BYTES: Final = 128 << 10
"""Of a message of an import, unless one resource is longer: half of what the rig takes."""
_FIELDS: Final = {
    field.message_type.full_name: field.name
    for field in catalog_pb2.Resource.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type is not None
}


def field_of(body: Body) -> str:
    """Return the name of a body's field in a resource."""
    return _FIELDS[body.DESCRIPTOR.full_name]


def resource(body: Body | None = None, **own: Any) -> catalog_pb2.Resource:
    """Return a resource with this body and these fields of its own."""
    said: dict[str, Any] = {} if body is None else {field_of(body): body}
    return catalog_pb2.Resource(**said, **own)


def body_of(found: catalog_pb2.Resource) -> Any:
    """Return the body of a resource, None without one."""
    field = found.WhichOneof("body")
    return getattr(found, field) if field else None


def import_requests(
    resources: Iterable[catalog_pb2.Resource], *, replace: bool
) -> Iterator[catalog_pb2.ImportCatalogRequest]:
    """Yield resources in messages that the rig takes."""
    request = catalog_pb2.ImportCatalogRequest(replace=replace)
    size = 0
    for one in resources:
        if request.resources and size + one.ByteSize() > _MESSAGE_BYTES:
            yield request
            request, size = catalog_pb2.ImportCatalogRequest(), 0
        request.resources.append(one)
        size += one.ByteSize()
    yield request


def dump(resources: Iterable[catalog_pb2.Resource]) -> Iterator[str]:
    """Yield the lines of a JSON document."""
    yield f'{{"format": "{FORMAT}", "version": {VERSION}, "resources": [\n'
    comma = ""
    for one in resources:
        members = json_format.MessageToDict(one, preserving_proto_field_name=True)
        yield comma + json.dumps(members, ensure_ascii=False)
        comma = ",\n"
    yield "\n]}\n"


def load(text: str) -> list[catalog_pb2.Resource]:
    """Return the resources of a JSON document. Raises BadRequest, Newer."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"that is no JSON: {error}", hint="`rig catalog export` writes it") from None
    if not isinstance(members, dict) or members.get("format") != FORMAT:
        raise BadRequest("that is no catalog", hint="`rig catalog export` writes it")
    version, listed = members.get("version"), members.get("resources")
    if isinstance(version, int) and version > VERSION:
        raise Newer(f"a catalog of version {version}, this program reads {VERSION}", hint="update rigd here")
    if version != VERSION or not isinstance(listed, list):
        raise BadRequest("the catalog has no version or no resources", hint="`rig catalog export` writes it")
    return [_resource(number, one) for number, one in enumerate(listed, 1)]


def _resource(number: int, members: Any) -> catalog_pb2.Resource:
    try:
        return json_format.ParseDict(members, catalog_pb2.Resource())
    except (json_format.ParseError, AttributeError, TypeError) as error:
        raise BadRequest(f"resource {number} of the catalog cannot be read: {error}") from None
