"""Who may ask what of the assistant, and how much: the service itself, for callers with few scopes."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from rig.errors import Denied, Exhausted, NotFound, RigError, Unavailable
from rig.v1 import analysis_pb2, catalog_pb2
from rigclient.assistant.bounds import MAX_CALLS
from rigd.auth.caller import CALLER, Caller, Scope
from rigd.config.kinds import SecretText
from rigd.serve.analysis import AnalysisService
from rigd.serve.catalog import CatalogService
from rigd.serve.catalogcalls import CatalogCalls
from rigd.serve.chat import Assistant, ChatService
from rigd.serve.limits import MAX_QUESTIONS
from rigd.serve.planitems import PlanItems
from rigd.store.viewer import Viewer
from riglap.lap import Lap
from tests.assistant.scripted import ScriptedEndpoint, call, hang, say, scripted
from tests.once import once
from tests.riglap.conftest import real_drive

Event = analysis_pb2.ChatResponse


class Seats:
    """Nobody has been in the seat."""

    def viewer(self, caller: Caller) -> Viewer:
        return Viewer(caller.user)


def user(name: str, *scopes: Scope) -> Caller:
    return Caller(name, frozenset(scopes), token=name)


class Rig:
    """The services, asked by one caller after the other."""

    def __init__(self, data: Path, model: ScriptedEndpoint) -> None:
        seats: Any = Seats()
        self.assistant = Assistant(model.url, "model-1", SecretText("sk-secret"))
        self.laps, self.catalog = AnalysisService(data, seats), CatalogService(data, seats)
        self.calls = CatalogCalls(self.catalog)
        self.chat = ChatService(self.laps, self.calls, lambda: self.assistant)
        self.plans = PlanItems(self.calls)
        found = [Lap.open(path).info for path in sorted(data.glob("laps/*/[!.]*.lap"))]
        self.lap = next(one.name for one in found if one.valid and one.number and not one.pit_visits)

    async def ask(self, caller: Caller, **more: Any) -> list[Event]:
        CALLER.set(caller)
        asked = analysis_pb2.ChatRequest(**{"question": "Why?", "lap": self.lap, **more})
        return [event async for event in self.chat._chat(asked, None)]

    async def decide(self, caller: Caller, plan: str) -> catalog_pb2.Plan:
        CALLER.set(caller)
        request = catalog_pb2.DecidePlanItemRequest(name=plan, item="1", approve=True)
        return (await self.plans._decide(request, None)).plan.plan

    def close(self) -> None:
        self.laps.close()
        self.catalog.close()


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedEndpoint]:
    with scripted() as made:
        yield made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = once(tmp_path_factory, "raced-real", real_drive)
    copy = tmp_path_factory.mktemp("data")
    shutil.copytree(kept, copy, dirs_exist_ok=True)
    return copy


@pytest.fixture
async def rig(data: Path, model: ScriptedEndpoint) -> AsyncIterator[Rig]:
    made = Rig(data, model)
    yield made
    made.close()


def of(happened: list[Event], kind: str) -> list[Any]:
    return [getattr(one, kind) for one in happened if one.WhichOneof("event") == kind]


async def test_a_lap_of_others_is_not_there(rig: Rig, model: ScriptedEndpoint) -> None:
    model.play(say("Never."))
    with pytest.raises(NotFound):
        await rig.ask(user("birch", Scope.LAPS))
    assert model.asked == []


async def test_without_the_catalog_nothing_is_kept_or_proposed(rig: Rig, model: ScriptedEndpoint) -> None:
    birch = user("birch", Scope.LAPS_ALL)
    model.play(call("setup", lap="L1"), say("Brake later."))
    happened = await rig.ask(birch)
    assert [one["function"]["name"] for one in model.asked[0]["tools"]] == [
        "list_laps",
        "findings",
        "compare",
        "corners",
    ]
    assert "no tool 'setup'" in of(happened, "tool_call")[-1].error
    assert of(happened, "done")[0].conversation == ""
    with pytest.raises(Denied, match="a plan takes the scope catalog"):
        await rig.ask(birch, plan=True)
    with pytest.raises(Denied, match="conversation takes the scope catalog"):
        await rig.ask(birch, conversation="conversations/x")


async def test_conversations_and_plans_are_of_who_asked(rig: Rig, model: ScriptedEndpoint) -> None:
    birch, clover = (user(name, Scope.LAPS_ALL, Scope.CATALOG) for name in ("birch", "clover"))
    model.play(call("propose", title="Try", items=[{"kind": "tag", "text": "mine"}]), say("Try that."))
    happened = await rig.ask(birch, plan=True)
    (plan,), (done,) = of(happened, "plan"), of(happened, "done")
    with pytest.raises(NotFound):
        await rig.ask(clover, conversation=done.conversation, lap="")
    with pytest.raises(NotFound):
        await rig.decide(clover, plan)
    decided = await rig.decide(birch, plan)
    assert decided.items[0].state == catalog_pb2.PLAN_ITEM_STATE_DONE
    (tag,) = await rig.calls.list("tags", owner="birch")
    assert (tag.tag.text, tag.owner) == ("mine", "birch")


async def test_a_shared_plan_is_not_carried_out_by_others(rig: Rig, model: ScriptedEndpoint) -> None:
    birch, clover = (user(name, Scope.LAPS_ALL, Scope.CATALOG) for name in ("birch", "clover"))
    await rig.ask(clover)
    model.play(call("propose", title="Try", items=[{"kind": "tag", "text": "shared"}]), say("Try that."))
    (plan,) = of(await rig.ask(birch, plan=True), "plan")
    shared = catalog_pb2.Resource(name=plan, shared_with=["*"])
    await rig.catalog.ask(catalog_pb2.UpdateResourceRequest(resource=shared))
    with pytest.raises(Denied):
        await rig.decide(clover, plan)
    (item,) = (await rig.calls.get(plan)).plan.items
    assert item.state == catalog_pb2.PLAN_ITEM_STATE_PROPOSED


async def test_a_catalog_that_cannot_be_used_takes_no_answer_away(
    rig: Rig, data: Path, model: ScriptedEndpoint
) -> None:
    birch = user("birch", Scope.LAPS_ALL, Scope.CATALOG)
    model.play(say("Brake later."))
    rig.catalog.close()
    (data / "catalog.sqlite").rename(data / "catalog.away")
    (data / "catalog.sqlite").write_bytes(b"damaged" * 1000)
    rig.catalog = CatalogService(data, Seats())  # type: ignore[arg-type]
    rig.calls = CatalogCalls(rig.catalog)
    rig.chat = ChatService(rig.laps, rig.calls, lambda: rig.assistant)
    try:
        happened = await rig.ask(birch)
        assert "".join(of(happened, "text")) == "Brake later.\n"
        assert of(happened, "done")[0].conversation == ""
    finally:
        (data / "catalog.away").rename(data / "catalog.sqlite")


async def test_questions_of_an_hour_are_counted(rig: Rig, model: ScriptedEndpoint) -> None:
    birch = user("birch", Scope.LAPS_ALL)
    rig.assistant = Assistant(model.url, "model-1", questions_per_hour=2)
    model.play(say("Brake later."))
    for _ in range(2):
        await rig.ask(birch)
    with pytest.raises(Exhausted, match="2 questions were asked in the last hour"):
        await rig.ask(birch)
    assert of(await rig.ask(birch, dry_run=True), "request")  # it costs nothing
    assert len(model.asked) == 2


async def test_so_many_are_answered_at_once(rig: Rig, model: ScriptedEndpoint) -> None:
    birch = user("birch", Scope.LAPS_ALL)
    model.play(hang("Well. "))
    waiting = [asyncio.create_task(rig.ask(birch)) for _ in range(MAX_QUESTIONS)]
    while len(model.asked) < MAX_QUESTIONS:
        await asyncio.sleep(0.02)
    with pytest.raises(Exhausted, match="are being answered"):
        await rig.ask(birch)
    for task in waiting:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    model.play(say("Brake later."))
    assert of(await rig.ask(birch), "text")
    assert len(model.asked) <= MAX_CALLS


async def test_a_key_that_others_can_read_is_not_used(rig: Rig, tmp_path: Path) -> None:
    key = tmp_path / "model.key"
    for mode, text in ((0o644, "sk-secret"), (0o600, "sk-secret\nsk-more"), (0o600, "ä"), (0o600, "k" * 999)):
        key.write_text(text)
        key.chmod(mode)
        rig.assistant = Assistant("http://127.0.0.1:1/v1", "model-1", key_file=key)
        with pytest.raises(Unavailable, match="cannot read the key") as caught:
            await rig.ask(user("birch", Scope.LAPS_ALL))
        assert str(tmp_path) not in str(caught.value)
    key.unlink()
    with pytest.raises(RigError, match="cannot read the key"):
        await rig.ask(user("birch", Scope.LAPS_ALL))
