"""Records of the two tables with chance contents, and what a protobuf parser reads in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rig.channels import PHYSICS, SCORING, Channel, Table
from rig.columns import Head, Template, field
from rig.v1 import physics_pb2, scoring_pb2, session_pb2

Array = np.ndarray[Any, np.dtype[Any]]
Message = physics_pb2.Physics | scoring_pb2.Scoring

TABLES = [PHYSICS, SCORING]
MESSAGES: dict[str, type[Message]] = {PHYSICS.name: physics_pb2.Physics, SCORING.name: scoring_pb2.Scoring}

TAIL = field(
    scoring_pb2.Scoring.SESSION_STATE_FIELD_NUMBER,
    session_pb2.SessionState(track_name="Sebring", number=10).SerializeToString(),
)
"""What a scoring record holds beside its columns."""

_u32 = st.integers(0, 2**32 - 1)
_u64 = st.integers(0, 2**64 - 1)


def heads(rows: int | None = None) -> st.SearchStrategy[Head]:
    """Any head; `rows` fixes the number of rows."""
    return st.builds(
        Head,
        seq=_u64,
        capture_time_ns=_u64,
        session=_u32,
        session_time=st.floats(allow_nan=False),
        frame=_u32,
        schema=_u32,
        rows=st.just(rows) if rows is not None else _u32,
        player=st.integers(-(2**31), 2**31 - 1),
        after_gap=st.booleans(),
        whole=st.booleans(),
    )


def head(rows: int, **changes: Any) -> Head:
    """A head like any other."""
    usual = Head(7, 1_700_000_000_000_000_000, 1, 12.5, 99, PHYSICS.schema, rows, 3, False, True)
    return usual._replace(**changes)


def fill(template: Template, seed: int) -> None:
    """Write chance values of every kind into every column: NaN, infinities, extremes."""
    random = np.random.default_rng(seed)
    for column in template.columns.values():
        if column.dtype.kind == "b":
            column[...] = random.integers(0, 2, column.shape)
        else:
            raw = random.integers(0, 256, column.nbytes, np.uint8)
            column[...] = raw.view(column.dtype).reshape(column.shape)


def template(table: Table, rows: int, seed: int = 1) -> Template:
    """A filled template."""
    made = Template(table, rows)
    fill(made, seed)
    return made


def record(table: Table, rows: int, seed: int = 1, tail: bytes = b"") -> bytes:
    """A record with chance columns."""
    return template(table, rows, seed).pack(head(rows, schema=table.schema), tail)


def parsed(table: Table, data: bytes) -> Message:
    """What protobuf reads."""
    return MESSAGES[table.name].FromString(data)


def parsed_column(channel: Channel, message: Message) -> Array:
    """A column as protobuf reads it, in the form that the table's own readers give."""
    values = np.array(getattr(message, channel.name), channel.dtype)
    return values if channel.width == 1 else values.reshape(-1, channel.width)


def parsed_head(message: Message) -> Head:
    """The head as protobuf reads it."""
    return Head(**{name: getattr(message, name) for name in Head._fields})


def same(left: Array, right: Array) -> bool:
    """Equal in form and values, NaN equal to NaN."""
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")


def subsets(table: Table) -> st.SearchStrategy[list[Channel]]:
    """Some channels of a table."""
    return st.lists(st.sampled_from(table.channels), unique=True, max_size=len(table.channels))


def some_rows(rows: int) -> st.SearchStrategy[Sequence[int] | None]:
    """Some rows in any order, or all of them."""
    if not rows:
        return st.sampled_from([None, ()])
    return st.none() | st.lists(st.integers(0, rows - 1), unique=True).map(tuple)
