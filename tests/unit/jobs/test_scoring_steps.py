from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest

from jobs.decoding_messages import FrameResult, ImageFailure, PreparedFrame
from jobs.fetching import FetchLimits
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeObject
from jobs.scoring_rows import Row, RowMaker
from jobs.scoring_steps import DecodedFrames, Fetched, ScoringTools, score_objects
from model.errors import AccessDeniedError, ImageError, NotRetrievedError
from model.images import DecodedImage
from model.inference import RawScores
from model.preprocessing import PreparedImage, Region
from model.reasons import Reason
from model.tumor_map import Lesion

NIGHT = "incoming/night=2026-11-20/"
ROWS = RowMaker(
    IdentifierKey(b"sixteen bytes or more"),
    NIGHT,
    "dicom_or_folder",
    datetime(2026, 11, 21, tzinfo=UTC),
)


def prepared(level: int) -> PreparedImage:
    return PreparedImage(
        network_input=np.full((4, 4), level, dtype=np.uint8),
        picture_features=np.zeros(10, dtype=np.float32),
        region=Region(0.0, 0.0, 4.0),
        decoded_width=4,
        decoded_height=4,
        original_width=8,
        original_height=6,
    )


def frame(level: int, number: int = 0, study_uid: str | None = None) -> PreparedFrame:
    return PreparedFrame(prepared(level), "dicom", number, study_uid)


TORN = ImageFailure(Reason.UNREADABLE, "torn")
TORN_FRAME = ImageFailure(Reason.UNREADABLE, "torn", "dicom", 1)


class FakeWorld:
    """Objects whose bytes are names of what decoding makes of them; scores are levels / 100."""

    def __init__(self, contents: dict[bytes, list[FrameResult]]) -> None:
        self.contents = contents
        self.fetched: list[str] = []
        self.batches: list[int] = []

    def fetch(self, source: LakeObject) -> bytes:
        self.fetched.append(source.key)
        return source.key.rpartition("/")[2].encode()

    def decode_all(
        self,
        items: Iterable[Fetched],
    ) -> Iterator[tuple[LakeObject, list[FrameResult]]]:
        for source, content in items:
            if isinstance(content, ImageError):
                yield source, [ImageFailure.of(content)]
            else:
                yield source, self.contents[content]

    def score(
        self,
        inputs: npt.NDArray[np.uint8],
        picture_features: npt.NDArray[np.float32],
    ) -> RawScores:
        assert len(picture_features) == len(inputs)
        self.batches.append(len(inputs))
        return RawScores(
            probabilities=inputs[:, 0, 0].astype(np.float64) / 100.0,
            scope_scores=np.ones(len(inputs)),
            tumor_maps=np.zeros((len(inputs), 2, 2), dtype=np.float32),
        )

    def tools(self, batch_size: int = 4) -> ScoringTools:
        return ScoringTools(
            fetch=self.fetch,
            decode_all=self.decode_all,
            decode=never_decode,
            prepare=never_prepare,
            score=self.score,
            locate=lambda _map, _image: Lesion(None, 0.0),
            rows=ROWS,
            batch_size=batch_size,
            maximum_bytes=1000,
            fetch_limits=FetchLimits(threads=2, bytes_ahead=10_000),
        )


def never_decode(_: bytes) -> DecodedFrames:
    raise AssertionError


def never_prepare(_: DecodedImage) -> PreparedImage:
    raise AssertionError


def source(name: str, size_bytes: int = 10) -> LakeObject:
    return LakeObject(f"{NIGHT}{name}", "e1", size_bytes)


def by_name(rows: Iterable[Row]) -> dict[tuple[str, object], Row]:
    return {(str(row["object_key"]).removeprefix(NIGHT), row["frame"]): row for row in rows}


def test_each_image_gets_its_own_score_whatever_batch_it_was_in() -> None:
    world = FakeWorld({f"{level}".encode(): [frame(level)] for level in range(10)})

    rows = by_name(score_objects([source(f"{level}") for level in range(10)], world.tools()))

    assert {key: row["probability"] for key, row in rows.items()} == {
        (f"{level}", 0): level / 100.0 for level in range(10)
    }
    assert world.batches == [4, 4, 2]


def test_batches_run_across_objects_with_several_frames() -> None:
    world = FakeWorld({b"a": [frame(1), frame(2, 1), frame(3, 2)], b"b": [frame(4)]})

    rows = by_name(score_objects([source("a"), source("b")], world.tools()))

    assert world.batches == [4]
    assert rows["a", 2]["probability"] == 0.03
    assert rows["b", 0]["probability"] == 0.04


def test_an_object_that_cannot_be_opened_gives_one_row_without_a_frame() -> None:
    world = FakeWorld({b"bad": [TORN], b"good": [frame(7)]})

    rows = by_name(score_objects([source("bad"), source("good")], world.tools()))

    assert rows["bad", None]["failure"] == "unreadable"
    assert rows["good", 0]["probability"] == 0.07


def test_a_failed_frame_keeps_its_number_and_the_study_of_the_others() -> None:
    world = FakeWorld({b"a": [frame(1, 0, "1.2.3"), TORN_FRAME, frame(3, 2, "1.2.3")]})

    rows = by_name(score_objects([source("a")], world.tools()))

    assert sorted(number for _, number in rows if isinstance(number, int)) == [0, 1, 2]
    assert rows["a", 1]["failure"] == "unreadable"
    assert rows["a", 1]["study_id"] == rows["a", 0]["study_id"] == rows["a", 2]["study_id"]


def test_a_decoder_that_gives_up_between_frames_gives_a_failed_frame() -> None:
    world = FakeWorld({b"a": [frame(1), TORN]})

    rows = by_name(score_objects([source("a")], world.tools()))

    assert set(rows) == {("a", 0), ("a", 1)}
    assert rows["a", 1]["failure"] == "unreadable"


def test_an_object_without_any_image_still_gives_a_row() -> None:
    rows = by_name(score_objects([source("a")], FakeWorld({b"a": []}).tools()))

    assert rows["a", None]["failure"] == "unreadable"


def test_an_object_over_the_limit_is_not_even_fetched() -> None:
    world = FakeWorld({b"small": [frame(1)]})

    rows = by_name(score_objects([source("large", 1001), source("small", 1000)], world.tools()))

    assert world.fetched == [f"{NIGHT}small"]
    assert rows["large", None]["failure"] == "too_large"
    assert rows["small", 0]["probability"] == 0.01


def test_an_object_that_is_gone_gives_a_row() -> None:
    class Gone(FakeWorld):
        def fetch(self, source: LakeObject) -> bytes:
            del source
            message = "gone"
            raise NotRetrievedError(message)

    rows = by_name(score_objects([source("a")], Gone({}).tools()))

    assert rows["a", None]["failure"] == "not_retrieved"


def test_refused_credentials_end_the_task() -> None:
    class Refused(FakeWorld):
        def fetch(self, source: LakeObject) -> bytes:
            del source
            message = "the storage refuses the credentials"
            raise AccessDeniedError(message)

    with pytest.raises(AccessDeniedError):
        list(score_objects([source("a")], Refused({}).tools()))


def test_rows_come_out_before_all_objects_have_been_taken() -> None:
    world = FakeWorld({f"{number}".encode(): [frame(1)] for number in range(100)})
    taken: list[int] = []

    def listed() -> Iterator[LakeObject]:
        for number in range(100):
            taken.append(number)
            yield source(f"{number}")

    rows = score_objects(listed(), world.tools(batch_size=4))
    next(rows)

    assert len(taken) < 10
