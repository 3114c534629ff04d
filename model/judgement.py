"""What a model says of decoded pictures, and one row of figures from it.

The shift table and the leave-one-source-out table are made of such rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle
from model.evaluation import count_missed_groups
from model.images import DecodedImage
from model.inference import load_scorer
from model.measurement import decide_all
from model.metrics import (
    Flags,
    Floats,
    Labels,
    Metric,
    Weights,
    make_auc,
    make_sensitivity,
    make_share,
    make_specificity,
    resample_groups,
    with_intervals,
)
from model.preprocessing import prepare_image
from model.reasons import CLEARED_REASONS, Reason
from model.training_data import SPLIT_SEED


@dataclass(frozen=True)
class Judgement:
    """What a model says of n pictures.

    Attributes:
        probabilities: (n,) of a tumour, 0..1; 1 where there is no finite score.
        reasons: (n,) of the whole chain's decisions.
    """

    probabilities: Floats
    reasons: npt.NDArray[np.object_]

    @property
    def flagged(self) -> Flags:
        """(n,) whether scope gate or threshold flags the picture."""
        return np.array([reason not in CLEARED_REASONS for reason in self.reasons], dtype=bool)

    @property
    def out_of_scope(self) -> Flags:
        """(n,) whether the scope gate flags it."""
        return np.array(self.reasons == str(Reason.NOT_BRAIN_MR), dtype=bool)

    def where(self, chosen: npt.NDArray[Any]) -> Judgement:
        """Return the pictures that a mask or positions choose."""
        return Judgement(self.probabilities[chosen], self.reasons[chosen])


Judge = Callable[[Sequence[DecodedImage]], Judgement]


@dataclass(frozen=True)
class LabelledGroups:
    """Labels, (n,), 1 for tumour, and groups, (n,), of pictures."""

    labels: Labels
    groups: npt.NDArray[np.str_]

    def where(self, chosen: npt.NDArray[Any]) -> LabelledGroups:
        """Return the pictures that a mask or positions choose."""
        return LabelledGroups(self.labels[chosen], self.groups[chosen])


def join_judgements(parts: Sequence[Judgement]) -> Judgement:
    """Join judgements in order."""
    return Judgement(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.reasons for part in parts]),
    )


def make_bundle_judge(bundle: Bundle) -> Judge:
    """Make the judge that prepares, scores and decides as a night does.

    Raises:
        BundleError: if the network cannot be loaded.
    """
    scorer = load_scorer(bundle, threads=2)

    def judge(images: Sequence[DecodedImage]) -> Judgement:
        with ThreadPoolExecutor(max_workers=2) as pool:
            prepared = list(
                pool.map(lambda image: prepare_image(image, bundle.card.preprocessing), images),
            )
        scores = scorer.score(
            np.stack([image.network_input for image in prepared]),
            np.stack([image.picture_features for image in prepared]),
        )
        return Judgement(
            probabilities=np.nan_to_num(scores.probabilities, nan=1.0),
            reasons=decide_all(scores, bundle.card.limits),
        )

    return judge


def measure_row(
    judged: Judgement,
    pictures: LabelledGroups,
    before: Judgement | None = None,
) -> dict[str, Any]:
    """Return the figures of one row as plain values, shares with 95% intervals over groups.

    Args:
        judged: n pictures.
        pictures: their labels and groups.
        before: the same pictures unchanged, for what changed.

    Returns:
        Counts; `auc`; `tumors_flagged`; `by_scope_gate`, the share of those flagged tumours that
        the scope gate flagged; `normals_cleared`; `out_of_scope`; `tumor_groups` as
        `count_missed_groups` has them. With `before` also `flips`, the share of decisions that
        differ; `auc_change`, and `tumors_lost`, how many were flagged before and are cleared now.
        None where a class is missing.
    """
    labels, flagged = pictures.labels, judged.flagged
    metrics: dict[str, Metric] = {
        "auc": make_auc(judged.probabilities, labels),
        "tumors_flagged": make_sensitivity(flagged, labels),
        "by_scope_gate": make_share(judged.out_of_scope, flagged & (labels == 1)),
        "normals_cleared": make_specificity(flagged, labels),
        "out_of_scope": make_share(judged.out_of_scope, np.ones(len(labels), dtype=bool)),
    }
    counts: dict[str, Any] = {
        "n": len(labels),
        "positives": int(labels.sum()),
        "groups": len(set(pictures.groups.tolist())),
        "tumor_groups": count_missed_groups(flagged, labels, pictures.groups),
    }
    if before is not None:
        metrics["flips"] = make_flips(judged, before)
        metrics["auc_change"] = _make_change(
            metrics["auc"],
            make_auc(before.probabilities, labels),
        )
        counts["tumors_lost"] = int((before.flagged & ~flagged & (labels == 1)).sum())
    return counts | with_intervals(metrics, resample_groups(pictures.groups, SPLIT_SEED))


def make_flips(judged: Judgement, before: Judgement) -> Metric:
    """Make the share of pictures whose decision is another one than before."""
    return make_share(judged.flagged != before.flagged, np.ones(len(judged.reasons), dtype=bool))


def _make_change(now: Metric, before: Metric) -> Metric:
    def change(weights: Weights) -> Floats:
        return now(weights) - before(weights)

    return change
