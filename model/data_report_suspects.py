"""Labels worth a second look: contradicted by a near-duplicate, or by a probability.

Nothing is corrected and nothing is left out: a list for whoever can read the pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.data_report_pictures import MeasuredPicture, stack_thumbnails
from model.metrics import Floats, Labels, make_auc
from model.near_duplicates import measure_likeness
from model.training_data import UNKNOWN

DOUBT: Final = 0.5
"""A label that gets less probability than this is doubted."""


LABEL_NAMES: Final = ("no tumour", "tumour")
NO_TYPE: Final = ("", "none", UNKNOWN)


@dataclass(frozen=True)
class Suspect:
    """One entry of a list.

    Attributes:
        positions: of the picture, or of the two pictures that contradict each other.
        note: what speaks against the label.
    """

    positions: tuple[int, ...]
    note: str


@dataclass(frozen=True)
class Suspects:
    """Labels that one method doubts.

    Attributes:
        title: of the list.
        words: what the method does, and when it is wrong itself.
        entries: the most doubtful first.
    """

    title: str
    words: str
    entries: list[Suspect]


@dataclass(frozen=True)
class Contradiction:
    """Two near-duplicates that are labelled differently.

    Attributes:
        first: position of the one.
        second: position of the other.
        likeness: correlation of their thumbnails in the orientation in which they are most alike.
    """

    first: int
    second: int
    likeness: float


def find_contradictions(
    values: Sequence[object],
    clusters: npt.NDArray[np.int64],
    thumbnails: npt.NDArray[np.float32],
) -> list[Contradiction]:
    """Find the clusters whose members carry different values, with their most alike such pair.

    Args:
        values: of each picture; None where it is not known.
        clusters: (n,) near-duplicate cluster of each.
        thumbnails: (n, 32, 32).

    Returns:
        One pair a cluster, the most alike first.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for position, cluster in enumerate(clusters.tolist()):
        if values[position] is not None:
            members[cluster].append(position)
    pairs = [
        _most_alike(positions, values, thumbnails)
        for positions in members.values()
        if len({values[position] for position in positions}) > 1
    ]
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.first))


def list_contradicted_labels(
    pictures: Sequence[MeasuredPicture],
    clusters: npt.NDArray[np.int64],
) -> Suspects:
    """List near-duplicates of which one is labelled a tumour and the other not."""
    names = [LABEL_NAMES[picture.image.label] for picture in pictures]
    return Suspects(
        title="Near-duplicates with opposite labels",
        words="One picture of each pair is labelled a tumour, the other not. Neighbouring slices "
        "at the end of a lesion are alike as well: such a pair need not be wrong.",
        entries=_as_entries(pictures, clusters, names),
    )


def list_contradicted_types(
    pictures: Sequence[MeasuredPicture],
    clusters: npt.NDArray[np.int64],
) -> Suspects:
    """List near-duplicates of which two types of tumour are told."""
    types = [picture.image.tumor_type for picture in pictures]
    return Suspects(
        title="Near-duplicates with different tumour types",
        words="One of the two types must be wrong, unless the patient has two tumours.",
        entries=_as_entries(pictures, clusters, [None if t in NO_TYPE else t for t in types]),
    )


def list_doubted(
    probabilities: Floats,
    labels: Labels,
    clusters: npt.NDArray[np.int64],
    who: str,
) -> list[Suspects]:
    """List the pictures of each label that a classifier doubts.

    Args:
        probabilities: (n,) of a tumour; NaN where there is none.
        labels: (n,) 1 for tumour.
        clusters: (n,) near-duplicate cluster of each.
        who: doubts, in words.
    """
    return [
        Suspects(
            title=f"Labelled {LABEL_NAMES[label]}, doubted by {who}",
            words=_how_good(probabilities, labels)
            + " The worst come first; of near-duplicates only the worst is listed.",
            entries=[
                Suspect((position,), f"probability of a tumour {probabilities[position]:.3f}")
                for position in rank_doubted(probabilities, labels, label, clusters)
            ],
        )
        for label in (1, 0)
    ]


def rank_doubted(
    probabilities: Floats,
    labels: Labels,
    label: int,
    clusters: npt.NDArray[np.int64],
) -> list[int]:
    """Rank the pictures of one label whose probability speaks against it, the worst first.

    Args:
        probabilities: (n,) of a tumour; NaN where there is none.
        labels: (n,) 1 for tumour.
        label: whose pictures are ranked.
        clusters: (n,); of near-duplicates only the worst is listed.
    """
    support = probabilities if label == 1 else 1.0 - probabilities
    doubted = np.flatnonzero((labels == label) & (support < DOUBT))
    ranked = doubted[np.argsort(support[doubted], kind="stable")].tolist()
    first_of = {int(clusters[position]): position for position in reversed(ranked)}
    return [position for position in ranked if first_of[int(clusters[position])] == position]


def _as_entries(
    pictures: Sequence[MeasuredPicture],
    clusters: npt.NDArray[np.int64],
    values: Sequence[object],
) -> list[Suspect]:
    pairs = find_contradictions(values, clusters, stack_thumbnails(pictures))
    return [
        Suspect((pair.first, pair.second), f"correlation {pair.likeness:.4f}") for pair in pairs
    ]


def _how_good(probabilities: Floats, labels: Labels) -> str:
    known = np.isfinite(probabilities)
    if not known.any():
        return "It judged none of the pictures."
    auc = float(make_auc(probabilities[known], labels[known])(np.ones((1, int(known.sum()))))[0])
    told = f"has an AUC of {auc:.3f}" if np.isfinite(auc) else "met one class only"
    return (
        f"It {told} on the {int(known.sum())} pictures that it judged: the worse it is, the more "
        "of its doubts are its own mistakes."
    )


def _most_alike(
    positions: Sequence[int],
    values: Sequence[object],
    thumbnails: npt.NDArray[np.float32],
) -> Contradiction:
    likeness = measure_likeness(thumbnails[positions])
    names = np.array([str(values[position]) for position in positions])
    likeness[names[:, None] == names[None]] = -np.inf
    # A pair stands there twice, and which is higher by a last bit depends on the processor.
    likeness[np.tril_indices_from(likeness)] = -np.inf
    first, second = np.unravel_index(int(likeness.argmax()), likeness.shape)
    return Contradiction(
        positions[int(first)],
        positions[int(second)],
        float(likeness[first, second]),
    )
