"""The compare page as one file: page and document together, which opens without a network."""

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rig.errors import Unavailable
from riglap.atomic import atomic_write

PAGE: Final = Path(__file__).with_name("pages") / "compare.html"
_PLACE: Final = '<script id="document" type="application/gzip;base64">'


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write the page with a comparison document. Raises Unavailable where the page was not built, OSError."""
    text = page(document)
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def page(document: Mapping[str, Any]) -> str:
    """Return the page with a comparison document in it. Raises Unavailable where the page was not built."""
    try:
        empty = PAGE.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Unavailable("the compare page was not built", hint="make web builds it") from error
    plain = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    # The same laps make the same bytes: no time of day in them.
    held = base64.b64encode(gzip.compress(plain, 6, mtime=0)).decode()
    before, place, after = empty.partition(_PLACE)
    return f"{before}{place}{held}{after}"
