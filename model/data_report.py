"""What is to be known of labelled pictures before anyone trains on them: all that a report shows.

Nothing is corrected and nothing is left out; it is counted, measured and listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from model.data_report_counts import DuplicateCounts, count_duplicates
from model.data_report_leakage import Leakage, Relations, measure_leakage
from model.data_report_pictures import MeasuredPicture, stack_thumbnails
from model.data_report_probe import probe_labels
from model.data_report_suspects import (
    Suspects,
    list_contradicted_labels,
    list_contradicted_types,
    list_doubted,
)
from model.errors import TrainingDataError
from model.images import Acquisition
from model.metrics import Floats, Interval, Labels
from model.near_duplicates import find_clusters
from model.shortcuts import measure_size, measure_source, score_shortcut
from model.training_data import SPLIT_SEED
from model.training_dataset import SetAside
from model.training_folders import LabelledFolder

ALL: Final = "all sources"

OnStep = Callable[[str], None]
"""Called with what begins."""

ShortcutScores = dict[str, dict[str, dict[str, Interval | None] | None]]
"""By source (or `ALL`) and baseline: AUC and accuracy; None if there are too few groups."""


BASELINES: Final[dict[str, Callable[[Sequence[MeasuredPicture]], Floats]]] = {
    "image_size": lambda some: measure_size([(p.measures.width, p.measures.height) for p in some]),
    "border": lambda some: np.stack([picture.measures.border for picture in some]),
    "background": lambda some: np.stack([picture.measures.background for picture in some]),
    "source": lambda some: measure_source([picture.image.source for picture in some]),
}
"""What each baseline sees of pictures, (n, features)."""


@dataclass(frozen=True)
class BundleScores:
    """What a bundle says of pictures that its network was not fitted on.

    Attributes:
        name: of the bundle, with its version.
        which: which pictures those are, in words.
        probabilities: of a tumour, by path below the folder.
    """

    name: str
    which: str
    probabilities: dict[str, float]


@dataclass(frozen=True)
class ReadFolder:
    """A folder of labelled pictures, read.

    Attributes:
        pictures: those that can be used, in the order of the folder.
        set_aside: the other files that it lists, with what is wrong, by path.
        unlisted_dicom: scanner fields of DICOM files below the folder that no label names.
        unread_dicom: how many more of those cannot be read.
    """

    pictures: list[MeasuredPicture]
    set_aside: list[SetAside]
    unlisted_dicom: list[Acquisition]
    unread_dicom: int


@dataclass(frozen=True)
class DataReport:
    """All that a report shows; n pictures.

    Attributes:
        folder: name of the folder.
        read: what was read; every picture has its group.
        groups_given: whether the folder gave the groups; else near-duplicates are the groups.
        clusters: (n,) near-duplicate cluster of each picture.
        duplicates: counted.
        leakage: of each split.
        shortcuts: see there.
        suspects: labels worth a second look.
    """

    folder: str
    read: ReadFolder
    groups_given: bool
    clusters: npt.NDArray[np.int64]
    duplicates: DuplicateCounts
    leakage: list[Leakage]
    shortcuts: ShortcutScores
    suspects: list[Suspects]

    @property
    def pictures(self) -> list[MeasuredPicture]:
        """Those that can be used."""
        return self.read.pictures


def make_report(
    listed: LabelledFolder,
    read: ReadFolder,
    bundle: BundleScores | None,
    on_step: OnStep,
) -> DataReport:
    """Measure all that a report shows.

    Args:
        listed: the folder.
        read: what was read of it.
        bundle: scores that doubt labels beside the linear probe's, or None.
        on_step: see there.

    Raises:
        TrainingDataError: if no picture can be used.
    """
    if not read.pictures:
        first = read.set_aside[0]
        message = (
            f"none of the {len(listed.images)} images of {listed.folder} can be used; the first is "
            f"{first.path} ({first.problem})"
        )
        raise TrainingDataError(message)
    on_step("near-duplicates")
    thumbnails = stack_thumbnails(read.pictures)
    clusters = find_clusters(thumbnails)
    pictures = read.pictures
    if not listed.has_groups:
        pictures = name_groups(read.pictures, clusters)
    labels, groups = labels_of(pictures), groups_of(pictures)
    on_step("leakage")
    leakage = measure_leakage(
        Relations(labels, clusters, groups, thumbnails),
        _given_test(listed, pictures),
        SPLIT_SEED,
    )
    shortcuts = score_shortcuts(pictures, on_step)
    on_step("labels")
    return DataReport(
        folder=listed.folder.name,
        read=replace(read, pictures=pictures),
        groups_given=listed.has_groups,
        clusters=clusters,
        duplicates=count_duplicates(pictures, clusters),
        leakage=leakage,
        shortcuts=shortcuts,
        suspects=find_suspects(pictures, clusters, bundle),
    )


def name_groups(
    pictures: Sequence[MeasuredPicture],
    clusters: npt.NDArray[np.int64],
) -> list[MeasuredPicture]:
    """Make each near-duplicate cluster a group, where the folder gives none."""
    return [
        replace(picture, image=replace(picture.image, group_id=f"near-{cluster}"))
        for picture, cluster in zip(pictures, clusters, strict=True)
    ]


def score_shortcuts(pictures: Sequence[MeasuredPicture], on_step: OnStep) -> ShortcutScores:
    """Score each baseline on all pictures, and within each source that holds both classes."""
    on_step(f"shortcuts, {ALL}")
    scores = {ALL: _score_baselines(pictures, BASELINES)}
    sources = sorted({picture.image.source for picture in pictures})
    for source in sources if len(sources) > 1 else ():
        within = [picture for picture in pictures if picture.image.source == source]
        if len(set(labels_of(within).tolist())) > 1:
            on_step(f"shortcuts, {source}")
            scores[source] = _score_baselines(within, [n for n in BASELINES if n != "source"])
    return scores


def find_suspects(
    pictures: Sequence[MeasuredPicture],
    clusters: npt.NDArray[np.int64],
    bundle: BundleScores | None,
) -> list[Suspects]:
    """List the labels worth a second look, by every method that the pictures allow."""
    labels = labels_of(pictures)
    found = [
        list_contradicted_labels(pictures, clusters),
        list_contradicted_types(pictures, clusters),
    ]
    if bundle is not None:
        scores = [bundle.probabilities.get(picture.name, np.nan) for picture in pictures]
        who = f"the bundle {bundle.name}, on {bundle.which}"
        found += list_doubted(np.array(scores, dtype=np.float64), labels, clusters, who)
    views = np.stack([picture.measures.head_view for picture in pictures])
    probe: Floats | None = probe_labels(views, labels, groups_of(pictures), SPLIT_SEED)
    if probe is not None:
        found += list_doubted(probe, labels, clusters, "a linear probe, out of fold")
    return found


def labels_of(pictures: Sequence[MeasuredPicture]) -> Labels:
    """Return (n,) 1 for tumour."""
    return np.array([picture.image.label for picture in pictures], dtype=np.int64)


def groups_of(pictures: Sequence[MeasuredPicture]) -> npt.NDArray[np.str_]:
    """Return (n,) group of each picture."""
    return np.array([picture.image.group_id for picture in pictures])


def _score_baselines(
    pictures: Sequence[MeasuredPicture],
    baselines: Iterable[str],
) -> dict[str, dict[str, Interval | None] | None]:
    labels, groups = labels_of(pictures), groups_of(pictures)
    return {
        name: score_shortcut(BASELINES[name](pictures), labels, groups, SPLIT_SEED)
        for name in baselines
    }


def _given_test(
    listed: LabelledFolder,
    pictures: Sequence[MeasuredPicture],
) -> npt.NDArray[np.bool_] | None:
    if not listed.given_parts:
        return None
    parts = [listed.given_parts.get(picture.image.path) for picture in pictures]
    return None if None in parts else np.array([part == "test" for part in parts])
