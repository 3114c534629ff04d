"""Train any network of the comparison for a fixed time: the same recipe for every row."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers
from scipy.special import expit

from model.metrics import Floats
from model.training import FusedBatchNormalization, label_loss_of, map_loss_of
from model.training_samples import Batch

WARM_UP_SHARE: Final = 0.05
"""Share of the budget in which the learning rate rises to its peak."""

LAST_RATE: Final = 0.02
"""Share of the peak at which the cosine ends."""

SCORED_AT_ONCE: Final = 64

DrawBatches = Callable[[int], Iterator[Batch]]
"""Draws the n-th run of batches, from 0; the training asks for as many as it has time for."""

ScoreInputs = Callable[[npt.NDArray[np.uint8]], Floats]
"""From network inputs, (n, size, size), to probabilities of a tumour, (n,)."""


@dataclass(frozen=True)
class Recipe:
    """What is the same for every row.

    Attributes:
        budget_seconds: of drawing and training; what is measured in between does not count.
        epochs: equal stretches of the budget; after each the network is measured.
        batch_size: pictures a step.
        learning_rate: peak of the schedule.
        weight_decay: AdamW's.
        averaging: share of the averaged weights that is kept at each step.
        seed: of the drawing, the augmentation and the first weights.
    """

    budget_seconds: float
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 6e-4
    weight_decay: float = 0.02
    averaging: float = 0.996
    seed: int = 2026


@dataclass(frozen=True)
class Stretch:
    """What one epoch was fed with, and how the training took it.

    Attributes:
        epoch: from 1; a slow network may skip some, the last is always there.
        pictures: seen since the training began.
        loss: mean cross-entropy of the label over the epoch's steps.
        drawn_tumors: share of tumours among the epoch's pictures, after lesions were put on.
    """

    epoch: int
    pictures: int
    loss: float
    drawn_tumors: float


def core_seconds() -> float:
    """Return the processor time of this process divided by the number of cores, in seconds.

    On an idle machine nearly the time of the clock. On a busy one a row takes longer and still
    gets the same training, so that rows of different hours can stand in one table.
    """
    return time.process_time() / (os.cpu_count() or 1)


def learning_rate_at(spent: float, peak: float) -> float:
    """Return the learning rate when a share `spent`, 0..1, of the budget is over.

    It follows the time and not the steps, so that it ends with the budget at any speed.
    """
    if spent < WARM_UP_SHARE:
        return peak * spent / WARM_UP_SHARE
    way = min(1.0, (spent - WARM_UP_SHARE) / (1.0 - WARM_UP_SHARE))
    return float(peak * (LAST_RATE + (1.0 - LAST_RATE) * (1.0 + np.cos(np.pi * way)) / 2.0))


def train_within_budget(  # noqa: PLR0913 - each is a separate decision of the caller
    network: keras.Model,
    draw: DrawBatches,
    recipe: Recipe,
    *,
    on_progress: Callable[[float], None],
    on_epoch: Callable[[Stretch], None],
    clock: Callable[[], float] = core_seconds,
) -> int:
    """Train a network until the budget is spent.

    Args:
        network: of stock layers, with `logit` and, if it has one, `map_logits` among its outputs;
            it receives the averaged weights.
        draw: see `DrawBatches`.
        recipe: budget and settings.
        on_progress: called after each step with the seconds spent.
        on_epoch: called after each epoch; the network then holds the averaged weights so far.
        clock: seconds that only rise; the default counts what the process was given of the cores.

    Returns:
        How many pictures the training has seen.
    """
    trained = copy_for_training(network)
    optimizer = keras.optimizers.AdamW(0.0, weight_decay=recipe.weight_decay, clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(trained.trainable_variables)
    step = _make_step(trained, network, optimizer, recipe.averaging)
    spent, steps, epoch = 0.0, 1, 0
    losses: list[float] = []
    drawn: list[float] = []
    with closing(_endless(draw)) as batches:
        # The first step builds TensorFlow's graph; at a rate of 0, it takes no row's time.
        _run(step, next(batches))
        while spent < recipe.budget_seconds:
            started = clock()
            optimizer.learning_rate.assign(
                learning_rate_at(spent / recipe.budget_seconds, recipe.learning_rate),
            )
            batch = next(batches)
            losses.append(_run(step, batch))
            drawn.append(float(batch.labels.mean()))
            spent += clock() - started
            steps += 1
            on_progress(min(spent, recipe.budget_seconds))
            epochs_over = min(recipe.epochs, int(recipe.epochs * spent / recipe.budget_seconds))
            if epochs_over > epoch:
                epoch = epochs_over
                pictures = steps * recipe.batch_size
                on_epoch(Stretch(epoch, pictures, float(np.mean(losses)), float(np.mean(drawn))))
                losses, drawn = [], []
    return steps * recipe.batch_size


def copy_for_training(network: keras.Model) -> keras.Model:
    """Copy a network with its weights; its batch normalisations become the fast ones."""

    def copy(layer: keras.Layer) -> keras.Layer:
        is_norm = isinstance(layer, layers.BatchNormalization)
        kind = FusedBatchNormalization if is_norm else type(layer)
        return kind.from_config(layer.get_config())

    copied = keras.models.clone_model(network, clone_function=copy)
    copied.set_weights(network.get_weights())
    return copied


def make_scoring(network: keras.Model) -> ScoreInputs:
    """Make a function that scores inputs with the weights that the network has at that moment."""
    run = tf.function(
        lambda levels: network(levels, training=False)["logit"], reduce_retracing=True
    )

    def score(inputs: npt.NDArray[np.uint8]) -> Floats:
        parts = [
            run(tf.constant(inputs[start : start + SCORED_AT_ONCE, ..., None], dtype=tf.float32))
            for start in range(0, len(inputs), SCORED_AT_ONCE)
        ]
        logits = np.concatenate([part.numpy()[:, 0] for part in parts]).astype(np.float64)
        # As in a night: what has no finite score counts as the surest tumour.
        return np.nan_to_num(np.asarray(expit(logits), dtype=np.float64), nan=1.0)

    return score


def _make_step(
    trained: keras.Model,
    averaged: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    averaging: float,
) -> Callable[..., tf.Tensor]:
    has_map = "map_logits" in trained.output

    def step(
        levels: tf.Tensor,
        labels: tf.Tensor,
        outlines: tf.Tensor,
        outlined: tf.Tensor,
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = trained(levels, training=True)
            label_loss = label_loss_of(labels, outputs["logit"])
            loss = tf.add_n([label_loss, *trained.losses])
            if has_map:
                loss += map_loss_of(outlines, outlined, outputs["map_logits"])
        gradients = tape.gradient(loss, trained.trainable_variables)
        optimizer.apply_gradients(zip(gradients, trained.trainable_variables, strict=True))
        # The average follows faster at first, or it would remember the first weights for long.
        done = tf.cast(optimizer.iterations, tf.float32)
        keep = tf.minimum(averaging, (1.0 + done) / (10.0 + done))
        for slow, fast in zip(averaged.weights, trained.weights, strict=True):
            if fast.dtype.startswith("float"):
                slow.assign(slow * keep + fast * (1.0 - keep))
        return label_loss

    compiled: Callable[..., tf.Tensor] = tf.function(step)
    return compiled


def _run(step: Callable[..., tf.Tensor], batch: Batch) -> float:
    arrays = (batch.levels, batch.labels, batch.outlines, batch.outlined)
    return float(step(*(tf.constant(array) for array in arrays)))


def _endless(draw: DrawBatches) -> Generator[Batch, None, None]:
    for number in count():
        yield from draw(number)
