"""Files of the pages, as `make web` built them, with what a browser needs to keep them."""

import hashlib
import json
import mimetypes
from pathlib import Path
from typing import Final

from aiohttp import web

from rig.errors import Exhausted

PAGES: Final = Path(__file__).with_name("pages")
"""Git does not have it; the wheel brings it."""
_MOST_BYTES: Final = 8 << 20
_MOST_HELD: Final = 32 << 20
"""Bytes of all files that are kept in memory."""
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
}

NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>rig gateway</title>
<body style="font:16px/1.6 system-ui;max-width:40em;margin:4em auto;padding:0 1em">
<h1>The pages are not built</h1>
<p>The gateway runs; live streams and answers work. In a checkout <code>make web</code> builds the pages;
then load this page again. Installed packages bring them.</p>
"""


class Files:
    """The built folder; what is in it is read once and again after a change."""

    def __init__(self, folder: Path = PAGES) -> None:
        self._folder = folder.resolve()
        self._read: dict[Path, tuple[int, bytes, str]] = {}

    def page(self, request: web.Request, name: str) -> web.Response:
        """Return a page's HTML; where nothing is built yet, what to do about it."""
        if not (self._folder / "index.html").is_file():
            return web.Response(text=NOT_BUILT, content_type="text/html", status=503)
        return self.file(request, f"{name}.html")

    def file(self, request: web.Request, name: str) -> web.Response:
        """Return a file of the folder, 304 where the browser has it."""
        path = self._path(name)
        if path is None:
            words = {"code": "NOT_FOUND", "message": f"there is no {name[:80]!r} here", "hint": "begin at /"}
            return web.json_response({"error": words}, status=404)
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise Exhausted(f"{name[:80]!r} has {size} bytes", hint=f"at most {_MOST_BYTES}")
        body, tag = self._content(path)
        # Names do not change with what is in them, so the browser asks; what it has costs it an empty answer.
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        response = web.Response(body=body, headers=headers, content_type=kind)
        if kind.startswith("text/"):
            response.charset = "utf-8"
        response.enable_compression()
        return response

    def _path(self, name: str) -> Path | None:
        """Return where a file is; None for what is elsewhere, hidden such as .git, or no file."""
        if any(part.startswith(".") for part in name.split("/")):
            return None
        try:
            path = (self._folder / name).resolve()
            return path if path.is_relative_to(self._folder) and path.is_file() else None
        except (OSError, ValueError, RuntimeError):  # too long, with a NUL, a link to itself
            return None

    def _content(self, path: Path) -> tuple[bytes, str]:
        changed = path.stat().st_mtime_ns
        known = self._read.get(path)
        if known is None or known[0] != changed:
            with path.open("rb") as file:
                body = file.read(_MOST_BYTES)
            if sum(len(old[1]) for old in self._read.values()) + len(body) > _MOST_HELD:
                self._read.clear()
            tag = json.dumps(hashlib.sha256(body).hexdigest()[:32])
            known = self._read[path] = (changed, body, tag)
        return known[1], known[2]
