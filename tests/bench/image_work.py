"""What every arm does with an image: read, decode, find the head, score, scope, locate.

The bare loop and Ray Data call this; the Spark job comes to the same functions through the
project's own worker.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle, open_bundle
from model.decoding import decode_object, silence_libraries
from model.derived_network import DerivedNetwork, open_derived
from model.errors import ImageError
from model.inference import Scorer, load_scorer
from model.preflight import DecodingLimits
from model.preprocessing import PreparedImage, prepare_image
from model.tumor_map import locate_lesion

LIMITS = DecodingLimits(maximum_bytes=2**28, maximum_pixels=2**26, maximum_frames=2000)


@dataclass(frozen=True)
class Work:
    """Where everything is. Small: it goes to every process of every arm.

    Attributes:
        lake: folder.
        bundle: folder.
        derived: folder of the network as the engine reads it.
        batch_size: images a call of the network.
    """

    lake: str
    bundle: str
    derived: str
    batch_size: int

    @classmethod
    def of_json(cls, text: str) -> Work:
        """Read what `to_json` wrote."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Write it as one argument of a command."""
        return json.dumps(self.__dict__)

    def load(self) -> tuple[Bundle, Scorer]:
        """Load the network, for one thread."""
        bundle = open_bundle(Path(self.bundle))
        derived: DerivedNetwork = open_derived(Path(self.derived))
        scorer = load_scorer(bundle, batch_size=self.batch_size, threads=1, derived=derived)
        return bundle, scorer


class ImageWork:
    """Scores images in a plain loop, in one thread."""

    def __init__(self, work: Work) -> None:
        """Load the network."""
        silence_libraries()  # as the job's decoding process does
        self._lake = Path(work.lake)
        self._batch_size = work.batch_size
        self.bundle, self.scorer = work.load()

    def prepare(self, key: str) -> list[PreparedImage]:
        """Read, decode and prepare the frames of one object."""
        parameters = self.bundle.card.preprocessing
        frames = decode_object((self._lake / key).read_bytes(), LIMITS)
        return [prepare_image(one, parameters) for one in frames if not isinstance(one, ImageError)]

    def score(self, prepared: Sequence[PreparedImage]) -> list[dict[str, Any]]:
        """Score prepared pictures and find their boxes."""
        scores = self.scorer.score(
            np.stack([one.network_input for one in prepared]),
            np.stack([one.picture_features for one in prepared]),
        )
        threshold = self.bundle.card.map_threshold
        lesions = [
            locate_lesion(scores.tumor_maps[number], one, threshold)
            for number, one in enumerate(prepared)
        ]
        return [
            {
                "probability": float(probability),
                "scope_score": float(scope_score),
                "area": lesion.area_fraction,
                "box_x": lesion.box.x if lesion.box else None,
            }
            for probability, scope_score, lesion in zip(
                scores.probabilities, scores.scope_scores, lesions, strict=True
            )
        ]

    def run(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Score objects, batch by batch."""
        rows: list[dict[str, Any]] = []
        for start in range(0, len(keys), self._batch_size):
            batch = [
                one for key in keys[start : start + self._batch_size] for one in self.prepare(key)
            ]
            rows += self.score(batch)
        return rows
