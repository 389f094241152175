"""What a formula is made of."""

import dataclasses
from typing import TypeAlias

from rig.errors import BadRequest


@dataclasses.dataclass(frozen=True)
class NumberNode:
    """A number of the text; without a unit of its own it takes that of what it stands beside."""

    column: int
    value: float


@dataclasses.dataclass(frozen=True)
class ChannelNode:
    """A channel by name; `quoted` names are those of MoTeC. `part` picks one value of several."""

    column: int
    name: str
    quoted: bool = False
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Converted:
    """A value told in another unit: speed [km/h]."""

    column: int
    of: "Node"
    unit: str


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operator or a function on its operands."""

    column: int
    name: str
    operands: "tuple[Node, ...]"


Node: TypeAlias = NumberNode | ChannelNode | Converted | Operation


def wrong(column: int, why: str, hint: str = "") -> BadRequest:
    """Return the error that points at a column, counted from 1."""
    return BadRequest(f"column {column}: {why}", hint=hint, column=column)
