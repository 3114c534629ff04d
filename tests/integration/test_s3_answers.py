"""Answers that no test server gives by itself: refusals, overload, connections that break."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jobs import lake_s3
from jobs.lake import Lake, LakeAddress, StorageOptions, open_lake
from model.errors import (
    AccessDeniedError,
    ConfigurationError,
    LakeNotFoundError,
    NotRetrievedError,
    OutputError,
    StorageUnavailableError,
    TriageError,
)
from tests.integration.conftest import S3Server


class ScriptedServer(ThreadingHTTPServer):
    """Gives one answer after the other; the last one again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, str]] = []
        self.requests = 0

    def next_answer(self) -> tuple[int, str]:
        self.requests += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, ScriptedServer)
        status, code = self.server.next_answer()
        if code == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return
        body = b"whole" if status == 200 else _error_body(code)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _error_body(code: str) -> bytes:
    text = "<Error><Code>{}</Code><Message>about smith^john.png</Message></Error>"
    return text.format(code).encode()


@pytest.fixture
def server(s3_server: S3Server) -> Iterator[ScriptedServer]:  # noqa: ARG001 - sets credentials
    scripted = ScriptedServer()
    thread = threading.Thread(target=scripted.serve_forever, args=(0.01,))
    thread.start()
    yield scripted
    scripted.shutdown()
    scripted.server_close()
    thread.join()


def lake_at(server: ScriptedServer, attempts: int = 1) -> Lake:
    options = StorageOptions(f"http://127.0.0.1:{server.server_port}", attempts=attempts)
    return open_lake(LakeAddress("s3://mri-lake", options))


@pytest.mark.parametrize(
    ("status", "code", "kinds"),
    [
        (403, "AccessDenied", (AccessDeniedError, NotRetrievedError, AccessDeniedError)),
        (403, "InvalidAccessKeyId", (AccessDeniedError,) * 3),
        (403, "SignatureDoesNotMatch", (AccessDeniedError,) * 3),
        (400, "ExpiredToken", (AccessDeniedError,) * 3),
        (404, "NoSuchBucket", (LakeNotFoundError,) * 3),
        (400, "AuthorizationHeaderMalformed", (LakeNotFoundError,) * 3),
        (503, "SlowDown", (StorageUnavailableError,) * 3),
        (500, "InternalError", (StorageUnavailableError,) * 3),
        (429, "TooManyRequests", (StorageUnavailableError,) * 3),
        (403, "InvalidObjectState", (ConfigurationError, NotRetrievedError, OutputError)),
        (507, "XMinioStorageFull", (OutputError, NotRetrievedError, OutputError)),
        (501, "NotImplemented", (ConfigurationError,) * 3),
    ],
)
def test_an_answer_becomes_the_error_that_says_who_must_act(
    server: ScriptedServer,
    status: int,
    code: str,
    kinds: tuple[type[TriageError], ...],
) -> None:
    server.answers = [(status, code)]
    lake = lake_at(server)

    errors = [
        _error_of(lambda: list(lake.list_objects("incoming/"))),
        _error_of(lambda: lake.read("incoming/smith^john.png")),
        _error_of(lambda: lake.write("results/smith^john.png", b"x")),
    ]

    assert tuple(type(error) for error in errors) == kinds
    assert all(code in str(error) or status == 501 for error in errors)
    assert all("smith" not in str(error) for error in errors)


def _error_of(call: Callable[[], object]) -> BaseException:
    with pytest.raises(TriageError) as caught:
        call()
    return caught.value


def test_a_web_server_that_is_no_s3_server_is_storage_that_is_not_available(
    server: ScriptedServer,
) -> None:
    server.answers = [(200, "")]

    with pytest.raises(StorageUnavailableError, match="expected an S3 server"):
        lake_at(server).require()


def test_a_busy_server_is_asked_again(server: ScriptedServer) -> None:
    server.answers = [(503, "SlowDown"), (200, "")]

    assert lake_at(server, attempts=2).read("a") == b"whole"
    assert server.requests == 2


def test_a_connection_lost_in_the_middle_of_an_object_is_asked_again(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lake_s3, "BODY_BACK_OFF_SECONDS", 0.001)
    server.answers = [(200, "cut"), (200, "cut"), (200, "")]

    assert lake_at(server, attempts=3).read("a") == b"whole"


def test_an_object_whose_connection_is_always_lost_is_storage_that_is_not_available(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lake_s3, "BODY_BACK_OFF_SECONDS", 0.001)
    server.answers = [(200, "cut")]

    with pytest.raises(StorageUnavailableError):
        lake_at(server, attempts=2).read("a")
    assert server.requests == 2
