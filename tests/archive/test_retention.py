"""Which laps have to go."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rigd.archive.archiver import Archiver, Settings
from rigd.archive.retention import (
    DEFAULT_HARD_FLOOR_BYTES,
    DEFAULT_MIN_FREE_BYTES,
    YOUNG_S,
    Candidate,
    Eviction,
    Limits,
    default_room,
    evictions,
    warnings,
)
from rigd.store.index import Index
from rigd.store.reindex import reindex
from tests.archive.tape import ROOMY, files

DAY_S = 86_400.0


def lap(
    name: str,
    size: int = 100,
    days: float = 1.0,
    *,
    pinned: bool = False,
    synced: bool = True,
    best: bool = False,
) -> Candidate:
    return Candidate(name, 100, days * DAY_S, pinned, synced, best)


def gone(laps: list[Candidate], used: int, free: int, **limits: float | bool) -> list[str]:
    wide: dict[str, float | bool] = {"max_bytes": 1 << 40, "min_free_bytes": 0, "hard_floor_bytes": 0}
    return [one.lap.name for one in evictions(laps, used, free, Limits(**(wide | limits)))]  # type: ignore[arg-type]


def test_nothing_goes_while_everything_fits() -> None:
    assert gone([lap("a"), lap("b")], used=200, free=1000) == []


def test_the_oldest_go_until_the_rest_fits() -> None:
    laps = [lap("young", days=1), lap("old", days=3), lap("middle", days=2)]
    assert gone(laps, used=300, free=1000, max_bytes=200) == ["old"]
    assert gone(laps, used=300, free=1000, max_bytes=199) == ["old", "middle"]


def test_too_little_room_on_the_disk_makes_the_oldest_go_too() -> None:
    laps = [lap("young", days=1), lap("old", days=3)]
    assert gone(laps, used=200, free=50, min_free_bytes=120) == ["old"]


def test_age_alone_spares_the_best() -> None:
    laps = [lap("old", days=40), lap("best", days=40, best=True), lap("young", days=1)]
    assert gone(laps, used=300, free=1000, max_age_s=30 * DAY_S) == ["old"]


def test_best_laps_go_after_all_others() -> None:
    laps = [lap("best", days=9, best=True), lap("plain", days=1)]
    assert gone(laps, used=200, free=1000, max_bytes=150) == ["plain"]
    assert gone(laps, used=200, free=1000, max_bytes=50) == ["plain", "best"]


def test_pinned_laps_stay_whatever_the_limits_say() -> None:
    laps = [lap("pinned", days=90, pinned=True)]
    assert gone(laps, used=100, free=1000, max_bytes=0, max_age_s=DAY_S) == []


def test_what_the_warehouse_has_not_got_stays_when_asked_to() -> None:
    laps = [lap("unsynced", synced=False), lap("synced")]
    assert gone(laps, used=200, free=1000, max_bytes=0, keep_unsynced=True) == ["synced"]
    assert gone(laps, used=200, free=1000, max_bytes=0) == ["unsynced", "synced"]


def test_below_the_hard_floor_the_unsynced_go_after_all_that_may_and_the_pinned_last() -> None:
    laps = [lap("pinned", days=9, pinned=True), lap("unsynced", days=1, synced=False), lap("synced", days=2)]
    for free, wanted in (
        (0, ["synced"]),
        (-100, ["synced", "unsynced"]),
        (-101, ["synced", "unsynced", "pinned"]),
    ):
        assert gone(laps, used=300, free=free, hard_floor_bytes=100, keep_unsynced=True) == wanted


def test_fifty_thousand_laps_are_decided_in_one_go() -> None:
    """Each is looked at a few times; with a look per pair this would not end."""
    laps = [lap(str(number), days=number / 1000) for number in range(50_000)]
    assert len(gone(laps, used=5_000_000, free=1 << 40, max_bytes=2_500_000)) == 25_000


laps_of_any_kind = st.lists(
    st.builds(
        Candidate,
        name=st.uuids().map(str),
        bytes=st.integers(1, 1000),
        age_s=st.floats(0, 1e8),
        pinned=st.booleans(),
        synced=st.booleans(),
        best=st.booleans(),
    ),
    max_size=30,
)


@given(laps_of_any_kind, st.integers(0, 5000), st.integers(0, 2000), st.booleans())
def test_no_more_goes_than_has_to_and_only_forced_ones_are_missed(
    laps: list[Candidate], most: int, floor: int, keep: bool
) -> None:
    limits = Limits(max_bytes=most, min_free_bytes=0, hard_floor_bytes=floor, keep_unsynced=keep)
    used, free = sum(one.bytes for one in laps), 5000
    found: list[Eviction] = list(evictions(laps, used, free, limits))
    assert len({one.lap.name for one in found}) == len(found)
    for one in found:
        assert one.forced == (one.lap.pinned or (keep and not one.lap.synced))
    ordinary = [one for one in found if not one.forced]
    if ordinary:
        left = used - sum(one.lap.bytes for one in ordinary)
        assert left + ordinary[-1].lap.bytes > most


@given(
    laps_of_any_kind, st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 3000), st.integers(0, 9000)
)
def test_a_lap_of_the_last_hour_goes_for_nothing_but_the_hard_floor(
    laps: list[Candidate], most: int, least: int, floor: int, free: int
) -> None:
    laps = [lap._replace(age_s=lap.age_s % (2 * YOUNG_S)) for lap in laps]
    limits = Limits(most, 1.0, least, floor, mark_bytes=0)
    for one in evictions(laps, sum(lap.bytes for lap in laps), free, limits):
        assert one.lap.age_s >= YOUNG_S or free < floor
        free += one.lap.bytes


def test_below_the_hard_floor_the_oldest_go_first_however_young() -> None:
    hour = YOUNG_S / DAY_S
    laps = [lap("newer", days=hour / 90), lap("new", days=hour / 60), lap("old", days=2 * hour)]
    assert gone(laps, used=300, free=50, min_free_bytes=500, hard_floor_bytes=40) == ["old"]
    assert gone(laps, used=300, free=50, min_free_bytes=500, hard_floor_bytes=200) == ["old", "new"]


@given(st.integers(1 << 20, 1 << 45))
def test_defaults_leave_most_of_any_disk_to_the_laps(disk: int) -> None:
    free, floor = default_room(disk)
    assert floor <= free <= disk // 10
    assert (free, floor) == (DEFAULT_MIN_FREE_BYTES, DEFAULT_HARD_FLOOR_BYTES) or disk < 50 << 30


@given(st.integers(1 << 20, 1 << 45), st.floats(0.5, 1))
def test_defaults_are_warned_of_on_no_disk_with_half_of_it_free(disk: int, part: float) -> None:
    free, floor = default_room(disk)
    assert not list(warnings(Limits(min_free_bytes=free, hard_floor_bytes=floor), disk, int(disk * part)))


def test_a_warning_has_the_numbers_and_the_option_to_give() -> None:
    (small,) = warnings(Limits(), 4 << 30, 3 << 30)
    assert small == (
        "the disk has 4G in all, --min-free asks for 5G: laps go once they are an hour old "
        "(give --min-free 409M, or a larger disk)"
    )
    (full,) = warnings(Limits(), 100 << 30, 3 << 30)
    assert "3G of 100G are free, --min-free asks for 5G" in full
    full, floor = warnings(Limits(), 100 << 30, 1 << 29)
    assert "512M of 100G are free, less than --hard-floor 1G: laps go as soon as they are written" in floor


# What the archiver does of it.


def test_laps_go_when_there_are_too_many_bytes_and_forced_ones_are_declared(archived: Path) -> None:
    archiver = Archiver(Settings(archived, Limits(max_bytes=1, min_free_bytes=0, hard_floor_bytes=0)))
    archiver.turn()
    assert not files(archived)
    assert archiver.store.index.losses() == {}
    archiver.close()


def test_below_the_hard_floor_unsynced_laps_go_and_the_loss_is_declared(archived: Path) -> None:
    limits = Limits(min_free_bytes=0, hard_floor_bytes=1 << 60, keep_unsynced=True)
    names = set(Archiver(Settings(archived, ROOMY)).store.folder.laps())
    archiver = Archiver(Settings(archived, limits))
    archiver.turn()
    assert not files(archived)
    assert archiver.store.index.losses().keys() == names
    archiver.close()
    reindex(archived)
    index = Index(archived / "index.sqlite")
    assert index.losses().keys() == names
    index.close()
