"""Join strings: what was written comes back, and what was cut, altered or newer is told as such."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.errors import BadRequest, Newer
from rig.join import MAX_ADDRESSES, Join, make_code, read_join

JOIN = Join(("192.0.2.7:7341", "[2001:db8::7]:7341", "rig.example:7341"), "0f" * 32, make_code())


def sealed(body: str) -> str:
    return f"{body}/{hashlib.sha256(body.encode(errors='surrogatepass')).hexdigest()[:8]}"


def test_a_join_string_comes_back() -> None:
    assert read_join(JOIN.text()) == JOIN
    assert read_join(f"\n {JOIN.text()} \n") == JOIN


def test_it_is_written_as_it_is_documented() -> None:
    code = "abcdefghijklmnopqrstuvwxyz"
    body = f"rig://127.0.0.1:7341,[::1]:7341/{'ab' * 32}/{code}"
    assert Join(("127.0.0.1:7341", "[::1]:7341"), "ab" * 32, code).text() == sealed(body)


def test_codes_differ() -> None:
    codes = {make_code() for _ in range(100)}
    assert len(codes) == 100
    assert {len(code) for code in codes} == {26}


@pytest.mark.parametrize("length", range(len("rig://"), len(JOIN.text())))
def test_every_cut_string_is_called_cut(length: int) -> None:
    with pytest.raises(BadRequest, match="was cut: its end is missing"):
        read_join(JOIN.text()[:length])


@pytest.mark.parametrize("length", range(1, 60, 7))
def test_a_string_without_its_beginning_is_told_as_such(length: int) -> None:
    with pytest.raises(BadRequest, match="its beginning is missing"):
        read_join(JOIN.text()[length:])


@pytest.mark.parametrize("place", range(len("rig://"), len(JOIN.text())))
def test_every_altered_character_is_noticed(place: int) -> None:
    text = JOIN.text()
    other = "x" if text[place] != "x" else "y"
    with pytest.raises(BadRequest, match=r"altered|cut"):
        read_join(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        JOIN.text().replace("rig://", "rig2://"),
        sealed(f"rig://127.0.0.1:7341/{'0f' * 32}/{JOIN.code}/more"),
        sealed(f"rig://127.0.0.1:7341/{'0f' * 48}/{JOIN.code}"),
        sealed(f"rig://127.0.0.1:7341/{'0f' * 32}/{JOIN.code}77"),
    ],
)
def test_a_string_of_a_newer_version_is_told_as_such(text: str) -> None:
    with pytest.raises(Newer, match="of a newer version"):
        read_join(text)


@pytest.mark.parametrize("text", ["", "https://example.org", "rig://" + "a" * 5000, "rig://\0/\0/\0/\0"])
def test_anything_else_is_no_join_string(text: str) -> None:
    with pytest.raises(BadRequest):
        read_join(text)


@pytest.mark.parametrize(
    "address", ["nowhere", "unix:/tmp/socket", "127.0.0.1:0", "127.0.0.1:70000", "::1:7341"]
)
def test_addresses_of_no_network_are_refused(address: str) -> None:
    with pytest.raises(BadRequest):
        JOIN._replace(addresses=(address,)).text()
    with pytest.raises((BadRequest, Newer)):
        read_join(sealed(f"rig://{address}/{JOIN.fingerprint}/{JOIN.code}"))


@given(st.text(max_size=200) | st.text(max_size=200).map(lambda text: sealed(f"rig://{text}")))
def test_whatever_it_is_the_answer_is_a_join_or_an_error_of_the_tree(text: str) -> None:
    try:
        found = read_join(text)
    except (BadRequest, Newer):
        return
    assert read_join(found.text()) == found


def test_no_more_addresses_than_stated() -> None:
    most = JOIN._replace(addresses=("127.0.0.1:7341",) * MAX_ADDRESSES)
    assert read_join(most.text()) == most
    with pytest.raises(BadRequest, match=str(MAX_ADDRESSES)):
        most._replace(addresses=("127.0.0.1:7341",) * (MAX_ADDRESSES + 1)).text()
