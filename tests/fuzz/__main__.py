"""Decoders under a fuzzer that follows coverage: the long form of `test_decoders`.

Each decoder runs in a process of its own, which may have 2 GB and 20 s for an input. What it found to be new
stays in build/fuzz/NAME/corpus for the next run, what broke it in build/fuzz/NAME/crashes.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from tests import guard
from tests.faults.campaign import SEED, campaign
from tests.fuzz.mutants import WORDS
from tests.fuzz.table import TARGETS
from tests.fuzz.target import PLACE, Target, feed_measured, limit_memory

SECONDS: Final = float(os.environ.get("RIGD_FUZZ_SECONDS", "10"))
"""Per decoder, without the second in which it starts."""
BUILD: Final = Path("build/fuzz")

_INPUT_S: Final = 20
"""For one input: a hundred times what the slowest takes, for two cores may be busy with other things."""
_RESIDENT_MB: Final = 2048
_SHORTEST_MAX: Final = 4096
_RAN: Final = re.compile(r"number_of_executed_units: (\d+)")


def _options(target: Target, seconds: float) -> list[str]:
    """The command that fuzzes a decoder, with its seeds in place."""
    place = BUILD / target.name
    for folder in ("seeds", "corpus", "crashes"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    seeds = target.seeds()
    for number, seed in enumerate(seeds):
        (place / "seeds" / str(number)).write_bytes(seed)
    words = ("".join(f"\\x{byte:02x}" for byte in word) for word in WORDS)
    (place / "words").write_text("".join(f'"{word}"\n' for word in words))
    return [
        *(sys.executable, "-m", "tests.fuzz.guided", target.decode.__module__, target.name),
        f"-max_total_time={seconds:.0f}",
        f"-max_len={max(_SHORTEST_MAX, 2 * max(map(len, seeds)))}",
        f"-seed={SEED}",
        f"-timeout={_INPUT_S}",
        f"-rss_limit_mb={_RESIDENT_MB}",
        f"-artifact_prefix={place}/crashes/",
        f"-dict={place}/words",
        "-print_final_stats=1",
        *(str(place / folder) for folder in ("corpus", "seeds")),
    ]


def _fuzz(target: Target, seconds: float) -> int:
    """Fuzz a decoder, then measure the memory of whatever was new to it; how many inputs it had. Raises
    AssertionError when it does not hold.
    """
    done = _run(_options(target, seconds))
    ran = _RAN.search(done.stderr)
    if done.returncode or ran is None:
        raise AssertionError(_said(done.stdout + done.stderr, target))
    again = [sys.executable, "-m", "tests.fuzz", "again", target.name, str(BUILD / target.name / "corpus")]
    measured = _run(again)
    if measured.returncode:
        raise AssertionError(measured.stdout + measured.stderr)
    return int(ran[1])


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run it; what it leaves in memory goes."""
    with tempfile.TemporaryDirectory(prefix="rigd-fuzz-", dir="/dev/shm") as place:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, PLACE: place},
        )


def _said(output: str, target: Target) -> str:
    """What went wrong, and how to see it again."""
    lines = [line for line in output.splitlines() if not line.startswith(("INFO", "WARNING", "#", "stat::"))]
    crashes = sorted((BUILD / target.name / "crashes").iterdir(), key=lambda path: path.stat().st_mtime)
    how = f"again: python -m tests.fuzz again {target.name} {crashes[-1]}" if crashes else ""
    return "\n".join([*lines[-25:], how])


def _held(target: Target, seconds: float) -> bool:
    """Whether a decoder held; the row of the report if it did, what went wrong if not."""
    try:
        with campaign(f"bytes for {target.name}", 0, unit="inputs") as running:
            running.count(_fuzz(target, seconds))
    except AssertionError as trouble:
        click.secho(f"{target.name} does not hold", fg="red")
        click.echo(str(trouble))
        return False
    return True


@click.group(help=__doc__)
def main() -> None:
    """Fuzz decoders."""
    guard.post()


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(list(TARGETS)))
@click.option("--seconds", type=float, default=SECONDS, show_default=True, help="Per decoder.")
def run(names: tuple[str, ...], seconds: float) -> None:
    """Fuzz all decoders, or those named, as many at once as there are cores.

    \b
    Example:  python -m tests.fuzz run page_token cursor --seconds 60
    """
    targets = [TARGETS[name] for name in names or TARGETS]
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("fuzzing", total=len(targets))
        held = []
        with ThreadPoolExecutor(os.cpu_count()) as workers:
            for each in workers.map(lambda target: _held(target, seconds), targets):
                held.append(each)
                bar.advance(task)
    click.echo(f"{sum(held)} of {len(held)} decoders held")
    sys.exit(not all(held))


@main.command()
@click.argument("name", type=click.Choice(list(TARGETS)))
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def again(name: str, paths: tuple[Path, ...]) -> None:
    """Decode files once more, with the memory measured; a folder stands for all files in it.

    \b
    Example:  python -m tests.fuzz again cursor build/fuzz/cursor/crashes/crash-0123
    """
    limit_memory()
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            signal.alarm(_INPUT_S)
            try:
                feed_measured(TARGETS[name], file.read_bytes())
            except BaseException as error:
                error.add_note(f"again: python -m tests.fuzz again {name} {file}")
                raise
    click.echo("it holds")


if __name__ == "__main__":
    main()
