"""Tokens: kept hashed in one file, and good until they are revoked or expire."""

import json
import os
import stat
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import (
    Busy,
    Corrupt,
    Denied,
    Exhausted,
    Newer,
    NotFound,
    RigError,
    TokenExpired,
    TokenRevoked,
    Unauthenticated,
    WrongToken,
)
from rigd import durable
from rigd.auth import tokens
from rigd.auth.caller import Scope
from rigd.auth.tokens import TokenStore

NOW_NS = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000
DAY_S = 86_400


class Clock:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.ns = NOW_NS

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> TokenStore:
    return TokenStore(tmp_path, clock)


def made(store: TokenStore, lifetime_s: int = 0, *scopes: Scope) -> str:
    return store.create("pit wall", "engineer", scopes or (Scope.LIVE,), lifetime_s)[0]


def id_of(token: str) -> str:
    return token.partition(".")[0]


def test_a_token_is_known_again_by_who_reads_the_file_next(store: TokenStore, tmp_path: Path) -> None:
    token = made(store, 0, Scope.LAPS, Scope.LIVE)
    for known in (store, TokenStore(tmp_path, lambda: NOW_NS)):
        caller = known.verify(token).caller()
        assert caller.user == "engineer"
        assert caller.scopes == {Scope.LAPS, Scope.LIVE}
        assert caller.token == id_of(token)


def test_the_secret_is_nowhere_in_the_file(store: TokenStore, tmp_path: Path) -> None:
    secret = made(store).partition(".")[2]
    assert len(secret) == 43
    assert secret not in (tmp_path / "tokens.json").read_text()


@pytest.mark.parametrize("wrong", ["", "x", ".", "0" * 12, f"{'0' * 12}.{'A' * 43}", "0" * 2000, "é.\0"])
def test_anything_else_is_no_token(store: TokenStore, wrong: str) -> None:
    made(store)
    with pytest.raises(WrongToken):
        store.verify(wrong)


def test_every_other_secret_is_wrong(store: TokenStore) -> None:
    token = made(store)
    place = token.index(".") + 1
    for at in range(place, len(token)):
        other = "A" if token[at] != "A" else "B"
        with pytest.raises(WrongToken, match="none of this rig's"):
            store.verify(token[:at] + other + token[at + 1 :])


def test_a_token_expires_and_is_extended(store: TokenStore, clock: Clock) -> None:
    token = made(store, 60)
    clock.ns += 59 * 1_000_000_000
    store.verify(token)
    clock.ns += 1_000_000_000
    with pytest.raises(TokenExpired, match="2027-01-15 08:01 UTC"):
        store.verify(token)
    store.extend(id_of(token), 60)
    assert store.verify(token).expire_ns == clock.ns + 60 * 1_000_000_000
    assert store.extend(id_of(token), 0).expire_ns == 0


def test_a_revoked_token_stays_revoked(store: TokenStore, tmp_path: Path) -> None:
    token = made(store)
    first = store.revoke(id_of(token)).revoked_ns
    assert store.revoke(id_of(token)).revoked_ns == first
    store.extend(id_of(token), 60)
    for known in (store, TokenStore(tmp_path)):
        with pytest.raises(TokenRevoked):
            known.verify(token)


def test_a_revoked_token_is_good_for_nothing_although_the_disk_refuses(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.own()
    token = made(store)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(durable, "replace", full)
        with pytest.raises(OSError, match="No space"):
            store.revoke(id_of(token))
    with pytest.raises(TokenRevoked):
        store.verify(token)
    store.close()


def test_a_token_from_tomorrow_tells_of_the_clock(store: TokenStore, clock: Clock) -> None:
    token = made(store)
    clock.ns -= DAY_S * 1_000_000_000
    with pytest.raises(Unauthenticated, match="the rig's clock says 2027-01-14") as refused:
        store.verify(token)
    assert type(refused.value) is Unauthenticated
    clock.ns = NOW_NS - 10 * MINUTE_NS
    store.verify(token)


def test_a_use_is_noted_to_the_minute_and_written_with_the_next_change(
    store: TokenStore, clock: Clock, tmp_path: Path
) -> None:
    store.own()
    token = made(store)
    clock.ns += 90 * 1_000_000_000
    store.verify(token)
    assert store.get(id_of(token)).last_use_ns == NOW_NS + MINUTE_NS
    assert TokenStore(tmp_path).get(id_of(token)).last_use_ns == 0
    store.flush()
    assert TokenStore(tmp_path).get(id_of(token)).last_use_ns == NOW_NS + MINUTE_NS
    store.close()


def test_uses_are_written_when_the_server_stops(store: TokenStore, tmp_path: Path) -> None:
    store.own()
    token = made(store)
    store.verify(token)
    store.close()
    assert TokenStore(tmp_path).get(id_of(token)).last_use_ns == NOW_NS


def test_who_changes_them_sees_what_others_have_changed(tmp_path: Path) -> None:
    one, other = TokenStore(tmp_path), TokenStore(tmp_path)
    first = made(one)
    second = made(other)
    assert {token.id for token in TokenStore(tmp_path).all()} == {id_of(first), id_of(second)}


def test_what_somebody_else_has_revoked_is_revoked_here(tmp_path: Path) -> None:
    one, other = TokenStore(tmp_path), TokenStore(tmp_path)
    token = made(one)
    other.revoke(id_of(token))
    with pytest.raises(TokenRevoked):
        one.verify(token)


def test_while_a_server_has_them_nobody_else_changes_them(store: TokenStore, tmp_path: Path) -> None:
    store.own()
    other = TokenStore(tmp_path)
    for change in (lambda: made(other), other.own):
        with pytest.raises(Busy, match=f"kept by process {os.getpid()}"):
            change()
    store.close()
    made(other)


def test_what_is_not_there_is_not_found(store: TokenStore) -> None:
    for use in (store.get, store.revoke, lambda token: store.extend(token, 1)):
        with pytest.raises(NotFound):
            use("nobody")


def test_there_are_so_many_and_those_long_over_make_room(
    store: TokenStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 3)
    for _ in range(2):
        made(store, 60)
    store.revoke(id_of(made(store)))
    with pytest.raises(Exhausted, match="3 tokens are kept, which is the limit"):
        made(store)
    clock.ns += 91 * DAY_S * 1_000_000_000
    made(store)
    assert len(store.all()) == 1


# The file.


def test_nobody_else_may_read_it_at_any_moment(store: TokenStore, tmp_path: Path) -> None:
    (tmp_path / ".writing-tokens.json").write_text("left by who was killed")
    (tmp_path / ".writing-tokens.json").chmod(0o644)
    made(store)
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused(
    store: TokenStore, tmp_path: Path, mode: int
) -> None:
    made(store)
    (tmp_path / "tokens.json").chmod(mode)
    with pytest.raises(Denied, match=rf"open to other users \(mode {mode:04o}\).*chmod 600"):
        TokenStore(tmp_path)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, {"version": 2, "tokens": []})
    with pytest.raises(Newer, match="version 2, this program reads 1"):
        TokenStore(tmp_path)


def test_scopes_and_members_of_a_newer_version_mean_nothing(store: TokenStore, tmp_path: Path) -> None:
    token = made(store)
    file = tmp_path / "tokens.json"
    members = json.loads(file.read_text())
    members["tokens"][0] |= {"scopes": ["live", "pit-stops"], "colour": "red"}
    write(tmp_path, members)
    newer = TokenStore(tmp_path, lambda: NOW_NS)
    assert newer.verify(token).caller().scopes == {Scope.LIVE}
    assert newer.all()[0].scopes == ("live", "pit-stops")


def write(data: Path, members: dict[str, object]) -> None:
    """As somebody would who can compute a checksum."""
    members.pop("crc32", None)
    body = json.dumps(members)[:-1].encode()
    file = data / "tokens.json"
    file.write_bytes(b'%s, "crc32": %d}' % (body, zlib.crc32(body)))
    file.chmod(0o600)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../etc"},
        {"digest": "0"},
        {"digest": None},
        {"created_ns": -1},
        {"created_ns": 2**64},
        {"expire_ns": "never"},
        {"revoked_ns": True},
        {"scopes": 7},
        {"scopes": [7]},
        {"user": None},
        {"name": []},
    ],
)
def test_a_token_that_cannot_be_is_damage(
    store: TokenStore, tmp_path: Path, change: dict[str, object]
) -> None:
    made(store)
    members = json.loads((tmp_path / "tokens.json").read_text())
    members["tokens"][0] |= change
    write(tmp_path, members)
    with pytest.raises(Corrupt, match="restore it from a backup"):
        TokenStore(tmp_path)


@pytest.mark.parametrize(
    "members", [{}, {"version": 1}, {"version": 1, "tokens": 3}, {"version": 1, "tokens": [3]}]
)
def test_what_is_no_list_of_tokens_is_damage(tmp_path: Path, members: dict[str, object]) -> None:
    write(tmp_path, members)
    with pytest.raises(Corrupt):
        TokenStore(tmp_path)


def test_every_flipped_bit_is_noticed(store: TokenStore, tmp_path: Path) -> None:
    made(store)
    file = tmp_path / "tokens.json"
    data = bytearray(file.read_bytes())
    end = data.index(b', "crc32"')
    for bit in range(0, 8 * end, 7):
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)
        with pytest.raises(Corrupt):
            TokenStore(tmp_path)
        data[bit // 8] ^= 1 << bit % 8


@given(st.binary(max_size=300))
def test_chance_bytes_are_damage(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "tokens.json").write_bytes(data)
    (folder / "tokens.json").chmod(0o600)
    with pytest.raises(RigError):
        TokenStore(folder)


def test_every_name_can_be_listed(store: TokenStore, tmp_path: Path) -> None:
    store.create("Ünï “cødé” \\ 🏁", "engineer", [Scope.LIVE], 0)
    assert TokenStore(tmp_path, time.time_ns).all()[0].name == "Ünï “cødé” \\ 🏁"
