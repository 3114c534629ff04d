"""A scanner in one text, as rows name it."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

NOT_TOLD: Final = "not told"


def name_scanners(images: pa.Table) -> pa.ChunkedArray:
    """Return (n,) maker and model in one text, `NOT_TOLD` where neither is known."""
    maker = pc.fill_null(images["manufacturer"], "")
    model = pc.fill_null(images["scanner_model"], "")
    joined = pc.utf8_trim_whitespace(pc.binary_join_element_wise(maker, model, " "))
    return pc.if_else(pc.equal(joined, ""), NOT_TOLD, joined)
