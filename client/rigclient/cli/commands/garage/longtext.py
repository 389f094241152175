"""Long texts of a command: on its line, from standard input, or written in an editor."""

import functools
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click

from rig.errors import BadRequest

MOST_CHARACTERS: Final = 64 << 10
"""What pipes bring may have no end."""


class LongText(NamedTuple):
    """What a command was given of a text."""

    words: str | None
    """As on the command line; - for standard input."""
    editor: bool

    def read(self, before: str = "") -> str | None:
        """Return the text, None where nothing is given, or the editor was left without saving. The editor
        begins with `before`. Raises BadRequest for more than `MOST_CHARACTERS`, and click's error where there
        is no editor.
        """
        if self.words is not None and self.editor:
            raise click.UsageError("give the text or --editor")
        if self.editor:
            written = click.edit(before)
            return _bounded(written.rstrip("\n")) if written is not None else None
        if self.words == "-":
            return _bounded(sys.stdin.read(MOST_CHARACTERS + 1).rstrip("\n"))
        return self.words


def _bounded(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise BadRequest(f"the text has more than {MOST_CHARACTERS} characters", hint="that is the limit")
    return text


def description(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --description and --editor; it gets them as `description`."""

    @click.option(
        "--description",
        "words",
        metavar="TEXT",
        help="What is to be known of it; -: read it from standard input.",
    )
    @click.option("--editor", is_flag=True, help="Write the description in $EDITOR.")
    @functools.wraps(command)
    def with_description(*args: Any, words: str | None, editor: bool, **more: Any) -> Any:
        return command(*args, description=LongText(words, editor), **more)

    return with_description
