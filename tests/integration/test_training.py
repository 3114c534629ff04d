"""A whole training on drawn heads: small enough for a test, real in every part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pytest

from model.architectures import build_two_headed, load_imagenet_weights
from model.bundle import Bundle, load_network
from model.errors import BundleError
from model.inference import Scorer, load_scorer
from model.measurement import prepare_part
from model.preprocessing import PreprocessingParameters, prepare_image
from model.thresholds import cross_entropy, fit_temperature
from model.train_bundle import Reporting, TrainingRequest, train_bundle, train_on_fit_part
from model.training import EpochReport, Stage, TrainingPlan, predict_logits
from model.training_data import SPLIT_SEED, read_index, split_by_group
from tests.drawn_slices import draw_slice, write_index, write_random_weights
from tests.unit.model.pictures import as_image, draw_head

pytestmark = pytest.mark.slow

SIZE = 64
PARAMETERS = PreprocessingParameters(size=SIZE)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty drawn slices of forty groups; every second one has a bright, masked lesion."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = [draw_slice(folder, number, is_tumor=number % 2 == 1) for number in range(40)]
    return write_index(folder, rows)


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights in the format of the ImageNet backbone."""
    return write_random_weights(tmp_path_factory.mktemp("weights"), SIZE)


def _request(data: Path, imagenet: Path, folder: Path, epochs: int = 2) -> TrainingRequest:
    return TrainingRequest(
        data=data,
        imagenet=imagenet,
        start_from=None,
        checkpoints=folder / "checkpoints",
        out=folder / "bundle",
        name="drawn",
        version="1",
        date="2026-11-20",
        code_version="test",
        plan=TrainingPlan(
            stages=(Stage(32, 1), Stage(SIZE, epochs - 1)),
            steps=3,
            batch_size=8,
            seed=5,
        ),
        parameters=PARAMETERS,
    )


def _train_network(
    request: TrainingRequest,
    on_epoch: Callable[[EpochReport], None] = lambda _: None,
) -> keras.Model:
    """Train without bars and without what follows the training."""
    parts = split_by_group(read_index(request.data), SPLIT_SEED)
    held = prepare_part(parts["calibration"], request.parameters)
    reporting = Reporting(lambda *_: None, lambda *_: None, on_epoch)
    return train_on_fit_part(request, parts["fit"], held, reporting)


class KilledError(Exception):
    """Stands for the end of the process after the first epoch."""


@dataclass(frozen=True)
class Trained:
    """A training that was killed after its first epoch and started again."""

    bundle: Bundle
    epochs_of_first_run: list[int]
    epochs_of_second_run: list[int]


@pytest.fixture(scope="module")
def trained(data: Path, imagenet: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    request = _request(data, imagenet, tmp_path_factory.mktemp("trained"))
    first: list[int] = []

    def kill(report: EpochReport) -> None:
        first.append(report.epoch)
        raise KilledError

    with pytest.raises(KilledError):
        train_bundle(request, Reporting(lambda *_: None, lambda *_: None, kill))
    second: list[int] = []
    reporting = Reporting(
        lambda *_: None,
        lambda *_: None,
        lambda report: second.append(report.epoch),
    )
    return Trained(train_bundle(request, reporting), first, second)


@pytest.fixture(scope="module")
def bundle(trained: Trained) -> Bundle:
    return trained.bundle


@pytest.fixture(scope="module")
def scorer(bundle: Bundle) -> Scorer:
    return load_scorer(bundle, batch_size=4)


def test_a_training_that_was_killed_goes_on_from_its_checkpoint(trained: Trained) -> None:
    assert trained.epochs_of_first_run == [1]
    assert trained.epochs_of_second_run == [2]


def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(
    data: Path,
    imagenet: Path,
    tmp_path: Path,
) -> None:
    def kill(_: EpochReport) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        _train_network(_request(data, imagenet, tmp_path / "killed"), kill)
    killed = _train_network(_request(data, imagenet, tmp_path / "killed"))
    undisturbed = _train_network(_request(data, imagenet, tmp_path / "undisturbed"))

    for one, other in zip(killed.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_training_that_gets_no_better_stops_and_stays_stopped(
    data: Path,
    imagenet: Path,
    tmp_path: Path,
) -> None:
    request = _request(data, imagenet, tmp_path, epochs=12)
    # Weights that do not move cannot get better, but for what the averages of the norms do.
    plan = replace(request.plan, learning_rate=0.0, patience=2)
    epochs: list[int] = []

    for _ in range(2):
        _train_network(
            replace(request, plan=plan),
            lambda report: epochs.append(report.epoch),
        )

    assert epochs == list(range(1, len(epochs) + 1))
    assert 4 <= len(epochs) < 12


def test_a_training_returns_the_epoch_that_was_best_on_the_calibration_part(
    data: Path,
    imagenet: Path,
    tmp_path: Path,
) -> None:
    request = _request(data, imagenet, tmp_path, epochs=7)
    # Far too fast and averaged over a few steps only, so that the loss goes up and down.
    plan = replace(request.plan, learning_rate=0.02, averaging=0.3)
    losses: list[float] = []

    network = _train_network(
        replace(request, plan=plan),
        lambda report: losses.append(report.watched_loss),
    )

    at_last_size = losses[1:]
    assert min(at_last_size) < at_last_size[-1]
    assert _loss_of_held_part(network, data) == pytest.approx(min(at_last_size), rel=1e-4)


def _loss_of_held_part(network: keras.Model, data: Path) -> float:
    held = prepare_part(split_by_group(read_index(data), SPLIT_SEED)["calibration"], PARAMETERS)
    logits = predict_logits(network, held.inputs)["logit"][:, 0].astype(np.float64)
    return cross_entropy(logits / fit_temperature(logits, held.labels), held.labels)


def test_a_bundle_without_more_epochs_is_calibrated_anew_and_keeps_its_network(
    data: Path,
    imagenet: Path,
    bundle: Bundle,
    tmp_path: Path,
) -> None:
    request = _request(data, imagenet, tmp_path)
    plan = replace(request.plan, stages=(Stage(32, 0), Stage(SIZE, 0)))
    request = replace(request, start_from=bundle, version="2", plan=plan)

    again = train_bundle(request, Reporting(lambda *_: None, lambda *_: None, lambda _: None))

    inputs = np.stack([prepare_image(as_image(draw_head()[0]), PARAMETERS).network_input])
    levels = inputs[..., None].astype(np.float32)
    before, after = (load_network(one)(levels, training=False) for one in (bundle, again))
    np.testing.assert_allclose(before["logit"], after["logit"], atol=1e-6)
    np.testing.assert_allclose(before["tumor_map"], after["tumor_map"], atol=1e-6)
    assert again.card.training["started_from"]["digest"] == bundle.digest
    assert again.card.training["started_from"]["training"]["stages"] == [
        {"size": 32, "epochs": 1},
        {"size": SIZE, "epochs": 1},
    ]


def test_a_bundle_of_another_split_is_not_trained_on(
    imagenet: Path,
    bundle: Bundle,
    tmp_path: Path,
) -> None:
    rows = [draw_slice(tmp_path, number, is_tumor=number % 2 == 1) for number in range(30)]
    request = _request(write_index(tmp_path, rows), imagenet, tmp_path / "training")

    with pytest.raises(BundleError, match="other images or another split"):
        train_bundle(
            replace(request, start_from=bundle),
            Reporting(lambda *_: None, lambda *_: None, lambda _: None),
        )


def test_a_training_ends_with_a_bundle_that_holds_its_figures(bundle: Bundle) -> None:
    card = bundle.card

    assert 0.0 < card.threshold < 1.0
    assert card.metrics["overall"]["n"] >= 4
    assert card.metrics["localisation"]["n"] >= 1
    assert card.training["seed"] == 5
    assert "sensitivity" in card.threshold_method


def test_one_picture_scores_as_it_does_among_many(scorer: Scorer) -> None:
    random = np.random.default_rng(3)
    heads = [draw_head(100 + 10 * number, 110)[0] for number in range(6)]
    prepared = [prepare_image(as_image(head), PARAMETERS) for head in heads]
    inputs = np.stack([one.network_input for one in prepared])
    features = np.stack([one.picture_features for one in prepared])
    order = random.permutation(6)

    together = scorer.score(inputs, features)
    shuffled = scorer.score(inputs[order], features[order])
    alone = scorer.score(inputs[2:3], features[2:3])

    np.testing.assert_allclose(together.probabilities[order], shuffled.probabilities, atol=1e-6)
    np.testing.assert_allclose(together.probabilities[2], alone.probabilities[0], atol=1e-6)
    np.testing.assert_allclose(together.scope_scores[2], alone.scope_scores[0], atol=1e-6)
    assert together.tumor_maps.shape == (6, SIZE // 4, SIZE // 4)


def test_the_frozen_graph_scores_as_the_network_of_the_bundle(
    bundle: Bundle,
    scorer: Scorer,
) -> None:
    inputs = np.stack([prepare_image(as_image(draw_head()[0]), PARAMETERS).network_input])
    network = load_network(bundle)

    outputs = network(inputs[..., None].astype(np.float32), training=False)
    logit = float(outputs["logit"][0, 0]) / bundle.card.temperature

    probability = scorer.probabilities(inputs)[0]
    assert probability == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)


def test_no_pictures_give_no_scores(scorer: Scorer) -> None:
    scores = scorer.score(
        np.zeros((0, SIZE, SIZE), dtype=np.uint8),
        np.zeros((0, 10), dtype=np.float32),
    )

    assert scores.probabilities.shape == (0,)
    assert scores.tumor_maps.shape == (0, SIZE // 4, SIZE // 4)


def test_a_bundle_that_exists_is_refused_before_anything_is_trained(
    data: Path,
    imagenet: Path,
    tmp_path: Path,
) -> None:
    request = _request(data, imagenet, tmp_path)
    request.out.mkdir()

    with pytest.raises(BundleError, match="exists already"):
        train_bundle(request, Reporting(lambda *_: None, lambda *_: None, lambda _: None))

    assert not request.checkpoints.exists()


def test_weights_of_the_backbone_fill_every_layer_of_it(imagenet: Path) -> None:
    network = build_two_headed(SIZE, 0.0)

    filled = load_imagenet_weights(network, imagenet)

    assert filled == sum(
        1 for layer in network.layers if layer.name.startswith("_") and layer.weights
    )
