"""Setup files of the game, entered on a page: `POST /api/{rig}/setup-file`."""

import asyncio
import base64
import json
from typing import Final

from google.protobuf import json_format

from rig.errors import BadRequest
from rig.v1 import catalog_pb2
from rigclient.aio import AsyncRig
from rigclient.gateway.answers import members
from riglap.setups.svm import decoded, setup_of

_FIELDS: Final = ("vehicle", "file_name", "data")


async def enter(rig: AsyncRig, body: bytes) -> str:
    """Read a file and add it to a vehicle's setups. Returns, as JSON, the `resource` and the lines that were
    left out. The body has `vehicle`, `vehicles/{vehicle}`, `file_name`, and the file's bytes as base64 in
    `data`. Raises BadRequest, and what the rig says.
    """
    vehicle, name, data = _words(body)
    source = decoded(data, name)
    read = await asyncio.to_thread(setup_of, source, name)
    parameters = [
        catalog_pb2.Parameter(section=one.section, key=one.key, value=one.value, unit=one.unit)
        for one in read.parameters
    ]
    setup = catalog_pb2.Setup(
        title=name.removesuffix(".svm"),
        description=read.notes,
        parameters=parameters,
        file_name=name,
        source=source,
    )
    added = await rig.catalog.create(f"{vehicle}/setups", setup)
    told = json_format.MessageToDict(added, preserving_proto_field_name=True)
    return json.dumps({"resource": told, "left_out": [str(one) for one in read.left]})


def _words(body: bytes) -> tuple[str, str, bytes]:
    found = members(body, "a setup file")
    words = [found.get(field) for field in _FIELDS]
    if not all(isinstance(word, str) and word for word in words) or found.keys() - set(_FIELDS):
        raise BadRequest("a setup file has vehicle, file_name and data", hint="data is base64")
    vehicle, name, text = map(str, words)
    try:
        return vehicle, name, base64.b64decode(text, validate=True)
    except ValueError as error:  # of binascii, and for what is beyond ASCII
        raise BadRequest(f"data is no base64: {error}", hint="the bytes of the file") from None
