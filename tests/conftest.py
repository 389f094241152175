"""One hypothesis profile for all tests: the same examples on every run. The longest tests come first.

`RIGD_EXAMPLES` raises the number of examples per property for a longer search, as in `make soak`.
"""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests import guard

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # also the programs of the tests, as rigd's own
guard.post()  # a killed run leaves no process behind

settings.register_profile(
    "fixed",
    derandomize=True,
    deadline=None,
    max_examples=int(os.environ.get("RIGD_EXAMPLES", "30")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fixed")

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start: a handler does
# not outlive the exec of a child, which then has the default.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


ELSEWHERE: Final = "another connector (make test-snowflake5), the long campaigns of faults (make soak)"
"""What is not even in these files."""

_LONGEST: Final = (
    "test_daemons.py",
    "warehouse",
    "test_run.py",
    "powercut",
    "faults",
    "web",
    "test_corrections.py",
    "test_types.py",
    "test_tail.py",
    "test_archiver.py",
    "docs",
)
"""Files and folders; when these come last one worker goes on alone for three minutes."""

gc.disable()  # until all is collected: what is imported and collected stays to the end


def pytest_collection_finish() -> None:
    """Collect no garbage among five thousand tests: each full round took a tenth of a second to find none."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, the others as they were."""
    items.sort(key=lambda item: _turn(item.path))


def _turn(path: Path) -> int:
    return next((turn for turn, name in enumerate(_LONGEST) if name in path.parts), len(_LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _own_sockets() -> Iterator[None]:
    """Rigs of whoever runs the tests are not seen."""
    with tempfile.TemporaryDirectory(prefix="rigd-run-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_tails() -> Iterator[None]:
    """Live tails go with the tests that left them: of recorders that were killed there is nobody else who
    removes them.
    """
    with (
        tempfile.TemporaryDirectory(prefix="rigd-tails-", dir="/dev/shm") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RIGD_TAIL_FOLDER", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def _shared_frames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The workers of a run simulate one race, not one each. A run without workers has no use for it."""
    from tests.archive import race_frames  # with numpy, which who only hands out the tests does without

    with pytest.MonkeyPatch.context() as patch:
        if "PYTEST_XDIST_WORKER" in os.environ:
            patch.setenv(race_frames.FOLDER, str(tmp_path_factory.getbasetemp().parent))
        yield


@pytest.fixture
def buffers() -> Iterator[Path]:
    """A folder for the game's buffers, in memory as the real one."""
    with tempfile.TemporaryDirectory(prefix="rigd-test-", dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last what was not tried: what this machine did not let us, and what others run."""
    for (path, why), names in _left_out(terminalreporter.stats.get("skipped", [])).items():
        what = names[0] if len(names) == 1 else f"{path}, {len(names)} tests"
        terminalreporter.write_line(f"left out: {what}: {why}", yellow=True)
    for path in terminalreporter.config.getoption("ignore") or ():
        terminalreporter.write_line(f"left out: {path}: .ci/run runs it", yellow=True)
    terminalreporter.write_line(f"left out: {ELSEWHERE}", yellow=True)


def _left_out(reports: list[pytest.TestReport]) -> dict[tuple[str, str], list[str]]:
    """Names of tests by file and reason: what a machine lacks may leave out dozens."""
    found: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        found.setdefault((report.nodeid.partition("::")[0], why), []).append(report.nodeid)
    return found
