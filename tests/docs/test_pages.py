"""The pages: they build, stand alone, and what they name is there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from rigclient.cli.main import rig
from rigd.__main__ import rigd_command as rigd
from rigd.sources.rf2.source import SourceState

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")} - {ROOT / "CHANGELOG.md"})
"""The changelog names commands of every version."""
PROGRAMS: dict[str, click.Command] = {"rig": rig, "rigd": rigd}

_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_SPAN = re.compile(r"`(rigd? [^`]+)`")
_BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^(?:ExecStart=\S*/)?(rigd? [^#\n]+)", re.MULTILINE)
_FETCHED = re.compile(r"""(?:src|srcset)=["']?https?:|<link[^>]+stylesheet[^>]+https?:|url\(["']?https?:""")
_EXAMPLE = {"ADDRESS", "NAME", "LAP", "F", "..."}
"""Words that stand for others."""


def words_of(page: Path) -> list[list[str]]:
    """Every command of ours that a page names."""
    text = page.read_text()
    lines = [line for block in _BLOCK.findall(text) for line in _LINE.findall(block)]
    return [shlex.split(found) for found in (*_SPAN.findall(text), *lines)]


def meets(words: list[str]) -> str:
    """What is wrong with a command line; "" for nothing."""
    command, rest = PROGRAMS[words[0]], words[1:]
    while True:
        known = {name: option for option in command.params for name in option.opts + option.secondary_opts}
        while rest and rest[0].startswith("-") and rest[0] != "-":
            option = known.get(rest[0])
            if option is None and rest[0] not in ("--help", "--version"):
                return f"{command.name} has no option {rest[0]}"
            takes = isinstance(option, click.Option) and not option.is_flag
            rest = rest[2 if takes else 1 :]
        if not rest:
            return ""
        if isinstance(command, click.Group) and rest[0] not in _EXAMPLE:
            found = command.get_command(click.Context(command), rest[0])
            if found is None:
                return f"{command.name} has no command {rest[0]}"
            command = found
        rest = rest[1:]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1300


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page).removeprefix(f"{ROOT}/"))
def test_every_command_and_option_exists(page: Path) -> None:
    wrong = {" ".join(words): meets(words) for words in words_of(page)}
    assert {line: why for line, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_every_link_of_the_front_door_leads_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_state_of_the_game_has_its_line() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    assert [state.value for state in SourceState if f"`{state.value}`" not in page] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as a site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    words = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = [str(page.relative_to(ROOT / "docs").with_suffix(".html")) for page in ROOT.glob("docs/**/*.md")]
    included = ["channels.html", "lap-files.html", "peers.html", "changelog.html", "contributing.html"]
    assert [name for name in (*pages, *included) if not (site / name).is_file()] == []


def test_the_reference_has_what_the_library_has(site: Path) -> None:
    text = (site / "reference/rigclient.html").read_text()
    assert all(f'id="rigclient.{name}"' in text for name in ("connect", "Rig", "Rig.physics", "Rig.lap"))


def test_no_page_asks_another_host(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".svg", ".css")]
    assert [path.name for path in files if _FETCHED.search(path.read_text())] == []
