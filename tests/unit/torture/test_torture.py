"""The torture's own parts: damage that can be repeated, an oracle that sees, a verdict that bites.

The damaged files here are few; `make torture` runs the night.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from tests.torture import oracle as oracle_module
from tests.torture.mutations import KINDS, SAME_BYTES, Mutant, mutate_all
from tests.torture.oracle import Oracle, differ, read_anything
from tests.torture.originals import Original, drawn_files, mini_lake_files, pydicom_files
from tests.torture.verdict import Listed, judge_night
from tests.unit.model.decoding_samples import LIMITS, decode_one, encode, make_slice, ramp

GOOD = Original("drawn", "good.png", encode(ramp(), "PNG"))
OTHER = Original("drawn", "other.png", encode(255 - ramp(), "PNG"))
LIMITS_OF_RUN = (0.2, 0.5)


@pytest.fixture(scope="module")
def drawn() -> list[Original]:
    return drawn_files(1)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as running:
        yield running


def row(key: str, **changes: object) -> dict[str, object]:
    cleared = {
        "object_key": key,
        "frame": 0,
        "decision": "cleared",
        "reason": "below_threshold",
        "probability": 0.1,
        "scope_score": 0.9,
        "width": 48,
        "height": 64,
    }
    return cleared | changes


def listed(key: str, data: bytes, original: Original = GOOD) -> Listed:
    return Listed(key, "kind", data, original)


def test_one_seed_gives_the_same_damage_and_another_one_other_damage() -> None:
    first, again, other = (mutate_all([GOOD, OTHER], 40, seed) for seed in (1, 1, 2))

    assert first == again
    assert [mutant.data for mutant in first] != [mutant.data for mutant in other]
    assert [mutant.kind for mutant in first[: len(KINDS)]] == list(KINDS)


def test_every_kind_of_damage_changes_the_bytes_but_for_the_wrong_extension() -> None:
    mutants = mutate_all([GOOD, OTHER], 20 * len(KINDS), 5)

    changed = {mutant.kind for mutant in mutants if mutant.data != mutant.original.data}

    assert changed == set(KINDS) - {SAME_BYTES}
    for mutant in mutants:
        if mutant.kind == SAME_BYTES:
            assert not mutant.name.endswith(".png")


def test_the_smallest_files_can_be_damaged_in_every_way() -> None:
    small = [Original("drawn", "empty", b""), Original("drawn", "one", b"x")]

    assert len(mutate_all(small, 10 * len(KINDS), 3)) == 10 * len(KINDS)


def test_all_files_of_pydicom_and_of_the_mini_lake_are_there() -> None:
    assert {"test_files-MR_truncated.dcm", "test_files-badVR.dcm"} <= {
        file.name for file in pydicom_files()
    }
    assert len(mini_lake_files()) > 90


def test_the_drawn_files_are_one_slice_in_every_format(drawn: list[Original]) -> None:
    pictures = [decode_one(file.data, LIMITS) for file in drawn]

    assert {picture.format for picture in pictures} == {
        "jpeg", "png", "tiff", "bmp", "gif", "webp", "dicom", "nifti",
    }  # fmt: skip
    for picture in pictures:  # deeper ones are shown between percentiles
        likeness = np.corrcoef(picture.pixels.ravel(), pictures[0].pixels.ravel())[0, 1]
        assert likeness > 0.97


def test_the_oracle_reads_every_format(drawn: list[Original]) -> None:
    for file in drawn:
        assert read_anything(file.data) is not None, file.name


@pytest.mark.parametrize("data", [b"", b"text", GOOD.data[:100], b"\xff\xd8\xff" + bytes(500)])
def test_the_oracle_reads_nothing_where_nothing_is(data: bytes) -> None:
    assert read_anything(data) is None


def test_the_oracle_reads_no_png_with_a_wrong_checksum() -> None:
    data = bytearray(GOOD.data)
    data[60] ^= 1

    assert read_anything(bytes(data)) is None


def test_the_oracle_reads_a_dicom_slice_without_meta_information() -> None:
    dataset = make_slice(ramp())
    del dataset.file_meta
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=True, little_endian=True)

    pixels = read_anything(buffer.getvalue())

    assert pixels is not None
    np.testing.assert_array_equal(pixels, ramp())


def crash_or_read(data: bytes) -> oracle_module.Pixels | None:
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    return read_anything(data)


def test_a_reader_that_crashes_has_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_module, "read_anything", crash_or_read)

    with Oracle() as running:
        first, second, third = running.read_all([GOOD.data, b"crash", GOOD.data])

    assert first is not None
    assert second is None
    assert third is not None


def test_noise_is_no_difference_and_a_black_corner_is_one() -> None:
    picture = ramp()
    noisy = picture + np.uint8(1)
    cut = picture.copy()
    cut[40:, :24] = 0

    assert not differ(picture, noisy)
    assert differ(picture, cut)
    assert differ(picture, picture[1:])


def test_a_night_that_kept_the_promise_has_no_violation(oracle: Oracle) -> None:
    night = [listed("a", GOOD.data), listed("b", b"broken"), listed("c", OTHER.data)]
    broken = row("b", decision="flagged", reason="unreadable", frame=None, probability=None)

    verdict = judge_night(night, pd.DataFrame([row("a"), broken, row("c")]), LIMITS_OF_RUN, oracle)

    assert verdict.violations == []
    assert verdict.reasons == {"kind": {"below_threshold": 2, "unreadable": 1}}
    assert verdict.undecodable == {"kind": 1}
    assert verdict.changed == {"kind": 1}


def test_lost_and_foreign_objects_are_violations(oracle: Oracle) -> None:
    night = [listed("a", GOOD.data), listed("b", GOOD.data)]

    verdict = judge_night(night, pd.DataFrame([row("a"), row("x")]), LIMITS_OF_RUN, oracle)

    assert verdict.violations == ["listed, and no row: b", "a row, and never listed: x"]


def test_clearing_what_nobody_can_read_is_a_violation(oracle: Oracle) -> None:
    night = [Listed.damaged("night/", Mutant("truncated", "a", GOOD.data[:90], GOOD))]

    verdict = judge_night(night, pd.DataFrame([row("night/truncated/a")]), LIMITS_OF_RUN, oracle)

    assert verdict.violations == ["cleared, and nobody can read it: night/truncated/a"]


@pytest.mark.parametrize(
    "changes",
    [
        {"probability": 0.2},
        {"probability": float("nan")},
        {"scope_score": 0.49},
        {"scope_score": float("inf")},
        {"reason": "unreadable"},
        {"frame": None},
        {"width": 0},
        {"decision": "neither"},
    ],
)
def test_a_row_that_nothing_may_clear_is_a_violation(
    oracle: Oracle, changes: dict[str, object]
) -> None:
    rows = pd.DataFrame([row("a", **changes)])

    verdict = judge_night([listed("a", GOOD.data)], rows, LIMITS_OF_RUN, oracle)

    assert len(verdict.violations) == 1
    assert verdict.violations[0].startswith("decided wrongly")
