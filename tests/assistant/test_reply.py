"""Replies of chat/completions: in whatever parts they come, and whatever they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import Corrupt, Exhausted, RigError, Unavailable
from rigclient.assistant.bounds import MAX_LINE_BYTES, MAX_REPLY_BYTES
from rigclient.assistant.reply import ReplyReader, ToolCall, failed
from tests.assistant.scripted import chunk, events

_CALLS = [
    {"index": 0, "id": "a", "function": {"name": "corners", "arguments": '{"la'}},
    {"index": 0, "function": {"arguments": 'p":"L1"}'}},
    {"index": 1, "id": "b", "function": {"name": "compare", "arguments": "{}"}},
]
STREAM = b": hello\r\nevent: x\n" + events(
    chunk(role="assistant", content=None),
    chunk(content="Bräke "),
    *(chunk(tool_calls=[one]) for one in _CALLS),
    chunk(content="later."),
    {"choices": [], "usage": {"total_tokens": 5}},
)


def read(data: bytes, *, streamed: bool = True) -> tuple[str, list[ToolCall]]:
    reader = ReplyReader(streamed=streamed)
    text = reader.feed(data) + reader.end()
    return text, reader.calls


@given(st.lists(st.integers(1, 40), max_size=80))
def test_a_stream_is_the_same_in_whatever_parts(sizes: list[int]) -> None:
    reader, text, rest = ReplyReader(streamed=True), "", STREAM
    for size in sizes:
        text, rest = text + reader.feed(rest[:size]), rest[size:]
    text += reader.feed(rest) + reader.end()
    assert text == "Bräke later."
    assert reader.calls == [ToolCall("a", "corners", '{"lap":"L1"}'), ToolCall("b", "compare", "{}")]


def test_who_does_not_stream_is_understood_as_well() -> None:
    message = {"content": "Brake.", "tool_calls": [{"id": "", "function": {"name": "x", "arguments": ""}}]}
    told = json.dumps({"choices": [{"message": message}]}).encode()
    assert read(told, streamed=False) == ("Brake.", [ToolCall("call_0", "x", "")])


def test_some_end_without_the_word_for_it() -> None:
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    assert read(events(chunk(content="Brake."), last, done=False)) == ("Brake.", [])


@pytest.mark.parametrize(
    ("data", "kind", "why"),
    [
        (events(chunk(content="Brake"), done=False), Unavailable, "ends in the middle"),
        (b"", Unavailable, "ends in the middle"),
        (b"data: {nonsense\n", Corrupt, "no JSON"),
        (b"data: " + b"[" * 20_000 + b"\n", Corrupt, "cannot be read"),
        (b"data: 5\n", Corrupt, "choices"),
        (events({"choices": 5}), Corrupt, "choices"),
        (events({"choices": [5]}), Corrupt, "delta"),
        (events({"choices": [{"delta": 5}]}), Corrupt, "delta"),
        (events(chunk(content=5)), Corrupt, "content"),
        (events(chunk(tool_calls=5)), Corrupt, "tool_calls"),
        (events(chunk(tool_calls=[5])), Corrupt, "function"),
        (events(chunk(tool_calls=[{"function": 5}])), Corrupt, "function"),
        (events(chunk(tool_calls=[{"index": 99, "function": {}}])), Exhausted, "tool calls"),
        (events(chunk(tool_calls=[{"index": "0", "function": {}}])), Exhausted, "tool calls"),
        (events(chunk(tool_calls=[{"function": {"name": "x" * 500}}])), Corrupt, "name"),
        (events(*[chunk(tool_calls=[{"function": {"arguments": "x" * 5000}}])] * 2), Exhausted, "tool call"),
        (events({"error": {"message": "no such\nmodel"}}), Unavailable, "no such model"),
        (b"data: " + b"x" * MAX_LINE_BYTES, Exhausted, "event"),
        (b"\n" * (MAX_REPLY_BYTES + 1), Exhausted, "bytes"),
    ],
)
def test_what_is_none_is_an_error(data: bytes, kind: type[RigError], why: str) -> None:
    with pytest.raises(kind, match=why):
        read(data)


def test_half_a_character_is_shown_as_a_sign() -> None:
    told = events(
        chunk(content="Well\ud800", tool_calls=[{"function": {"name": "\ud800", "arguments": "\ud800"}}])
    )
    text, calls = read(told)
    assert text == "Well?"
    assert [(one.name, one.arguments) for one in calls] == [("?", "?")]


@given(st.binary(max_size=200))
def test_bytes_are_a_reply_or_an_error_of_the_tree(data: bytes) -> None:
    for streamed in (True, False):
        try:
            read(b"data: " + data if streamed else data, streamed=streamed)
        except RigError:
            continue


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "message", "content", "tool_calls", "function", "index", "error"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_json_is_a_reply_or_an_error_of_the_tree(plain: Any) -> None:
    for data, streamed in ((events(plain), True), (json.dumps(plain).encode(), False)):
        try:
            read(data, streamed=streamed)
        except RigError:
            continue


@pytest.mark.parametrize(
    ("status", "said", "why"),
    [
        (401, "the key sk-secret is wrong", "does not take the key"),
        (302, "", "points elsewhere"),
        (500, "overloaded", "status 500): overloaded"),
    ],
)
def test_a_status_says_what_is_wrong_and_no_key(status: int, said: str, why: str) -> None:
    error = failed(status, json.dumps({"error": {"message": said}}).encode())
    assert why in str(error)
    assert "sk-" not in str(error)
    assert "nothing that can be read" in str(failed(500, b"<html>"))
