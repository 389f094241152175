"""`rig whoami`: who the rig takes you for."""

import click

from rigclient.cli.commands import shell
from rigclient.cli.commands.rigs import valid
from rigclient.cli.terminal.plain import say


@click.command()
@shell.as_json
@click.pass_obj
def whoami(address: str, as_json: bool) -> None:
    """Show who you are to the rig, and what you may do.

    \b
    Example:
      rig --rig pitwall whoami
    """
    from rigclient import paired
    from rigclient.connection import Connection

    with Connection(paired.resolve(address)) as connection:
        caller = connection.caller()
        where = connection.address
    if as_json:
        shell.show_json(caller)
    elif caller.local:
        say(f"the local administrator of {where}: whoever can open its socket may do everything")
    else:
        say(f"{caller.user or 'any user of this machine'} at {where}, {valid(caller.expire_time_ns)}")
        say(f"scopes: {', '.join(caller.scopes)}")
