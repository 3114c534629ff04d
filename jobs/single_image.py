"""Single images on the night's own code path: bytes in, decided rows and tumour maps out.

The same tools that a worker of the night has fetch nothing here: they are given the bytes. What
decodes, prepares, scores, makes rows and decides is the night's, down to the size of the batch, on
which the last digits of a score may depend. Nothing is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from jobs.decided_rows import RowStamp, decide_rows
from jobs.explaining_steps import ChosenImage, ExplainedImage, ExplainingTerms, explain_image
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeAddress, LakeObject
from jobs.scoring_rows import Row, rows_to_table
from jobs.scoring_steps import ScoringTools, score_objects
from jobs.scoring_udf import DecodingOptions, ScoringTask, make_tools
from model.bundle import Bundle
from model.decision import DecisionLimits
from model.preprocessing import PreparedImage

if TYPE_CHECKING:
    from model.tumor_map import Lesion

NOWHERE: Final = LakeAddress(Path("/").as_uri())
"""The tools name a lake; nothing is ever read from this one."""

NO_NIGHT: Final = date.min.isoformat()
"""Its images belong to no night."""

_KEY: Final = IdentifierKey(b"of images that are not stored, their ids are never shown")


@dataclass(frozen=True)
class PredictionTerms:
    """What holds for every prediction.

    Attributes:
        bundle: verified.
        limits: that images are decided with.
        decoding: what decoding may take.
        batch_size: of the night.
        fetch_threads: of the night.
        perturbations: pictures scored for one explanation.
        seed: of an explanation.
    """

    bundle: Bundle
    limits: DecisionLimits
    decoding: DecodingOptions
    batch_size: int
    fetch_threads: int
    perturbations: int
    seed: int


@dataclass(frozen=True)
class Prediction:
    """What is said of one frame of an image, or of an image that cannot be opened.

    Attributes:
        row: as of `jobs.schemas.RESULTS`; its identifiers mean nothing.
        tumor_map: (cells, cells) 0..1, or None where there is no score.
        prepared: what the network saw, or None.
    """

    row: dict[str, Any]
    tumor_map: npt.NDArray[np.float32] | None
    prepared: PreparedImage | None


class ImagePredictor:
    """Scores single images; safe to use from several threads, which take turns."""

    def __init__(self, terms: PredictionTerms) -> None:
        """Load the network and start the decoding processes.

        Raises:
            BundleError: if the network cannot be loaded.
            ConfigurationError: if the decoding process cannot be started.
        """
        self.terms = terms
        self._tools = make_tools(_make_task(terms))
        self._predicting = threading.Lock()
        self._explaining = threading.Lock()

    def warm_up(self) -> None:
        """Run everything once: the first call of a graph is slow."""
        size = self.terms.bundle.card.preprocessing.size
        features = len(self.terms.bundle.card.scope.feature_mean)
        self._tools.score(
            np.zeros((1, size, size), dtype=np.uint8),
            np.zeros((1, features), dtype=np.float32),
        )
        self.predict([b""])

    def predict(self, contents: Sequence[bytes]) -> list[list[Prediction]]:
        """Score images.

        Args:
            contents: whole files; frames of all of them share batches.

        Returns:
            For each file its frames in order; one without a frame if it cannot be opened.
        """
        marked: list[tuple[npt.NDArray[np.float32], PreparedImage]] = []

        def locate(tumor_map: npt.NDArray[np.float32], prepared: PreparedImage) -> Lesion:
            marked.append((tumor_map, prepared))
            return self._tools.locate(tumor_map, prepared)

        tools = replace(self._tools_for(contents), locate=locate)
        with self._predicting:
            rows = list(score_objects(_sources(contents), tools))
        return self._decide(rows, marked, len(contents))

    def explain(self, content: bytes, prediction: Prediction) -> ExplainedImage:
        """Explain one scored frame with LIME, as the night explains its sample; takes seconds.

        Args:
            content: the whole file.
            prediction: of the frame, with a probability.
        """
        row, terms = prediction.row, self.terms
        source = LakeObject(_name(0), "", len(content))
        chosen = ChosenImage(
            source, row["frame"], row["image_id"], row["probability"], row["reason"]
        )
        explaining = ExplainingTerms(
            threshold=terms.limits.threshold,
            map_threshold=terms.bundle.card.map_threshold,
            bundle_digest=terms.bundle.digest,
            preprocessing=terms.bundle.card.preprocessing,
            perturbations=terms.perturbations,
            seed=terms.seed,
        )
        with self._explaining:
            return explain_image(chosen, self._tools_for([content]), explaining)

    def _tools_for(self, contents: Sequence[bytes]) -> ScoringTools:
        return replace(self._tools, fetch=lambda source: contents[int(source.key)])

    def _decide(
        self,
        rows: Sequence[Row],
        marked: Sequence[tuple[npt.NDArray[np.float32], PreparedImage]],
        count: int,
    ) -> list[list[Prediction]]:
        # Frames are located and their rows come out in one and the same order.
        scored = (row for row in rows if row.get("failure") is None)
        maps = {
            (row["object_key"], row["frame"]): found
            for row, found in zip(scored, marked, strict=True)
        }
        bundle = self.terms.bundle
        name = f"{bundle.card.name} {bundle.card.version}"
        stamp = RowStamp(name, bundle.digest, "", self.terms.limits)
        decided, _ = decide_rows(rows_to_table(rows), stamp)
        predictions: list[list[Prediction]] = [[] for _ in range(count)]
        for row in decided.to_pylist():
            found = maps.get((row["object_key"], row["frame"]), (None, None))
            predictions[int(row["object_key"])].append(Prediction(row, *found))
        return predictions


def _make_task(terms: PredictionTerms) -> ScoringTask:
    return ScoringTask(
        lake=NOWHERE,
        bundle_folder=terms.bundle.folder.absolute(),
        bundle_digest=terms.bundle.digest,
        identifiers=_KEY,
        night_folder=f"{NO_NIGHT}/",
        study_from="image",
        decoding=terms.decoding,
        batch_size=terms.batch_size,
        fetch_threads=terms.fetch_threads,
        scored_at=datetime.now(UTC),
    )


def _sources(contents: Sequence[bytes]) -> list[LakeObject]:
    return [LakeObject(_name(number), "", len(one)) for number, one in enumerate(contents)]


def _name(number: int) -> str:
    return f"{number:09d}"  # of one width, so that their order as texts is that of the files
