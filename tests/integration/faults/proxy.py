"""A proxy in front of the S3 server that stumbles where a test tells it to.

    with FaultProxy(upstream) as proxy:
        proxy.inject(answer_error(503, "SlowDown"), key="image-1.png", times=2)

Every request passes through unchanged but for those that a rule is meant for. What was asked is
written down, so that a test can count the attempts.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.parse import quote, unquote, urlsplit

WRITES: Final = frozenset({"PUT", "POST", "DELETE"})

_HOP_BY_HOP: Final = frozenset({"connection", "transfer-encoding", "date", "server", "expect"})
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Request:
    """What a client asked for.

    Attributes:
        method: of HTTP.
        key: the decoded path: bucket, prefix and key.
        is_listing: it asks which objects there are.
    """

    method: str
    key: str
    is_listing: bool


@dataclass(frozen=True)
class Answer:
    """What the server behind the proxy said."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Exchange:
    """One request on its way: what a fault may do with it."""

    def __init__(self, proxy: FaultProxy, handler: _Handler, request: Request) -> None:
        self.request = request
        self.closing = proxy.closing
        self._upstream = proxy.upstream
        self._handler = handler

    def read_body(self) -> bytes:
        """Read what the client sends along."""
        return self._handler.rfile.read(int(self._handler.headers.get("Content-Length", 0)))

    def forward(self) -> Answer:
        """Ask the server behind, whatever the client will hear of it."""
        handler, body = self._handler, self.read_body()
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        connection.request(handler.command, handler.path, body, headers)
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read())
        connection.close()
        return answer

    def forward_half(self) -> None:
        """Send half of the client's body to the server behind, and hang up on it."""
        handler, body = self._handler, self.read_body()
        lines = [f"{handler.command} {handler.path} HTTP/1.1"]
        lines += [f"{k}: {v}" for k, v in handler.headers.items() if k.lower() != "expect"]
        host, _, port = self._upstream.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2])

    def send(self, answer: Answer, body_bytes: int | None = None) -> None:
        """Answer the client, with all of the body or with its first bytes."""
        handler = self._handler
        handler.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in {*_HOP_BY_HOP, "content-length"}:
                handler.send_header(name, value)
        told = dict(answer.headers).get("Content-Length", str(len(answer.body)))
        handler.send_header(
            "Content-Length", told if handler.command == "HEAD" else str(len(answer.body))
        )
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(answer.body[:body_bytes])

    def send_bytes(self, data: bytes) -> None:
        """Send more of a body."""
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def reset(self) -> None:
        """Break the connection, as a router or a dying server does."""
        connection = self._handler.connection
        self._handler.wfile.flush()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        connection.close()


Fault: TypeAlias = Callable[[Exchange], None]


@dataclass
class Rule:
    """Which requests meet a fault."""

    fault: Fault
    methods: frozenset[str]
    key: str
    listing: bool
    skip: int
    times: int

    def takes(self, request: Request) -> bool:
        """Whether this request meets the fault; counts it."""
        is_meant = (
            request.method in self.methods
            and request.is_listing == self.listing
            and self.key in request.key
        )
        if not is_meant:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return self.times >= 0


class FaultProxy(ThreadingHTTPServer):
    """The proxy; a context manager."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, upstream_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream_url).netloc
        self.closing = threading.Event()
        self.requests: list[Request] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def endpoint_url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.server_port}"

    def inject(  # noqa: PLR0913 - all but the fault have defaults
        self,
        fault: Fault,
        *,
        methods: frozenset[str] = frozenset({"GET"}),
        key: str = "",
        listing: bool = False,
        skip: int = 0,
        times: int = 1_000_000,
    ) -> None:
        """Let requests meet a fault: those of these methods whose path holds the key.

        Args:
            fault: what happens to them.
            methods: of HTTP.
            key: a part of bucket, prefix and key; empty for any.
            listing: requests that list, instead of those that concern an object.
            skip: so many of them pass first.
            times: so many of them are hit.
        """
        with self._lock:
            self._rules.append(Rule(fault, methods, key, listing, skip, times))

    def heal(self) -> None:
        """Let everything pass again."""
        with self._lock:
            self._rules.clear()

    def count(self, method: str, key: str) -> int:
        """Count the requests for an object so far."""
        return sum(one.method == method and one.key.endswith(key) for one in self.requests)

    def choose_fault(self, request: Request) -> Fault:
        """Return what happens to a request, and write it down."""
        with self._lock:
            self.requests.append(request)
            return next((rule.fault for rule in self._rules if rule.takes(request)), _pass)

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that are killed or give up are the point."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        assert isinstance(self.server, FaultProxy)
        self.close_connection = True
        parts = urlsplit(self.path)
        key = unquote(parts.path).lstrip("/")
        request = Request(self.command, key, "list-type=2" in parts.query)
        self.server.choose_fault(request)(Exchange(self.server, self, request))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - as the library asks

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _pass(exchange: Exchange) -> None:
    exchange.send(exchange.forward())


def answer_error(status: int, code: str) -> Fault:
    """Answer with an error of S3's instead of asking the server."""

    def fault(exchange: Exchange) -> None:
        exchange.read_body()
        body = b"" if exchange.request.method == "HEAD" else _ERROR.format(code).encode()
        exchange.send(Answer(status, [("Content-Type", "application/xml")], body))

    return fault


_ERROR: Final = "<Error><Code>{}</Code><Message>about smith^john.png</Message></Error>"


def stay_silent(exchange: Exchange) -> None:
    """Take the request and never answer."""
    exchange.read_body()
    exchange.closing.wait(30)
    exchange.reset()


def reset_in_mid_body(exchange: Exchange) -> None:
    """Send half of the answer and break the connection."""
    answer = exchange.forward()
    exchange.send(answer, len(answer.body) // 2)
    exchange.reset()


def lose_answer(exchange: Exchange) -> None:
    """Let the server do what it was asked to, and break the connection instead of saying so."""
    exchange.forward()
    exchange.reset()


def trickle(exchange: Exchange) -> None:
    """Send the body in drops that never let the socket time out."""
    answer = exchange.forward()
    exchange.send(answer, 0)
    for start in range(0, len(answer.body), 512):
        if exchange.closing.wait(0.1):
            return
        exchange.send_bytes(answer.body[start : start + 512])


def do_first(deed: Callable[[], None]) -> Fault:
    """Do something to the world before the request is served."""

    def fault(exchange: Exchange) -> None:
        deed()
        exchange.send(exchange.forward())

    return fault


def leave_out(key: str) -> Fault:
    """Serve a listing without one of its objects."""

    def fault(exchange: Exchange) -> None:
        answer = exchange.forward()
        # S3 lists keys as a URL writes them, if the client asks for it.
        spellings = "|".join(re.escape(one) for one in (key, quote(key), quote(key, safe="")))
        entry = rf"<Contents>(?:(?!</Contents>).)*(?:{spellings}).*?</Contents>"
        body = re.sub(entry, "", answer.body.decode(), flags=re.DOTALL).encode()
        exchange.send(Answer(answer.status, answer.headers, body))

    return fault
