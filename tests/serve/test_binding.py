"""Where a server can listen, what is said where it cannot, and what is announced to others."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import rigclient
from rig.join import MAX_ADDRESSES, read_join
from rig.v1 import access_pb2
from rigd.auth.caller import Scope
from rigd.serve import binding
from rigd.serve.binding import ensure_free, is_local, reachable
from rigd.serve.connections import close, host_of
from rigd.serve.server import Server, Settings
from tests.serve.secured import Secured, certificate

OURS = ["192.0.2.7", "198.51.100.7"]
OURS6 = ["[2001:db8::7]"]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with addresses that are not this one's."""
    monkeypatch.setattr(binding, "_own_ipv4", lambda: iter(OURS))
    monkeypatch.setattr(binding, "_own_ipv6", lambda: iter(OURS6))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port where somebody listens, on both loopback addresses where there are two."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("unix:/tmp/x", True),
        ("127.0.0.1:1", True),
        ("127.8.8.8:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("localhost.example:1", False),
        ("[::ffff:192.0.2.7]:1", False),
    ],
)
def test_only_what_is_surely_this_machine_is_local(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_a_port_that_is_taken_is_told(taken: int) -> None:
    with pytest.raises(rigclient.Busy, match=rf"process \d+ listens on 127.0.0.1:{taken} .stop it first"):
        ensure_free(f"127.0.0.1:{taken}")


async def test_a_taken_port_with_tls_is_told(tmp_path: Path, taken: int) -> None:
    with pytest.raises(rigclient.Busy, match="stop it first"):
        Server(Settings(tmp_path, f"unix:{tmp_path}/socket", secure=(f"127.0.0.1:{taken}",)))


@pytest.mark.usefixtures("network")
def test_an_address_of_another_machine_is_told_with_our_own() -> None:
    with pytest.raises(rigclient.Unavailable, match=rf"{OURS[0]}, {OURS[1]}, \[2001:db8::7\]"):
        ensure_free("203.0.113.250:7341")


def test_without_ipv6_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine has it or not; what the system would answer is put in its place."""

    def refused(*_: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(rigclient.Unavailable, match=r"this machine has no IPv6; write 0\.0\.0\.0"):
        ensure_free("[::]:7341")


def test_a_name_that_is_no_host_is_told() -> None:
    with pytest.raises(rigclient.BadRequest, match="no such host"):
        ensure_free("no-such-host.invalid:7341")


@pytest.mark.usefixtures("network")
def test_what_is_announced_is_what_others_can_reach() -> None:
    assert reachable(["0.0.0.0:7341"]) == [f"{host}:7341" for host in OURS]
    assert reachable(["[::]:7341"]) == [f"{host}:7341" for host in OURS + OURS6]
    assert reachable(["192.0.2.7:1", "0.0.0.0:1", "rig.example:2"]) == [
        "192.0.2.7:1",
        "198.51.100.7:1",
        "rig.example:2",
    ]


def test_no_more_is_announced_than_a_join_string_holds() -> None:
    assert len(reachable([f"192.0.2.{number}:1" for number in range(50)])) == MAX_ADDRESSES


def test_our_own_addresses_are_none_of_loopback() -> None:
    found = [*binding._own_ipv4(), *binding._own_ipv6()]
    assert not [one for one in found if is_local(f"{one}:1")]


def test_an_address_is_read_out_of_grpcs_name_of_a_peer() -> None:
    assert host_of("ipv4:192.0.2.7:51000") == "192.0.2.7"
    assert host_of("ipv6:%5B2001:db8::7%5D:51000") == "2001:db8::7"
    assert host_of("ipv6:%5B::ffff:192.0.2.7%5D:51000") == "192.0.2.7"
    assert host_of("ipv6:%5Bfe80::7%25eth0%5D:51000") == "fe80::7%eth0"
    assert host_of("unix:") == host_of("unix:/tmp/x") == host_of("") == ""


def test_only_the_connection_of_that_peer_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        lines = [socket.create_connection(listening.getsockname()) for _ in range(2)]
        accepted = [listening.accept()[0] for _ in lines]
        host, port = lines[0].getsockname()
        close(f"ipv4:{host}:{port}")
        lines[0].settimeout(60)
        assert lines[0].recv(1) == b""
        accepted[1].sendall(b"x")
        assert lines[1].recv(1) == b"x"
        for line in (*lines, *accepted):
            line.close()


async def test_a_host_with_ipv6_alone_is_paired_and_served(tmp_path: Path) -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    server = Server(Settings(tmp_path, f"unix:{tmp_path}/socket", secure=("[::1]:0",)))
    await server.start()
    secured = Secured(server, tmp_path)
    wish = access_pb2.CreatePairingRequest(name="pit wall", scopes=[Scope.LIVE])
    join = read_join((await secured.admin("CreatePairing", wish)).join)
    assert join.addresses == (f"[::1]:{server.secure_port}",)
    secured.host = "[::1]"
    secured.shown = await asyncio.to_thread(certificate, secured.address)
    token = await secured.paired(Scope.LIVE)
    async with secured.channel(token) as channel:
        caller = await secured.access(channel).GetCaller(access_pb2.GetCallerRequest())
    assert caller.user == "pit wall"
    await server.stop()


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
