"""The objects of a night, as one Arrow table."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from datetime import date
from typing import Final

import pyarrow as pa

from jobs.lake import Lake, LakeObject
from jobs.night_keys import night_prefix, nights_parent
from jobs.schemas import INVENTORY

_PAGE: Final = 10_000  # objects held as Python objects at a time; a million keys stay in Arrow

_log = logging.getLogger(__name__)


def list_night(lake: Lake, night: date, template: str) -> pa.Table:
    """List every object of a night.

    A zero-byte object whose key ends in a slash is how some S3 tools mark a folder. It is the only
    thing that is left out, and the log says how many there were.

    Args:
        lake: where.
        night: which night.
        template: the folder of a night's objects, with ``{night}``.

    Returns:
        `INVENTORY`, sorted by key. A night without a folder is a night without objects.

    Raises:
        LakeNotFoundError: if the lake, or the folder that holds all nights, does not exist.
    """
    lake.require(nights_parent(template))
    pages = [_to_table(page) for page in _pages(lake.list_objects(night_prefix(template, night)))]
    listed = pa.concat_tables([INVENTORY.empty_table(), *pages])
    objects = listed.filter(pa.compute.invert(_is_folder_marker(listed)))
    markers = listed.num_rows - objects.num_rows
    if markers:
        _log.info("night %s: %d folder markers are no objects", night, markers)
    return objects.sort_by("object_key").combine_chunks()


def _pages(objects: Iterable[LakeObject]) -> Iterable[list[LakeObject]]:
    iterator = iter(objects)
    return iter(lambda: list(itertools.islice(iterator, _PAGE)), [])


def _to_table(page: list[LakeObject]) -> pa.Table:
    columns = {
        "object_key": [item.key for item in page],
        "etag": [item.etag for item in page],
        "size_bytes": [item.size_bytes for item in page],
    }
    return pa.table(columns, schema=INVENTORY)


def _is_folder_marker(objects: pa.Table) -> pa.ChunkedArray:
    ends_in_slash = pa.compute.ends_with(objects["object_key"], "/")
    return pa.compute.and_(ends_in_slash, pa.compute.equal(objects["size_bytes"], 0))
