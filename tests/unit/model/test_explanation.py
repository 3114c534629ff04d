"""LIME of one picture, with scorers simple enough to know the right answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from model.explanation import (
    BACKGROUND,
    Explanation,
    blur_inside_head,
    choose_switches,
    explain_picture,
    hide_segments,
    segment_head,
)
from model.explanation_record import encode_record
from model.overlay import Caption
from model.preprocessing import PreparedImage, Region

Pictures = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float64]

LESION = (slice(60, 76), slice(80, 96))
EYE = (slice(28, 40), slice(40, 52))


def make_head() -> Pictures:
    """Draw a gray disc on black, 128 x 128, with a bright lesion and a bright eye."""
    rows, columns = np.indices((128, 128))
    picture = np.where((rows - 64) ** 2 + (columns - 64) ** 2 < 52**2, 90, 0).astype(np.uint8)
    picture[LESION] = 240
    picture[EYE] = 200
    return picture


def lesion_brightness(pictures: Pictures) -> Probabilities:
    return np.asarray(pictures[:, *LESION].mean(axis=(1, 2)) / 255.0)


def lesion_but_not_eye(pictures: Pictures) -> Probabilities:
    eye = pictures[:, *EYE].mean(axis=(1, 2)) / 255.0
    return np.asarray(np.clip(0.2 + 0.7 * lesion_brightness(pictures) - 0.5 * eye, 0.0, 1.0))


def explain(picture: Pictures, seed: int = 7, perturbations: int = 300) -> Explanation:
    return explain_picture(
        picture,
        lesion_but_not_eye,
        perturbations=perturbations,
        seed=seed,
        batch_size=32,
    )


def segments_touching(explanation: Explanation, place: tuple[slice, slice]) -> set[int]:
    return set(np.unique(explanation.segments[place]).tolist()) - {BACKGROUND}


def make_prepared(picture: Pictures) -> PreparedImage:
    return PreparedImage(
        network_input=picture,
        picture_features=np.zeros(10, dtype=np.float32),
        region=Region(x=10.0, y=20.0, side=256.0),
        decoded_width=300,
        decoded_height=300,
        original_width=600,
        original_height=600,
    )


CAPTION = Caption(image_id="0a1b", bundle_digest="d" * 64, probability=0.6, threshold=0.3)


def test_the_segment_that_raises_the_score_has_the_highest_weight() -> None:
    explanation = explain(make_head())

    assert int(explanation.weights.argmax()) in segments_touching(explanation, LESION)
    assert explanation.weights.max() > 0.1


def test_the_segment_that_lowers_the_score_has_the_lowest_weight() -> None:
    explanation = explain(make_head())

    assert int(explanation.weights.argmin()) in segments_touching(explanation, EYE)
    assert explanation.weights.min() < -0.05


def test_segments_that_the_scorer_ignores_weigh_next_to_nothing() -> None:
    explanation = explain(make_head())
    asked = segments_touching(explanation, LESION) | segments_touching(explanation, EYE)

    ignored = [w for number, w in enumerate(explanation.weights) if number not in asked]

    assert len(ignored) > 30
    assert np.abs(ignored).max() < 0.01


def test_a_score_that_adds_up_over_segments_is_fitted_almost_exactly() -> None:
    explanation = explain(make_head())

    assert explanation.r_squared > 0.99
    assert explanation.local_prediction == pytest.approx(explanation.probability, abs=0.01)
    assert explanation.probability == pytest.approx(0.2 + 0.7 * 240 / 255 - 0.5 * 200 / 255)


def test_a_score_that_depends_on_two_segments_together_is_fitted_less_well() -> None:
    def both(pictures: Pictures) -> Probabilities:
        lesion = pictures[:, *LESION].mean(axis=(1, 2)) > 200
        eye = pictures[:, *EYE].mean(axis=(1, 2)) > 170
        return np.where(lesion == eye, 0.9, 0.1)

    explanation = explain_picture(make_head(), both, perturbations=300, seed=7, batch_size=32)

    assert explanation.r_squared < 0.6


def test_a_score_that_never_moves_weighs_nothing_and_claims_no_fit() -> None:
    def constant(pictures: Pictures) -> Probabilities:
        return np.full(len(pictures), 0.75)

    explanation = explain_picture(make_head(), constant, perturbations=50, seed=7, batch_size=32)

    assert not explanation.weights.any()
    assert explanation.r_squared == 0.0
    assert explanation.intercept == 0.75


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_a_scorer_that_gives_no_probability_is_refused(value: float) -> None:
    def broken(pictures: Pictures) -> Probabilities:
        return np.full(len(pictures), value)

    with pytest.raises(ValueError, match="no probability"):
        explain_picture(make_head(), broken, perturbations=10, seed=7, batch_size=4)


def test_the_same_input_and_seed_give_the_same_json_byte_for_byte() -> None:
    picture = make_head()
    prepared = make_prepared(picture)

    first = encode_record(explain(picture), prepared, CAPTION)
    second = encode_record(explain(picture), prepared, CAPTION)

    assert first == second


def test_another_seed_gives_other_weights_but_the_same_strongest_segment() -> None:
    first, second = explain(make_head(), seed=1), explain(make_head(), seed=2)

    assert first.weights.tolist() != second.weights.tolist()
    assert first.weights.argmax() == second.weights.argmax()


def test_the_size_of_the_batches_does_not_change_the_explanation() -> None:
    whole = explain_picture(
        make_head(),
        lesion_but_not_eye,
        perturbations=100,
        seed=7,
        batch_size=100,
    )
    one_by_one = explain_picture(
        make_head(),
        lesion_but_not_eye,
        perturbations=100,
        seed=7,
        batch_size=1,
    )

    assert whole.weights.tolist() == one_by_one.weights.tolist()


def test_the_scorer_never_sees_more_pictures_at_once_than_the_batch_size() -> None:
    sizes: list[int] = []

    def counting(pictures: Pictures) -> Probabilities:
        sizes.append(len(pictures))
        return lesion_brightness(pictures)

    explain_picture(make_head(), counting, perturbations=70, seed=7, batch_size=32)

    assert sizes == [32, 32, 6]


def test_perturbed_pictures_are_made_only_when_they_are_asked_for() -> None:
    picture = make_head()
    segments = segment_head(picture)
    switches = choose_switches(1_000_000, int(segments.max()) + 1, seed=7)

    batches = hide_segments(picture, picture, segments, switches, batch_size=2)

    assert isinstance(batches, Iterator)
    assert next(batches).shape == (2, 128, 128)


def test_the_first_perturbation_is_the_picture_itself() -> None:
    picture = make_head()
    segments = segment_head(picture)
    switches = choose_switches(3, int(segments.max()) + 1, seed=7)

    batch = next(hide_segments(picture, np.zeros_like(picture), segments, switches, batch_size=3))

    assert np.array_equal(batch[0], picture)
    assert not np.array_equal(batch[1], picture)


def test_a_hidden_segment_shows_the_replacement_and_nothing_else_does() -> None:
    picture = np.array([[10, 20], [30, 40]], dtype=np.uint8)
    segments = np.array([[0, 1], [1, BACKGROUND]], dtype=np.int32)
    switches = np.array([[True, False], [False, False]])

    batch = next(hide_segments(picture, np.full_like(picture, 99), segments, switches, 2))

    assert batch.tolist() == [[[10, 99], [99, 40]], [[99, 99], [99, 40]]]


def test_the_background_belongs_to_no_segment() -> None:
    segments = segment_head(make_head())

    assert segments[0, 0] == BACKGROUND
    assert segments[64, 64] != BACKGROUND


def test_a_head_is_cut_into_some_forty_to_eighty_segments_without_gaps_in_the_numbers() -> None:
    segments = segment_head(make_head())

    numbers = np.unique(segments[segments != BACKGROUND])

    assert 40 <= len(numbers) <= 80
    assert numbers.tolist() == list(range(len(numbers)))


@pytest.mark.parametrize("level", [0, 128])
def test_a_blank_picture_is_cut_up_whole(level: int) -> None:
    segments = segment_head(np.full((96, 96), level, dtype=np.uint8))

    assert (segments != BACKGROUND).all()


def test_what_hides_a_segment_is_as_bright_as_the_head_around_it_up_to_its_rim() -> None:
    rows, columns = np.indices((128, 128))
    inside = (rows - 64) ** 2 + (columns - 64) ** 2 < 52**2
    picture = np.where(inside, 90, 0).astype(np.uint8)

    replacement = blur_inside_head(picture, np.where(inside, 0, BACKGROUND).astype(np.int32))

    assert np.unique(replacement[inside]).tolist() == [90]


def test_the_picture_is_left_unchanged() -> None:
    picture = make_head()
    before = picture.copy()

    explain(picture, perturbations=10)

    assert np.array_equal(picture, before)


def test_the_json_tells_how_the_explanation_was_made_and_how_well_it_fits() -> None:
    explanation = explain(make_head())

    record = json.loads(encode_record(explanation, make_prepared(make_head()), CAPTION))

    assert record["image_id"] == "0a1b"
    assert record["bundle_digest"] == "d" * 64
    assert record["seed"] == 7
    assert record["perturbations"] == 300
    assert record["segmentation"]["method"] == "slic"
    assert record["kernel"] == {"distance": "cosine", "width": 0.25}
    assert record["r_squared"] == explanation.r_squared
    assert len(record["segments"]) == len(explanation.weights)


def test_the_json_lists_the_strongest_segment_first_where_it_lies_in_the_original() -> None:
    record = json.loads(
        encode_record(explain(make_head()), make_prepared(make_head()), CAPTION),
    )

    strongest = record["segments"][0]

    # The lesion's middle (88, 68) in 128 pixels; region from (10, 20), 256 wide; original doubled.
    assert strongest["weight"] > 0
    assert strongest["centre_x"] == pytest.approx((10 + 88 * 2) * 2, abs=24)
    assert strongest["centre_y"] == pytest.approx((20 + 68 * 2) * 2, abs=24)


def test_numbers_in_the_json_have_at_most_six_decimals() -> None:
    text = encode_record(explain(make_head()), make_prepared(make_head()), CAPTION).decode()

    decimals = [len(word.rstrip(",").partition(".")[2]) for word in text.split() if "." in word]

    assert max(decimals) <= 6
    assert "-0.0," not in text
