"""What a worker does with an image to explain, with hand-written tools."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from jobs.explaining_steps import ChosenImage, ExplainingTerms, explain_image
from jobs.fetching import FetchLimits
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeObject
from jobs.scoring_rows import RowMaker
from jobs.scoring_steps import ScoringTools
from model.errors import ImageError, NotRetrievedError, UnreadableError
from model.images import Box, DecodedImage
from model.preprocessing import PreparedImage, PreprocessingParameters, prepare_image

TERMS = ExplainingTerms(
    threshold=0.3,
    map_threshold=0.5,
    bundle_digest="d" * 64,
    preprocessing=PreprocessingParameters(size=96),
    perturbations=40,
    seed=7,
)
SOURCE = LakeObject(key="incoming/MUELLER^ANNA/slice.png", etag="e", size_bytes=10)
IMAGE = ChosenImage(SOURCE, 0, "0a1b", probability=0.6, reason="tumor_suspected")


@dataclass(frozen=True)
class FakeScores:
    probabilities: npt.NDArray[np.float64]
    scope_scores: npt.NDArray[np.float64]
    tumor_maps: npt.NDArray[np.float32]


@dataclass(frozen=True)
class FakeLesion:
    box: Box | None
    area_fraction: float


def make_slice(level: float = 0.9) -> DecodedImage:
    """Draw a gray disc with a bright square."""
    rows, columns = np.indices((128, 128))
    pixels = np.where((rows - 64) ** 2 + (columns - 64) ** 2 < 52**2, 0.35, 0.0).astype(np.float32)
    pixels[60:76, 80:96] = level
    return DecodedImage(pixels, original_width=128, original_height=128, format="png")


def score(
    inputs: npt.NDArray[np.uint8],
    features: npt.NDArray[np.float32],
) -> FakeScores:
    assert len(inputs) == len(features)
    count = len(inputs)
    bright = (inputs > 200).mean(axis=(1, 2))
    return FakeScores(np.clip(bright * 10, 0, 1), np.ones(count), np.zeros((count, 8, 8), "f4"))


def score_with_map(
    inputs: npt.NDArray[np.uint8],
    features: npt.NDArray[np.float32],
) -> FakeScores:
    scores = score(inputs, features)
    scores.tumor_maps[:, 4:6, 4:6] = 1.0
    return scores


def make_tools(*frames: DecodedImage | ImageError) -> ScoringTools:
    def decode(data: bytes) -> Iterator[DecodedImage | ImageError]:
        assert data == b"bytes"
        yield from frames

    def locate(tumor_map: npt.NDArray[np.float32], prepared: PreparedImage) -> FakeLesion:
        del tumor_map, prepared
        return FakeLesion(box=None, area_fraction=0.0)

    return ScoringTools(
        fetch=lambda _: b"bytes",
        decode_all=lambda _: iter(()),
        decode=decode,
        prepare=lambda image: prepare_image(image, PreprocessingParameters(size=96)),
        score=score,  # type: ignore[arg-type]  # a fake of the network's scores
        locate=locate,  # type: ignore[arg-type]  # a fake of the lesion
        rows=RowMaker(
            IdentifierKey(b"k" * 16), "incoming/", "image", datetime(2026, 1, 1, tzinfo=UTC)
        ),
        batch_size=16,
        maximum_bytes=1000,
        fetch_limits=FetchLimits(threads=1, bytes_ahead=1000),
    )


def test_an_image_is_explained_with_a_picture_and_weights() -> None:
    explained = explain_image(IMAGE, make_tools(make_slice()), TERMS)

    assert explained.overlay is not None
    assert explained.overlay.startswith(b"\x89PNG")
    assert explained.weights is not None
    quality = json.loads(explained.weights)["quality"]
    assert quality["fidelity"] == explained.r_squared
    assert quality["stability"] == explained.stability
    assert quality["inside_head"] == explained.inside_head
    assert "; ".join(quality["doubts"]) == explained.doubts
    assert explained.detail is None


def test_explaining_twice_gives_the_same_bytes() -> None:
    tools = make_tools(make_slice())

    assert explain_image(IMAGE, tools, TERMS) == explain_image(IMAGE, tools, TERMS)


def test_nothing_in_the_files_names_the_object_or_the_patient() -> None:
    explained = explain_image(IMAGE, make_tools(make_slice()), TERMS)

    content = (explained.overlay or b"") + (explained.weights or b"")
    assert b"MUELLER" not in content
    assert b"slice.png" not in content
    assert b"incoming" not in content


def test_the_frame_that_was_scored_is_the_one_that_is_explained() -> None:
    tools = make_tools(make_slice(0.4), make_slice(0.9), make_slice(0.4))

    second = explain_image(replace(IMAGE, frame=1), tools, TERMS)

    assert second == explain_image(IMAGE, make_tools(make_slice(0.9)), TERMS)
    assert second != explain_image(IMAGE, make_tools(make_slice(0.4)), TERMS)


def test_a_bad_frame_before_the_wanted_one_does_not_shift_the_count() -> None:
    tools = make_tools(UnreadableError("broken"), make_slice())

    assert explain_image(replace(IMAGE, frame=1), tools, TERMS).overlay is not None


@pytest.mark.parametrize(
    ("frames", "detail"),
    [
        ((UnreadableError("the stream ends early"),), "the stream ends early"),
        ((), "frame 0 is no longer in the object"),
    ],
)
def test_an_image_that_cannot_be_decoded_any_more_becomes_a_detail(
    frames: tuple[ImageError, ...],
    detail: str,
) -> None:
    explained = explain_image(IMAGE, make_tools(*frames), TERMS)

    assert (explained.overlay, explained.weights, explained.r_squared) == (None, None, None)
    assert explained.detail == detail


def test_an_object_that_is_gone_becomes_a_detail() -> None:
    def fetch(source: LakeObject) -> bytes:
        del source
        message = "the object is gone"
        raise NotRetrievedError(message)

    explained = explain_image(IMAGE, replace(make_tools(make_slice()), fetch=fetch), TERMS)

    assert explained.detail == "the object is gone"


def test_a_defect_becomes_a_detail_that_quotes_nothing_of_the_file() -> None:
    def prepare(image: DecodedImage) -> PreparedImage:
        del image
        message = "MUELLER^ANNA"
        raise RuntimeError(message)

    explained = explain_image(IMAGE, replace(make_tools(make_slice()), prepare=prepare), TERMS)

    assert explained.detail == "unexpected RuntimeError while explaining the image"


def test_a_picture_with_burned_in_text_is_not_drawn_but_its_weights_are_kept() -> None:
    image = replace(make_slice(), format="dicom", burned_in_text=True)

    explained = explain_image(IMAGE, make_tools(image), TERMS)

    assert explained.overlay is None
    assert explained.may_leave_lake is None
    assert explained.weights is not None
    assert "burned into" in str(explained.detail)


def test_the_alternative_overlay_differs_in_its_colours_only() -> None:
    explained = explain_image(IMAGE, make_tools(make_slice()), TERMS)

    assert explained.overlay_colour_blind is not None
    assert explained.overlay is not None
    usual, other = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        for data in (explained.overlay, explained.overlay_colour_blind)
    )
    assert usual.shape == other.shape
    assert 0.0 < (usual != other).any(axis=2).mean() < 0.3


def test_the_outline_of_the_tumor_map_is_told_in_pixels_of_the_original() -> None:
    image = replace(make_slice(), original_width=256, original_height=256)
    tools = replace(make_tools(image), score=score_with_map)  # type: ignore[arg-type]

    explained = explain_image(IMAGE, tools, TERMS)

    assert explained.outlines is not None
    (line,) = explained.outlines
    x, y = line[::2], line[1::2]
    # Map cells 4 and 5 of 8 across and down, of a square around the head (12..116 of 128).
    assert 120 < min(x) < max(x) < 210
    assert 120 < min(y) < max(y) < 210


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (64, 64), (40, 900), (3000, 2000)])
@pytest.mark.parametrize("level", ["blank", "noise"])
def test_an_image_of_any_size_is_explained_or_says_why_not(
    shape: tuple[int, int], level: str
) -> None:
    noise = np.random.default_rng(1).random(shape, dtype=np.float32)
    pixels = noise if level == "noise" else np.zeros(shape, dtype=np.float32)
    image = DecodedImage(pixels, original_width=shape[1], original_height=shape[0], format="png")

    explained = explain_image(IMAGE, make_tools(image), TERMS)

    assert (explained.overlay is None) == (explained.detail is not None)
    assert "unexpected" not in (explained.detail or "")
    if level == "blank":
        assert explained.doubts is not None
        assert explained.doubts.startswith("NOTHING MOVED THE SCORE")


@pytest.mark.parametrize(
    ("image_format", "burned_in_text", "may_leave_lake"),
    [("dicom", False, True), ("dicom", None, False), ("png", None, True)],
)
def test_a_dicom_that_leaves_burned_in_text_open_stays_in_the_lake(
    image_format: str,
    burned_in_text: bool | None,
    may_leave_lake: bool,
) -> None:
    image = replace(make_slice(), format=image_format, burned_in_text=burned_in_text)

    explained = explain_image(IMAGE, make_tools(image), TERMS)

    assert explained.overlay is not None
    assert explained.may_leave_lake is may_leave_lake
