"""The checks that pages are held to find what they are there to find."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.web import browser

ROOT = """
<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>t</title>
<link rel="icon" href="data:,"><body style="margin:0;background:#111;color:#eee">
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of one page that asks for what is not there."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"{ROOT}<img src=/gone alt=x><script>console.error('oh')</script>".encode())

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/"
        listening.shutdown()
        thread.join()


def test_what_goes_wrong_in_a_page_is_noted(page: Page, troubles: browser.Troubles, server: str) -> None:
    page.goto(server)
    page.evaluate("() => { setTimeout(() => { throw new Error('late'); }); }")
    browser.wait(page, lambda: len(troubles.said) >= 4)
    assert {"console: oh", "exception: late", f"request: {server}gone: 404"} <= set(troubles.left())
    troubles.allow("")
    assert troubles.left() == []


def test_nothing_is_fetched_from_elsewhere(page: Page, troubles: browser.Troubles, server: str) -> None:
    page.goto(server)
    page.evaluate("() => fetch('http://elsewhere.invalid/').catch(() => 0)")
    browser.wait(page, lambda: any("elsewhere.invalid" in what for what in troubles.said))
    troubles.allow("")


def test_what_a_page_kept_is_gone_when_the_next_one_is_opened(profile: BrowserContext, server: str) -> None:
    for _ in range(2):
        with browser.opened(profile) as page:
            page.goto(server)
            assert page.evaluate("() => localStorage.getItem('kept')") is None
            assert page.evaluate("() => document.cookie") == ""
            page.evaluate("() => { localStorage.setItem('kept', 'one'); document.cookie = 'kept=one'; }")
            page.reload()
            assert page.evaluate("() => localStorage.getItem('kept') + document.cookie") == "onekept=one"


def test_overflow_is_found_at_the_size_where_it_happens(page: Page) -> None:
    page.set_content(f"{ROOT}<div style='width:500px'>wide</div>")
    assert browser.overflowing(page) == ["320 px: div wide", "390 px: div wide"]
    page.set_content(f"{ROOT}<div style='overflow-x:auto'><div style='width:5000px'>scrolls</div></div>")
    assert browser.overflowing(page) == []


def test_faint_text_is_found_through_layers_and_shadow_roots(page: Page) -> None:
    page.set_content(f"{ROOT}<p>clear</p><p style='color:#555'>dim</p><x-y></x-y>")
    page.evaluate("""() => {
        document.querySelector("x-y").attachShadow({ mode: "open" }).innerHTML =
          "<div style='background:#eee'><b style='color:#eeee'>white</b></div>";
    }""")
    assert [what.partition(":")[0] for what in browser.faint(page)] == ["p dim", "b white"]


def test_a_half_transparent_text_is_judged_as_painted(page: Page) -> None:
    page.set_content(f"{ROOT}<p style='opacity:0.3'>ghost</p><p style='color:#eee6'>half</p>")
    assert [what.partition(":")[0] for what in browser.faint(page)] == ["p ghost", "p half"]


def test_a_transparent_page_is_judged_on_what_may_be_behind(page: Page) -> None:
    page.set_content("<body style='color:white'>speed")
    assert browser.faint(page, behind=("black",)) == []
    assert len(browser.faint(page, behind=("black", "white"))) == 1


def test_what_the_keyboard_does_not_reach_is_found(page: Page) -> None:
    page.set_content(f"{ROOT}<button>one</button><a href='#x'>two</a><button tabindex=-1>three</button>")
    assert browser.focus_order(page) == ["button one", "a two"]
    assert browser.unreachable(page) == ["button three"]
    page.add_style_tag(content="a { outline: none !important; }")
    assert browser.unreachable(page) == ["no sign of focus: a two", "button three"]
