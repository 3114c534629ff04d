"""The search itself: it must find what it is looking for, or its silence proves nothing."""

from __future__ import annotations

import base64
import gzip
import io
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.privacy.identity import BIRTH_DATE, FAMILY, IDEOGRAPHIC, MIDDLE, PERSON, PERSON_NAME
from tests.privacy.search import parts_of, parts_of_folder, search


def places(data: bytes) -> list[str]:
    return search(parts_of("object", data), PERSON)


@pytest.mark.parametrize("word", [FAMILY, MIDDLE, IDEOGRAPHIC, PERSON_NAME])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_name_is_found_in_every_encoding(word: str, encoding: str) -> None:
    for text in (word, word.lower(), word.upper(), word.replace("^", ", ")):
        assert places(b"log: " + text.encode(encoding) + b"\n")


def test_latin_1_percent_signs_base64_and_escapes_are_read() -> None:
    assert places(MIDDLE.encode("latin-1"))
    assert places(quote(MIDDLE).encode())
    assert places(quote(MIDDLE.encode("latin-1")).encode())
    assert places(json.dumps({"name": MIDDLE}).encode())
    assert places(b"<p>&Ouml;gm&uuml;ndrik</p>")
    for before in range(3):
        assert places(base64.b64encode(b"x" * before + PERSON_NAME.encode() + b" and so on"))
        assert places(base64.b64encode(b"x" * before + FAMILY.encode("utf-16-le") + b" and"))


def test_a_birth_date_is_found_but_not_within_a_longer_number() -> None:
    assert places(f"born {BIRTH_DATE}".encode())
    assert places(b"1893-02-17")
    assert not places(f"digest 3f{BIRTH_DATE}9a".encode())


def test_cells_and_footers_of_parquet_are_read_and_only_one_column_is_exempt() -> None:
    def parquet(column: str, metadata: dict[str, str], **options: object) -> bytes:
        sink = io.BytesIO()
        table = pa.table({column: [FAMILY]}).replace_schema_metadata(metadata)
        pq.write_table(table, sink, **options)
        return sink.getvalue()

    assert places(parquet("detail", {}))
    assert places(parquet("object_key", {"note": FAMILY}, write_statistics=False))
    assert places(parquet("object_key", {}))  # the statistics in the footer
    assert not places(parquet("object_key", {}, write_statistics=False))


@pytest.mark.parametrize("compressed", [False, True])
def test_text_in_a_png_is_read(compressed: bool) -> None:
    info = PngInfo()
    info.add_text("Comment", PERSON_NAME.replace(MIDDLE, "").replace(IDEOGRAPHIC, ""), compressed)
    international = PngInfo()
    international.add_itxt("Comment", MIDDLE, zip=compressed)
    for one in (info, international):
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, "PNG", pnginfo=one)
        assert places(buffer.getvalue())
        page = b'<img src="data:image/png;base64,' + base64.b64encode(buffer.getvalue()) + b'">'
        assert places(page)


def test_archives_are_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.txt", FAMILY * 3)

    assert places(buffer.getvalue())
    assert places(gzip.compress(FAMILY.encode() * 3))


def test_databases_and_names_of_files_are_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "some.db")) as database:
        database.execute("create table log (message text)")
        database.execute("insert into log values (?)", [json.dumps({"name": MIDDLE})])
        database.commit()
    (tmp_path / f"{FAMILY}.txt").write_text("nothing", "utf-8")

    found = search(parts_of_folder(tmp_path), PERSON)

    assert any(place.startswith("some.db") for place in found)
    assert any(place.startswith("name of") for place in found)


def test_nothing_is_found_where_nothing_is() -> None:
    assert not places(b"night 2026-11-20: 3 objects listed; run 20261121T041500-ab12cd")
