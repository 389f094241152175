"""Parameters of a setup as command lines name them: front left/spring=65 N/mm, FL/spring, front/spring."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import click

from rig.errors import NotFound
from riglap.setups import Parameter, parameter_title, section_title
from riglap.setups.setup import parsed_value

_Made = dict[tuple[str, str], Parameter]

_SECTIONS: Final = {
    "fl": ("FRONTLEFT",),
    "fr": ("FRONTRIGHT",),
    "rl": ("REARLEFT",),
    "rr": ("REARRIGHT",),
    "front": ("FRONTLEFT", "FRONTRIGHT"),
    "rear": ("REARLEFT", "REARRIGHT"),
    "wheels": ("FRONTLEFT", "FRONTRIGHT", "REARLEFT", "REARRIGHT"),
}


class SettingType(click.ParamType[Parameter]):
    """SECTION/KEY=VALUE UNIT, or, where it is not `valued`, SECTION/KEY alone."""

    name: str = "setting"

    def __init__(self, valued: bool = True) -> None:
        self._valued = valued

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Parameter:
        """Return the parameter."""
        if isinstance(value, Parameter):
            return value
        where, says, what = str(value).partition("=")
        section, is_in, key = where.rpartition("/")
        if not key.strip() or (is_in and not section.strip()) or (self._valued and not says):
            self.fail(f"{value!r} is no setting such as 'front left/spring=65 N/mm'", param, ctx)
        return Parameter(section.strip(), key.strip(), *parsed_value(what))


settings_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--set",
    "settings",
    type=SettingType(),
    metavar="SECTION/KEY=VALUE",
    multiple=True,
    help="A parameter, such as 'front left/spring=65 N/mm'; as often as needed.",
)


def changed(
    known: Sequence[Parameter],
    settings: Iterable[Parameter],
    added: Iterable[Parameter],
    unset: Iterable[Parameter],
) -> list[Parameter]:
    """Return parameters with some set, some added and some taken out. Raises NotFound with the nearest for
    one to set or to take out that is not there.
    """
    made = {(one.section, one.key): one for one in known}
    for one in unset:
        for name in _meant(made, one):
            del made[name]
    for one in settings:
        for name in _meant(made, one):
            unit = one.unit or (made[name].unit if one.number is not None else "")
            made[name] = Parameter(*name, one.value, unit)
    for one in added:
        for section in _SECTIONS.get(one.section.lower(), (_raw_section(made, one.section),)):
            key = _raw_key(made, one.key)
            made[section, key] = one._replace(section=section, key=key)
    return list(made.values())


def _raw_section(made: _Made, told: str) -> str:
    """Return what the setup calls a section, where it has it."""
    return next((section for section, _ in made if _is_section(section, told)), told)


def _raw_key(made: _Made, told: str) -> str:
    return next((key for _, key in made if _is_key(key, told)), told)


def _meant(made: _Made, one: Parameter) -> list[tuple[str, str]]:
    """Return the sections and keys that are meant."""
    found = [name for name in made if _is_section(name[0], one.section) and _is_key(name[1], one.key)]
    if found:
        return found
    names = [f"{section_title(section)}/{parameter_title(key).lower()}" for section, key in made]
    near = difflib.get_close_matches(f"{one.section}/{one.key}".lower(), names, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise NotFound(f"the setup has no {one.section}/{one.key}", hint=f"{hint}--new adds one")


def _is_section(section: str, told: str) -> bool:
    told = told.lower()
    return told in (section.lower(), section_title(section)) or section in _SECTIONS.get(told, ())


def _is_key(key: str, told: str) -> bool:
    return told.lower() in (key.lower(), parameter_title(key).lower())
