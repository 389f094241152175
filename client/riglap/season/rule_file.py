"""A points rule out of a TOML file.

name = "club"
points = [10, 8, 6, 4, 2, 1]
fastest_lap = 1
dropped = 2
"""

import tomllib
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

from rig.errors import BadRequest
from rig.v1 import season_pb2
from riglap.season.points import PRESETS, check, preset

_LONGEST: Final = 65_536
"""Bytes of a file; a rule has some 200."""
_USUAL: Final[dict[str, Any]] = {"by_class": True}


def points_rule(text: str) -> season_pb2.PointsRule:
    """Return the rule of a name or of a file. What a file does not say is 0; each class has its table unless
    it says `by_class = false`. Raises BadRequest.
    """
    return preset(text) if text in PRESETS or not Path(text).is_file() else read(Path(text))


def read(path: Path) -> season_pb2.PointsRule:
    """Return the rule of a file. Raises BadRequest."""
    with path.open("rb") as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise BadRequest(f"{path} has more than {_LONGEST} bytes", hint="a points rule is a short TOML file")
    try:
        told = {"name": path.stem, **_USUAL, **tomllib.loads(data.decode())}
        rule = ParseDict(told, season_pb2.PointsRule())
    except (ValueError, RecursionError, ParseError) as error:
        words = ", ".join(field.name for field in season_pb2.PointsRule.DESCRIPTOR.fields)
        raise BadRequest(f"{path} is no points rule: {error}", hint=f"its words are {words}") from error
    check(rule)
    return rule
