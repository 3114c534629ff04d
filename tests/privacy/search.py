"""Look into everything that a run left behind, decoded as far as it can be."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.privacy.identity import Needles

EXEMPT_COLUMN: Final = "object_key"
"""The only place where an object's key, and a name within it, may stand."""

_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4}){16,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_DEEPEST: Final = 3

Part = tuple[str, bytes]
"""Where, and what."""


def search(parts: Iterator[Part], needles: Needles) -> list[str]:
    """Return where something was found, and what."""
    found = ((where, needles.found_in(data)) for where, data in parts)
    return [f"{where}: {text!r}" for where, text in found if text is not None]


def parts_of_folder(folder: Path) -> Iterator[Part]:
    """Yield the names and the contents of everything below a folder."""
    for path in sorted(folder.rglob("*")):
        where = path.relative_to(folder).as_posix()
        yield f"name of {where!r}", where.encode("utf-8", "surrogateescape")
        if path.is_symlink() or not path.is_file():
            continue
        if ".db" in path.suffix:  # its write-ahead log and index too
            yield where, path.read_bytes()
        else:
            yield from parts_of(where, path.read_bytes())
        if path.suffix == ".db":
            yield from _sqlite(where, path)


def parts_of(where: str, data: bytes, depth: int = 0) -> Iterator[Part]:
    """Yield an object's bytes, and what they decode to."""
    if data.startswith(b"PAR1"):
        # Not the bytes as they are: compression may leave the exempt column legible.
        yield from _parquet(where, data, depth)
        return
    yield where, data
    if depth == _DEEPEST:
        return
    for name, inner in _unpacked(data):
        if inner == data:
            continue
        yield from parts_of(f"{where} > {name}", inner, depth + 1)


def parts_of_mapping(objects: Mapping[str, bytes]) -> Iterator[Part]:
    """Yield the keys and contents of objects."""
    for key, data in objects.items():
        yield f"name of {key!r}", key.encode()
        yield from parts_of(key, data)


def _unpacked(data: bytes) -> Iterator[Part]:
    if data.startswith(b"\x89PNG"):
        yield from _png(data)
    elif data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                yield f"name of {member.filename}", member.filename.encode() + member.comment
                yield member.filename, archive.read(member)
    elif data.startswith(b"\x1f\x8b"):
        yield "gzip", gzip.decompress(data)
    else:
        yield from _text(data)


def _text(data: bytes) -> Iterator[Part]:
    if b"%" in data:
        yield "percent-decoded", unquote_to_bytes(data)
    if b"&" in data:
        yield "HTML", html.unescape(data.decode("utf-8", "replace")).encode()
    if data[:1] in {b"{", b"["}:
        try:
            content = json.loads(data)
        except ValueError:
            return
        yield "JSON", json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for match in _BASE64.finditer(data):
        yield "base64", base64.b64decode(match[0])


def _png(data: bytes) -> Iterator[Part]:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        yield "what Pillow reads", repr(picture.info).encode()
    offset = 8
    while offset < len(data):
        length = int.from_bytes(data[offset : offset + 4], "big")
        kind, body = data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + length]
        if kind != b"IDAT":
            yield kind.decode("ascii"), body
            yield from _inflated(body)
        offset += length + 12


def _inflated(body: bytes) -> Iterator[Part]:
    start = body.find(b"\x78")  # of a zlib stream, as zTXt, iTXt and iCCP hold one
    if start >= 0:
        try:
            yield "inflated", zlib.decompressobj().decompress(body[start:])
        except zlib.error:
            return


def _parquet(where: str, data: bytes, depth: int) -> Iterator[Part]:
    footer_length = int.from_bytes(data[-8:-4], "little")
    yield f"{where} > footer", data[-8 - footer_length :]
    file = pq.ParquetFile(pa.BufferReader(data))
    for name, value in (file.metadata.metadata or {}).items():
        yield from parts_of(f"{where} > metadata {name!r}", name + b"\n" + value, depth + 1)
        yield from parts_of(f"{where} > value of {name!r}", value, depth + 1)
    for name, column in zip(file.schema_arrow.names, file.read().columns, strict=True):
        if name != EXEMPT_COLUMN:
            yield from _cells(f"{where} > {name}", column.to_pylist(), depth)


def _cells(where: str, values: list[Any], depth: int) -> Iterator[Part]:
    yield where, "\n".join(str(value) for value in values).encode("utf-8", "surrogatepass")
    for value in values:
        if isinstance(value, bytes):
            yield from parts_of(where, value, depth + 1)


def _sqlite(where: str, path: Path) -> Iterator[Part]:
    with tempfile.TemporaryDirectory() as folder:
        for one in path.parent.glob(f"{path.name}*"):  # the write-ahead log belongs to it
            (Path(folder) / one.name).write_bytes(one.read_bytes())
        with closing(sqlite3.connect(Path(folder) / path.name)) as database:
            database.text_factory = bytes
            tables = database.execute("select name from sqlite_master where type = 'table'")
            for (table,) in tables.fetchall():
                name = table.decode()
                rows = database.execute(f'select * from "{name}"')  # noqa: S608 - its own tables
                for row in rows:
                    for value in row:
                        if isinstance(value, bytes):
                            yield from parts_of(f"{where} > {name}", value, 1)
