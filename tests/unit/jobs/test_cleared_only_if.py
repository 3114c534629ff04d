"""Whatever the bytes, the frames, the scores and the limits: what is cleared, and what is not.

The real parts from the bytes to the published tables; the network alone is replaced, by any
numbers at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.decided_rows import RowStamp, audit_rows, decide_rows
from jobs.decoding_child import prepare_frames
from jobs.decoding_messages import DecodingSetup, FrameResult, ImageFailure
from jobs.fetching import FetchLimits
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeObject
from jobs.schemas import INVENTORY
from jobs.scoring_rows import RowMaker, rows_to_table
from jobs.scoring_steps import Fetched, ScoringTools, score_objects
from jobs.studies import make_studies
from model.decision import DecisionLimits
from model.errors import ImageError, NotRetrievedError
from model.inference import RawScores
from model.preflight import DecodingLimits
from model.preprocessing import PreprocessingParameters, prepare_image
from model.reasons import Reason
from model.tumor_map import Lesion
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, NIGHT, score, scores
from tests.unit.model.decoding_samples import (
    bundled,
    decode_all,
    encode,
    make_slice,
    ramp,
    write,
)

NIGHT_FOLDER = f"incoming/night={NIGHT.isoformat()}/"
SMALL = DecodingLimits(maximum_bytes=2**20, maximum_pixels=2**18, maximum_frames=10)

ANY_NUMBER = st.one_of(st.floats(), st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.2, 0.5, -0.0]))
ANY_LIMITS = st.builds(DecisionLimits, st.floats(0.001, 1.0), st.floats(0.0, 1.0))

# Native codecs are left out: a crash would end the tests; tests.torture damages those.
GOOD_FILES = [
    encode(ramp(20, 16), "PNG"),
    encode(ramp(20, 16), "BMP"),
    write(make_slice(ramp(20, 16))),
    write(make_slice(np.stack([ramp(20, 16)] * 3))),
    write(make_slice(ramp(20, 16), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
    bundled("test-SR.dcm"),
]


@st.composite
def any_file(draw: st.DrawFn) -> bytes:
    """A good file, a damaged one, or any bytes."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(draw(st.sampled_from(GOOD_FILES)))
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=3)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@dataclass
class AnyWorld:
    """Real decoding and preparing in this process; a network that says what it was told to."""

    contents: dict[str, bytes | None]
    numbers: Iterator[float]

    def fetch(self, source: LakeObject) -> bytes:
        content = self.contents[source.key]
        if content is None:
            message = "gone"
            raise NotRetrievedError(message)
        return content

    def decode_all(
        self, items: Iterable[Fetched]
    ) -> Iterator[tuple[LakeObject, list[FrameResult]]]:
        setup = DecodingSetup(SMALL, 0, "", PreprocessingParameters(size=32))
        for source, content in items:
            if isinstance(content, ImageError):
                yield source, [ImageFailure.of(content)]
            else:
                yield source, list(prepare_frames(content, setup, prepare_image))

    def score(
        self, inputs: npt.NDArray[np.uint8], picture_features: npt.NDArray[np.float32]
    ) -> RawScores:
        assert np.isfinite(picture_features).all()
        count = len(inputs)
        return RawScores(
            probabilities=np.array([next(self.numbers) for _ in range(count)]),
            scope_scores=np.array([next(self.numbers) for _ in range(count)]),
            tumor_maps=np.zeros((count, 2, 2), dtype=np.float32),
        )

    def tools(self) -> ScoringTools:
        return ScoringTools(
            fetch=self.fetch,
            decode_all=self.decode_all,
            decode=lambda _: iter(()),
            prepare=lambda image: prepare_image(image, PreprocessingParameters(size=32)),
            score=self.score,
            locate=lambda _map, _image: Lesion(None, 0.0),
            rows=RowMaker(
                IdentifierKey(b"sixteen bytes or more"),
                NIGHT_FOLDER,
                "dicom_or_folder",
                FOUR_O_CLOCK,
            ),
            batch_size=4,
            maximum_bytes=2**20,
            fetch_limits=FetchLimits(threads=1, bytes_ahead=2**20),
        )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(st.one_of(st.none(), any_file()), min_size=1, max_size=6),
    numbers=st.lists(ANY_NUMBER, min_size=1, max_size=12),
    limits=ANY_LIMITS,
)
def test_a_cleared_image_was_read_in_scope_finite_and_below_the_threshold(
    files: list[bytes | None], numbers: list[float], limits: DecisionLimits
) -> None:
    contents = {f"{NIGHT_FOLDER}study/{number}": file for number, file in enumerate(files)}
    sources = [LakeObject(key, "e1", len(file or b"")) for key, file in contents.items()]
    # Every object appears with numbers that turn round; its images have two each.
    world = AnyWorld(contents, iter(numbers * 200))

    table = rows_to_table(score_objects(sources, world.tools()))
    results, places = decide_rows(table, RowStamp("any 1", "digest", "run", limits))

    audit_rows(results, inventory_of(sources), NIGHT)
    for row in results.to_pylist():
        if row["decision"] == "cleared":
            content = contents[row["object_key"]]
            assert content is not None
            image = decode_all(content, SMALL)[row["frame"]]
            assert not isinstance(image, ImageError)
            assert np.isfinite(image.pixels).all()
            assert 0.0 <= row["probability"] < limits.threshold
            assert limits.minimum_scope_score <= row["scope_score"] <= 1.0
            assert row["reason"] == "below_threshold"
    rows = zip(results.to_pylist(), places.to_pylist(), strict=True)
    expected = cleared_studies([{**row, **place} for row, place in rows])
    assert published_as_cleared(results, places) == expected


ANY_REASON = st.one_of(
    st.none(), st.none(), st.sampled_from([str(reason) for reason in Reason]), st.text(max_size=3)
)

ANY_ROW = st.fixed_dictionaries(
    {
        "failure": ANY_REASON,
        "probability": st.one_of(st.none(), ANY_NUMBER, st.floats(0, 0.1), st.floats(0, 0.1)),
        "scope_score": st.one_of(st.none(), ANY_NUMBER, st.floats(0.8, 1), st.floats(0.8, 1)),
        "counts_for_study": st.booleans(),
        "study_known": st.booleans(),
        "study_id": st.sampled_from(["s1", "s2", "s3"]),
        "folder_id": st.sampled_from([None, "f1", "f2"]),
    },
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ANY_ROW, max_size=12), limits=ANY_LIMITS)
def test_a_study_is_cleared_only_if_it_has_counting_images_and_all_of_them_are(
    rows: list[dict[str, Any]], limits: DecisionLimits
) -> None:
    table = scores(*[score(f"{number:02d}", **row) for number, row in enumerate(rows)])

    results, places = decide_rows(table, RowStamp("any 1", "digest", "run", limits))

    for row, decided in zip(rows, results.to_pylist(), strict=True):
        probability, scope = row["probability"], row["scope_score"]
        may_be_cleared = (
            row["failure"] is None
            and probability is not None
            and scope is not None
            and 0.0 <= probability < limits.threshold
            and limits.minimum_scope_score <= scope <= 1.0
        )
        assert (decided["decision"] == "cleared") == may_be_cleared
    decided_rows = [
        {**row, "decision": decided["decision"]}
        for row, decided in zip(rows, results.to_pylist(), strict=True)
    ]
    assert published_as_cleared(results, places) == cleared_studies(decided_rows)


def cleared_studies(rows: list[dict[str, Any]]) -> set[str]:
    """DESIGN's rule in plain words: counting images, all cleared, and no lost object beside one."""
    lost = {
        row["folder_id"]
        for row in rows
        if row["counts_for_study"] and not row["study_known"] and row["folder_id"] is not None
    }
    cleared = set()
    for study in {row["study_id"] for row in rows}:
        images = [row for row in rows if row["study_id"] == study]
        counting = [row for row in images if row["counts_for_study"]]
        if (
            counting
            and all(row["decision"] == "cleared" for row in counting)
            and not any(row["folder_id"] in lost for row in images)
        ):
            cleared.add(study)
    return cleared


def published_as_cleared(results: Any, places: Any) -> set[str]:  # noqa: ANN401 - Arrow tables
    studies = make_studies(results, places, "run").to_pylist()
    return {row["study_id"] for row in studies if row["decision"] == "cleared"}


def inventory_of(sources: list[LakeObject]) -> Any:  # noqa: ANN401 - an Arrow table
    rows = [
        {"object_key": item.key, "etag": item.etag, "size_bytes": item.size_bytes}
        for item in sources
    ]
    return INVENTORY.empty_table().from_pylist(rows, schema=INVENTORY)
