"""The README's table of faults names tests: they exist, and none of the bench is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
SECTION = README.partition("\n## Faults\n")[2].partition("\n## ")[0]
NAMED = re.findall(r"`(test_\w+)`", SECTION)
MINIMUM_FAULTS = 12


def names_of_tests_in(folder: Path) -> set[str]:
    files = folder.rglob("test_*.py")
    return {
        name
        for file in files
        for name in re.findall(r"^def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_the_table_of_faults_names_exists(name: str) -> None:
    assert name in names_of_tests_in(ROOT / "tests")


def test_every_test_of_the_fault_bench_stands_in_the_table() -> None:
    assert names_of_tests_in(ROOT / "tests" / "integration" / "faults") <= set(NAMED)


def test_the_table_names_faults_enough() -> None:
    assert len(set(NAMED)) >= MINIMUM_FAULTS
