"""Groups of commands: a command is loaded when it is run, so that help and completion are there at once."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from rig.signs import visible

_WHOLE: Final = 1000
"""Characters of a line of help, so that none is cut."""


class Group(click.Group):
    """A group that refuses words that can be no text.

    `lazy` has commands by name: the place of each, module:attribute, and the first line of its docstring.
    `sections` has their names as help lists them, below a title each.
    """

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        sections: Mapping[str, Sequence[str]] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.lazy: Mapping[str, tuple[str, str]] = lazy or {}
        self.sections: Mapping[str, Sequence[str]] = sections or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        for word in args:
            if "\0" in word:
                raise click.UsageError(f"{visible(word)!r} has a character that is none", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Names of files may be of any bytes, all else is UTF-8."""
        try:
            return super().invoke(ctx)
        except UnicodeEncodeError as error:
            raise click.UsageError(f"{visible(error.object)!r} is no UTF-8", ctx) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, by the alphabet."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command, None for an unknown name."""
        if cmd_name in self.lazy and cmd_name not in self.commands:
            module, _, attribute = self.lazy[cmd_name][0].partition(":")
            self.add_command(getattr(importlib.import_module(module), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with a line each, whole; those that are not loaded need not be."""
        names = self.list_commands(ctx)
        width = max(map(len, names), default=0)
        for title, listed in (self.sections or {"Commands": names}).items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", self._line(ctx, name)) for name in listed])

    def _line(self, ctx: click.Context, name: str) -> str:
        """Return what help says of a command: its first sentence."""
        if name in self.lazy:
            return self.lazy[name][1]
        command = self.get_command(ctx, name)
        return command.get_short_help_str(_WHOLE).removesuffix(".") if command else ""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so."""
        if not self.lazy:
            return super().shell_complete(ctx, incomplete)
        named = ((name, line) for name, (_, line) in sorted(self.lazy.items()) if name.startswith(incomplete))
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=line) for name, line in named), *options]
