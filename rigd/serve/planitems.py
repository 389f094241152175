"""Plans carried out: an item that a person approves is done through the catalog's own calls, and kept."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from rig.errors import BadRequest, Busy, NotFound, Raced, RigError, Taken
from rig.v1 import catalog_pb2
from rigclient.assistant.proposal import NOTE, RUN, SETUP_CHANGE, TAG
from rigd import log
from rigd.serve import catalog
from rigd.serve.catalogcalls import CatalogCalls, Resource

_LONGEST_RESULT: Final = 1000
_DIGITS: Final = 20
_TITLE: Final = 200

Context = Any
State = catalog_pb2.PlanItemState


class PlanItems:
    """DecidePlanItem of CatalogService.

    What an item makes has a name that is made of plan and item: an item whose making was broken off is
    approved again, and made once.
    """

    def __init__(self, calls: CatalogCalls) -> None:
        self._calls = calls
        self._do: dict[str, Callable[[Resource, str, dict[str, str]], Awaitable[str]]] = {
            NOTE: self._note,
            RUN: self._note,
            TAG: self._tag,
            SETUP_CHANGE: self._change_setup,
        }

    def handler(self) -> grpc.GenericRpcHandler:
        """Return its call for a server."""
        method: Any = grpc.unary_unary_rpc_method_handler(
            self._decide,
            catalog_pb2.DecidePlanItemRequest.FromString,
            catalog_pb2.DecidePlanItemResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(catalog.SERVICE, {"DecidePlanItem": method})

    async def _decide(
        self, request: catalog_pb2.DecidePlanItemRequest, _: Context
    ) -> catalog_pb2.DecidePlanItemResponse:
        plan = await self._calls.get(request.name)
        item = _item(plan, request.item)
        if item.state in (State.PLAN_ITEM_STATE_DONE, State.PLAN_ITEM_STATE_REJECTED):
            word = "done" if item.state == State.PLAN_ITEM_STATE_DONE else "rejected"
            raise Busy(f"item {item.id} of {plan.name} is {word}", hint="a new plan proposes it anew")
        if not request.approve:
            return await self._put(plan, item.id, State.PLAN_ITEM_STATE_REJECTED)
        approved = await self._put(plan, item.id, State.PLAN_ITEM_STATE_APPROVED)
        state, result = await self._done(approved.plan, item)
        return await self._put(approved.plan, item.id, state, result)

    async def _done(self, plan: Resource, item: catalog_pb2.PlanItem) -> "tuple[State.ValueType, str]":
        """Return how an item ended, and what came of it."""
        try:
            do = self._do.get(item.kind)
            if do is None:
                raise BadRequest(f"there is no item of the kind {item.kind[:40]!r}", hint=", ".join(self._do))
            result = await do(plan, item.id, _arguments(item))
            return State.PLAN_ITEM_STATE_DONE, result
        except RigError as error:
            return State.PLAN_ITEM_STATE_FAILED, str(error)[:_LONGEST_RESULT]

    async def _put(
        self, plan: Resource, item: str, state: "State.ValueType", result: str = ""
    ) -> catalog_pb2.DecidePlanItemResponse:
        """Return the plan with another state of an item. Raises Raced where somebody else has changed it."""
        body = catalog_pb2.Plan()
        body.CopyFrom(plan.plan)
        changed = _item_of(body, item)
        changed.state, changed.result = state, result
        updated = await self._calls.update(plan, body, ("items",))
        if state != State.PLAN_ITEM_STATE_APPROVED:
            word = State.Name(state).rpartition("_")[2].lower()
            log.say(log.PLAN_ITEM, plan=plan.name, item=item, kind=changed.kind, state=word)
        return catalog_pb2.DecidePlanItemResponse(plan=updated)

    # What is done.

    async def _note(self, plan: Resource, item: str, told: dict[str, str]) -> str:
        note = catalog_pb2.Note(target=_text(told, "target"), text=_text(told, "text"))
        return await self._made("notes", note, _identifier(plan, item))

    async def _tag(self, plan: Resource, item: str, told: dict[str, str]) -> str:
        tag = catalog_pb2.Tag(target=_text(told, "target"), text=_text(told, "text"))
        return await self._made("tags", tag, _identifier(plan, item))

    async def _made(self, parent: str, body: Any, identifier: str) -> str:
        """Return the name of what is there now: made, or made before."""
        try:
            return (await self._calls.create(parent, body, identifier)).name
        except Taken as error:
            return error.facts.get("name", f"{parent}/{identifier}")

    async def _change_setup(self, plan: Resource, _: str, told: dict[str, str]) -> str:
        """Change a setup that is made for the plan, the same for all items that begin from one."""
        source = await self._calls.get(_text(told, "setup"))
        section, key = told.get("section", ""), _text(told, "key")
        was, value = told.get("was", ""), _text(told, "value")
        if _parameter(source, section, key).value != was:
            raise Raced(f"{section}.{key} of {source.name} is no longer {was}", hint="ask anew")
        vehicle, _, own = source.name.rpartition("/")
        name = await self._made(vehicle, _copy(source, plan), _identifier(plan, own))
        copy = await self._calls.get(name)
        body = catalog_pb2.Setup()
        body.CopyFrom(copy.setup)
        _parameter(catalog_pb2.Resource(name=name, setup=body), section, key)
        for one in body.parameters:
            if (one.section, one.key) == (section, key):
                one.value = value
        await self._calls.update(copy, body, ("parameters",))
        return name


def _copy(source: Resource, plan: Resource) -> catalog_pb2.Setup:
    """Return a setup to be changed: what it came from is no file of its own."""
    copy = catalog_pb2.Setup()
    copy.CopyFrom(source.setup)
    copy.file_name = copy.source = ""
    copy.title = f"{source.setup.title}, {plan.plan.title}"[:_TITLE].strip()
    return copy


def _parameter(setup: Resource, section: str, key: str) -> catalog_pb2.Parameter:
    for one in setup.setup.parameters:
        if (one.section, one.key) == (section, key):
            return one
    raise NotFound(f"{setup.name} has no {section}.{key}", hint="it was changed since: ask anew")


def _item(plan: Resource, item: str) -> catalog_pb2.PlanItem:
    if plan.WhichOneof("body") != "plan":
        raise BadRequest(f"{plan.name} is no plan", hint="plans/{plan}")
    return _item_of(plan.plan, item)


def _item_of(plan: catalog_pb2.Plan, item: str) -> catalog_pb2.PlanItem:
    for one in plan.items:
        if one.id == item:
            return one
    raise NotFound(f"the plan has no item {item[:40]!r}", hint=", ".join(one.id for one in plan.items))


def _identifier(plan: Resource, own: str) -> str:
    """Return the last part of a name for what an item makes, the same whenever it is made."""
    made_of = f"{plan.name} {plan.create_time_ns} {own}"
    return f"plan-{hashlib.sha256(made_of.encode()).hexdigest()[:_DIGITS]}"


def _arguments(item: catalog_pb2.PlanItem) -> dict[str, str]:
    """Return what an item says. Plans may be written by anybody: it may be anything."""
    try:
        told = json.loads(item.arguments or "{}")
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadRequest(f"item {item.id} does not say what to do", hint="its arguments are no JSON object")
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _text(told: dict[str, str], name: str) -> str:
    if not told.get(name):
        raise BadRequest(f"the item has no {name}", hint="it was not made by the assistant")
    return told[name]
