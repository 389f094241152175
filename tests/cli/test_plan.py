"""`rig plan`: what a person is asked about items that anybody may have written."""

import io
from typing import Any

import click
import pytest

from rig.v1 import catalog_pb2
from rigclient.cli.commands.plan import decide_all
from rigclient.cli.terminal.text import Console


def test_what_an_item_says_does_not_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def prompt(text: str, **_: Any) -> str:
        asked.append(text)
        return ""

    monkeypatch.setattr(click, "prompt", prompt)
    item = catalog_pb2.PlanItem(
        id="1", kind="note", text="good\x1b[2K\r", state=catalog_pb2.PLAN_ITEM_STATE_PROPOSED
    )
    plan = catalog_pb2.Resource(name="plans/p", plan=catalog_pb2.Plan(title="P", items=[item]))
    rig: Any = None  # nothing is decided
    decide_all(rig, Console(file=io.StringIO()), plan)
    assert asked == ["1. good␛[2K␍"]
