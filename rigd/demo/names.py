"""Invented names: drivers are plants and stones, teams are colours, cars carry the team's number."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TREES: Final = _words(
    "Alder Apple Ash Aspen Bamboo Beech Birch Bracken Bramble Briar Broom Buckthorn Cedar Cherry Chestnut "
    "Clover Cypress Dogwood Elder Elm Fennel Fern Fig Fir Furze Gorse Hawthorn Hazel Heather Hemlock Hickory "
    "Holly Hornbeam Ivy Juniper Larch Laurel Lilac Lime Linden Lupin Magnolia Maple Medlar Mistletoe Moss "
    "Mulberry Myrtle Nettle Oak Olive Osier Pear Pine Plane Plum Poplar Privet Quince Reed Rowan Rush Sage "
    "Sallow Sedge Sorrel Spruce Sumac Sycamore Tamarisk Teak Thistle Thorn Thyme Vetch Viburnum Vine Walnut "
    "Whin Willow Woad Wych Yarrow Yew Yucca Zelkova Acacia Agave Almond Aster Balsam Basil Betony Borage "
    "Burdock Caraway Catkin Celandine Chicory Cicely Comfrey Cowslip Dill Dock Flax Foxglove Hyssop"
)
_STONES: Final = _words(
    "Agate Amber Basalt Beryl Calcite Chalk Citrine Clay Coal Coral Feldspar Flint Garnet Gneiss Granite "
    "Gypsum Jade Jasper Jet Lava Marble Marl Mica Obsidian Onyx Opal Peat Pumice Pyrite Quartz Schist Shale "
    "Slate Spinel Talc Topaz Tuff Zircon"
)
_COLOURS: Final = _words(
    "Amber Azure Cobalt Copper Coral Indigo Ivory Ochre Olive Russet Scarlet Silver Teal Umber"
)
_BODIES: Final = ("Heron LM", "Plover GT")

ACCENTED: Final = "É. Érable".encode("cp1252")
"""Written in the game's local code page, which is not valid UTF-8."""


@dataclass(frozen=True)
class CarNames:
    """The names of one car, as the bytes the game writes."""

    driver: bytes
    relief: bytes
    """Who takes over in a driver swap."""
    vehicle: bytes
    team: bytes
    file: bytes


def entries(class_of: npt.NDArray[np.int64]) -> list[CarNames]:
    """Return one entry per car. Car 2 has a driver who is not ASCII, car 3 the vehicle name of car 2."""
    cars = [_entry(number, int(body)) for number, body in enumerate(class_of)]
    if len(cars) > 3:
        cars[2] = replace(cars[2], driver=ACCENTED)
        cars[3] = replace(cars[3], vehicle=cars[2].vehicle)
    return cars


def _entry(number: int, body: int) -> CarNames:
    team = f"{_COLOURS[number // 2 % len(_COLOURS)]} Racing"
    driver = f"{'ACEGIKMOQSUW'[number % 12]}. {_TREES[number % len(_TREES)]}"
    relief = f"{'BDFHJLNPRTVX'[number % 12]}. {_STONES[number % len(_STONES)]}"
    vehicle = f"{team} #{number + 2} {_BODIES[body]}"
    file = f"{_COLOURS[number // 2 % len(_COLOURS)]}_{number + 2:03d}.VEH".upper()
    return CarNames(driver.encode(), relief.encode(), vehicle.encode(), team.encode(), file.encode())
