"""What the bundle that ships does: measured again here, never taken from its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.bundle import Bundle, open_bundle, packaged_bundle_folder
from model.decoding import DecodingLimits, decode_object
from model.images import DecodedImage, GrayPixels
from model.inference import Scorer, load_scorer
from model.measurement import decide_all, measure_part, prepare_part
from model.out_of_scope import make_out_of_scope_pictures
from model.preprocessing import prepare_image
from model.reasons import Reason
from model.training_data import SPLIT_SEED, digest_of_split, read_index, split_by_group
from tests.unit.model.pictures import as_image

pytestmark = pytest.mark.slow

LIMITS = DecodingLimits(maximum_bytes=2**26, maximum_pixels=2**26, maximum_frames=100)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(packaged_bundle_folder())


@pytest.fixture(scope="module")
def scorer(bundle: Bundle) -> Scorer:
    return load_scorer(bundle)


def _reasons(scorer: Scorer, images: list[DecodedImage]) -> list[str]:
    card = scorer.bundle.card
    prepared = [prepare_image(image, card.preprocessing) for image in images]
    scores = scorer.score(
        np.stack([image.network_input for image in prepared]),
        np.stack([image.picture_features for image in prepared]),
    )
    return [str(reason) for reason in decide_all(scores, card.limits)]


@pytest.mark.data
def test_the_grouped_test_part_gives_the_figures_of_the_card(
    bundle: Bundle,
    training_images: Path,
) -> None:
    parts = split_by_group(read_index(training_images), SPLIT_SEED)

    measured = measure_part(bundle, prepare_part(parts["test"], bundle.card.preprocessing))

    assert digest_of_split(parts, training_images) == bundle.card.data_digest
    assert measured["overall"]["auc"]["value"] >= 0.97
    for name in ("auc", "sensitivity", "specificity"):
        claimed = bundle.card.metrics["overall"][name]["value"]
        assert measured["overall"][name]["value"] == pytest.approx(claimed, abs=0.005)


@pytest.mark.data
def test_real_dicom_slices_of_a_healthy_volunteer_are_in_scope(
    scorer: Scorer,
    training_images: Path,
) -> None:
    files = sorted((training_images / "dicom_healthy_t1").glob("*.dcm"))
    images = [next(decode_object(file.read_bytes(), LIMITS)) for file in files]

    reasons = _reasons(scorer, [image for image in images if isinstance(image, DecodedImage)])

    assert len(reasons) == 10
    # The outermost slices show little brain; those through the middle must be recognised.
    assert reasons.count(str(Reason.NOT_BRAIN_MR)) <= 3


def test_pictures_of_other_things_are_caught_as_often_as_the_card_says(
    scorer: Scorer, bundle: Bundle
) -> None:
    pictures = list(make_out_of_scope_pictures("measuring"))
    check = bundle.card.scope.check
    assert check is not None

    reasons = _reasons(scorer, [picture.image for picture in pictures])

    caught = reasons.count(str(Reason.NOT_BRAIN_MR))
    assert caught / len(pictures) >= 0.95
    assert check.not_brain_mr["all"].n == len(pictures)
    assert abs(check.not_brain_mr["all"].out_of_scope - caught) <= 3
    assert check.brain_mr["all"].out_of_scope <= 0.02 * check.brain_mr["all"].n


def _noise() -> GrayPixels:
    return np.random.default_rng(1).random((256, 256)).astype(np.float32)


def _page_of_text() -> GrayPixels:
    image = Image.new("L", (400, 560), 255)
    draw = ImageDraw.Draw(image)
    for line in range(40):
        draw.text((30, 20 + 13 * line), "Report of an examination, line after line " * 2, fill=0)
    return np.asarray(image, dtype=np.float32) / 255


def _stripes() -> GrayPixels:
    rows = np.sin(np.arange(256) / 5.0) * 0.5 + 0.5
    return np.repeat(rows[:, None], 256, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((256, 256), dtype=np.float32),
        np.ones((256, 256), dtype=np.float32),
        _noise(),
        _page_of_text(),
        _stripes(),
        np.zeros((1, 1), dtype=np.float32),
    ],
    ids=["black", "white", "noise", "text", "stripes", "one_pixel"],
)
def test_what_is_no_brain_is_never_cleared(scorer: Scorer, pixels: GrayPixels) -> None:
    assert _reasons(scorer, [as_image(pixels)]) != [str(Reason.BELOW_THRESHOLD)]
