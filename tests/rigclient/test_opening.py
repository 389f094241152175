"""Calls begin where no Ctrl-C comes."""

import threading

import pytest

from rigclient.opening import opened


def test_a_call_is_opened_beside_the_main_thread() -> None:
    assert threading.current_thread() is threading.main_thread()
    where = opened(lambda request: (threading.current_thread(), request), b"wish")
    assert where[0] is not threading.main_thread()
    assert where[1] == b"wish"
    assert not where[0].is_alive()


def test_what_keeps_a_call_from_being_opened_is_raised() -> None:
    def refuse(request: bytes) -> None:
        raise ValueError(f"{request!r} is no request")

    with pytest.raises(ValueError, match="no request"):
        opened(refuse, b"wish")
