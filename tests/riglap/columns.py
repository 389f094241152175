"""Columns of any channel with any values, for codecs that have to keep them all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rig.channels import LAP, PHYSICS, Channel

Array = np.ndarray[Any, np.dtype[Any]]

CHANNELS: Mapping[str, Channel] = {channel.name: channel for channel in (*PHYSICS.channels, *LAP.channels)}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Array]:
    """Some channels with some rows of whatever their type holds, NaN and infinities included."""
    rows = draw(st.integers(1, 12))
    names = draw(st.lists(st.sampled_from(sorted(CHANNELS)), min_size=1, max_size=5, unique=True))
    return {name: draw(_values(CHANNELS[name], rows)) for name in names}


def _values(channel: Channel, rows: int) -> st.SearchStrategy[Array]:
    shape = rows if channel.width == 1 else (rows, channel.width)
    return arrays.arrays(channel.dtype, shape)
