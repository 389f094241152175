"""What pages weigh."""

import gzip

from rigclient.gateway.files import PAGES

MOST_BYTES = 150_000
"""Compressed, of all scripts together."""


def test_the_scripts_of_all_pages_are_small() -> None:
    scripts = list((PAGES / "assets").glob("*.js"))
    assert scripts, "make web builds the pages"
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in scripts}
    assert sum(sizes.values()) <= MOST_BYTES, sizes
