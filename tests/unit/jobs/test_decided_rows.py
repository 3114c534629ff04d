from __future__ import annotations

import pyarrow as pa
import pytest

from jobs.decided_rows import RowStamp, audit_rows, decide_rows
from jobs.schemas import RESULTS
from model.decision import DecisionLimits
from model.errors import AuditError
from tests.unit.jobs.night_builders import NIGHT, failed, inventory, score, scores

STAMP = RowStamp("net 1.0", "abc", "run-1", DecisionLimits(0.2, 0.5))


def decided(*rows: dict[str, object]) -> pa.Table:
    return decide_rows(scores(*rows), STAMP)[0]


def replaced(table: pa.Table, column: str, values: list[object]) -> pa.Table:
    index = table.column_names.index(column)
    return table.set_column(index, column, pa.array(values, table.schema.field(column).type))


def test_every_row_is_decided_stamped_and_sorted_by_key_and_frame() -> None:
    results = decided(
        score("c", probability=0.7),
        score("a", frame=1),
        failed("b", "unreadable"),
        score("a", frame=0, scope_score=0.2),
    )

    assert results.schema == RESULTS
    columns = ["object_key", "frame", "decision", "reason"]
    assert [tuple(row.values()) for row in results.select(columns).to_pylist()] == [
        ("a", 0, "flagged", "not_brain_mr"),
        ("a", 1, "cleared", "below_threshold"),
        ("b", None, "flagged", "unreadable"),
        ("c", 0, "flagged", "tumor_suspected"),
    ]
    stamps = results.select(["threshold", "bundle", "bundle_digest", "run_id"]).to_pylist()
    assert {tuple(row.values()) for row in stamps} == {(0.2, "net 1.0", "abc", "run-1")}


@pytest.mark.parametrize("column", ["probability", "scope_score"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_score_that_is_no_number_is_flagged_and_stored_as_null(
    column: str,
    value: float | None,
) -> None:
    (row,) = decided(score("a", **{column: value})).to_pylist()

    assert (row["decision"], row["reason"], row[column]) == ("flagged", "invalid_score", None)


def test_an_unknown_failure_is_flagged() -> None:
    (row,) = decided(score("a", failure="below_threshold")).to_pylist()

    assert (row["decision"], row["reason"]) == ("flagged", "invalid_score")


def test_the_rows_of_a_whole_night_pass_the_audit() -> None:
    rows = decided(score("a", frame=0), score("a", frame=1), failed("b", "empty_object"))

    audit_rows(rows, inventory("a", "b"), NIGHT)
    audit_rows(decided(), inventory(), NIGHT)


def test_a_listed_object_without_a_row_fails_the_audit() -> None:
    with pytest.raises(AuditError, match="1 of 2 listed objects have no row"):
        audit_rows(decided(score("a")), inventory("a", "b"), NIGHT)


def test_a_row_of_an_object_that_was_not_listed_fails_the_audit() -> None:
    with pytest.raises(AuditError, match="1 objects have rows, but were not listed"):
        audit_rows(decided(score("a"), score("b")), inventory("a"), NIGHT)


def test_a_row_of_an_older_version_of_an_object_fails_the_audit() -> None:
    with pytest.raises(AuditError, match="1 of 1 listed"):
        audit_rows(decided(score("a")), inventory("a", etag="e2"), NIGHT)


@pytest.mark.parametrize("frames", [[0, 2], [1], [0, 0], [0, None], [None, None]])
def test_a_missing_or_doubled_frame_fails_the_audit(frames: list[int | None]) -> None:
    rows = [score("a", frame=frame, image_id=str(i)) for i, frame in enumerate(frames)]

    with pytest.raises(AuditError, match="not the frame that was expected"):
        audit_rows(decided(score("0"), *rows), inventory("0", "a"), NIGHT)


def test_an_image_id_that_stands_twice_fails_the_audit() -> None:
    rows = decided(score("a", image_id="same"), score("b", image_id="same"))

    with pytest.raises(AuditError, match="2 rows have only 1 different image ids"):
        audit_rows(rows, inventory("a", "b"), NIGHT)


def test_a_probability_that_is_no_number_fails_the_audit() -> None:
    rows = replaced(decided(score("a")), "probability", [float("nan")])

    with pytest.raises(AuditError, match="1 rows have a probability that is no finite number"):
        audit_rows(rows, inventory("a"), NIGHT)


def test_a_row_that_is_neither_flagged_nor_cleared_fails_the_audit() -> None:
    rows = replaced(decided(score("a"), score("b")), "decision", ["cleared", "perhaps"])

    with pytest.raises(AuditError, match="0 flagged and 1 cleared are not 2 rows"):
        audit_rows(rows, inventory("a", "b"), NIGHT)


def test_a_row_that_is_cleared_for_another_reason_than_a_low_score_fails_the_audit() -> None:
    rows = replaced(decided(failed("a", "unreadable")), "decision", ["cleared"])

    with pytest.raises(AuditError, match="1 rows are cleared for a reason that clears nothing"):
        audit_rows(rows, inventory("a"), NIGHT)


def test_all_counts_that_are_off_are_named_and_no_object_is() -> None:
    rows = decided(score("smith^john", image_id="x"), score("b", image_id="x"))

    with pytest.raises(AuditError) as caught:
        audit_rows(rows, inventory("b", "c"), NIGHT)

    assert "listed objects have no row" in str(caught.value)
    assert "were not listed" in str(caught.value)
    assert "image ids" in str(caught.value)
    assert "smith" not in str(caught.value)
