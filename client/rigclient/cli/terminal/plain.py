"""Lines without colours of their own: all that is printed before, or without, anything that needs rich."""

import json
import sys
from typing import Any

import click

from rig.signs import escaped, visible


def say(text: object, *, err: bool = False, **style: Any) -> None:
    """Print a line for people, on standard error if `err`."""
    click.secho(visible(str(text)), err=err, **style)


def json_text(plain: Any) -> str:
    """Return JSON on one line, with the letters as they are, where standard output has them."""
    few = (sys.stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"
    return escaped(json.dumps(plain, ensure_ascii=few, allow_nan=False))
