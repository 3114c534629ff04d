"""File names as keys: text that Arrow can hold, for any name that a file system allows.

A name that is not UTF-8 (old scanners write Latin-1) becomes ``%!`` and its percent-encoded bytes.
A name that happens to begin with ``%!`` is encoded as well, so that every name has one key and
every key one name; all other names are their own key.
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

ESCAPED: Final = "%!"


def key_part_of(name: str) -> str:
    """Return the part of a key for a file name as `os.scandir` gives it."""
    if not name.startswith(ESCAPED):
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            pass
        else:
            return name
    return ESCAPED + quote_from_bytes(os.fsencode(name), safe="")


def name_of_part(part: str) -> str:
    """Return the file name for a part of a key.

    Raises:
        ValueError: if the part is escaped, but not as `key_part_of` would.
    """
    if not part.startswith(ESCAPED):
        return part
    name = os.fsdecode(unquote_to_bytes(part.removeprefix(ESCAPED)))
    if key_part_of(name) != part or "/" in name or name in {"", ".", ".."}:
        message = f"a part of the key begins with {ESCAPED!r}, but is no escaped file name"
        raise ValueError(message)
    return name
