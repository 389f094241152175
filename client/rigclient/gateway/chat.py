"""Questions to a rig's assistant: `POST /api/{rig}/chat`, answered by an object of JSON a line."""

import contextlib
from typing import Final

from aiohttp import web

from rig.errors import BadRequest, RigError
from rigclient.aio import AsyncRig
from rigclient.gateway.answers import error_text, members, text

_WORDS: Final = ("question", "lap", "reference", "conversation")
_SWITCHES: Final = ("plan", "show_requests", "dry_run")


async def chat(rig: AsyncRig, request: web.Request, body: bytes) -> web.StreamResponse:
    """Ask the assistant, and hand on what happens. Raises BadRequest; what goes wrong later is the last line,
    an `error`.
    """
    words, switches = _asked(body)
    events = rig.chat(
        words.pop("question", ""), words.pop("lap", ""), words.pop("reference", ""), **words, **switches
    )
    response = web.StreamResponse()
    response.content_type = "application/x-ndjson"
    async with contextlib.aclosing(events):
        await response.prepare(request)
        try:
            async for event in events:
                await response.write(f"{text(event)}\n".encode())
        except RigError as error:
            await response.write(f"{error_text(error)[1]}\n".encode())
    await response.write_eof()
    return response


def _asked(body: bytes) -> tuple[dict[str, str], dict[str, bool]]:
    found = members(body, "ChatRequest")
    words: dict[str, str] = {name: found.pop(name) for name in _WORDS if name in found}
    switches: dict[str, bool] = {name: found.pop(name) for name in _SWITCHES if name in found}
    odd = [*found, *(name for name, word in words.items() if not isinstance(word, str))]
    odd += [name for name, on in switches.items() if not isinstance(on, bool)]
    if odd:
        raise BadRequest(
            f"{odd[0][:40]!r} is no field of a question, or of another kind", hint="see ChatRequest"
        )
    return words, switches
