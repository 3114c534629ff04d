from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import keras
import numpy as np
import pytest

from model.architectures import build_two_headed
from model.comparison_training import (
    Recipe,
    Stretch,
    copy_for_training,
    learning_rate_at,
    make_scoring,
    train_within_budget,
)
from model.seed_networks import build_cnn_with_l2, build_dense
from model.training import FusedBatchNormalization
from model.training_samples import Batch

SIZE = 32
BATCH = 4


def _draw(_number: int) -> Iterator[Batch]:
    """Two batches a call: white pictures with a tumour, black ones without."""
    labels = np.array([[1.0], [1.0], [1.0], [0.0]], dtype=np.float32)
    for _ in range(2):
        yield Batch(
            levels=np.full((BATCH, SIZE, SIZE, 1), 255, np.float32) * labels[:, :, None, None],
            labels=labels,
            outlines=np.zeros((BATCH, SIZE // 4, SIZE // 4, 1), np.float32),
            outlined=np.ones(BATCH, np.float32),
        )


def _clock() -> Callable[[], float]:
    """Tick once a call, so that every step takes one second."""
    ticks = count()
    return lambda: float(next(ticks))


def _train(network: keras.Model, seconds: float) -> tuple[int, list[Stretch], list[float]]:
    stretches: list[Stretch] = []
    spent: list[float] = []
    pictures = train_within_budget(
        network,
        _draw,
        Recipe(budget_seconds=seconds, epochs=3, batch_size=BATCH, learning_rate=0.01),
        on_progress=spent.append,
        on_epoch=stretches.append,
        clock=_clock(),
    )
    return pictures, stretches, spent


def test_the_learning_rate_rises_and_ends_near_zero_with_the_budget() -> None:
    rates = [learning_rate_at(spent, 1.0) for spent in (0.0, 0.025, 0.05, 0.5, 1.0)]

    assert rates[:3] == pytest.approx([0.0, 0.5, 1.0])
    assert 0.3 < rates[3] < 0.7
    assert rates[4] == pytest.approx(0.02)


def test_a_training_ends_with_its_budget_and_is_read_after_equal_stretches() -> None:
    pictures, stretches, spent = _train(build_dense(SIZE), seconds=9.0)

    assert spent == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert [stretch.epoch for stretch in stretches] == [1, 2, 3]
    # The step that builds the graph is seen, and costs none of the budget.
    assert [stretch.pictures for stretch in stretches] == [16, 28, 40]
    assert pictures == 40
    assert {stretch.drawn_tumors for stretch in stretches} == {0.75}


def test_a_budget_shorter_than_its_epochs_still_ends_with_a_reading() -> None:
    _, stretches, spent = _train(build_dense(SIZE), seconds=0.5)

    assert spent == [0.5]
    assert [stretch.epoch for stretch in stretches] == [3]


def test_the_network_that_was_given_is_the_one_that_has_learned() -> None:
    keras.utils.set_random_seed(3)
    network = build_dense(SIZE)
    pictures = np.zeros((2, SIZE, SIZE), np.uint8)
    pictures[1] = 255
    score = make_scoring(network)

    _train(network, seconds=60.0)

    black, white = score(pictures)
    assert white > 0.8 > black + 0.1


def test_the_two_headed_network_is_trained_on_its_map_as_well() -> None:
    keras.utils.set_random_seed(3)
    network = build_two_headed(SIZE, 0.0)
    before = network.get_layer("map_logits").get_weights()[0]

    _train(network, seconds=2.0)

    assert not np.array_equal(before, network.get_layer("map_logits").get_weights()[0])


def test_a_copy_for_training_computes_the_same_with_faster_norms_and_keeps_the_penalties() -> None:
    network = build_two_headed(SIZE, 0.0)
    pictures = np.random.default_rng(1).uniform(0, 255, (2, SIZE, SIZE, 1)).astype(np.float32)

    copied = copy_for_training(network)

    assert np.allclose(copied(pictures)["logit"], network(pictures)["logit"])
    assert any(isinstance(layer, FusedBatchNormalization) for layer in copied.layers)
    assert len(copy_for_training(build_cnn_with_l2(SIZE)).losses) == 4


def test_what_has_no_finite_score_counts_as_the_surest_tumour() -> None:
    network = build_dense(SIZE)
    network.set_weights([np.full_like(values, np.nan) for values in network.get_weights()])

    assert make_scoring(network)(np.zeros((3, SIZE, SIZE), np.uint8)).tolist() == [1.0, 1.0, 1.0]
