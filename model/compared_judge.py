"""The networks of the comparison as judges beside a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from model.comparison_rows import find_row
from model.comparison_store import ComparedNetwork, file_of, load_compared
from model.errors import ConfigurationError
from model.images import DecodedImage
from model.judgement import Judge, Judgement
from model.reasons import Reason

PLAIN_NETWORKS: Final = ("cnn_dropout", "cnn_dropout_whole_picture")
"""The first project's network, once on the head alone and once, as then, on the whole picture."""


def load_plain_judges(folder: Path) -> dict[str, Judge]:
    """Load the plain networks of a comparison that are finished, by name.

    Args:
        folder: the ``--out`` of ``mri-triage compare``.

    Raises:
        ConfigurationError: if none of them is there.
        BundleError: if one is damaged.
    """
    found = [name for name in PLAIN_NETWORKS if file_of(folder, find_row(name), ".json").is_file()]
    if not found:
        message = f"{folder} holds no row {' or '.join(PLAIN_NETWORKS)}: mri-triage compare first"
        raise ConfigurationError(message)
    return {name: make_compared_judge(load_compared(folder, name)) for name in found}


def make_compared_judge(network: ComparedNetwork) -> Judge:
    """Make a judge that flags at the network's own threshold; it has no scope gate."""

    def judge(images: Sequence[DecodedImage]) -> Judgement:
        probabilities = network.score([network.prepare(image) for image in images])
        flagged = probabilities >= network.threshold
        reasons = np.where(flagged, str(Reason.TUMOR_SUSPECTED), str(Reason.BELOW_THRESHOLD))
        return Judgement(probabilities.astype(np.float64), reasons.astype(object))

    return judge
