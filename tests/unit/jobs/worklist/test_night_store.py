from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.lake import Lake
from jobs.night_keys import results_key, studies_key
from jobs.parquet_objects import to_parquet
from jobs.publish import describe
from jobs.worklist.night_store import NightSnapshot, NightStore
from model.errors import OutputError
from tests.unit.jobs.night_builders import NIGHT, failed, folder_lake, score
from tests.unit.jobs.worklist.published import prepare_rows, publish_rows, study

OLD = (score("a.png", study_id=study(1)), score("b.png", study_id=study(2)))
NEW = (
    score("a.png", study_id=study(1), probability=0.9),
    score("b.png", study_id=study(2), probability=0.8),
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return folder_lake(tmp_path)


def never_wait(_: float) -> None:
    """Take no time."""


def open_now(store: NightStore) -> NightSnapshot:
    found = store.open_night(NIGHT)
    assert found is not None
    return found


def runs_of(snapshot: NightSnapshot) -> set[str]:
    return {snapshot.run_id, *snapshot.studies["run_id"].to_pylist()}


def publish_studies_only(lake: Lake, run_id: str) -> None:
    """Do what a run has done a moment before its commit."""
    publication = prepare_rows(*NEW, run_id=run_id)
    lake.write(studies_key(NIGHT), to_parquet(publication.studies, describe(publication)))


def test_a_night_that_was_never_published_is_none(lake: Lake) -> None:
    assert NightStore(lake).open_night(NIGHT) is None


def test_a_night_is_read_once_as_long_as_it_stays_the_same(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_rows(lake, *OLD)
    store = NightStore(lake)
    first = open_now(store)
    monkeypatch.setattr(lake, "read", None)

    assert open_now(store) is first


def test_a_night_that_is_published_anew_is_read_anew(lake: Lake) -> None:
    publish_rows(lake, *OLD)
    store = NightStore(lake)
    open_now(store)
    publish_rows(lake, *NEW, run_id="run-2")

    assert runs_of(open_now(store)) == {"run-2"}


def test_in_mid_publication_the_old_night_is_shown_to_whoever_has_seen_it(lake: Lake) -> None:
    publish_rows(lake, *OLD)
    store = NightStore(lake)
    open_now(store)
    publish_studies_only(lake, "run-2")

    assert runs_of(open_now(store)) == {"run-1"}


def test_in_mid_publication_whoever_comes_new_sees_the_old_rows_judged_again(lake: Lake) -> None:
    publish_rows(lake, *OLD)
    publish_studies_only(lake, "run-2")

    snapshot = open_now(NightStore(lake, never_wait))

    assert runs_of(snapshot) == {"run-1"}
    assert snapshot.studies["decision"].to_pylist() == ["cleared", "cleared"]


def test_studies_that_are_judged_again_are_flagged_where_there_is_doubt(lake: Lake) -> None:
    torn = failed("folder/torn", "unreadable", study_id=study(9), study_known=False)
    whole = score("folder/whole.png", study_id=study(1))
    publish_rows(lake, {**torn, "folder_id": "f"}, {**whole, "folder_id": "f"})
    before = open_now(NightStore(lake)).studies
    publish_studies_only(lake, "run-2")

    again = open_now(NightStore(lake, never_wait)).studies

    assert before["decision"].to_pylist() == again["decision"].to_pylist() == ["flagged"] * 2


def test_a_reader_never_sees_a_mixture_while_runs_publish(lake: Lake) -> None:
    publish_rows(lake, *OLD)
    store = NightStore(lake)
    seen: list[set[str]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(runs_of(open_now(store)))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2, 12):
        publish_rows(lake, *(NEW if number % 2 else OLD), run_id=f"run-{number}")
    done.set()
    reader.join()

    assert seen
    assert all(len(runs) == 1 for runs in seen)


def test_a_night_of_an_older_release_lacks_columns_and_is_read(lake: Lake, tmp_path: Path) -> None:
    publish_rows(lake, *OLD)
    path = tmp_path / results_key(NIGHT)
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.drop_columns(["brightness", "plane"]), path)

    snapshot = open_now(NightStore(lake))

    assert snapshot.images["plane"].to_pylist() == [None, None]


def test_a_damaged_night_is_named(lake: Lake) -> None:
    lake.write(results_key(NIGHT), b"no table")

    with pytest.raises(OutputError, match="2026-11-20 cannot be read"):
        NightStore(lake).open_night(NIGHT)


def test_a_summary_tells_the_counts_of_the_footer(lake: Lake) -> None:
    publish_rows(lake, *NEW)
    publish_rows(lake, *OLD, night=date(2026, 11, 19))
    store = NightStore(lake)

    summaries = [store.summarise(one) for one in store.list_nights()]

    assert [one.night.day for one in summaries] == [20, 19]
    assert [one.count("flagged") for one in summaries] == [2, 0]


def test_nothing_else_below_results_is_taken_for_a_night(lake: Lake) -> None:
    publish_rows(lake, *OLD)
    lake.write("results/night=2026-11-20/other.parquet", b"")
    lake.write("results/notes.txt", b"")

    assert len(NightStore(lake).list_nights()) == 1


def test_the_columns_that_are_not_shown_are_not_read(lake: Lake) -> None:
    publish_rows(lake, *OLD)

    names = open_now(NightStore(lake)).images.column_names

    assert "scope_score" not in names
    assert isinstance(open_now(NightStore(lake)).images["reason"].type, pa.DictionaryType)
