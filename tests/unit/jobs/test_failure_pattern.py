from __future__ import annotations

from typing import Any

import pyarrow as pa

from jobs.failure_pattern import describe_pattern
from jobs.schemas import RESULTS


def rows(*changes: dict[str, Any]) -> pa.Table:
    """Make rows of `RESULTS` with as many objects; only what a pattern may be seen in is set."""
    columns = [name for name in RESULTS.names if RESULTS.field(name).nullable]
    table = [
        {
            "object_key": f"smith^john/{number}",
            "size_bytes": 1000 + number,
            "study_id": f"study {number}",
            "reason": "unreadable",
            **dict.fromkeys(columns),
            **change,
        }
        for number, change in enumerate(changes)
    ]
    schema = pa.schema([RESULTS.field(name) for name in table[0]]) if table else RESULTS
    return pa.Table.from_pylist(table, schema=schema)


NONE = rows()


def test_the_causes_are_counted_and_numbers_in_them_make_no_difference() -> None:
    failed = rows(
        {"reason": "not_retrieved", "detail": "answer 500 after 3 attempts"},
        {"reason": "not_retrieved", "detail": "answer 503 after 12 attempts"},
        {"reason": "decoder_crash"},
    )

    pattern = describe_pattern(failed, NONE)

    assert "2 are 'not_retrieved: answer N after N attempts', 1 are 'decoder_crash'" in pattern


def test_only_the_most_common_causes_are_told() -> None:
    failed = rows(*({"detail": "a" * number} for number in (1, 1, 2, 2, 3, 3, 4, 5)))

    assert "2 are 'unreadable: aaa' and 2 other causes" in describe_pattern(failed, NONE)


def test_what_most_failed_objects_share_and_few_others_have_is_told() -> None:
    same = {"format": "dicom", "size_bytes": 4096, "study_id": "3f2a"}
    failed = rows(*[same] * 9, {"format": "png"})
    others = rows(*[{"format": "jpeg"}] * 9, {"format": "dicom"})

    pattern = describe_pattern(failed, others)

    assert "9 of 10 are dicom" in pattern
    assert "9 of 10 have exactly 4096 bytes" in pattern
    assert "9 of 10 belong to study 3f2a" in pattern


def test_what_the_others_have_as_well_explains_nothing() -> None:
    failed, others = rows({"format": "dicom"}, {"format": "dicom"}), rows({"format": "dicom"})

    assert "dicom" not in describe_pattern(failed, others)


def test_an_unknown_format_is_a_format_too() -> None:
    failed, others = rows({}, {}), rows({"format": "dicom"})

    assert "2 of 2 are of no known format" in describe_pattern(failed, others)


def test_a_single_object_has_nothing_in_common_with_itself() -> None:
    assert describe_pattern(rows({"format": "dicom"}), NONE) == "1 are 'unreadable'"


def test_many_frames_of_one_object_are_one_object() -> None:
    failed = rows({"object_key": "a"}, {"object_key": "a"}, {"object_key": "b"})

    assert "2 are 'unreadable'" in describe_pattern(failed, NONE)


def test_no_key_stands_in_the_pattern() -> None:
    failed = rows({"manufacturer": "smith"}, {"manufacturer": "smith"})

    assert "smith" not in describe_pattern(failed, NONE)
