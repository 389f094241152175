"""The file of a backup: what is written comes back, and what is not as it was written never does."""

import contextlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.errors import Corrupt, Newer
from rigd.backup.members import FORMAT, HEAD, MANIFEST, MemberReader, MemberWriter, _header, is_name
from rigd.store.checksummed import dump_json

FILES = {
    "rig.id": b"0123\n",
    "laps/one/car001-0001.lap": bytes(range(256)) * 11,
    "ring/data.mdb": bytes(5000),
}
names = st.sampled_from(
    [
        "rig.id",
        "seat",
        "index.sqlite",
        "ring/data.mdb",
        "laps/a/session.json",
        f"laps/{'a' * 120}/x.lap",
        "marks/1.json",
    ]
)


def written(files: dict[str, bytes], **facts: object) -> bytes:
    out = io.BytesIO()
    writer = MemberWriter(out, facts)
    for name, data in files.items():
        assert sum(writer.add(name, io.BytesIO(data), len(data), 1_700_000_000_000_000_000)) == len(data)
    writer.close()
    return out.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    reader = MemberReader(io.BytesIO(data))
    return {member.name: b"".join(pieces) for member, pieces in reader.members()}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=3000)))
def test_what_is_written_comes_back(files: dict[str, bytes]) -> None:
    assert read(written(files)) == files


def test_any_program_that_reads_tar_archives_reads_it() -> None:
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(written(FILES))).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames() == [HEAD, *FILES, MANIFEST]
        for name, data in FILES.items():
            found = tar.extractfile(name)
            assert found is not None
            assert found.read() == data


def test_a_ring_may_be_larger_than_a_plain_header_tells() -> None:
    info = tarfile.TarInfo.frombuf(_header("ring/data.mdb", 1 << 40, 0), "utf-8", "strict")
    assert (info.size, info.type) == (1 << 40, tarfile.REGTYPE)


def test_a_file_that_was_cut_off_is_refused() -> None:
    data = written(FILES)
    for end in range(0, len(data) - 16, max(len(data) // 97, 1)):
        with pytest.raises(Corrupt):
            read(data[:end])


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_nothing(at: int, bit: int) -> None:
    data = bytearray(written(FILES))
    data[at % len(data)] ^= 1 << bit
    with contextlib.suppress(Corrupt):
        assert read(bytes(data)) == FILES


def raw(*members: tuple[str, bytes, dict[str, Any]], end: bytes = bytes(1024)) -> bytes:
    """A packed archive of these members, as another program may make it."""
    plain = b""
    for name, data, more in members:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for field, value in more.items():
            setattr(info, field, value)
        plain += info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)
    return zstandard.ZstdCompressor().compress(plain + end)


HEAD_MEMBER = (HEAD, dump_json('{"format": 1}'), dict[str, Any]())
MANIFEST_MEMBER = (MANIFEST, dump_json('{"members": {}}'), dict[str, Any]())


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../rig.id",
        "laps/../../rig.id",
        "laps/x/../../../rig.id",
        "laps/.hidden",
        "laps/a/b/c",
        "laps",
        "ring/lock.mdb",
        "ring.lock",
        "inbox/1-1-1.order",
        "laps/a\nb/x.lap",
        "x" * 300,
        "",
    ],
)
def test_a_name_that_no_backup_has_is_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(Corrupt, match=r"no backup has|no regular file"):
        read(raw(HEAD_MEMBER, (name, b"x", {}), MANIFEST_MEMBER))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_only_regular_files_are_taken(kind: bytes) -> None:
    with pytest.raises(Corrupt, match="no regular file"):
        read(
            raw(
                HEAD_MEMBER, ("laps/a/x.lap", b"", {"type": kind, "linkname": "/etc/passwd"}), MANIFEST_MEMBER
            )
        )


def test_a_file_that_comes_twice_or_is_not_in_the_manifest_is_refused() -> None:
    with pytest.raises(Corrupt, match="twice"):
        read(raw(HEAD_MEMBER, ("rig.id", b"x", {}), ("rig.id", b"y", {}), MANIFEST_MEMBER))
    with pytest.raises(Corrupt, match=r"rig.id in the backup is not what was written"):
        read(raw(HEAD_MEMBER, ("rig.id", b"x", {}), MANIFEST_MEMBER))
    missing = (MANIFEST, dump_json('{"members": {"seat": {"sha256": "", "size": 0}}}'), dict[str, Any]())
    with pytest.raises(Corrupt, match="seat in the backup"):
        read(raw(HEAD_MEMBER, missing))


@pytest.mark.parametrize("names", [("laps/a", "laps/a/b"), ("laps/a/b", "laps/a")])
def test_a_file_is_no_folder_of_another(names: tuple[str, str]) -> None:
    first, second = ((name, b"x", dict[str, Any]()) for name in names)
    with pytest.raises(Corrupt, match="as a file and as a folder"):
        read(raw(HEAD_MEMBER, first, second, MANIFEST_MEMBER))


@pytest.mark.parametrize("mtime", [-1, 2**62, 2**80])
def test_a_time_that_no_file_has_is_refused(mtime: int) -> None:
    with pytest.raises(Corrupt, match="of the second"):
        read(raw(HEAD_MEMBER, ("rig.id", b"x", {"mtime": mtime}), MANIFEST_MEMBER))


def test_a_file_of_the_far_future_is_copied() -> None:
    out = io.BytesIO()
    writer = MemberWriter(out, {})
    assert list(writer.add("rig.id", io.BytesIO(b"x"), 1, 2**63 - 1)) == [1]
    writer.close()
    assert read(out.getvalue()) == {"rig.id": b"x"}


def test_sizes_are_believed_only_as_far_as_bytes_come() -> None:
    with pytest.raises(Corrupt, match="cut off"):
        read(raw(HEAD_MEMBER, ("ring/data.mdb", b"x", {"size": 1 << 50}), end=b""))
    with pytest.raises(Corrupt, match="the limit is"):
        read(raw((HEAD, b"x", {"size": 1 << 50}), end=b""))


@pytest.mark.parametrize("version", [f"{FORMAT + 1}", "99"])
def test_a_newer_format_is_said_to_be_one(version: str) -> None:
    with pytest.raises(Newer, match="update rigd"):
        read(raw((HEAD, dump_json(f'{{"format": {version}}}'), {}), MANIFEST_MEMBER))


@pytest.mark.parametrize("data", [b"", b"\0" * 2000, b"PK\x03\x04" + bytes(1000), raw(MANIFEST_MEMBER)])
def test_other_files_are_no_backups(data: bytes) -> None:
    with pytest.raises(Corrupt, match=r"no backup|cut off"):
        read(data)


def test_a_source_that_ends_early_is_an_error(tmp_path: Path) -> None:
    writer = MemberWriter(io.BytesIO(), {})
    with pytest.raises(Corrupt, match="ended 5 bytes before"):
        list(writer.add("rig.id", io.BytesIO(b"x"), 6, 0))
