"""`rigd certificate`: changing the one that paired devices know this rig by."""

import time
from typing import Any, Final

import click

from rigclient.cli.terminal.group import Group
from rigd.commands import options

_SECOND_NS: Final = 1_000_000_000


@click.group(cls=Group)
def certificate() -> None:
    """Change the certificate that devices know this rig by, without cutting anybody off.

    It happens by itself before the certificate ends. By hand it takes two steps: `prepare` makes the next one
    and tells every device that connects from then on; `use`, days later, changes over. Whoever has not
    connected in between has to be paired again.

    \b
    Example:
      rigd certificate prepare
    """


@certificate.command()
@options.asked
def prepare(instance: str) -> None:
    """Make the next certificate, and announce it.

    \b
    Example:
      rigd certificate prepare
    """
    _rotate(instance, use=False)


@certificate.command()
@options.asked
def use(instance: str) -> None:
    """Use the next certificate from now on. Streams that are open go on.

    \b
    Example:
      rigd certificate use
    """
    _rotate(instance, use=True)


def _rotate(instance: str, *, use: bool) -> None:
    from rigclient.blocking import connect

    with connect(instance) as rig:
        _show(rig.rotate_certificate(use=use))


def _show(made: Any) -> None:
    end = time.strftime("%d %b %Y", time.localtime(made.expire_time_ns / _SECOND_NS))
    current, *later = made.pins
    click.echo(f"in use   {current}, until {end}")
    for pin in later:
        click.echo(f"next     {pin}")
