"""Setups and their differences as tables: wheels beside each other, as they stand on the track."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from rich.console import RenderableType

from rig.v1 import catalog_pb2
from rigclient.cli.commands.questions.selection import table
from rigclient.cli.terminal.line import fitted
from rigclient.cli.terminal.palette import DIM, STRONG, TEXT, YELLOW
from rigclient.cli.terminal.text import Text
from riglap.setups import Difference, Parameter, parameter_title, section_title

_WHEELS: Final = {"FRONTLEFT": "FL", "FRONTRIGHT": "FR", "REARLEFT": "RL", "REARRIGHT": "RR"}
_FIXED: Final = ("", "N/A", "Non-adjustable", "None Available")
"""What a game writes where there is nothing to set."""
_BESIDE_VALUES: Final = 46
"""Cells of a table of differences that places, parameters and changes take."""


def parameters_of(setup: catalog_pb2.Setup) -> tuple[Parameter, ...]:
    """Return the parameters of a setup of the catalog."""
    return tuple(Parameter(one.section, one.key, one.value, one.unit) for one in setup.parameters)


def messages(parameters: Iterable[Parameter]) -> list[catalog_pb2.Parameter]:
    """Return parameters as the contract has them."""
    return [catalog_pb2.Parameter(**one._asdict()) for one in parameters]


def report(parameters: Sequence[Parameter], width: int, everything: bool) -> Iterator[RenderableType]:
    """Yield what people read of a setup; with `everything` also what cannot be adjusted."""
    kept = [one for one in parameters if everything or one.value not in _FIXED]
    car = [one for one in kept if one.section not in _WHEELS]
    wheels = [one for one in kept if one.section in _WHEELS]
    if car:
        yield table((("", "default"), ("parameter", "left"), ("value", "left")), _car_rows(car), width)
    if wheels:
        yield Text()
        heads = (("parameter", "left"), *((wheel, "right") for wheel in _WHEELS.values()))
        yield table(heads, _wheel_rows(wheels), width)
    if hidden := len(parameters) - len(kept):
        yield Text(f"not shown: {hidden} that cannot be adjusted; --all shows them", DIM)


def _car_rows(parameters: Sequence[Parameter]) -> Iterator[Sequence[Text]]:
    before = ""
    for one in parameters:
        section = section_title(one.section)
        yield (
            Text(section if section != before else "", DIM),
            Text(parameter_title(one.key), STRONG),
            _value(one),
        )
        before = section


def _wheel_rows(parameters: Sequence[Parameter]) -> Iterator[Sequence[Text]]:
    found = {(one.section, one.key): one for one in parameters}
    for key in dict.fromkeys(one.key for one in parameters):
        yield Text(parameter_title(key), STRONG), *(_value(found.get((wheel, key))) for wheel in _WHEELS)


def _value(one: Parameter | None) -> Text:
    return Text(one.shown, TEXT) if one is not None and one.shown else Text("-", DIM)


def differences(found: Sequence[Difference], first: str, second: str, width: int) -> RenderableType:
    """Return differences as a table; wheels that differ alike stand in one row."""
    widest = max((width - _BESIDE_VALUES) // 2, 6)
    heads: Sequence[tuple[str, Any]] = (
        ("", "default"),
        ("parameter", "left"),
        *((fitted(title, min(len(title), widest)), "right") for title in (first, second)),
        ("change", "right"),
    )
    return table(heads, _difference_rows(found), width)


def _difference_rows(found: Sequence[Difference]) -> Iterator[Sequence[Text]]:
    before = ""
    for place, one in _together(_placed(found)):
        change = Text("" if one.change is None else f"{one.change:+.6g}", YELLOW)
        parameter = Text(parameter_title(one.key), STRONG)
        yield Text(place if place != before else "", DIM), parameter, _value(one.a), _value(one.b), change
        before = place


def _together(placed: Iterable[tuple[str, Difference]]) -> list[tuple[str, Difference]]:
    """Return what is at one place together, the places in the order in which they came."""
    kept = list(placed)
    order = list(dict.fromkeys(place for place, _ in kept))
    return sorted(kept, key=lambda one: order.index(one[0]))


def _placed(found: Sequence[Difference]) -> Iterator[tuple[str, Difference]]:
    """Yield differences with where they are: front wing, or FL FR."""
    wheels: dict[Any, list[Difference]] = {}
    for one in found:
        if one.section in _WHEELS:
            sides = (one.a and one.a[2:], one.b and one.b[2:])
            wheels.setdefault((one.key, sides), []).append(one)
        else:
            yield section_title(one.section), one
    for alike in wheels.values():
        yield " ".join(_WHEELS[one.section] for one in alike), alike[0]
