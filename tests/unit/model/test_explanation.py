"""LIME of one picture, with scorers simple enough to know the right answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit, logit

from model.explanation import (
    Explanation,
    blur_within,
    choose_switches,
    explain_picture,
    hide_segments,
)
from model.explanation_fit import HIDDEN_SHARE
from model.explanation_quality import ExplanationQuality
from model.explanation_record import encode_record
from model.explanation_segments import segment_picture
from model.images import Box
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
    """Score so that the log-odds add up over the two places."""
    eye = pictures[:, *EYE].mean(axis=(1, 2)) / 255.0
    return np.asarray(expit(-1.0 + 4.0 * lesion_brightness(pictures) - 3.0 * eye))


def explain(picture: Pictures, seed: int = 7, perturbations: int = 300) -> Explanation:
    return explain_picture(
        picture,
        lesion_but_not_eye,
        perturbations=perturbations,
        seed=seed,
        batch_size=32,
    )


def segments_touching(explanation: Explanation, place: tuple[slice, slice]) -> set[int]:
    return set(np.unique(explanation.segments[place]).tolist())


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


ROUND = round(1 / HIDDEN_SHARE)
CAPTION = Caption("0a1b", "d" * 64, probability=0.6, threshold=0.3, reason="tumor_suspected")
QUALITY = ExplanationQuality(fidelity=0.9, stability=0.8, inside_head=1.0, map_agreement=3.0)


def encode(explanation: Explanation, picture: Pictures) -> bytes:
    box = Box(x=1, y=2, width=3, height=4)
    outlines = [[[1.0, 2.0], [4.0, 2.0], [4.0, 6.0]]]
    return encode_record(explanation, QUALITY, outlines, box, make_prepared(picture), CAPTION)


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
    assert np.abs(ignored).max() < 0.1 * explanation.weights.max()


def test_log_odds_that_add_up_over_segments_are_fitted_almost_exactly() -> None:
    explanation = explain(make_head())

    truth = -1.0 + 4.0 * 240 / 255 - 3.0 * 200 / 255
    assert explanation.r_squared > 0.99
    assert explanation.probability == pytest.approx(expit(truth), abs=1e-6)
    assert explanation.local_prediction == pytest.approx(truth, abs=0.1)


def test_a_sure_model_is_explained_as_well_as_a_doubtful_one() -> None:
    def surer(pictures: Pictures) -> Probabilities:
        return np.asarray(expit(logit(lesion_but_not_eye(pictures)) + 12.0))

    sure = explain_picture(make_head(), surer, perturbations=300, seed=7, batch_size=32)

    assert sure.weights == pytest.approx(explain(make_head()).weights, abs=1e-3)


def test_a_score_that_depends_on_two_segments_together_is_fitted_less_well() -> None:
    def both(pictures: Pictures) -> Probabilities:
        lesion = pictures[:, *LESION].mean(axis=(1, 2)) > 200
        eye = pictures[:, *EYE].mean(axis=(1, 2)) > 170
        return np.where(lesion == eye, 0.9, 0.1)

    explanation = explain_picture(make_head(), both, perturbations=300, seed=7, batch_size=32)

    assert explanation.r_squared < 0.8


def test_a_score_that_never_moves_weighs_nothing_and_claims_no_fit() -> None:
    def constant(pictures: Pictures) -> Probabilities:
        return np.full(len(pictures), 0.75)

    explanation = explain_picture(make_head(), constant, perturbations=50, seed=7, batch_size=32)

    assert not explanation.weights.any()
    assert explanation.r_squared == 0.0
    assert explanation.intercept == pytest.approx(logit(0.75))
    assert explanation.stability is None


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_a_scorer_that_gives_no_probability_is_refused(value: float) -> None:
    def broken(pictures: Pictures) -> Probabilities:
        return np.full(len(pictures), value)

    with pytest.raises(ValueError, match="no probability"):
        explain_picture(make_head(), broken, perturbations=10, seed=7, batch_size=4)


def test_the_same_input_and_seed_give_the_same_json_byte_for_byte() -> None:
    picture = make_head()

    assert encode(explain(picture), picture) == encode(explain(picture), picture)


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
    segments, _ = segment_picture(picture)
    switches = np.ones((1_000_000, int(segments.max()) + 1), dtype=bool)

    batches = hide_segments(picture, picture, segments, switches, batch_size=2)

    assert isinstance(batches, Iterator)
    assert next(batches).shape == (2, 128, 128)


def test_the_first_perturbation_is_the_picture_itself() -> None:
    picture = make_head()
    segments, _ = segment_picture(picture)
    switches = choose_switches(3, np.ones(int(segments.max()) + 1, dtype=bool), seed=7)

    batch = next(hide_segments(picture, np.zeros_like(picture), segments, switches, batch_size=3))

    assert np.array_equal(batch[0], picture)
    assert not np.array_equal(batch[1], picture)


def test_a_hidden_segment_shows_the_replacement_and_nothing_else_does() -> None:
    picture = np.array([[10, 20], [30, 40]], dtype=np.uint8)
    segments = np.array([[0, 1], [1, 2]], dtype=np.int32)
    switches = np.array([[True, False, True], [False, False, True]])

    batch = next(hide_segments(picture, np.full_like(picture, 99), segments, switches, 2))

    assert batch.tolist() == [[[10, 99], [99, 40]], [[99, 99], [99, 40]]]


@pytest.mark.parametrize("perturbations", [2, 6, 11, 101])
def test_a_round_hides_every_segment_exactly_once(perturbations: int) -> None:
    switches = choose_switches(perturbations, np.ones(23, dtype=bool), seed=7)

    rounds = [switches[start : start + ROUND] for start in range(1, perturbations, ROUND)]

    assert switches.shape == (perturbations, 23)
    assert switches[0].all()
    assert all(np.all((~one).sum(axis=0) == 1) for one in rounds if len(one) == ROUND)


def test_every_perturbation_but_the_first_hides_as_many_segments_as_any_other() -> None:
    switches = choose_switches(101, np.ones(23, dtype=bool), seed=7)

    hidden = (~switches[1:]).sum(axis=1)

    assert set(hidden.tolist()) == {4, 5}


def test_a_segment_that_hiding_does_not_change_is_always_shown_and_weighs_nothing() -> None:
    explanation = explain(make_head())

    outside = ~explanation.head[explanation.segments == explanation.segments[0, 0]]

    assert outside.all()
    assert explanation.weights[explanation.segments[0, 0]] == 0.0


def test_a_score_that_hangs_on_the_surroundings_is_blamed_on_them() -> None:
    picture = make_head()
    picture[:8, :8] = 200

    def corner(pictures: Pictures) -> Probabilities:
        return np.asarray(expit(pictures[:, :8, :8].mean(axis=(1, 2)) / 40.0 - 2.0))

    explanation = explain_picture(picture, corner, perturbations=200, seed=7, batch_size=32)

    strongest = explanation.segments == explanation.weights.argmax()
    assert strongest[0, 0]
    assert not explanation.head[strongest].any()


def test_two_halves_of_a_clear_explanation_agree_and_of_noise_they_do_not() -> None:
    generator = np.random.default_rng(1)

    def noise(pictures: Pictures) -> Probabilities:
        return generator.uniform(0.1, 0.9, len(pictures))

    clear = explain(make_head())
    noisy = explain_picture(make_head(), noise, perturbations=300, seed=7, batch_size=32)

    assert clear.stability is not None
    assert noisy.stability is not None
    assert abs(noisy.stability) < 0.4 < clear.stability


def test_what_hides_a_segment_is_as_bright_as_the_head_around_it_up_to_its_rim() -> None:
    rows, columns = np.indices((128, 128))
    inside = (rows - 64) ** 2 + (columns - 64) ** 2 < 52**2
    picture = np.where(inside, 90, 0).astype(np.uint8)

    replacement = blur_within(picture, inside)

    assert np.unique(replacement[inside]).tolist() == [90]
    assert np.unique(replacement[~inside]).tolist() == [0]


def test_the_picture_is_left_unchanged() -> None:
    picture = make_head()
    before = picture.copy()

    explain(picture, perturbations=10)

    assert np.array_equal(picture, before)


def test_the_json_tells_how_the_explanation_was_made_and_how_well_it_fits() -> None:
    explanation = explain(make_head())

    record = json.loads(encode(explanation, make_head()))

    assert record["image_id"] == "0a1b"
    assert record["bundle_digest"] == "d" * 64
    assert record["seed"] == 7
    assert record["perturbations"] == 300
    assert record["segmentation"]["method"] == "felzenszwalb"
    assert record["kernel"] == {"distance": "cosine", "width": 0.25}
    assert record["quality"]["fidelity"] == QUALITY.fidelity
    assert record["quality"]["doubts"] == []
    assert record["tumor_map"]["box"] == {"x": 1, "y": 2, "width": 3, "height": 4}
    assert record["tumor_map"]["outlines"] == [[[1.0, 2.0], [4.0, 2.0], [4.0, 6.0]]]
    assert len(record["segments"]) == len(explanation.weights)


def test_the_json_lists_the_strongest_segment_first_where_it_lies_in_the_original() -> None:
    record = json.loads(encode(explain(make_head()), make_head()))

    strongest = record["segments"][0]

    # The lesion's middle (88, 68) in 128 pixels; region from (10, 20), 256 wide; original doubled.
    assert strongest["weight"] > 0
    assert strongest["centre_x"] == pytest.approx((10 + 88 * 2) * 2, abs=24)
    assert strongest["centre_y"] == pytest.approx((20 + 68 * 2) * 2, abs=24)


def test_numbers_in_the_json_have_at_most_six_decimals() -> None:
    text = encode(explain(make_head()), make_head()).decode()

    decimals = [len(word.rstrip(",").partition(".")[2]) for word in text.split() if "." in word]

    assert max(decimals) <= 6
    assert "-0.0," not in text
