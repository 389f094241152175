"""What a formula is made of. Nodes are equal that mean the same, wherever they stand in the text."""

import dataclasses
from typing import Final, TypeAlias

from rig.errors import BadRequest


@dataclasses.dataclass(frozen=True)
class NumberNode:
    """A number of the text; without a unit of its own it takes that of what it stands beside."""

    column: int = dataclasses.field(compare=False)
    value: float


@dataclasses.dataclass(frozen=True)
class ChannelNode:
    """A channel by name; `quoted` names are those of MoTeC. `part` picks one value of several."""

    column: int = dataclasses.field(compare=False)
    name: str
    quoted: bool = False
    part: str = ""


@dataclasses.dataclass(frozen=True)
class Converted:
    """A value told in another unit: speed [km/h]."""

    column: int = dataclasses.field(compare=False)
    of: "Node"
    unit: str


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operator or a function on its operands."""

    column: int = dataclasses.field(compare=False)
    name: str
    operands: "tuple[Node, ...]"


Node: TypeAlias = NumberNode | ChannelNode | Converted | Operation

SIGNS: Final = {"negative": "-", "positive": "+", "!": "!"}
"""Operators of one operand, as they are written."""


def written(node: Node) -> str:
    """Return a node as text, everything in brackets, which parses to an equal node."""
    if isinstance(node, NumberNode):
        return repr(node.value)
    if isinstance(node, ChannelNode):
        part = f"[{node.part}]" if node.part else ""
        return (f"'{node.name}'" if node.quoted else node.name) + part
    if isinstance(node, Converted):
        return f"({written(node.of)}) [{node.unit}]"
    told = [written(operand) for operand in node.operands]
    if node.name in SIGNS:
        return f"({SIGNS[node.name]} {told[0]})"
    return (
        f"{node.name}({', '.join(told)})"
        if node.name.isidentifier()
        else f"({told[0]} {node.name} {told[1]})"
    )


def operands_of(node: Node) -> "tuple[Node, ...]":
    """Return what a node is made of, one step down."""
    if isinstance(node, Operation):
        return node.operands
    return (node.of,) if isinstance(node, Converted) else ()


def in_order(node: Node) -> tuple[Node, ...]:
    """Return all that a node is made of, operands first, itself last, each once. Loops, since a sum of
    many terms is deep on its left.
    """
    found: dict[int, Node] = {}
    waiting = [(node, False)]
    while waiting:
        one, opened = waiting.pop()
        if opened:
            found.setdefault(id(one), one)
        elif id(one) not in found:
            waiting.append((one, True))
            waiting += [(other, False) for other in reversed(operands_of(one))]
    return tuple(found.values())


def wrong(column: int, why: str, hint: str = "") -> BadRequest:
    """Return the error that points at a column, counted from 1."""
    return BadRequest(f"column {column}: {why}", hint=hint, column=column)
