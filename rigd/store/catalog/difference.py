"""What is different between two setups."""

from rig.v1 import catalog_pb2

_Parameters = dict[tuple[str, str], catalog_pb2.Parameter]


def difference(first: catalog_pb2.Setup, second: catalog_pb2.Setup) -> catalog_pb2.DiffSetupsResponse:
    """Return the parameters that differ, those of the first in its order, then what only the second has."""
    before, after = _by_key(first), _by_key(second)
    keys = list(dict.fromkeys([*before, *after]))
    differences = [_differing(key, before, after) for key in keys if not _same(key, before, after)]
    return catalog_pb2.DiffSetupsResponse(differences=differences, same=len(keys) - len(differences))


def _by_key(setup: catalog_pb2.Setup) -> _Parameters:
    return {(one.section, one.key): one for one in setup.parameters}


def _same(key: tuple[str, str], before: _Parameters, after: _Parameters) -> bool:
    one, other = before.get(key), after.get(key)
    return one is not None and other is not None and (one.value, one.unit) == (other.value, other.unit)


def _differing(
    key: tuple[str, str], before: _Parameters, after: _Parameters
) -> catalog_pb2.ParameterDifference:
    one, other = before.get(key), after.get(key)
    known = one or other
    return catalog_pb2.ParameterDifference(
        section=key[0],
        key=key[1],
        first=_value(one, known),
        second=_value(other, known),
        unit=known.unit if known else "",
    )


def _value(one: catalog_pb2.Parameter | None, known: catalog_pb2.Parameter | None) -> str | None:
    """Return a value, with its unit where that is another than the first's."""
    if one is None:
        return None
    return f"{one.value} {one.unit}".strip() if known and one.unit != known.unit else one.value
