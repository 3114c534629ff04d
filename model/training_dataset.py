"""What goes into a data set: which images are kept, in which groups, and on which side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from model.errors import TrainingDataError
from model.near_duplicates import Thumbnail, find_clusters
from model.training_data import (
    LABELS,
    LabelledImage,
    Part,
    digest_of_split,
    refuse_shared_groups,
    split_by_group,
)
from model.training_folders import LabelledFolder

GROUP_DIGITS: Final = 16
"""Of a SHA-256, in the name of a group that was found."""

UNLABELLED: Final = "no class folder tells its label"


@dataclass(frozen=True)
class InspectedImage:
    """A labelled image whose files were read.

    Attributes:
        image: as listed.
        width: pixels.
        height: pixels.
        digest: SHA-256 of the image file.
        thumbnail: see `model.near_duplicates`.
    """

    image: LabelledImage
    width: int
    height: int
    digest: str
    thumbnail: Thumbnail


@dataclass(frozen=True, order=True)
class SetAside:
    """A file that does not come into the data set.

    Attributes:
        path: below the folder.
        problem: why.
    """

    path: str
    problem: str


@dataclass(frozen=True)
class DatasetPlan:
    """What is to be written.

    Attributes:
        parts: the split; every image has its group.
        inspected: what is known of the kept images, in the order of the folder.
        clusters: (n,) near-duplicate cluster of each of `inspected`.
        set_aside: the other files of the folder, by path.
        groups_given: whether the folder gave the groups.
        split_given: whether the folder gave the split.
        split_digest: see `digest_of_split`.
    """

    parts: dict[Part, list[LabelledImage]]
    inspected: list[InspectedImage]
    clusters: npt.NDArray[np.int64]
    set_aside: list[SetAside]
    groups_given: bool
    split_given: bool
    split_digest: str


@dataclass(frozen=True)
class PlanOptions:
    """How a folder becomes a data set.

    Attributes:
        keep_split: take the folder's own split instead of dealing its groups out.
        maximum_set_aside: share of the files beyond which the folder is refused.
        seed: of the split that is dealt out.
    """

    keep_split: bool
    maximum_set_aside: float
    seed: int


def plan_dataset(
    listed: LabelledFolder,
    inspected: Sequence[InspectedImage],
    failed: Sequence[SetAside],
    options: PlanOptions,
) -> DatasetPlan:
    """Decide what is written.

    Args:
        listed: the folder.
        inspected: its images that can be used.
        failed: its images that cannot.
        options: see there.

    Raises:
        TrainingDataError: if too much is set aside, one class is left, a split is to be kept that
            is not there, or a kept split has one group on two sides.
    """
    beside = [SetAside(listed.name_of(path), UNLABELLED) for path in listed.unlabelled]
    _refuse_too_many(failed, len(listed.images), options.maximum_set_aside)
    if len({one.image.label for one in inspected}) < len(LABELS):
        message = f"{listed.folder} holds one class only; training needs tumor and no_tumor"
        raise TrainingDataError(message)
    clusters = find_clusters(np.stack([one.thumbnail for one in inspected]))
    images = [one.image for one in inspected]
    if not listed.has_groups:
        images = _name_groups(inspected, clusters)
    parts = (
        _keep_split(images, listed) if options.keep_split else split_by_group(images, options.seed)
    )
    refuse_shared_groups(parts)
    return DatasetPlan(
        parts=parts,
        inspected=[replace(one, image=image) for one, image in zip(inspected, images, strict=True)],
        clusters=clusters,
        set_aside=sorted([*failed, *beside]),
        groups_given=listed.has_groups,
        split_given=options.keep_split,
        split_digest=digest_of_split(parts, listed.folder),
    )


def count_crossing_clusters(plan: DatasetPlan) -> int:
    """Count the near-duplicate clusters whose members are in more than one part.

    None where the clusters are the groups. Where groups are given, the same picture may stand in
    two of them, and no split by those groups keeps the two together.
    """
    part_of = {image.path: part for part, images in plan.parts.items() for image in images}
    parts_of_cluster: dict[int, set[Part]] = defaultdict(set)
    for one, cluster in zip(plan.inspected, plan.clusters, strict=True):
        parts_of_cluster[int(cluster)].add(part_of[one.image.path])
    return sum(len(parts) > 1 for parts in parts_of_cluster.values())


def _refuse_too_many(failed: Sequence[SetAside], listed: int, maximum_share: float) -> None:
    if len(failed) > maximum_share * listed:
        message = (
            f"{len(failed)} of {listed} images cannot be used, more than {maximum_share:.0%}; the "
            f"first is {failed[0].path} ({failed[0].problem}): mend them, take them out, or allow "
            "more with --maximum-set-aside"
        )
        raise TrainingDataError(message)


def _name_groups(
    inspected: Sequence[InspectedImage],
    clusters: npt.NDArray[np.int64],
) -> list[LabelledImage]:
    """Name each cluster after the smallest digest in it: the same on every machine."""
    smallest: dict[int, str] = {}
    for one, cluster in zip(inspected, clusters, strict=True):
        smallest[cluster] = min(one.digest, smallest.get(cluster, one.digest))
    return [
        replace(one.image, group_id=f"near-{smallest[cluster][:GROUP_DIGITS]}")
        for one, cluster in zip(inspected, clusters, strict=True)
    ]


def _keep_split(
    images: Sequence[LabelledImage],
    listed: LabelledFolder,
) -> dict[Part, list[LabelledImage]]:
    without = [image for image in images if image.path not in listed.given_parts]
    if without:
        message = (
            f"{len(without)} images of {listed.folder} have no part to keep; the first is "
            f"{listed.name_of(without[0].path)}: add a column part (fit, calibration, test) or "
            "leave out --keep-split"
        )
        raise TrainingDataError(message)
    parts: dict[Part, list[LabelledImage]] = {part: [] for part in get_args(Part)}
    for image in images:
        parts[listed.given_parts[image.path]].append(image)
    return parts
