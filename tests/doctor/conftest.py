"""A home folder in which Steam is installed."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doctor.steamtree import Library


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def native(home: Path) -> Library:
    """Steam as most have it, with the links that it makes."""
    library = Library(home / ".local/share/Steam").list()
    (home / ".steam").mkdir()
    for link in ("steam", "root"):
        (home / ".steam" / link).symlink_to(library.folder)
    return library


@pytest.fixture
def stranger() -> Iterator[Path]:
    """A folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="rigd-doctor-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
