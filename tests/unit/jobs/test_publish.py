from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.decided_rows import RowStamp
from jobs.lake import Lake
from jobs.lease import LeaseTerms, NightLease
from jobs.publish import (
    Publication,
    PublishLimits,
    describe,
    prepare_publication,
    publish,
    seen_etag,
)
from jobs.published_night import read_night
from jobs.schemas import EXPLANATIONS
from model.decision import DecisionLimits
from model.errors import AuditError, NightShrankError, NightTakenError, OutputError
from tests.unit.jobs.night_builders import (
    FOUR_O_CLOCK,
    NIGHT,
    failed,
    folder_lake,
    inventory,
    score,
    scores,
)

LIMITS = PublishLimits(maximum_failed_share=0.5, failed_share_from_objects=2)
A_DAY_LATER = FOUR_O_CLOCK + timedelta(days=1)
STUDIES_KEY = "studies/night=2026-11-20/studies.parquet"
RESULTS_KEY = "results/night=2026-11-20/results.parquet"
NO_EXPLANATIONS = EXPLANATIONS.empty_table()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return folder_lake(tmp_path)


def lease(lake: Lake, run_id: str = "run-1", night: date = NIGHT) -> NightLease:
    return NightLease(lake, night, run_id, LeaseTerms(300, lambda: FOUR_O_CLOCK))


def prepared(
    *keys: str,
    run_id: str = "run-1",
    limits: PublishLimits = LIMITS,
    night: date = NIGHT,
) -> Publication:
    stamp = RowStamp("net 1.0", "abc", run_id, DecisionLimits(0.2, 0.5), {"key_id": "12345678"})
    rows = scores(*(score(key) for key in keys))
    return prepare_publication(night, inventory(*keys), rows, stamp, limits)


def publish_keys(
    lake: Lake,
    *keys: str,
    run_id: str = "run-1",
    night: date = NIGHT,
    night_lease: NightLease | None = None,
) -> str:
    with night_lease or lease(lake, run_id, night) as held:
        publication = prepared(*keys, run_id=run_id, night=night)
        return publish(lake, held, publication, NO_EXPLANATIONS, seen_etag(lake, night))


def published_keys(lake: Lake) -> list[str]:
    night = read_night(lake, NIGHT)
    assert night is not None
    keys: list[str] = night.results["object_key"].to_pylist()
    return keys


def test_a_published_night_reads_back_with_its_studies_explanations_and_metadata(
    lake: Lake,
) -> None:
    publish_keys(lake, "a", "b")

    night = read_night(lake, NIGHT)

    assert night is not None
    assert night.results["object_key"].to_pylist() == ["a", "b"]
    assert night.studies is not None
    assert night.studies["images"].to_pylist() == [2]
    assert night.explanations == NO_EXPLANATIONS
    assert night.metadata == {
        "format_version": "1",
        "night": "2026-11-20",
        "run_id": "run-1",
        "bundle": "net 1.0",
        "bundle_digest": "abc",
        "threshold": "0.2",
        "minimum_scope_score": "0.5",
        "objects": "2",
        "rows": "2",
        "flagged": "0",
        "cleared": "2",
        "studies": "1",
        "failed_objects": "0",
        "publish_anyway": "false",
        "allow_fewer": "false",
        "key_id": "12345678",
    }


def test_a_night_that_was_never_published_reads_as_none(lake: Lake) -> None:
    assert read_night(lake, NIGHT) is None


def test_the_results_are_written_last(lake: Lake) -> None:
    written: list[str] = []

    class Recording:
        def __getattr__(self, name: str) -> object:
            return getattr(lake, name)

        def write(self, key: str, data: bytes, **condition: object) -> str:
            written.append(key)
            return lake.write(key, data, **condition)  # type: ignore[arg-type]

    with lease(lake) as held:
        publish(Recording(), held, prepared("a"), NO_EXPLANATIONS, None)  # type: ignore[arg-type]

    assert written == [
        "explanations/night=2026-11-20/index.parquet",
        "studies/night=2026-11-20/studies.parquet",
        "results/night=2026-11-20/results.parquet",
    ]


def test_a_run_killed_before_its_results_leaves_the_old_night_and_a_reader_ignores_its_studies(
    lake: Lake,
) -> None:
    publish_keys(lake, "a")

    class Dying:
        def __getattr__(self, name: str) -> object:
            return getattr(lake, name)

        def write(self, key: str, data: bytes, **condition: object) -> str:
            if key == RESULTS_KEY:
                raise KeyboardInterrupt
            return lake.write(key, data, **condition)  # type: ignore[arg-type]

    seen = seen_etag(lake, NIGHT)
    publication = prepared("a", "b", run_id="run-2")
    with lease(lake) as held, pytest.raises(KeyboardInterrupt):
        publish(Dying(), held, publication, NO_EXPLANATIONS, seen)  # type: ignore[arg-type]

    night = read_night(lake, NIGHT)
    assert night is not None
    assert night.results["run_id"].to_pylist() == ["run-1"]
    assert (night.studies, night.explanations) == (None, None)

    publish_keys(lake, "a", "b", run_id="run-3")

    night = read_night(lake, NIGHT)
    assert night is not None
    assert night.studies is not None


def test_a_night_without_objects_publishes_no_rows_and_a_warning(lake: Lake) -> None:
    publication = prepared()
    with lease(lake) as held:
        publish(lake, held, publication, NO_EXPLANATIONS, None)

    assert published_keys(lake) == []
    assert "holds no objects" in publication.warnings[0]


def test_publishing_again_replaces_the_night_and_touches_no_other(lake: Lake) -> None:
    next_night = date(2026, 11, 21)
    publish_keys(lake, "a")
    publish_keys(lake, "x", night=next_night)
    other = seen_etag(lake, next_night)

    publish_keys(lake, "a", "b", run_id="run-2")

    assert published_keys(lake) == ["a", "b"]
    assert seen_etag(lake, next_night) == other


def test_a_night_published_meanwhile_is_not_overwritten_nor_are_its_studies(lake: Lake) -> None:
    seen = seen_etag(lake, NIGHT)
    publish_keys(lake, "a", "b", run_id="run-2")

    with lease(lake) as held, pytest.raises(NightTakenError, match="while this one was at work"):
        publish(lake, held, prepared("a"), NO_EXPLANATIONS, seen)

    night = read_night(lake, NIGHT)
    assert night is not None
    assert night.studies is not None
    assert night.studies["run_id"].to_pylist() == ["run-2"]


def test_a_night_published_in_the_very_last_moment_is_not_overwritten(lake: Lake) -> None:
    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(lake, name)

        def write(self, key: str, data: bytes, **condition: object) -> str:
            if key == RESULTS_KEY:
                lake.write(key, b"of another run")
            return lake.write(key, data, **condition)  # type: ignore[arg-type]

    with lease(lake) as held, pytest.raises(NightTakenError):
        publish(Slow(), held, prepared("a"), NO_EXPLANATIONS, None)  # type: ignore[arg-type]

    assert lake.read(RESULTS_KEY) == b"of another run"


def test_a_run_that_is_overtaken_before_its_studies_writes_none_over_those_of_the_other(
    lake: Lake,
) -> None:
    class Overtaken:
        def __init__(self) -> None:
            self.is_overtaken = False

        def __getattr__(self, name: str) -> object:
            return getattr(lake, name)

        def write(self, key: str, data: bytes, **condition: object) -> str:
            if key == STUDIES_KEY and not self.is_overtaken:
                self.is_overtaken = True
                publish_keys(lake, "a", "b", run_id="run-2", night_lease=other)
            return lake.write(key, data, **condition)  # type: ignore[arg-type]

    other = NightLease(lake, NIGHT, "run-2", LeaseTerms(300, lambda: A_DAY_LATER))
    with lease(lake) as held, pytest.raises(NightTakenError):
        publish(Overtaken(), held, prepared("a"), NO_EXPLANATIONS, None)  # type: ignore[arg-type]

    night = read_night(lake, NIGHT)
    assert night is not None
    assert night.studies is not None
    assert night.studies["run_id"].to_pylist() == ["run-2"]


def test_a_run_that_never_heard_that_its_results_were_taken_finds_them_to_be_its_own(
    lake: Lake,
) -> None:
    publication = prepared("a")
    with lease(lake) as held:
        etag = publish(lake, held, publication, NO_EXPLANATIONS, None)

        assert publish(lake, held, publication, NO_EXPLANATIONS, None) == etag


def test_without_the_lease_nothing_is_published(lake: Lake) -> None:
    with pytest.raises(NightTakenError):
        publish(lake, lease(lake), prepared("a"), NO_EXPLANATIONS, None)

    assert list(lake.list_objects("results/")) == []
    assert list(lake.list_objects("studies/")) == []


def test_a_published_object_may_not_vanish_even_if_others_came(lake: Lake) -> None:
    publish_keys(lake, "smith^john", "b")

    with pytest.raises(NightShrankError, match="2 objects, and 1 of them are no longer") as caught:
        publish_keys(lake, "b", "c", "d", run_id="run-2")

    assert "smith" not in str(caught.value)
    assert published_keys(lake) == ["b", "smith^john"]


def test_fewer_objects_are_published_when_that_is_allowed(lake: Lake) -> None:
    publish_keys(lake, "a", "b")
    allowed = PublishLimits(0.5, 2, allow_fewer=True)

    with lease(lake) as held:
        publication = prepared("b", limits=allowed)
        publish(lake, held, publication, NO_EXPLANATIONS, seen_etag(lake, NIGHT))

    assert published_keys(lake) == ["b"]


def test_a_published_night_that_cannot_be_read_is_replaced_only_when_that_is_allowed(
    lake: Lake,
) -> None:
    lake.write(RESULTS_KEY, b"no parquet")
    with pytest.raises(OutputError, match="run the night again"):
        read_night(lake, NIGHT)
    with pytest.raises(NightShrankError, match="cannot be read"):
        publish_keys(lake, "a")

    allowed = PublishLimits(0.5, 2, allow_fewer=True)
    with lease(lake) as held:
        publication = prepared("a", limits=allowed)
        publish(lake, held, publication, NO_EXPLANATIONS, seen_etag(lake, NIGHT))

    assert published_keys(lake) == ["a"]


def night_with_failures(limits: PublishLimits, *rows: dict[str, object]) -> Publication:
    stamp = RowStamp("net 1.0", "abc", "run-1", DecisionLimits(0.2, 0.5))
    table = scores(*rows)
    return prepare_publication(
        NIGHT, inventory(*table["object_key"].to_pylist()), table, stamp, limits
    )


@pytest.mark.parametrize(
    "reason",
    ["unreadable", "decoder_crash", "timed_out", "not_retrieved", "invalid_score"],
)
def test_a_night_in_which_too_many_objects_failed_is_not_published(reason: str) -> None:
    rows = [failed("a", reason), failed("b", reason), score("c")]

    with pytest.raises(AuditError, match=rf"2 of 3 objects .* at most 0\.5; .* 2 are '{reason}'"):
        night_with_failures(LIMITS, *rows)


def test_too_many_failures_are_published_when_asked_with_a_warning_and_the_metadata_say_so() -> (
    None
):
    anyway = PublishLimits(0.5, 2, publish_anyway=True)

    publication = night_with_failures(anyway, failed("a", "unreadable"), failed("b", "unreadable"))

    metadata = describe(publication)
    assert "published anyway" in publication.warnings[0]
    assert (metadata["publish_anyway"], metadata["failed_objects"]) == ("true", "2")


def test_an_object_with_many_failed_frames_is_one_failed_object() -> None:
    frames = [failed("a", "unreadable", frame=frame) for frame in range(9)]

    publication = night_with_failures(LIMITS, *frames, score("b"))

    assert (publication.failed_objects, publication.warnings) == (1, ())


def test_a_small_night_and_the_share_itself_are_not_too_many() -> None:
    small = night_with_failures(PublishLimits(0.5, 3), failed("a", "unreadable"), score("b"))
    at_the_limit = night_with_failures(LIMITS, failed("a", "unreadable"), score("b"))
    all_of_two = night_with_failures(
        PublishLimits(0.5, 3), failed("a", "unreadable"), failed("b", "unreadable")
    )

    assert (small.warnings, at_the_limit.warnings, all_of_two.warnings) == ((), (), ())


def test_reports_and_unsupported_files_are_no_failures_of_the_job() -> None:
    night_with_failures(LIMITS, failed("a", "unsupported"), failed("b", "non_diagnostic"))


def test_the_tables_given_to_publish_are_not_changed() -> None:
    table = scores(score("b"), score("a"))
    before = pa.Table.from_pylist(table.to_pylist(), schema=table.schema)
    stamp = RowStamp("net 1.0", "abc", "run-1", DecisionLimits(0.2, 0.5))

    prepare_publication(NIGHT, inventory("a", "b"), table, stamp, LIMITS)

    assert table == before
