"""Units: what can be added to what, and by which factor."""

import dataclasses
import functools
import math
from typing import Final

Powers = tuple[int, int, int, int]
"""Of metre, second, kilogram and degree, in twelfths: roots of roots stay whole numbers."""
_WHOLE: Final = 12


@dataclasses.dataclass(frozen=True)
class Unit:
    """Powers of the base units, and how many of those one of this is. Angles and shares are plain numbers."""

    powers: Powers
    scale: float = 1.0
    offset: float = 0.0
    """Of temperatures: what 0 of this is in °C."""

    def like(self, other: "Unit") -> bool:
        """Return whether values of both can be added."""
        return self.powers == other.powers

    def times(self, other: "Unit") -> "Unit":
        """Return the unit of a product."""
        (a, b, c, d), (e, f, g, h) = self.powers, other.powers
        return Unit((a + e, b + f, c + g, d + h), self.scale * other.scale)

    def power(self, exponent: float) -> "Unit":
        """Return the unit of a power."""
        a, b, c, d = (round(power * exponent) for power in self.powers)
        return Unit((a, b, c, d), self.scale**exponent)

    @property
    def plain(self) -> bool:
        """Whether it is none, an angle or a share."""
        return not any(self.powers)

    @property
    def name(self) -> str:
        """The usual name, or one made of base units; "" of a plain number."""
        return _name(self)

    @property
    def usable(self) -> bool:
        """Whether numbers in it can be reckoned with: no power or factor beyond all measure."""
        return max(map(abs, self.powers)) <= _MOST_POWER * _WHOLE and 1e-200 < self.scale < 1e200


@functools.lru_cache(256)
def _name(of: Unit) -> str:
    for name, unit in KNOWN.items():
        if unit.powers == of.powers and math.isclose(unit.scale, of.scale) and unit.offset == of.offset:
            return name
    parts = [
        base if power == _WHOLE else f"{base}^{power / _WHOLE:g}"
        for base, power in zip(_BASES, of.powers, strict=True)
        if power
    ]
    factor = "" if math.isclose(of.scale, 1.0) else f"{of.scale:g} "
    return factor + "·".join(parts)


_MOST_POWER: Final = 64
_BASES: Final = ("m", "s", "kg", "°C")


def _unit(scale: float, m: int = 0, s: int = 0, kg: int = 0, deg: int = 0, offset: float = 0.0) -> Unit:
    return Unit((m * _WHOLE, s * _WHOLE, kg * _WHOLE, deg * _WHOLE), scale, offset)


NONE: Final = _unit(1.0)
SECOND: Final = _unit(1.0, s=1)
KNOWN: Final = {
    "": NONE,
    "s": SECOND,
    "ms": _unit(1e-3, s=1),
    "ns": _unit(1e-9, s=1),
    "min": _unit(60.0, s=1),
    "h": _unit(3600.0, s=1),
    "m": _unit(1.0, 1),
    "mm": _unit(1e-3, 1),
    "cm": _unit(1e-2, 1),
    "km": _unit(1e3, 1),
    "ft": _unit(0.3048, 1),
    "in": _unit(0.0254, 1),
    "mi": _unit(1609.344, 1),
    "m²": _unit(1.0, 2),
    "1/m": _unit(1.0, -1),
    "l": _unit(1e-3, 3),
    "m/s": _unit(1.0, 1, -1),
    "km/h": _unit(1 / 3.6, 1, -1),
    "mph": _unit(0.44704, 1, -1),
    "m/s²": _unit(1.0, 1, -2),
    "G": _unit(9.80665, 1, -2),
    "m/s³": _unit(1.0, 1, -3),
    "1/s": _unit(1.0, s=-1),
    "°/s": _unit(math.pi / 180, s=-1),
    "rpm": _unit(math.pi / 30, s=-1),
    "rad/s²": _unit(1.0, s=-2),
    "°": _unit(math.pi / 180),
    "%": _unit(0.01),
    "kg": _unit(1.0, kg=1),
    "N": _unit(1.0, 1, -2, 1),
    "kN": _unit(1e3, 1, -2, 1),
    "Nm": _unit(1.0, 2, -2, 1),
    "W": _unit(1.0, 2, -3, 1),
    "kW": _unit(1e3, 2, -3, 1),
    "hp": _unit(745.7, 2, -3, 1),
    "lbf": _unit(4.4482216, 1, -2, 1),
    "Pa": _unit(1.0, -1, -2, 1),
    "kPa": _unit(1e3, -1, -2, 1),
    "bar": _unit(1e5, -1, -2, 1),
    "psi": _unit(6894.757, -1, -2, 1),
    "°C": _unit(1.0, deg=1),
    "K": _unit(1.0, deg=1, offset=-273.15),
    "°F": _unit(5 / 9, deg=1, offset=-160 / 9),
}
_OTHERS: Final = {
    **dict.fromkeys(("rad", "ratio", "1"), ""),
    **dict.fromkeys(("rad/s", "Hz", "hz"), "1/s"),
    **dict.fromkeys(("rad/s/s", "rad/s^2"), "rad/s²"),
    **dict.fromkeys(("kmh", "kph"), "km/h"),
    **dict.fromkeys(("m/s/s", "m/s^2"), "m/s²"),
    **dict.fromkeys(("C", "degC"), "°C"),
    **dict.fromkeys(("N.m", "N·m", "N*m"), "Nm"),
    "deg": "°",
    "deg/s": "°/s",
    "g": "G",
    "F": "°F",
    "L": "l",
    "m^2": "m²",
    "sec": "s",
    **dict.fromkeys(("rev/min", "revs/min"), "rpm"),
    "inch": "in",
    **dict.fromkeys(("km/hr", "KPH", "KM/H"), "km/h"),
    "MPH": "mph",
    "G's": "G",
    "PSI": "psi",
}


def known(name: str) -> Unit | None:
    """Return the unit of a name, or None."""
    return KNOWN.get(_OTHERS.get(name, name))
