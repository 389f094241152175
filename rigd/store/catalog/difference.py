"""What is different between two setups, as the contract says it."""

from collections.abc import Iterator

from rig.v1 import catalog_pb2
from riglap.setups import Difference, Parameter, diff


def difference(first: catalog_pb2.Setup, second: catalog_pb2.Setup) -> catalog_pb2.DiffSetupsResponse:
    """Return the parameters that differ, those of the first in its order, then what only the second has."""
    keys = {(one.section, one.key) for one in (*first.parameters, *second.parameters)}
    found = diff(_parameters(first), _parameters(second))
    return catalog_pb2.DiffSetupsResponse(differences=map(_message, found), same=len(keys) - len(found))


def _parameters(setup: catalog_pb2.Setup) -> Iterator[Parameter]:
    return (Parameter(one.section, one.key, one.value, one.unit) for one in setup.parameters)


def _message(one: Difference) -> catalog_pb2.ParameterDifference:
    known = one.a or one.b
    unit = known.unit if known else ""
    return catalog_pb2.ParameterDifference(
        section=one.section, key=one.key, first=_value(one.a, unit), second=_value(one.b, unit), unit=unit
    )


def _value(one: Parameter | None, unit: str) -> str | None:
    """Return a value, with its unit where that is another than the first's."""
    if one is None:
        return None
    return one.value if one.unit == unit else one.shown
