"""An endpoint on loopback that answers chat/completions by a script, and keeps what it was asked."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Send = Callable[[BaseHTTPRequestHandler], None]


class ScriptedEndpoint:
    """Answers one request after the other as `script` says; the last answer goes on for ever."""

    def __init__(self) -> None:
        self.script: list[Send] = [say("Nothing.")]
        self.asked: list[dict[str, Any]] = []
        """Requests, as they came."""
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()
        """Those who hang end."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def play(self, *script: Send) -> None:
        """Begin another script, and forget what was asked."""
        self.script = list(script)
        self.asked.clear()
        self.headers.clear()

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            over = endpoint.over

            def do_POST(self) -> None:
                assert self.path == "/v1/chat/completions"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked.append(json.loads(body))
                endpoint.headers.append(dict(self.headers))
                send = endpoint.script[min(len(endpoint.asked), len(endpoint.script)) - 1]
                with contextlib.suppress(OSError):  # whoever asked has enough
                    send(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def raw(data: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Send:
    """Whatever bytes."""

    def send(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        to.send_header("Content-Type", kind)
        for name, value in headers.items():
            to.send_header(name.replace("_", "-"), value)
        to.end_headers()
        to.wfile.write(data)

    return send


def events(*events: Any, done: bool = True) -> bytes:
    """A stream of chunks."""
    told = b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in events)
    return told + b"data: [DONE]\n\n" * done


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def say(text: str) -> Send:
    """An answer, a few letters at a time."""
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
    return raw(events(*(chunk(content=piece) for piece in pieces)), kind="text/event-stream")


def say_whole(text: str) -> Send:
    """An answer by one who does not stream."""
    message = {"role": "assistant", "content": text}
    return raw(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode())


def call(tool: str, text: str = "", **arguments: Any) -> Send:
    """A tool call, its arguments in two pieces."""
    told = json.dumps(arguments)
    first = {"index": 0, "id": "c1", "function": {"name": tool, "arguments": told[:5]}}
    rest = {"index": 0, "function": {"arguments": told[5:]}}
    chunks = (chunk(content=text or None), chunk(tool_calls=[first]), chunk(tool_calls=[rest]))
    return raw(events(*chunks), kind="text/event-stream")


def cut(text: str) -> Send:
    """An answer whose connection ends in the middle."""
    return raw(events(chunk(content=text), done=False), kind="text/event-stream")


def hang(text: str = "") -> Send:
    """An answer that begins, and does not go on."""

    def send(to: BaseHTTPRequestHandler) -> None:
        raw(events(chunk(content=text), done=False), kind="text/event-stream")(to)
        to.wfile.flush()
        to.over.wait(60)  # type: ignore[attr-defined]

    return send


def huge() -> Send:
    """An answer without an end."""

    def send(to: BaseHTTPRequestHandler) -> None:
        raw(b"", kind="text/event-stream")(to)
        while not to.over.is_set():  # type: ignore[attr-defined]
            to.wfile.write(events(*[chunk(content="word " * 100)] * 20, done=False))

    return send


@contextlib.contextmanager
def scripted() -> Iterator[ScriptedEndpoint]:
    made = ScriptedEndpoint()
    try:
        yield made
    finally:
        made.close()
