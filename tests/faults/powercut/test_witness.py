"""The witness: nothing that a process asks of the disk escapes it, and what it cannot record it says."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.faults.powercut.disk import Disk, replayed
from tests.faults.powercut.witness import Kind, Witness

EVERYTHING = """
import os, sys
os.chdir(sys.argv[1])
os.mkdir("folder"); os.makedirs("folder/deep/deeper"); os.rmdir("folder/deep/deeper")
with open("folder/one", "wb") as file:
    file.write(b"one" * 5000); file.flush(); file.seek(100); file.write(b"two"); os.fsync(file.fileno())
with open("folder/one", "ab") as file:
    file.write(b"behind")
fd = os.open(os.path.abspath("folder/two"), os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"x" * 9000, 4000); os.pwritev(fd, [b"a" * 100, b"b" * 100], 12); os.writev(fd, [b"1", b"2"])
os.ftruncate(fd, 8000); os.posix_fallocate(fd, 0, 20000); os.posix_fallocate(fd, 0, 10); os.fdatasync(fd)
os.truncate("folder/two", 15000)
synced = os.open("folder/three", os.O_WRONLY | os.O_CREAT | os.O_DSYNC)
os.write(synced, b"at once"); os.pwrite(synced, b"!", 3)
open("folder/one", "wb").close()
os.rename("folder/three", "folder/two")
base = os.open("folder", os.O_RDONLY)
os.mkdir("inner", dir_fd=base); os.rename("one", "four", src_dir_fd=base, dst_dir_fd=base)
with open(os.open("five", os.O_WRONLY | os.O_CREAT, dir_fd=base), "wb") as file:
    file.write(b"five")
os.unlink("five", dir_fd=base); os.fsync(base)
with open("six", "w") as file:
    file.write("six")
os.link("six", "eight"); os.replace("six", "seven"); os.remove("seven")
with open("/dev/null", "wb") as file:
    file.write(b"elsewhere")
"""

BEYOND = {
    "symlink": "os.symlink(path, path + '2')",
    "sendfile": "os.sendfile(out, os.open(sys.executable, os.O_RDONLY), 0, 100)",
    "copy_file_range": "os.copy_file_range(os.open(sys.executable, os.O_RDONLY), out, 100)",
    "a name across the border, or with flags": "os.rename(path, sys.argv[1] + '-outside')",
    "a path that goes up": "os.unlink(sys.argv[1] + '/../disk/file')",
}


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    (tmp_path / "disk").mkdir()
    return Witness(tmp_path / "disk", tmp_path)


def run(witness: Witness, code: str) -> None:
    process = witness.start([sys.executable, "-c", code, str(witness.folder)])
    assert process.wait(30) == 0


def test_the_journal_played_to_its_end_is_the_folder(witness: Witness, tmp_path: Path) -> None:
    run(witness, EVERYTHING)
    journal = witness.journal()
    assert not journal.lapses()
    assert {entry.kind for entry in journal.entries} >= set(Kind) - {
        Kind.BELL,
        Kind.MAPPED,
        Kind.ESCAPED,
        Kind.FAILED,
    }
    disk = Disk(witness.folder, os.stat(witness.folder).st_ino)
    assert replayed(disk, journal.entries, tmp_path / "played") == []


@pytest.mark.parametrize(("what", "code"), BEYOND.items())
def test_what_it_cannot_record_it_says(witness: Witness, what: str, code: str) -> None:
    made = "import os, sys; path = sys.argv[1] + '/file'; out = os.open(path, os.O_RDWR | os.O_CREAT)"
    run(witness, f"{made}; {code}")
    assert what in [entry.name for entry in witness.journal().lapses()]


def test_it_says_what_is_mapped(witness: Witness) -> None:
    code = "import mmap, sys; file = open(sys.argv[1] + '/file', 'w+b'); file.truncate(4096)"
    run(witness, f"{code}; mmap.mmap(file.fileno(), 4096)")
    assert witness.journal().mapped() == {str(witness.folder / "file")}


def test_a_killed_process_leaves_whole_entries(witness: Witness, tmp_path: Path) -> None:
    code = """
import os, sys
file = open(sys.argv[1] + "/file", "wb", buffering=0)
print(flush=True)
while True:
    file.write(os.urandom(100_000))
    file.seek(0)
"""
    reader, writer = os.pipe()
    process = witness.start([sys.executable, "-c", code, str(witness.folder)], stdout=writer)
    os.read(reader, 1)
    while witness.size < 5_000_000:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.close(reader)
    os.close(writer)
    kinds = [entry.kind for entry in witness.journal().entries]
    assert kinds[0] == Kind.CREATE
    assert set(kinds[1:]) == {Kind.WRITE}
