"""A small S3: lists, reads and writes below a folder, as slowly as it is told to.

Or it lists as many keys as it is told to, which exist nowhere. It keeps no object in memory, so
that what is measured is the reader. Run as ``python -m tests.bench.storage_server``.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.bench.nights import FOLDER, name_slice

BUCKET: Final = "lake"
PAGE: Final = 1000
ETAG: Final = "d41d8cd98f00b204e9800998ecf8427e"


class Storage(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    folder: Path
    latency_seconds = 0.0
    generated = 0

    def do_GET(self) -> None:
        """List or read."""
        time.sleep(self.latency_seconds)
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if "list-type" in query:
            self._list(query)
            return
        path = self._path(parts.path)
        if not path.is_file():
            self._answer(404, _error("NoSuchKey"))
            return
        self._answer(200, path.read_bytes(), {"ETag": f'"{_etag(path)}"'})

    def do_HEAD(self) -> None:
        """Tell size and etag."""
        time.sleep(self.latency_seconds)
        path = self._path(urlsplit(self.path).path)
        if not path.is_file():
            self._answer(404, b"")
            return
        self.send_response(200)
        self.send_header("ETag", f'"{_etag(path)}"')
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()

    def do_PUT(self) -> None:
        """Write."""
        time.sleep(self.latency_seconds)
        path = self._path(urlsplit(self.path).path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._body())
        self._answer(200, b"", {"ETag": f'"{_etag(path)}"'})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as inherited
        """Say nothing."""

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Content-Encoding", ""):
            return self.rfile.read(int(self.headers["Content-Length"]))
        data = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return data

    def _path(self, path: str) -> Path:
        return self.folder / unquote(path).removeprefix(f"/{BUCKET}").lstrip("/")

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        start = int(query.get("continuation-token", ["0"])[0])
        size = min(PAGE, int(query.get("max-keys", [str(PAGE)])[0]))
        items = list(self._items(prefix, start, size + 1))
        more = len(items) > size
        token = f"<NextContinuationToken>{start + size}</NextContinuationToken>" if more else ""
        entries = "".join(
            f"<Contents><Key>{quote(key)}</Key><ETag>&quot;{etag}&quot;</ETag>"
            f"<Size>{length}</Size><LastModified>2026-11-20T00:00:00.000Z</LastModified></Contents>"
            for key, etag, length in items[:size]
        )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
            f"<Name>{BUCKET}</Name><EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>"
            f"<KeyCount>{len(items[:size])}</KeyCount>{token}{entries}</ListBucketResult>"
        )
        self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _items(self, prefix: str, start: int, count: int) -> Iterator[tuple[str, str, int]]:
        if self.generated:
            inside = prefix.startswith(FOLDER) or FOLDER.startswith(prefix)
            for number in range(start, min(self.generated, start + count) if inside else 0):
                yield name_slice(number), ETAG, 70_000 + number % 1000
            return
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        keys = (path.relative_to(self.folder).as_posix() for path in paths)
        found = [key for key in keys if key.startswith(prefix)]
        for key in found[start : start + count]:
            path = self.folder / key
            yield key, _etag(path), path.stat().st_size

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _etag(path: Path) -> str:
    facts = path.stat()
    return hashlib.md5(f"{facts.st_size} {facts.st_mtime_ns}".encode()).hexdigest()  # noqa: S324


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>none</Message></Error>".encode()


def main() -> None:
    """Serve until killed; the port is printed first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a request")
    parser.add_argument("--generated", type=int, default=0, help="keys to list")
    options = parser.parse_args()
    Storage.folder = options.folder
    Storage.latency_seconds = options.latency
    Storage.generated = options.generated
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", 0), Storage)
    print(server.server_address[1], flush=True)  # noqa: T201 - read by the benchmark
    server.serve_forever()


if __name__ == "__main__":
    main()
