from __future__ import annotations

import pytest

from model.scanner_names import name_maker, name_scanner


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("Philips Medical Systems", "Philips"),
        ("CANON_MEC", "Canon"),
        ("Doe Jane", None),
        ("George", None),
        ("", None),
        (None, None),
    ],
)
def test_makers_are_named_as_listed(text: str | None, expected: str | None) -> None:
    assert name_maker(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MAGNETOM Skyra", "MAGNETOM Skyra"),
        ("Avanto_fit", "Avanto fit"),
        ("DISCOVERY MR750w", "DISCOVERY MR 750w"),
        ("Signa HDxt 1.5T", "Signa HDxt 1.5T"),
        ("uMR 780", "uMR 780"),
        ("Skyra of Jane Doe, 4711, 18930217", "Skyra"),
        ("3T", None),
        ("Doe^Jane", None),
        (None, None),
    ],
)
def test_only_listed_words_and_short_numbers_come_out(
    text: str | None,
    expected: str | None,
) -> None:
    assert name_scanner(text) == expected
