"""A real `mri-triage serve` on a copy of the mini lake, and a real browser in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page

from tests.ui.serving import browsing, free_port, serving

ROOT = Path(__file__).parents[2]
MINI_LAKE = ROOT / "tests/mini_lake/lake/incoming"
SCREENSHOTS = ROOT / ".e2e"

SETTINGS = {
    "MRI_TRIAGE__EXPLANATION__PERTURBATIONS": "40",
    "MRI_TRIAGE__EXPLANATION__SAMPLE_SIZE": "3",
    # Here nothing is more urgent than the backfill; beside other work it would starve.
    "MRI_TRIAGE__SCHEDULE__BACKFILL_NICENESS": "0",
    # The night is scheduled half a day away, whenever the tests run, and not amid them.
    "MRI_TRIAGE__SCHEDULE__CRON": f"{datetime.now(UTC) + timedelta(hours=12):%M %H} * * *",
}


@dataclass(frozen=True)
class Site:
    """What is being driven.

    Attributes:
        url: of the UI.
        lake: folder.
        nights: three that hold images and were never published, the oldest first; today's
            calendar decides which, so that no night lies in the future.
    """

    url: str
    lake: Path
    nights: tuple[date, date, date]

    @property
    def broken_night(self) -> date:
        """A night that a test may break: the one before the three."""
        return self.nights[0] - timedelta(days=1)

    def incoming(self, night: date) -> Path:
        return self.lake / f"incoming/night={night.isoformat()}"

    def results(self, night: date) -> Path:
        return self.lake / f"results/night={night.isoformat()}/results.parquet"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    today = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")).date()
    nights = (today - timedelta(days=3), today - timedelta(days=2), today - timedelta(days=1))
    port = free_port()
    made = Site(f"http://127.0.0.1:{port}", folder / "lake", nights)
    for source, night in zip(sorted(MINI_LAKE.iterdir()), nights, strict=True):
        shutil.copytree(source, made.incoming(night))
    with serving(made.lake, folder / "home", port, SETTINGS):
        yield made


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    SCREENSHOTS.mkdir(exist_ok=True)
    with browsing() as opened:
        yield opened
