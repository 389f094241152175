"""`rigd doctor`: why is there no data?"""

from pathlib import Path
from typing import Any

import click

from rig import sockets
from rigd.commands import options
from rigd.config import settings


@click.command()
@options.config
@options.data
@options.buffers
@options.tail_folder
@options.instance
@options.address
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--fix", is_flag=True, help="Make the changes that are safe, asking before each.")
@click.option("--yes", is_flag=True, help="With --fix: do not ask.")
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, fix: bool, yes: bool, **_settings: Any) -> None:
    """Look at machine, disk, game and memory, and say what is wrong and what to do about it.

    A line for each thing, with the way out below it. Ends with code 0 when all is well, 1 when something
    may not always work, 2 when something is wrong.

    \b
    Example:
      rigd doctor --fix
    """
    from rigclient.cli.terminal.text import Console
    from rigd.doctor import report
    from rigd.doctor.examination import Patient, examine, worst
    from rigd.doctor.treatment import treat

    if (yes and not fix) or (fix and as_json):
        raise click.UsageError("--yes belongs to --fix, and --fix does not go with --json")
    effective = options.effective()
    instance, addresses = effective[settings.INSTANCE] or sockets.RIG, effective[settings.ADDRESSES]
    data, buffers = effective[settings.DATA], effective[settings.BUFFERS]
    memory = effective[settings.TAIL_FOLDER]
    patient = Patient(data, buffers, memory, Path.home(), instance, addresses)
    console = Console()
    checks = []
    for check in examine(patient):
        checks.append(check)
        if not as_json:
            report.show(check, console)
    if as_json:
        click.echo(report.as_json(checks))
    else:
        report.show_verdict(checks, console)
    if fix and treat(checks, lambda question: yes or click.confirm(f"{question}?"), console):
        console.print("ask again: rigd doctor")
    ctx.exit(worst(checks).exit_code)
