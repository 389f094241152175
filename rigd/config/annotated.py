"""The file with explanations, and the tables of the pages, both from the definitions."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from rigd.config.settings import SECTIONS, SETTINGS, Setting

_WIDTH: Final = 100
_HEAD: Final = """\
# The configuration of rigd: every setting at its default; where that depends on the machine it is left out.
# A variable of the environment stands above this file, and an option of the command line above both.
# `rigd config` shows what is in force, and where it is from. On SIGHUP the daemons read the file again.
"""
_USERS: Final = """\
# [users.NAME]
# drivers = ["NAME OF THE DRIVER", "ANOTHER"]
"""


def default_file() -> str:
    """Return a file with every setting, explained, at its default."""
    parts = [_HEAD]
    for section, meaning in SECTIONS.items():
        parts.append(f"{_comment(meaning)}\n[{section}]\n" if section else f"{_comment(meaning)}\n")
        parts += [_explained(one) for one in SETTINGS if one.section == section]
        if section == "users":
            parts[-1] = f"{_comment(meaning)}\n{_USERS}"
    return "\n".join(parts)


def _explained(one: Setting[Any]) -> str:
    """Return a setting with what it means. What depends on the machine stays a comment."""
    facts = [f"default: {one.usual_text}" if one.default_text else "", one.kind.bounds]
    facts.append("" if one.reload else "needs a restart")
    words = f"{one.help} [{'; '.join(fact for fact in facts if fact)}]"
    if one.default_text:
        return f"{_comment(words)}\n# {one.name} =\n"
    return f"{_comment(words)}\n{one.name} = {one.kind.toml(one.default)}\n"


def _comment(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def table(section: str) -> str:
    """Return the settings of a section as a table in Markdown."""
    head = "| setting | default | takes | | variable | flag |\n|---|---|---|---|---|---|\n"
    return head + "".join(_row(one) for one in SETTINGS if one.section == section)


def _row(one: Setting[Any]) -> str:
    usual = one.default_text or f"`{one.kind.toml(one.default)}`"
    says = f"{one.help}{'' if one.reload else ' Restart.'}"
    cells = (_code(one.name), usual, one.kind.bounds, says, _code(one.variable), _code(one.flag))
    return f"| {' | '.join(cells)} |\n"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def tables() -> Iterator[str]:
    """Return all tables, each with its section as a heading."""
    for section, meaning in SECTIONS.items():
        if section != "users":
            yield f"### {section or 'top of the file'}\n\n{meaning}\n\n{table(section)}"
