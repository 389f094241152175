"""The configuration: every setting defined once, read from a file, the environment and the command line."""

from typing import Final

RING_BYTES: Final = 4 << 30
"""Most bytes of a ring when nobody says. It stands here for whoever opens a ring and has no other setting."""
