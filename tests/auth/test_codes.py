"""Pairing codes and the throttle: one use, ten minutes, and a wait after five wrong ones."""

from collections.abc import Callable

import pytest

from rig.errors import CodeExpired, CodeUsed, Exhausted, NotFound, WrongCode
from rigd.auth import throttle
from rigd.auth.caller import Scope
from rigd.auth.codes import LIFETIME_S, MAX_OPEN, PairingCodes, Wish
from rigd.auth.throttle import FORGET_S, FREE, LONGEST_S, Throttle, neighbourhood

WISH = Wish("pit wall", "engineer", frozenset({Scope.LIVE}), 60)


class Clock:
    """Monotonic seconds, as told."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


# Codes.


def test_a_code_is_good_once(clock: Clock) -> None:
    codes = PairingCodes(clock)
    code = codes.make(WISH)
    assert codes.take(code) == WISH
    with pytest.raises(CodeUsed):
        codes.take(code)


def test_a_code_is_good_for_ten_minutes(clock: Clock) -> None:
    codes = PairingCodes(clock)
    early, late = codes.make(WISH), codes.make(WISH)
    clock.s += LIFETIME_S - 1
    assert codes.take(early) == WISH
    clock.s += 1
    with pytest.raises(CodeExpired, match="older than 10 minutes"):
        codes.take(late)
    with pytest.raises(CodeUsed):
        codes.take(early)


def test_a_code_that_waits_is_listed_and_cancelled(clock: Clock) -> None:
    codes = PairingCodes(clock)
    first, second = codes.make(WISH), codes.make(WISH)
    clock.s += 60
    used, waiting = codes.open()
    assert (used.wish, used.left_s) == (WISH, LIFETIME_S - 60)
    assert not {first, second} & {used.id, waiting.id}
    assert codes.cancel(waiting.id) == WISH
    assert codes.open() == [used]
    with pytest.raises(CodeExpired, match="was cancelled"):
        codes.take(second)
    assert codes.take(first) == WISH
    for gone in (used.id, waiting.id, "", "nonesuch"):
        with pytest.raises(NotFound, match="no pairing code"):
            codes.cancel(gone)


@pytest.mark.parametrize("wrong", ["", "a" * 26, "é\0", "a" * 65_536])
def test_anything_else_is_wrong(clock: Clock, wrong: str) -> None:
    codes = PairingCodes(clock)
    codes.make(WISH)
    with pytest.raises(WrongCode):
        codes.take(wrong)


def test_so_many_wait_at_once(clock: Clock) -> None:
    codes = PairingCodes(clock)
    made = [codes.make(WISH) for _ in range(MAX_OPEN)]
    with pytest.raises(Exhausted, match=f"{MAX_OPEN} pairing codes wait"):
        codes.make(WISH)
    codes.take(made[0])
    codes.make(WISH)
    clock.s += LIFETIME_S
    assert len({codes.make(WISH) for _ in range(MAX_OPEN)}) == MAX_OPEN


def test_what_is_over_takes_no_more_than_so_much(clock: Clock) -> None:
    codes = PairingCodes(clock)
    for _ in range(600):
        codes.take(codes.make(WISH))
    assert len(codes._over) <= 256


# The throttle.


def wait_s(check: Callable[[], None]) -> float:
    try:
        check()
    except Exhausted as error:
        return float(error.facts["retry_s"])
    return 0.0


def test_five_are_free_and_each_wait_is_twice_the_one_before(clock: Clock) -> None:
    throttled = Throttle(clock)
    waits = []
    for _ in range(FREE + 10):
        throttled.wrong("192.0.2.7")
        waits.append(wait_s(lambda: throttled.check("192.0.2.7")))
        clock.s += waits[-1]
        assert wait_s(lambda: throttled.check("192.0.2.7")) == 0
    assert waits == [0] * (FREE - 1) + [1, 2, 4, 8, 16, 32, *[LONGEST_S] * 5]


def test_others_do_not_wait(clock: Clock) -> None:
    throttled = Throttle(clock)
    for _ in range(FREE):
        throttled.wrong("192.0.2.7")
    throttled.check("192.0.2.8")
    throttled.check("2001:db8::7")


def test_an_address_that_was_quiet_begins_anew(clock: Clock) -> None:
    throttled = Throttle(clock)
    for _ in range(FREE - 1):
        throttled.wrong("192.0.2.7")
    clock.s += FORGET_S
    throttled.wrong("192.0.2.7")
    throttled.check("192.0.2.7")


def test_one_household_is_one_address() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == neighbourhood("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert neighbourhood("2001:db8:1:3::4") != neighbourhood("2001:db8:1:2::4")
    assert neighbourhood("192.0.2.7") != neighbourhood("192.0.2.8")


def test_any_number_of_addresses_takes_no_more_than_so_much(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MAX_ADDRESSES", 10)
    throttled = Throttle(clock)
    for _ in range(FREE):
        throttled.wrong("192.0.2.1")
    for number in range(9):
        throttled.wrong(f"198.51.100.{number}")
    assert wait_s(lambda: throttled.check("192.0.2.1")) > 0
    throttled.wrong("198.51.100.9")
    assert len(throttled._records) == 10
