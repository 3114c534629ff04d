"""What is laid over a picture: outline and heat layer of the tumour map, and the row's box.

A map is not stored by the night. It is made again on request, by the same bundle, one picture at a
time; where the night was scored by another bundle, only the box of the row is shown.
"""

from __future__ import annotations

import base64
import functools
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from jobs.decoding_messages import ImageFailure
from jobs.decoding_pool import DecodingPool
from jobs.lake import Lake, LakeObject
from jobs.scoring_udf import fetch_object
from jobs.single_image import Prediction, PredictionTerms
from model.errors import ImageError
from model.inference import Scorer, load_scorer
from model.lesion_outline import draw_heat, outline_lesion
from model.preprocessing import PreparedImage

KEPT_IMAGES: Final = 2000
ONE_PICTURE: Final = 1
"""A batch of one is a tenth of the night's; its last digits differ, which no outline shows."""

Path: TypeAlias = str
"""Of an SVG path, in pixels of the original image."""


@dataclass(frozen=True)
class Marks:
    """What is laid over a picture.

    Attributes:
        outline: of the lesion, as the ``d`` of an SVG path; empty if there is none.
        heat: ``href, x, y, width, height`` of the heat layer, or None.
        box: ``x, y, width, height`` in pixels of the original image, or None.
        note: why there is no outline, or None.
    """

    outline: Path = ""
    heat: Mapping[str, Any] | None = None
    box: Mapping[str, int] | None = None
    note: str | None = None


OTHER_BUNDLE: Final = "The night was scored by another model than the one loaded here: box only."
NOT_READ: Final = "The image could not be read again: box only."
NO_LESION: Final = "The model's tumor map marks no place in this image."


class Marker:
    """Makes the marks of images; safe to use from several threads, which take turns."""

    def __init__(self, terms: PredictionTerms) -> None:
        """Take the bundle; network and decoding process are started by the first image."""
        self.terms = terms
        self._kept: OrderedDict[str, Marks] = OrderedDict()
        self._lock = threading.Lock()
        self._scoring = threading.Lock()

    def mark_row(self, lake: Lake, row: Mapping[str, Any], digest: str) -> Marks:
        """Mark an image of the lake.

        Args:
            lake: where.
            row: of the published night.
            digest: of the bundle that scored it.
        """
        box = box_of(row)
        if row["probability"] is None:
            return Marks(box=box)
        if digest != self.terms.bundle.digest:
            return Marks(box=box, note=OTHER_BUNDLE)
        with self._lock:
            kept = self._kept.get(row["image_id"])
        if kept is None:
            kept = self._mark(lake, row, box)
            with self._lock:
                self._kept[row["image_id"]] = kept
                while len(self._kept) > KEPT_IMAGES:
                    self._kept.popitem(last=False)
        return kept

    def mark_prediction(self, prediction: Prediction) -> Marks:
        """Mark an image that was just scored."""
        box = box_of(prediction.row)
        if prediction.tumor_map is None or prediction.prepared is None:
            return Marks(box=box)
        return self._draw(prediction.tumor_map, prediction.prepared, box)

    def warm_up(self) -> None:
        """Load the network and start the decoding process."""
        card = self.terms.bundle.card
        size, features = card.preprocessing.size, len(card.scope.feature_mean)
        with self._scoring:
            self._scorer.score(
                np.zeros((1, size, size), dtype=np.uint8),
                np.zeros((1, features), dtype=np.float32),
            )
            self._prepare(b"", 0)

    def close(self) -> None:
        """End the decoding process, if it was started."""
        if "_pool" in self.__dict__:
            self._pool.close()

    @functools.cached_property
    def _scorer(self) -> Scorer:
        return load_scorer(self.terms.bundle, batch_size=ONE_PICTURE, threads=1)

    @functools.cached_property
    def _pool(self) -> DecodingPool:
        options = self.terms.decoding
        pool = DecodingPool(
            options.limits,
            self.terms.bundle.card.preprocessing,
            timeout_seconds=options.timeout_seconds,
            memory_bytes=options.memory_bytes,
        )
        return pool.__enter__()

    def _mark(self, lake: Lake, row: Mapping[str, Any], box: Mapping[str, int] | None) -> Marks:
        source = LakeObject(row["object_key"], row["etag"], 0)
        try:
            content = fetch_object(lake, source)
        except ImageError:
            return Marks(box=box, note=NOT_READ)
        with self._scoring:
            prepared = self._prepare(content, row["frame"] or 0)
            if prepared is None:
                return Marks(box=box, note=NOT_READ)
            scores = self._scorer.score(
                prepared.network_input[np.newaxis], prepared.picture_features[np.newaxis]
            )
        return self._draw(scores.tumor_maps[0], prepared, box)

    def _prepare(self, content: bytes, frame: int) -> PreparedImage | None:
        for _, results in self._pool.decode_all([(None, content)]):
            if frame < len(results) and not isinstance(result := results[frame], ImageFailure):
                return result.prepared
        return None

    def _draw(
        self,
        tumor_map: Any,  # noqa: ANN401 - an array, as of `RawScores`
        prepared: PreparedImage,
        box: Mapping[str, int] | None,
    ) -> Marks:
        lines = outline_lesion(tumor_map, prepared, self.terms.bundle.card.map_threshold)
        heat = draw_heat(tumor_map, prepared)
        return Marks(
            outline=" ".join(_to_path(line) for line in lines),
            heat={
                "href": "data:image/png;base64," + base64.b64encode(heat.png).decode(),
                "x": heat.x,
                "y": heat.y,
                "width": heat.width,
                "height": heat.height,
            },
            box=box,
            note=None if lines else NO_LESION,
        )


def box_of(row: Mapping[str, Any]) -> dict[str, int] | None:
    """Return the box of a row in pixels of the original image, or None."""
    if row["box_x"] is None:
        return None
    return {name: row[f"box_{name}"] for name in ("x", "y", "width", "height")}


def _to_path(line: tuple[tuple[float, float], ...]) -> Path:
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in line) + "Z"
