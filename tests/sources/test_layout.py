"""The layout against the facts of the plugin's header, with the two places where the bytes differ from it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigd.sources.rf2 import layout

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "layout_facts.json").read_text())

UNNAMED = {"mExpansion", "mUnused", "mUnused1", "mUnused2", "pointer1", "pointer2"}


def extents(dtype: np.dtype[np.void], base: int = 0) -> dict[str, list[int]]:
    """Offset and size of each field; the Extended file's payload is looked into."""
    found: dict[str, list[int]] = {}
    assert dtype.fields is not None
    for name, (kind, offset, *_) in dtype.fields.items():
        if name == "mExtended":
            found |= extents(kind, base + offset)
        else:
            found[name] = [base + offset, kind.itemsize]
    return found


@pytest.mark.parametrize("name", FACTS["structs"])
def test_every_named_field_of_a_record_is_where_the_game_puts_it(name: str) -> None:
    dtype, facts = getattr(layout, name), FACTS["structs"][name]
    wanted = {field: where for field, where in facts["fields"].items() if field not in UNNAMED}
    assert dtype.itemsize == facts["size"]
    assert extents(dtype) == wanted


@pytest.mark.parametrize("name", FACTS["files"])
def test_every_file_has_its_size_and_its_fields(name: str) -> None:
    dtype, facts = getattr(layout, name), FACTS["files"][name]
    assert dtype.itemsize == facts["size"]
    assert extents(dtype) == facts["fields"]


@pytest.mark.parametrize("buffer", layout.BUFFERS, ids=lambda buffer: buffer.name)
def test_every_buffer_has_the_plugin_s_file_name_and_mask_bit(buffer: layout.Buffer) -> None:
    facts = FACTS["files"][buffer.name.upper()]
    assert (buffer.file_name, buffer.unsubscribe_bit) == (facts["file"], facts["unsubscribe_bit"])


def test_the_two_corrections_of_the_published_header_hold() -> None:
    telemetry, scoring = extents(layout.VEHICLE_TELEMETRY), extents(layout.VEHICLE_SCORING)
    assert telemetry["mDeltaBest"] == [696, 8]
    assert telemetry["mBatteryChargeFraction"] == [704, 8]
    assert scoring["mSteamID"] == [536, 8]
