"""What a resource may say: every check of a value that a caller gives."""

import datetime
import json
import math
import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from rig.errors import BadRequest
from rig.v1 import catalog_pb2
from rigd.store.catalog.limits import (
    MAX_FEW,
    MAX_NAME,
    MAX_RESOURCE_BYTES,
    MAX_ROWS,
    MAX_SHARED,
    MAX_TEXT_BYTES,
)
from rigd.store.catalog.nouns import Noun, Resource

_LONG: Final = frozenset(
    ("description", "text", "document", "source", "expression", "arguments", "result", "value")
)
"""Fields of several lines."""
_TARGET: Final = re.compile(r"sessions/[a-z0-9-]{1,100}(/laps/[a-z0-9-]{1,100})?")
_LAP: Final = re.compile(r"sessions/[a-z0-9-]{1,100}/laps/[a-z0-9-]{1,100}")
_SESSION: Final = re.compile(r"sessions/[a-z0-9-]{1,100}")
_CHANNEL: Final = re.compile(r"[A-Za-z_]\w{0,62}", re.ASCII)
_LATEST_NS: Final = 1 << 63
_AHEAD_NS: Final = 86_400 * 1_000_000_000
"""Clocks of other machines may be off."""
_MOST_PLACE_M: Final = 1e6


def check(noun: Noun, resource: Resource) -> None:
    """Raise BadRequest for a resource that the catalog does not take, and says which of its values it is."""
    size = resource.ByteSize()
    if size > MAX_RESOURCE_BYTES:
        raise BadRequest(f"{size} bytes", hint=f"a resource has {MAX_RESOURCE_BYTES} at most")
    if len(resource.shared_with) > MAX_SHARED:
        raise BadRequest(
            f"shared with {len(resource.shared_with)} users",
            hint=f"{MAX_SHARED} at most, or `*` for everybody",
        )
    if "" in resource.shared_with:
        raise BadRequest("shared_with has nobody in it", hint="users, or `*` for everybody")
    body = noun.body(resource)
    _check_texts(noun.kind, body)
    for field in noun.required:
        if not getattr(body, field):
            raise BadRequest(f"{noun.kind}.{field} says nothing", hint=f"a {_said(noun)} has one")
    if noun.kind in _CHECKS:
        _CHECKS[noun.kind](body)


def _said(noun: Noun) -> str:
    return noun.kind.replace("_", " ")


def _check_texts(path: str, message: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        value, place = getattr(message, field.name), f"{path}.{field.name}"
        if field.is_repeated:
            _check_repeated(field, value, place)
        elif field.type == FieldDescriptor.TYPE_STRING:
            _check_text(field.name, value, place)


def _check_repeated(field: FieldDescriptor, values: Any, place: str) -> None:
    most = MAX_ROWS if field.name == "parameters" else MAX_FEW
    if len(values) > most:
        raise BadRequest(f"{len(values)} values of {place}", hint=f"{most} at most")
    for number, value in enumerate(values, 1):
        where = f"{place}[{number}]"
        if field.message_type is not None:
            _check_texts(where, value)
        elif not value:
            raise BadRequest(f"{where} says nothing", hint="leave it out")
        else:
            _check_text(field.name, value, where)


def _check_text(name: str, value: str, place: str) -> None:
    if name in _LONG:
        size = len(value.encode())
        if size > MAX_TEXT_BYTES:
            raise BadRequest(f"{place} has {size} bytes", hint=f"{MAX_TEXT_BYTES} at most")
        if "\0" in value:
            raise BadRequest(f"{place} has a character 0", hint="text alone")
    elif len(value) > MAX_NAME:
        raise BadRequest(f"{place} has {len(value)} characters", hint=f"{MAX_NAME} at most")
    elif not value.isprintable() or value != value.strip():
        raise BadRequest(
            f"{place} is {value[:80]!r}", hint="characters that can be printed, without blanks around them"
        )


def _check_once(place: str, keys: Iterable[Hashable]) -> None:
    seen = set[Hashable]()
    for key in keys:
        if key in seen:
            raise BadRequest(f"{place} has {key!r} twice", hint="once is enough")
        seen.add(key)


def _check_shape(place: str, value: str, shape: re.Pattern[str], hint: str) -> None:
    if not shape.fullmatch(value):
        raise BadRequest(f"{place} is {value[:200]!r}", hint=hint)


def check_json(place: str, text: str) -> None:
    """Raise BadRequest for what is no JSON: NaN is none either, which Python would take and nobody else."""
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{place} is no JSON: {error}", hint="a document that `json.loads` reads") from None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _user(user: catalog_pb2.User) -> None:
    _check_once("user.drivers", user.drivers)


def _event(event: catalog_pb2.RacingEvent) -> None:
    days = [_day(f"event.{name}", getattr(event, name)) for name in ("start_date", "end_date")]
    if days[0] and days[1] and days[1] < days[0]:
        raise BadRequest(
            f"the event ends on {event.end_date} and begins on {event.start_date}",
            hint="the last day is the first one, or later",
        )


def _day(place: str, text: str) -> datetime.date | None:
    try:
        day = datetime.date.fromisoformat(text) if text else None
    except ValueError:
        day = None
    if text and (day is None or day.isoformat() != text):
        raise BadRequest(f"{place} is {text!r}", hint="a day such as 2026-11-30")
    return day


def _event_session(session: catalog_pb2.EventSession) -> None:
    _check_shape("event_session.session", session.session, _SESSION, "sessions/{session}")
    _check_once("event_session.tags", session.tags)


def _configuration(configuration: catalog_pb2.Configuration) -> None:
    _check_keys("configuration.parts", (part.key for part in configuration.parts))
    _check_once("configuration.parts", (part.key for part in configuration.parts))


def _setup(setup: catalog_pb2.Setup) -> None:
    _check_keys("setup.parameters", (one.key for one in setup.parameters))
    _check_once("setup.parameters", ((one.section, one.key) for one in setup.parameters))


def _check_keys(place: str, keys: Iterable[str]) -> None:
    for number, key in enumerate(keys, 1):
        if not key:
            raise BadRequest(f"{place}[{number}].key says nothing", hint="each has a key")


def _assignment(assignment: catalog_pb2.Assignment) -> None:
    _check_shape("assignment.lap", assignment.lap, _LAP, "sessions/{session}/laps/{lap}")


def _note(note: catalog_pb2.Note) -> None:
    _target("note.target", note.target)
    if not math.isfinite(note.place) or not 0 <= note.place <= _MOST_PLACE_M:
        raise BadRequest(f"note.place is {note.place} m", hint=f"0 to {_MOST_PLACE_M:.0f} m since the line")


def _tag(tag: catalog_pb2.Tag) -> None:
    _target("tag.target", tag.target)
    if len(tag.text) > MAX_NAME or not tag.text.isprintable() or tag.text != tag.text.strip():
        raise BadRequest(
            f"tag.text is {tag.text[:80]!r}", hint=f"a word or some, up to {MAX_NAME} characters"
        )


def _target(place: str, target: str) -> None:
    _check_shape(place, target, _TARGET, "sessions/{session}, or sessions/{session}/laps/{lap}")


def _layout(layout: catalog_pb2.SavedLayout) -> None:
    check_json("layout.document", layout.document)


def _channel(channel: catalog_pb2.MathChannel) -> None:
    from riglap.formulas import parse  # numpy: the catalog opens without

    hint = "a letter or _, then up to 62 letters, digits and _"
    _check_shape("channel.channel", channel.channel, _CHANNEL, hint)
    parse(channel.expression)


def _conversation(conversation: catalog_pb2.Conversation) -> None:
    if conversation.lap:
        _check_shape("conversation.lap", conversation.lap, _LAP, "sessions/{session}/laps/{lap}")


def _message(message: catalog_pb2.ChatMessage) -> None:
    if message.role not in catalog_pb2.ChatRole.values():
        raise BadRequest(f"message.role is {message.role}", hint=", ".join(catalog_pb2.ChatRole.keys()[1:]))
    if message.time_ns >= _LATEST_NS:
        raise BadRequest(f"message.time_ns is {message.time_ns}", hint="unix nanoseconds")
    _check_once("message.finding_ids", message.finding_ids)


def _plan(plan: catalog_pb2.Plan) -> None:
    for number, item in enumerate(plan.items, 1):
        place = f"plan.items[{number}]"
        if not item.id or not item.kind:
            raise BadRequest(f"{place} has no id or no kind", hint="each has both")
        if item.state not in catalog_pb2.PlanItemState.values():
            known = ", ".join(catalog_pb2.PlanItemState.keys()[1:])
            raise BadRequest(f"{place}.state is {item.state}", hint=known)
        if item.arguments:
            check_json(f"{place}.arguments", item.arguments)
    _check_once("plan.items", (item.id for item in plan.items))


_CHECKS: Final[dict[str, Callable[[Any], None]]] = {
    "user": _user,
    "event": _event,
    "event_session": _event_session,
    "configuration": _configuration,
    "setup": _setup,
    "assignment": _assignment,
    "note": _note,
    "tag": _tag,
    "layout": _layout,
    "channel": _channel,
    "conversation": _conversation,
    "message": _message,
    "plan": _plan,
}


def complete(noun: Noun, resource: Resource, now_ns: int) -> None:
    """Fill in what the contract says of values that are not given."""
    if noun.kind == "message" and not resource.message.time_ns:
        resource.message.time_ns = now_ns
    for item in resource.plan.items if noun.kind == "plan" else ():
        item.state = item.state or catalog_pb2.PLAN_ITEM_STATE_PROPOSED


def check_times(resource: Resource, now_ns: int) -> None:
    """Raise BadRequest for times of an import that are to come: every later change is later than the last."""
    for name in ("create_time_ns", "update_time_ns"):
        if getattr(resource, name) > now_ns + _AHEAD_NS:
            raise BadRequest(
                f"{name} is {getattr(resource, name)}, more than a day ahead", hint="unix nanoseconds"
            )
