"""What holds for all tests: where the real images are, and that no test speaks to the outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MRI_DATA = "MRI_DATA"
REQUIRE_ALL = "MRI_REQUIRE_ALL"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `data` without the real images; in CI that is a failure."""
    if item.get_closest_marker("data") is None or has_training_images():
        return
    message = f"needs the real images: {MRI_DATA} must name their folder, which holds index.csv"
    if os.environ.get(REQUIRE_ALL):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def has_training_images() -> bool:
    """Whether MRI_DATA names a folder with the real images."""
    return bool(os.environ.get(MRI_DATA)) and (Path(os.environ[MRI_DATA]) / "index.csv").is_file()


@pytest.fixture(scope="session")
def training_images() -> Path:
    """The folder of the real images; only for tests marked `data`."""
    return Path(os.environ[MRI_DATA])
