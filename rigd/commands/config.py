"""`rigd config`: what is in force, and why."""

import json
from collections.abc import Iterator
from typing import Any

import click

from rig.signs import escaped, visible
from rigd.commands import options
from rigd.config.effective import USERS, Effective
from rigd.config.settings import SETTINGS, Setting


def _default(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """Print the file before any other is read: that one may have mistakes."""
    if wanted and not ctx.resilient_parsing:
        from rigd.config.annotated import default_file

        click.echo(default_file(), nl=False)
        ctx.exit(0)


@click.command()
@click.option(
    "--default",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_default,
    help="Print a file with every setting at its default, explained.",
)
@options.config
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@options.every
def config(as_json: bool, **_settings: Any) -> None:
    """Print the configuration in force, and where each value is from.

    Takes the options of the daemons, to see what they would do. Mistakes are listed, all of them.

    \b
    Example:
      rigd config --default > ~/.config/rigd/rigd.toml
    """
    effective = options.effective()
    if as_json:
        click.echo("\n".join(map(escaped, _json(_described(effective), indent=2).split("\n"))))
        return
    width = max(len(one.key) for one in SETTINGS)
    for key, value, place in _lines(effective):
        click.echo(f"{key:{width}} = {escaped(value)}  # {visible(place)}")


def _lines(effective: Effective) -> Iterator[tuple[str, str, str]]:
    """Return key, value and source of what is in force."""
    for one in SETTINGS:
        yield one.key, _text(one, effective[one]), effective.values[one.key].place
    for driver, user in effective.drivers.items():
        yield visible(f"{USERS}.{user}"), _json(driver), "driver"


def _json(plain: Any, **form: Any) -> str:
    return json.dumps(plain, ensure_ascii=False, **form)


def _text(one: Setting[Any], value: Any) -> str:
    """Return a value as it stands in a file."""
    return one.default_text if value is None else one.kind.toml(value)


def _described(effective: Effective) -> dict[str, Any]:
    """Return what is in force, for machines."""
    return {
        "file": str(effective.path) if effective.path else None,
        "settings": [_facts(one, effective) for one in SETTINGS],
        "drivers": dict(effective.drivers),
    }


def _facts(one: Setting[Any], effective: Effective) -> dict[str, Any]:
    found = effective.values[one.key]
    plain = found.value is None or isinstance(found.value, bool | int | float | tuple)
    return {
        "key": one.key,
        "value": found.value if plain else str(found.value),
        "origin": found.origin,
        "source": found.place,
        "variable": one.variable,
        "flag": one.flag or None,
        "reload": one.reload,
    }
