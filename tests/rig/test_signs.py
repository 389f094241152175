"""Text that somebody else chose: nothing in it is left that steers a terminal or hides."""

import json
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.logformat import LogFormatter
from rig.signs import escaped, visible

SHOWN = {
    "A. Alder": "A. Alder",
    "Ольха 林 🌲 é": "Ольха 林 🌲 é",
    "\x1b[31mRed\x1b[0m\nElm\t\x07": "␛[31mRed␛[0m␊Elm␉␇",
    "\x7f\x9b31m": "␡\ufffd31m",
    "\u202eevil\u2066\u200b\ufeff": "\ufffdevil\ufffd\ufffd\ufffd",
    "\u2028\u2029\x85": "\ufffd\ufffd\ufffd",
    "cut\udc80": "cut\ufffd",
}


@pytest.mark.parametrize("text", SHOWN, ids=ascii)
def test_what_steers_or_hides_becomes_a_sign(text: str) -> None:
    assert visible(text) == SHOWN[text]


@given(st.text(st.characters(), max_size=40))
def test_signs_take_a_cell_each_and_nothing_hidden_is_left(text: str) -> None:
    shown = visible(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert visible(shown) == shown
    shown.encode()


@given(st.text(st.characters(), max_size=40))
def test_json_means_the_same_and_shows_nothing_hidden(text: str) -> None:
    found = escaped(json.dumps(text, ensure_ascii=False))
    assert visible(found) == found
    assert json.loads(found) == text
    found.encode()


def test_nobody_writes_a_second_line_into_a_log() -> None:
    record = logging.LogRecord("rigd", logging.ERROR, "", 0, "driver=%s", ("x\nERROR forged\x1b[2J",), None)
    assert LogFormatter().format(record) == "driver=x␊ERROR forged␛[2J"
