"""`rig ask`: questions about laps to the rig's assistant."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner

from rig.signs import escaped
from rig.v1 import analysis_pb2
from rigclient.blocking import Rig, connect
from rigclient.cli.commands import shell
from rigclient.cli.commands.coach import show_tips
from rigclient.cli.commands.messages import numbers
from rigclient.cli.commands.plan import decide_all, show_plan
from rigclient.cli.terminal.palette import DIM, TEXT, YELLOW
from rigclient.cli.terminal.plain import say
from rigclient.cli.terminal.text import Console, Text
from rigclient.queries import LAST

_FRAMES: Final = 8
"""A second."""
_SENT: Final = (
    "Sent are the question and the conversation so far, and what the model asks for of laps that you may "
    "see: times, corners, findings, setups and notes, with names of drivers, cars and tracks. Never sent are "
    "samples, files and keys. --show-request shows all of it, --dry-run what would be sent first."
)


@dataclass
class Heard:
    """What was heard of an answer."""

    text: str = ""
    refused: str = ""
    plan: str = ""
    withdrawn: list[str] = field(default_factory=list)
    tools: list[analysis_pb2.ChatToolCall] = field(default_factory=list)
    findings: list[analysis_pb2.ChatFinding] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    done: analysis_pb2.ChatDone = field(default_factory=analysis_pb2.ChatDone)

    def take(self, event: analysis_pb2.ChatResponse) -> None:
        """Take what happens next."""
        match event.WhichOneof("event"):
            case "text":
                self.text += event.text
            case "withdrawn":
                self.text = ""
                self.withdrawn.append(event.withdrawn)
            case "refused":
                self.text, self.refused = "", event.refused
            case "tool_call":
                self.tools.append(event.tool_call)
            case "finding":
                self.findings.append(event.finding)
            case "request":
                self.requests.append(event.request)
            case "plan":
                self.plan = event.plan
            case "done":
                self.done = event.done


@click.command()
@click.argument("words", metavar="QUESTION...", nargs=-1, required=True)
@click.option("--lap", metavar="LAP", default="", help="What it is about.  [default: the newest lap]")
@click.option(
    "--reference",
    "--against",
    "reference",
    metavar="LAP",
    default="",
    help="What the lap is compared with: a lap, or a word as for `rig coach`.",
)
@click.option("--continue", "goes_on", is_flag=True, help="Go on with the last conversation.")
@click.option("--plan", is_flag=True, help="Have it propose what to do, to be approved item by item.")
@click.option("--show-request", is_flag=True, help="Show all that is sent to the model.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent first, and send nothing.")
@shell.as_json
@click.pass_obj
def ask(
    address: str,
    /,
    words: tuple[str, ...],
    lap: str,
    reference: str,
    goes_on: bool,
    plan: bool,
    show_request: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Ask the assistant of the rig about laps.

    A language model answers, which the rig's owner has configured: without that there is none. Its words are
    its own, the numbers are the rig's. Where it does not answer, or not by the rules, the tips of `rig coach`
    are shown instead.

    \b
    Example:
      rig ask "why is lap 7 slower than my best?"
      rig ask --lap car012-0007 --reference class where do I lose time
      rig ask --continue --plan "what do I try next?"
    """
    with connect(address) as rig:
        if not dry_run:
            _introduce(rig.assistant())
        events = rig.chat(
            " ".join(words),
            lap or ("" if goes_on else LAST),
            reference,
            conversation=_last(rig) if goes_on else "",
            plan=plan,
            show_requests=show_request,
            dry_run=dry_run,
        )
        console = shell.console()
        heard = _follow(console, events, quiet=as_json)
        made = rig.catalog.get(heard.plan) if heard.plan else None
        if as_json:
            click.echo(shell.json_text(_plain(heard) | {"plan": numbers(made) if made else None}))
            return
        _show(console, heard)
        if made:
            console.print()
            show_plan(console, made)
            if sys.stdin.isatty():
                decide_all(rig, console, made)


def _introduce(assistant: analysis_pb2.GetAssistantResponse) -> None:
    """Say, before the first question, who will read it. In a terminal that must be agreed to."""
    if not assistant.configured or assistant.asked_before:
        return
    if assistant.local:
        say(f"{assistant.model} answers, on the rig itself: nothing leaves it.", err=True)
        return
    say(f"Questions go to {assistant.host}, to be answered by {assistant.model}. {_SENT}", err=True)
    if sys.stdin.isatty():
        click.confirm("Go on?", abort=True, err=True)


def _last(rig: Rig) -> str:
    """Return the name of the last conversation. Raises NotFound."""
    from rig.errors import NotFound

    for found in rig.catalog.list("conversations", order_by="update_time desc", page_size=1):
        return found.name
    raise NotFound("there is no conversation to go on with", hint="ask without --continue")


def _follow(console: Console, events: Iterable[analysis_pb2.ChatResponse], *, quiet: bool) -> Heard:
    """Return what was heard; on a terminal it is shown as it comes."""
    heard = Heard()
    if quiet or not console.is_terminal:
        for event in events:
            heard.take(event)
        return heard
    spinner = Spinner("dots", Text("asking", DIM))
    with Live(spinner, console=console, transient=True, refresh_per_second=_FRAMES) as live:
        for event in events:
            heard.take(event)
            live.update(Group(*_looked(heard), *_lines(heard.text), spinner))
    return heard


def _show(console: Console, heard: Heard) -> None:
    for request in heard.requests:
        for line in json.dumps(json.loads(request), indent=2, ensure_ascii=False).split("\n"):
            click.echo(escaped(line))
    for part in _looked(heard):
        console.print(part)
    if heard.refused:
        console.print(Text(f"no answer of the model: {heard.refused}", YELLOW))
        console.print(Text("The rules found:" if heard.findings else "The rules found nothing.", DIM))
    for part in _lines(heard.text.strip()):
        console.print(part)
    if heard.findings and not heard.refused:
        console.print()
    show_tips(console, [one.text for one in heard.findings])


def _looked(heard: Heard) -> Iterator[RenderableType]:
    """Yield what the model has looked at."""
    for call in heard.tools:
        what = f"{call.tool}: {call.error}" if call.error else f"looked at {call.about}"
        yield Text(what, DIM)


def _lines(text: str) -> Iterator[RenderableType]:
    return (Text(line, TEXT) for line in text.split("\n")) if text else iter(())


def _plain(heard: Heard) -> dict[str, Any]:
    return {
        "answer": heard.text.strip() or None,
        "refused": heard.refused or None,
        "withdrawn": heard.withdrawn,
        "findings": [{"id": one.id, "text": one.text} for one in heard.findings],
        "tools": [
            {"tool": one.tool, "arguments": one.arguments, "about": one.about, "error": one.error or None}
            for one in heard.tools
        ],
        "requests": [json.loads(one) for one in heard.requests],
        "conversation": heard.done.conversation or None,
        "calls": heard.done.calls,
        "time": heard.done.time,
    }
