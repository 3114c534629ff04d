"""How much a split leaks: test pictures whose twin was in training, and what that is worth.

Row by row, the split that most public notebooks make, puts copies of one picture, and slices of
one patient, on both sides. A classifier that only looks up the most alike training picture shows
what a network would gain by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from model.metrics import Floats, Labels
from model.shortcuts import FOLDS, Fold, fold_by_group

BY_ROW: Final = "row by row"
BY_GROUP: Final = "group by group"
GIVEN: Final = "the folder's own"


@dataclass(frozen=True)
class Leakage:
    """What a split lets through.

    Attributes:
        split: how the pictures were dealt out.
        tested: pictures that were tested, each once.
        with_twin: of those, how many had a near-duplicate in training.
        with_group: of those, how many had a picture of their own group in training.
        accuracy: of looking up the most alike training thumbnail, both classes weighing the same
            (0.5 is chance); None if a class was not tested.
    """

    split: str
    tested: int
    with_twin: int
    with_group: int
    accuracy: float | None


@dataclass(frozen=True)
class Relations:
    """What belongs together.

    Attributes:
        labels: (n,) 1 for tumour.
        clusters: (n,) near-duplicate cluster.
        groups: (n,) group.
        thumbnails: (n, 32, 32).
    """

    labels: Labels
    clusters: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    thumbnails: npt.NDArray[np.float32]


def measure_leakage(
    relations: Relations,
    given_test: npt.NDArray[np.bool_] | None,
    seed: int,
) -> list[Leakage]:
    """Compare a split by row with one by group, and with the folder's own if it has one.

    The first two are cross-validations: every picture is tested once.

    Args:
        relations: see there.
        given_test: (n,) which pictures the folder's own split tests, or None.
        seed: of the folds.

    Returns:
        One entry a split; without a split for which a class has too few pictures or groups.
    """
    found = []
    by_row = fold_by_row(relations.labels, seed)
    if by_row is not None:
        found.append(_measure(BY_ROW, by_row, relations))
    if given_test is not None and 0 < given_test.sum() < len(given_test):
        own = [(np.flatnonzero(~given_test), np.flatnonzero(given_test))]
        found.append(_measure(GIVEN, own, relations))
    by_group = fold_by_group(relations.labels, relations.groups, seed)
    if by_group is not None:
        found.append(_measure(BY_GROUP, by_group, relations))
    return found


def fold_by_row(labels: Labels, seed: int) -> list[Fold] | None:
    """Deal slices out to folds without a look at their groups; None if a class has only one."""
    folds = min(FOLDS, *(int((labels == label).sum()) for label in (0, 1)))
    if folds < 2:  # noqa: PLR2004 - one side to fit, one to measure
        return None
    folding = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return list(folding.split(labels, labels))


def count_related(marks: Sequence[object], splits: Iterable[Fold]) -> int:
    """Count the tested pictures whose mark (a cluster, a group) is also in training."""
    return sum(
        sum(marks[position] in seen for position in tested)
        for seen, tested in (({marks[n] for n in fit}, tested) for fit, tested in splits)
    )


def look_up_labels(
    thumbnails: npt.NDArray[np.float32],
    labels: Labels,
    split: Fold,
) -> Labels:
    """Give each tested picture the label of the training picture that it correlates with most."""
    fit, tested = split
    rows = thumbnails.reshape(len(thumbnails), -1)
    centred = rows - rows.mean(axis=1, keepdims=True)  # of centred rows the cosine correlates
    nearest = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
    nearest.fit(centred[fit], labels[fit])
    return np.asarray(nearest.predict(centred[tested]), dtype=np.int64)


def _measure(name: str, splits: list[Fold], relations: Relations) -> Leakage:
    given, true = [], []
    for split in splits:
        given.append(look_up_labels(relations.thumbnails, relations.labels, split))
        true.append(relations.labels[split[1]])
    return Leakage(
        split=name,
        tested=sum(len(tested) for _, tested in splits),
        with_twin=count_related(relations.clusters.tolist(), splits),
        with_group=count_related(relations.groups.tolist(), splits),
        accuracy=_balanced_accuracy(np.concatenate(given), np.concatenate(true)),
    )


def _balanced_accuracy(given: Labels, true: Labels) -> float | None:
    right: Floats = (given == true).astype(np.float64)
    if len(set(true.tolist())) < 2:  # noqa: PLR2004 - two classes
        return None
    return float(np.mean([right[true == label].mean() for label in (0, 1)]))
