"""Whatever a model does: a question ends, within its calls, with an answer by the rules or with none."""

import asyncio
import unicodedata
from collections.abc import AsyncGenerator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rig.errors import NotFound, RigError, Unavailable
from rigclient.assistant.bounds import MAX_CALLS
from rigclient.assistant.exchange import Exchange
from rigclient.assistant.facts import Facts
from rigclient.assistant.prompt import messages
from rigclient.assistant.reply import ToolCall
from rigclient.assistant.tool import Arguments, Tool, ToolResult

PIECES = st.sampled_from(
    [
        "Brake later. ",
        "[corner:4]",
        "[corner:5]",
        "In T4",
        " 5 s.",
        "half a second",
        "\n",
        "",
        "[",
        "http://x",
    ]
)
CALLS = st.lists(
    st.builds(
        ToolCall,
        st.just("c"),
        st.sampled_from(["corners", "nothing"]),
        st.sampled_from(["{}", "{", '{"lap": 5}', "[]"]),
    ),
    max_size=2,
)
REPLIES = st.lists(st.tuples(st.lists(PIECES, max_size=6), CALLS, st.booleans()), min_size=1, max_size=8)


class Model:
    """Replies as it was told; some of its replies break off."""

    model = "model-1"

    def __init__(self, replies: Any) -> None:
        self.replies, self.asked = replies, 0

    async def reply(self, body: bytes) -> AsyncGenerator[str | list[ToolCall]]:
        pieces, calls, breaks = self.replies[min(self.asked, len(self.replies) - 1)]
        self.asked += 1
        for piece in pieces:
            yield piece
        if breaks:
            raise Unavailable("broken off")
        yield calls


class Toolbox:
    tools = (Tool("corners", "Corners of a lap.", {}),)

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    async def call(self, name: str, arguments: Arguments) -> ToolResult:
        if name != "corners":
            raise NotFound("no such tool")
        arguments.text("lap")
        return ToolResult({"cite": self.facts.add("corner:4", "Four")}, "corners")


@given(REPLIES)
def test_a_question_ends_by_the_rules(replies: Any) -> None:
    facts = Facts()
    model = Model(replies)
    exchange = Exchange(model, Toolbox(facts), facts)

    async def run() -> str:
        said = messages("Why?", {}, (), planning=False)
        shown = ""
        async for event in exchange.run(said):
            kind = event.WhichOneof("event")
            shown = "" if kind == "withdrawn" else shown + event.text
        return shown

    try:
        shown = asyncio.run(run())
    except RigError as error:  # nothing but a refusal comes of a model
        raise AssertionError from error
    assert 1 <= exchange.calls == model.asked <= MAX_CALLS
    assert bool(exchange.refused) != bool(exchange.text)
    if not exchange.refused:
        assert exchange.text.split() == shown.split()
        digits = [sign for sign in exchange.text if unicodedata.category(sign) == "Nd"]
        assert digits == ["4"] * exchange.text.count("T4")
        assert "http" not in exchange.text
