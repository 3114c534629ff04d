"""Measured pictures for the tests of the data report, made without a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from model.data_report_pictures import MeasuredPicture, PictureMeasures
from model.images import Acquisition
from model.training_data import LabelledImage


def make_picture(  # noqa: PLR0913 - every test names what it is about
    number: int,
    *,
    label: int = 0,
    group: str | None = None,
    source: str = "here",
    tumor_type: str | None = None,
    scene: int | None = None,
    size: tuple[int, int] = (64, 64),
    acquisition: Acquisition | None = None,
    **changes: Any,  # noqa: ANN401 - fields of `MeasuredPicture`
) -> MeasuredPicture:
    """Make a picture; those of the same `scene` are near-duplicates."""
    random = np.random.default_rng(number if scene is None else 10_000 + scene)
    image = LabelledImage(
        path=Path(f"/data/{number}.png"),
        source=source,
        label=label,
        tumor_type=tumor_type or ("glioma" if label else "none"),
        group_id=f"g{number}" if group is None else group,
        mask=None,
    )
    measures = PictureMeasures(
        width=size[0],
        height=size[1],
        mean_level=0.3,
        thumbnail=random.random((32, 32)).astype(np.float32),
        head_view=random.integers(0, 256, (64, 64), dtype=np.uint8),
        border=random.random(5),
        background=random.random(5),
        acquisition=acquisition or Acquisition(),
    )
    content: dict[str, Any] = {
        "image": image,
        "name": f"{number}.png",
        "digest": f"{number}",
        "format": "png",
        "measures": measures,
    }
    return MeasuredPicture(**(content | changes))
