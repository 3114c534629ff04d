"""Pictures of the lake's images, drawn in the guarded decoding process.

The process hands back finished PNGs, a quarter of the pixels' size, so that a long series neither
fills this process nor leaves it with anything to decode. A picture is withheld unless it is sure
that no text is burned into it, as the night's artifacts do.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from PIL import Image

from jobs.decoding_messages import FrameResult, ImageFailure
from jobs.decoding_pool import DecodingPool
from jobs.lake import Lake, LakeObject
from jobs.scoring_udf import DecodingOptions, fetch_object
from model.errors import ImageError, UnreadableError
from model.images import DecodedImage

RENDER_IMAGE: Final = "jobs.worklist.rendering:render_image"
"""What the pool does in place of the preprocessing."""

LONGEST_SIDE: Final = 1024
"""Pixels of a rendered picture; MR slices are smaller."""

KEPT_BYTES: Final = 96 * 1024 * 1024

WITHHELD: Final = (
    "Text may be burned into the pixels, and may name the patient: no picture is shown."
)


@dataclass(frozen=True)
class RenderedImage:
    """One frame as a PNG, and its size in pixels of the original."""

    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class ShownImage:
    """What is shown of a frame.

    Attributes:
        picture: None if it is withheld or cannot be drawn.
        problem: why, in a sentence, or None.
        study_uid: DICOM StudyInstanceUID, or None; never to be shown or stored.
    """

    picture: RenderedImage | None
    problem: str | None
    study_uid: str | None = None


def render_image(image: DecodedImage, _: object) -> RenderedImage:
    """Draw a decoded image; runs in the decoding process."""
    gray = Image.fromarray(np.rint(np.clip(image.pixels, 0.0, 1.0) * 255.0).astype(np.uint8))
    if max(gray.size) > LONGEST_SIDE:
        gray.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    gray.save(buffer, "PNG", compress_level=1)
    return RenderedImage(buffer.getvalue(), image.original_width, image.original_height)


class Renderer:
    """Fetches, decodes and draws; keeps the last pictures. Safe to use from several threads."""

    def __init__(self, decoding: DecodingOptions, *, show_unsure: bool) -> None:
        """Set up; the decoding process starts on entering.

        Args:
            decoding: limits.
            show_unsure: show a DICOM that leaves open whether text is burned in.
        """
        self._show_unsure = show_unsure
        self._maximum_bytes = decoding.limits.maximum_bytes
        self._kept: OrderedDict[tuple[str, str], list[ShownImage]] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = DecodingPool(
            decoding.limits,
            None,
            prepare=RENDER_IMAGE,
            timeout_seconds=decoding.timeout_seconds,
            memory_bytes=decoding.memory_bytes,
        )

    def start(self) -> None:
        """Start the decoding process."""
        self._pool.__enter__()

    def close(self) -> None:
        """End it."""
        self._pool.close()

    def show_object(self, lake: Lake, source: LakeObject, frame: int | None) -> ShownImage:
        """Draw one frame of an object of the lake.

        Raises:
            StorageUnavailableError: if the lake does not answer.
            AccessDeniedError: if it refuses the credentials.
        """
        version = (source.key, source.etag)
        with self._lock:
            shown = self._kept.get(version)
            if shown is not None:
                self._kept.move_to_end(version)
        if shown is None:
            try:
                content = fetch_object(lake, source)
            except ImageError as error:
                return ShownImage(None, str(error))
            shown = self.show_bytes(content)
            self._keep(version, shown)
        return choose_frame(shown, frame)

    def show_bytes(self, content: bytes) -> list[ShownImage]:
        """Draw every frame of a file; one without a picture if it cannot be opened."""
        for _, results in self._pool.decode_all([(None, content)]):
            return [self._show(result) for result in results]
        return []

    def _show(self, result: FrameResult) -> ShownImage:
        if isinstance(result, ImageFailure):
            return ShownImage(None, result.detail, result.study_uid)
        text = result.burned_in_text
        # Only DICOM can say that there is none; raster files never say anything of it.
        unsure = text is None and result.format == "dicom"
        if text or (unsure and not self._show_unsure):
            return ShownImage(None, WITHHELD, result.study_uid)
        return ShownImage(cast("RenderedImage", result.prepared), None, result.study_uid)

    def _keep(self, version: tuple[str, str], shown: list[ShownImage]) -> None:
        with self._lock:
            self._kept[version] = shown
            held = sum(_size(one) for one in self._kept.values())
            while held > KEPT_BYTES and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                held -= _size(oldest)


def choose_frame(shown: Sequence[ShownImage], frame: int | None) -> ShownImage:
    """Return a frame of an object; of one that could not be opened, what became of it."""
    position = frame or 0
    if position < len(shown):
        return shown[position]
    return ShownImage(None, str(UnreadableError("this frame is no longer in the object")))


def _size(shown: Sequence[ShownImage]) -> int:
    return sum(0 if one.picture is None else len(one.picture.png) for one in shown)
