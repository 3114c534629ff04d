"""Train the two-headed network: small then full pictures, checkpoints, averaged weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

from model.architectures import build_two_headed, copy_weights, load_imagenet_weights
from model.augmentation import Sample
from model.preprocessing import PreprocessingParameters
from model.training_samples import Batch, make_batches

LABEL_SMOOTHING: Final = 0.02
MAP_WEIGHT: Final = 2.0
"""Weight of the map's cross-entropy beside the label's."""

LESION_CELL_WEIGHT: Final = 3.0
"""Lesions fill a few per cent of the map; their cells count this much more."""

WARM_UP_STEPS: Final = 100

Step = Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
"""One training step: a batch's four arrays in; loss, label loss and map loss out."""


@dataclass(frozen=True)
class Stage:
    """A stretch of the training at one picture size."""

    size: int
    epochs: int


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a training's outcome depends on, besides the data.

    Attributes:
        stages: first small pictures (fast), then the size that ships.
        steps: batches an epoch.
        batch_size: samples a batch.
        learning_rate: peak of the schedule (linear warm-up, then a cosine to 2% of it).
        weight_decay: AdamW's.
        dropout: share of the features dropped before the logit.
        averaging: share of the averaged weights that is kept at each step.
        patience: epochs at the last size without a lower loss of the watched images, after which
            the training stops.
        seed: of the drawing, the augmentation and the first weights.
    """

    stages: tuple[Stage, ...]
    steps: int = 128
    batch_size: int = 32
    learning_rate: float = 6e-4
    weight_decay: float = 0.02
    dropout: float = 0.25
    averaging: float = 0.996
    patience: int = 12
    seed: int = 2026

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def size_of(self, epoch: int) -> int:
        """Return the picture size of an epoch, counted from 0."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.size
            epoch -= stage.epochs
        return self.stages[-1].size

    def as_record(self) -> dict[str, Any]:
        """Return the plan as plain values for the card."""
        return asdict(self)


@dataclass(frozen=True)
class EpochReport:
    """What one epoch came to; losses are means over its batches.

    `watched_loss` is the cross-entropy of the averaged network over the watched images.
    """

    epoch: int
    epochs: int
    size: int
    loss: float
    label_loss: float
    map_loss: float
    watched_loss: float
    seconds: float


class _Progress:
    """How far a training is; kept in its checkpoints."""

    def __init__(self) -> None:
        self.epochs_done = tf.Variable(0, dtype=tf.int64)
        self.best_loss = tf.Variable(np.inf, dtype=tf.float64)
        self.epochs_since_best = tf.Variable(0, dtype=tf.int64)

    def variables(self) -> dict[str, tf.Variable]:
        """Return what a checkpoint keeps."""
        return {
            "epochs_done": self.epochs_done,
            "best_loss": self.best_loss,
            "epochs_since_best": self.epochs_since_best,
        }

    def count(self, watched_loss: float, *, at_last_size: bool) -> bool:
        """Count an epoch; returns whether it is the best so far.

        The loss counts only at the last size: before it, it falls anyway.
        """
        self.epochs_done.assign_add(1)
        if not at_last_size:
            return False
        better = watched_loss < float(self.best_loss.numpy())
        self.best_loss.assign(watched_loss if better else self.best_loss)
        self.epochs_since_best.assign(0 if better else self.epochs_since_best + 1)
        return better


@keras.saving.register_keras_serializable(package="mri_triage_training")
class FusedBatchNormalization(layers.BatchNormalization):  # type: ignore[misc]  # Keras has no types
    """Batch normalisation through TensorFlow's fused kernel: 1.5 times the training's speed.

    It has the weights of `keras.layers.BatchNormalization` in the same order, so that the network
    that ships holds the stock layer.
    """

    def call(self, inputs: tf.Tensor, training: bool = False, mask: object = None) -> tf.Tensor:  # noqa: FBT001, FBT002 - Keras calls it so
        """Normalise (n, h, w, c) by the batch in training, by the moving statistics else."""
        if not training or not self.trainable:
            return super().call(inputs, training=False, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            epsilon=self.epsilon,
            is_training=True,
        )
        keep = self.momentum
        self.moving_mean.assign(self.moving_mean * keep + mean * (1.0 - keep))
        self.moving_variance.assign(self.moving_variance * keep + variance * (1.0 - keep))
        return outputs


def train_network(  # noqa: PLR0913 - each is a separate decision of the caller
    samples: Sequence[Sample],
    weights: npt.NDArray[np.float64],
    parameters: PreprocessingParameters,
    plan: TrainingPlan,
    *,
    imagenet: Path,
    start: keras.Model | None = None,
    checkpoints: Path,
    watch: Callable[[keras.Model], float],
    on_step: Callable[[int, int], None],
    on_epoch: Callable[[EpochReport], None],
) -> keras.Model:
    """Train, or go on from the last checkpoint, until the plan ends or nothing gets better.

    The same samples, plan and seed give the same weights on the same machine, bit by bit.

    Args:
        samples: the fit part.
        weights: from `drawing_weights`, (n,).
        parameters: preprocessing; its size is the one that ships.
        plan: stages, schedule and seed.
        imagenet: weights of the backbone.
        start: a network of this kind whose weights are gone on from instead.
        checkpoints: folder; the training goes on from its newest checkpoint if there is one.
        watch: measures the averaged network's loss on images outside the fit part.
        on_step: called with steps done and steps of the whole training.
        on_epoch: called after each epoch.

    Returns:
        The averaged network of the epoch with the least watched loss, of the size in `parameters`,
        made of stock Keras layers; without an epoch at that size, the last one.
    """
    keras.utils.set_random_seed(plan.seed)
    network = build_two_headed(None, plan.dropout, FusedBatchNormalization)
    if start is None:
        load_imagenet_weights(network, imagenet)
    else:
        copy_weights(start, network)
    averaged = build_two_headed(parameters.size, plan.dropout)
    averaged.set_weights(network.get_weights())
    best = build_two_headed(parameters.size, plan.dropout)
    optimizer = _make_optimizer(plan)
    optimizer.build(network.trainable_variables)
    progress = _Progress()
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(
            network=network,
            averaged=averaged,
            best=best,
            optimizer=optimizer,
            **progress.variables(),
        ),
        str(checkpoints),
        max_to_keep=2,
    )
    manager.restore_or_initialize()
    step = _make_step(network, averaged, optimizer, plan.averaging)
    while int(progress.epochs_done) < plan.epochs:
        if int(progress.epochs_since_best) >= plan.patience:
            break
        epoch = int(progress.epochs_done)
        started = time.monotonic()
        _seed_dropout(network, plan.seed, epoch)
        batches = make_batches(
            samples,
            weights,
            parameters,
            size=plan.size_of(epoch),
            batch_size=plan.batch_size,
            batches=plan.steps,
            seed=(plan.seed, epoch),
        )
        losses = _run_epoch(step, batches, plan, epoch, on_step)
        watched_loss = watch(averaged)
        if progress.count(watched_loss, at_last_size=plan.size_of(epoch) == plan.stages[-1].size):
            best.set_weights(averaged.get_weights())
        manager.save()
        on_epoch(
            EpochReport(
                epoch=epoch + 1,
                epochs=plan.epochs,
                size=plan.size_of(epoch),
                loss=losses[0],
                label_loss=losses[1],
                map_loss=losses[2],
                watched_loss=watched_loss,
                seconds=time.monotonic() - started,
            ),
        )
    return best if np.isfinite(float(progress.best_loss)) else averaged


def predict_logits(
    network: keras.Model,
    inputs: npt.NDArray[np.uint8],
    batch_size: int = 64,
) -> dict[str, npt.NDArray[np.float32]]:
    """Run a network of `build_two_headed` over (n, size, size) inputs; returns its outputs."""
    run = tf.function(lambda levels: network(levels, training=False), reduce_retracing=True)
    parts = [
        run(tf.constant(inputs[start : start + batch_size, ..., None], dtype=tf.float32))
        for start in range(0, len(inputs), batch_size)
    ]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def _make_optimizer(plan: TrainingPlan) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=plan.learning_rate * 0.02,
        decay_steps=max(1, plan.epochs * plan.steps - WARM_UP_STEPS),
        alpha=0.02,
        warmup_target=plan.learning_rate,
        warmup_steps=WARM_UP_STEPS,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=plan.weight_decay, clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _make_step(
    network: keras.Model,
    averaged: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    averaging: float,
) -> Step:
    def step(
        levels: tf.Tensor,
        labels: tf.Tensor,
        outlines: tf.Tensor,
        outlined: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = network(levels, training=True)
            label_loss = label_loss_of(labels, outputs["logit"])
            map_loss = map_loss_of(outlines, outlined, outputs["map_logits"])
            loss = label_loss + map_loss
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        # The average follows faster at first, or it would remember the first weights for long.
        done = tf.cast(optimizer.iterations, tf.float32)
        keep = tf.minimum(averaging, (1.0 + done) / (10.0 + done))
        for slow, fast in zip(averaged.weights, network.weights, strict=True):
            if fast.dtype.startswith("float"):
                slow.assign(slow * keep + fast * (1.0 - keep))
        return loss, label_loss, map_loss

    # One trace a picture size: a relaxed one would not know the size when it doubles it.
    compiled: Step = tf.function(step)
    return compiled


def _seed_dropout(network: keras.Model, seed: int, epoch: int) -> None:
    """Let the masks follow from the epoch, or a resumed training would draw others."""
    for layer in network.layers:
        if isinstance(layer, layers.Dropout):
            layer.seed_generator.state.assign([seed, epoch])


def label_loss_of(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of logits, (n, 1), for softened labels, (n, 1); a number in nats."""
    soft = labels * (1.0 - 2.0 * LABEL_SMOOTHING) + LABEL_SMOOTHING
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(soft, logits))


def map_loss_of(outlines: tf.Tensor, outlined: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Weighted cross-entropy of the cells, and Dice where there is a lesion to cover.

    Args:
        outlines: (n, cells, cells, 1) 0..1.
        outlined: (n,) 1 where the outline is known; the others do not count.
        logits: (n, cells, cells, 1) of the map.
    """
    cells = tf.nn.sigmoid_cross_entropy_with_logits(outlines, logits)
    weighted = cells * (1.0 + LESION_CELL_WEIGHT * outlines)
    entropy = tf.reduce_mean(weighted, axis=(1, 2, 3))
    probability = tf.sigmoid(logits)
    overlap = tf.reduce_sum(probability * outlines, axis=(1, 2, 3))
    total = tf.reduce_sum(probability + outlines, axis=(1, 2, 3))
    lesion = tf.reduce_sum(outlines, axis=(1, 2, 3))
    has_lesion = outlined * tf.cast(lesion > 1.0, tf.float32)
    dice = 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)
    per_image = outlined * MAP_WEIGHT * entropy + has_lesion * dice
    return tf.reduce_sum(per_image) / (tf.reduce_sum(outlined) + 1e-6)


def _run_epoch(
    step: Step,
    batches: Iterator[Batch],
    plan: TrainingPlan,
    epoch: int,
    on_step: Callable[[int, int], None],
) -> tuple[float, float, float]:
    """Run one epoch; returns the means of loss, label loss and map loss."""
    sums = np.zeros(3)
    for number, batch in enumerate(batches, start=1):
        losses = step(
            tf.constant(batch.levels),
            tf.constant(batch.labels),
            tf.constant(batch.outlines),
            tf.constant(batch.outlined),
        )
        sums += [float(loss) for loss in losses]
        on_step(epoch * plan.steps + number, plan.epochs * plan.steps)
    loss, label_loss, map_loss = (sums / plan.steps).tolist()
    return loss, label_loss, map_loss
