"""From text to nodes: operators by precedence, as Pratt has it."""

import functools
import re
from collections.abc import Hashable
from typing import Final, NamedTuple

from rig.channels import WHEELS
from riglap.formulas.functions import FUNCTIONS, instead
from riglap.formulas.nodes import (
    ChannelNode,
    Converted,
    Node,
    NumberNode,
    Operation,
    in_order,
    operands_of,
    wrong,
)

MOST_CHARACTERS: Final = 4000
MOST_NODES: Final = 500
MOST_DEPTH: Final = 60

_TOKEN: Final = re.compile(
    r"(?:\s|//[^\n]*)*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|'(?P<quoted>[^']*)'|\"(?P<words>[^\"]*)\""
    r"|\[(?P<unit>[^\]]*)\]|(?P<sign>\*\*|&&|\|\||<=|>=|==|!=|<>|[-+*/%^<>!(),])|(?P<end>$)|(?P<other>.))",
    re.DOTALL,
)
_PASTED: Final = (
    dict.fromkeys(map(ord, "\u2018\u2019\u201a\u2032"), "'")
    | dict.fromkeys(map(ord, "\u201c\u201d\u201e"), '"')
    | dict.fromkeys(map(ord, "\u2013\u2014\u2212"), "-")
    | {0xD7: "*", 0xB7: "*", 0xF7: "/"}
)
"""Signs that word processors and forums put in place of those that were typed, one for one."""
_CLOSED: Final = {"'": "'", '"': '"', "[": "]"}
_WORDS: Final = {"and": "&&", "or": "||", "not": "!"}
_SAME: Final = {"**": "^", "<>": "!="}
_BINDS: Final = {
    "||": (10, 11),
    "&&": (20, 21),
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), (30, 31)),
    **dict.fromkeys(("+", "-"), (40, 41)),
    **dict.fromkeys(("*", "/", "%"), (50, 51)),
    "^": (71, 70),
}
"""How strongly an operator binds what stands left and right of it: ^ from the right, others from the left."""
_SIGN: Final = 60
_NOT: Final = 25
_OTHER_NAMES: Final = {"if": "choose", "sgn": "sign", "int": "trunc", "log": "ln"}


_OPERATORS: Final = {"mod": "%"}
"""Functions that are operators."""


_PARSED: Final = 256
"""Formulas that stay parsed: an analysis has a few, of up to 4,000 characters each."""


class Formula(NamedTuple):
    """A parsed formula, and its nodes in the order in which they are evaluated."""

    text: str
    node: Node
    nodes: tuple[Node, ...]


@functools.lru_cache(_PARSED)
def parse(text: str) -> Formula:
    """Return a formula. Raises BadRequest, which points at the column of the text."""
    node = _parsed(text)
    return Formula(text, node, in_order(node))


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


def _parsed(text: str) -> Node:
    """Return the node of a formula. Raises BadRequest, which points at the column."""
    if len(text) > MOST_CHARACTERS:
        raise wrong(
            MOST_CHARACTERS + 1, f"the formula has {len(text)} characters", f"{MOST_CHARACTERS} at most"
        )
    return _Parser(text.translate(_PASTED)).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._nodes = self._depth = 0
        self._known: dict[Hashable, Node] = {}
        self._next()

    def whole(self) -> Node:
        node = self._expression(0)
        if self._token.kind != "end":
            raise wrong(self._token.column, f"{self._token.text!r} is too much")
        return node

    def _next(self) -> _Token:
        match = _TOKEN.match(self._text, self._at)
        assert match is not None
        assert match.lastgroup is not None
        kind, self._at = match.lastgroup, match.end()
        told = match[kind]
        before, column = getattr(self, "_token", None), match.start(kind) + 1
        if kind == "other" and told in _CLOSED:
            raise wrong(column, f"{told} is not closed by a {_CLOSED[told]}")
        if kind == "other":
            raise wrong(
                column, f"{told!r} means nothing here", "names of MoTeC stand in '...', units in [...]"
            )
        if kind == "name" and told.lower() in _WORDS:
            kind, told = "sign", _WORDS[told.lower()]
        self._token = _Token(kind, _SAME.get(told, told) if kind == "sign" else told, column)
        return before or self._token

    def _made(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise wrong(node.column, f"the formula has more than {MOST_NODES} parts")
        return self._known.setdefault(_identity(node), node)

    def _expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise wrong(self._token.column, f"the formula is nested deeper than {MOST_DEPTH}")
        left = self._first()
        while True:
            token = self._token
            if token.kind == "unit":
                self._next()
                left = self._made(_unit(left, token))
                continue
            binds = _BINDS.get(token.text) if token.kind == "sign" else None
            if binds is None or binds[0] < least:
                self._depth -= 1
                return left
            self._next()
            left = self._made(Operation(token.column, token.text, (left, self._expression(binds[1]))))

    def _first(self) -> Node:
        token = self._next()
        if token.kind == "number":
            return self._made(NumberNode(token.column, float(token.text)))
        if token.kind == "quoted":
            return self._made(ChannelNode(token.column, token.text, quoted=True))
        if token.kind == "name":
            return (
                self._call(token)
                if self._token.text == "("
                else self._made(ChannelNode(token.column, token.text))
            )
        if token.text == "(":
            node = self._expression(0)
            self._expect(")", token)
            return node
        if token.text in ("-", "+", "!"):
            name = {"-": "negative", "+": "positive", "!": "!"}[token.text]
            operand = self._expression(_NOT if token.text == "!" else _SIGN)
            return self._made(Operation(token.column, name, (operand,)))
        what = f"{token.text!r} is" if token.text else "the formula ends"
        raise wrong(token.column, f"{what} where a value should be")

    def _call(self, token: _Token) -> Node:
        name = _OTHER_NAMES.get(token.text.lower(), token.text.lower())
        if name not in FUNCTIONS:
            raise wrong(token.column, f"there is no function {token.text!r}", instead(name))
        opening = self._next()
        operands: list[Node] = []
        while self._token.text != ")" or self._token.kind != "sign":
            operands.append(self._expression(0))
            if self._token.text != ",":
                break
            self._next()
        self._expect(")", opening)
        return self._made(Operation(token.column, _OPERATORS.get(name, name), tuple(operands)))

    def _expect(self, text: str, opening: _Token) -> None:
        if self._token.text != text or self._token.kind != "sign":
            raise wrong(self._token.column, f"{text!r} is missing, for the '(' in column {opening.column}")
        self._next()


def _identity(node: Node) -> Hashable:
    """Return what tells a node from others: of its operands, which are known already, only which they are."""
    operands = operands_of(node)
    if not operands:
        return node
    return (node.unit if isinstance(node, Converted) else "", getattr(node, "name", ""), *map(id, operands))


def _unit(left: Node, token: _Token) -> Node:
    """Return a channel's part, [0] or [fl], or a value in a unit."""
    told = token.text.strip()
    if isinstance(left, ChannelNode) and not left.part and (told.isdecimal() or told.lower() in WHEELS):
        return ChannelNode(left.column, left.name, left.quoted, told.lower())
    return Converted(token.column, left, told)
