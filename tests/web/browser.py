"""A real browser for the tests of the pages, and what every page is held to.

Debian's chromium, driven by playwright; whose own browser is not asked for. A page that says something on its
console, or asks for what it does not get, has failed.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Response,
    sync_playwright,
)

SIZES: Final = ((320, 568), (390, 844), (768, 1024), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))
"""What people look at, width and height: an old phone, a phone, a tablet, a laptop, screens up to 4K."""

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)
"""The last one: a page that needs anything of the network beyond its own server fails."""


def executable() -> str | None:
    """Return the path of chromium; None where there is none. `RIGD_CHROMIUM` names another."""
    named = os.environ.get("RIGD_CHROMIUM")
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Run a browser. Meanwhile this thread can run no other event loop."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(profile: BrowserContext) -> Iterator[Page]:
    """Open a page in a profile that is emptied first: one of its own takes three times as long to make and to
    load its first page.
    """
    page = profile.new_page()
    try:
        session = profile.new_cdp_session(page)
        session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
        session.detach()
        yield page
    finally:
        page.close()


@dataclass
class Troubles:
    """What went wrong in a page: errors on its console, exceptions, requests that failed."""

    said: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def allow(self, *patterns: str) -> None:
        """Let pass what matches: a test that stops the server expects complaints."""
        self.allowed += map(re.compile, patterns)

    def left(self) -> list[str]:
        """Return what nobody allowed."""
        return [what for what in self.said if not any(pattern.search(what) for pattern in self.allowed)]

    def watch(self, page: Page) -> None:
        """Note what goes wrong in a page from now on."""
        page.on("console", self._spoken)
        page.on("pageerror", self._thrown)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _spoken(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.said.append(f"console: {message.text}")

    def _thrown(self, error: Error) -> None:
        self.said.append(f"exception: {error}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page went elsewhere
            self.said.append(f"request: {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.said.append(f"request: {response.url}: {response.status}")


def wait(page: Page, ready: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true while the page goes on; `tests.stage.until` would hold up its messages.

    Raises AssertionError after `seconds`.
    """
    left = int(seconds * 20)
    while not ready():
        left -= 1
        assert left > 0, "it did not come to that"
        page.wait_for_timeout(50)


def overflowing(page: Page, sizes: Sequence[tuple[int, int]] = SIZES) -> list[str]:
    """Return what sticks out to the right at these sizes; what scrolls inside its own box does not."""
    found = []
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        found += [f"{width} px: {what}" for what in _ask(page, _OVERFLOWING)]
    return found


def faint(page: Page, behind: Sequence[str] = ("white",)) -> list[str]:
    """Return texts that WCAG AA calls too faint, by the colours as painted: 4.5 to 1, for large ones 3 to 1.

    `behind` are the colours that may be behind a page that is itself transparent.
    """
    return [what for colour in behind for what in _ask(page, _FAINT, colour)]


def focus_order(page: Page, most: int = 300) -> list[str]:
    """Press Tab from the page's begin to its end; return the names of what had the focus, in order."""
    page.evaluate("() => { document.activeElement?.blur?.(); window.getSelection()?.removeAllRanges(); }")
    found: list[str] = []
    page.evaluate(f"() => {{ {_WALK}; globalThis.reached = new Set(); }}")
    session = page.context.new_cdp_session(page)
    while len(found) < most:
        session.send("Input.dispatchKeyEvent", _TAB)  # half the time of `page.keyboard.press`
        name = page.evaluate(f"() => {{ {_WALK} {_FOCUSED} }}")
        if name is None:
            return found
        found.append(name)
    return found


def unreachable(page: Page) -> list[str]:
    """Return what can be clicked and Tab does not reach, or shows no sign of having the focus."""
    unseen = [name for name in focus_order(page) if name.startswith("no sign of focus")]
    return unseen + _ask(page, _UNREACHED)


def painted(locator: Locator) -> dict[str, Any]:
    """Return {lit, colours} of a canvas: pixels that are not transparent, and in how many colours."""
    found: dict[str, Any] = locator.evaluate(_PAINTED)
    return found


def heap_bytes(page: Page) -> int:
    """Return what is in use once the garbage is collected."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    return int(next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize"))


def keep_picture(page: Page, folder: Path, name: str) -> Path:
    """Save what the page shows below `folder`, as after a failed test."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name).strip('-')}.png"
    page.screenshot(path=path)
    return path


_TAB: Final = {"type": "rawKeyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}


def _ask(page: Page, body: str, *words: str) -> list[str]:
    found: list[str] = page.evaluate(f"(words) => {{ {_WALK} {body} }}", list(words))
    return found


# All elements, those in shadow roots too; whether one is seen; what to call it.
_WALK: Final = """
const all = (root = document) => [...root.querySelectorAll("*")].flatMap(
  (e) => e.shadowRoot ? [e, ...all(e.shadowRoot)] : [e]);
const above = (e) => e.assignedSlot ?? e.parentElement ?? e.getRootNode().host ?? null;
const line = (e) => e ? [e, ...line(above(e))] : [];
const seen = (e) => e.getClientRects().length > 0
  && e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const called = (e) => (e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.innerText || e.title
  || e.id || e.getAttribute("class") || "").trim().replace(/\\s+/g, " ").slice(0, 60);
const named = (e) => `${e.localName} ${called(e)}`.trim();
"""

_OVERFLOWING: Final = """
const width = document.documentElement.clientWidth;
if (document.scrollingElement.scrollWidth <= width) return [];
const cut = (e) => line(above(e)).some((a) => getComputedStyle(a).overflowX !== "visible");
const out = all().filter((e) => seen(e) && !cut(e) && e.getBoundingClientRect().right > width + 0.5);
return out.length ? out.map(named).slice(0, 5) : ["the page"];
"""

_FAINT: Final = """
const canvas = new OffscreenCanvas(1, 1), pen = canvas.getContext("2d", { willReadFrequently: true });
const known = new Map();
const rgba = (colour) => {
  if (!known.has(colour)) {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = "#0000"; pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    known.set(colour, [r, g, b, a / 255]);
  }
  return known.get(colour);
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const light = (c) => c.slice(0, 3).map((v) => v / 255).map(
  (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const luminance = (c) => { const [r, g, b] = light(c); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = (e) => line(e).reverse().reduce(
  (below, a) => {
    const [r, g, b, alpha] = rgba(getComputedStyle(a).backgroundColor);
    return over([r, g, b, alpha * opacity(a)], below);
  }, rgba(words[0]));
const opacity = (e) => line(e).reduce((product, a) => product * Number(getComputedStyle(a).opacity), 1);
const texts = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
  || (e.localName === "input" && e.value);
const faint = [];
for (const e of all()) {
  if (!seen(e) || !texts(e) || ["script", "style", "title"].includes(e.localName)) continue;
  if (e.disabled || line(e).some((a) => a.ariaDisabled === "true")) continue;
  const style = getComputedStyle(e), below = ground(e), size = parseFloat(style.fontSize);
  if (size === 0) continue;
  const [r, g, b, a] = rgba(style.color), text = over([r, g, b, a * opacity(e)], below);
  const [low, high] = [luminance(text), luminance(below)].sort((x, y) => x - y);
  const ratio = (high + 0.05) / (low + 0.05);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) faint.push(
    `${named(e)}: ${ratio.toFixed(2)} to 1, ${style.color} on rgb(${below.slice(0, 3).map(Math.round)})`);
}
return faint;
"""

_FOCUSED: Final = """
let e = document.activeElement;
while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
if (!e || e === document.body || globalThis.reached.has(e)) return null;
globalThis.reached.add(e);
const style = getComputedStyle(e);
const outlined = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none";
const sign = outlined || style.boxShadow !== "none";
return sign ? named(e) : `no sign of focus: ${named(e)}`;
"""

_UNREACHED: Final = """
const clicked = "a[href], button, input, select, textarea, summary, [role=button], [role=tab], [onclick]";
const grouped = (e) => e.type === "radio" || e.closest("[role=tablist], [role=radiogroup], [role=grid]");
return all().filter((e) => e.matches(clicked) && seen(e) && !e.disabled && e.type !== "hidden"
  && !grouped(e) && !line(e).some((a) => a.inert) && !globalThis.reached.has(e)).map(named);
"""

_PAINTED: Final = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set(); let lit = 0;
  for (const pixel of new Uint32Array(data.buffer)) if (pixel >>> 24) { lit++; colours.add(pixel); }
  return { lit, colours: colours.size };
}"""
