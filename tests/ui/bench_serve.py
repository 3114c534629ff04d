"""`python -m tests.ui.bench_serve`: how long until the UI works (`make bench-serve`).

From the start of the command to a browser that shows the four deployments. The first start of a
folder makes the server's database and is told apart; the others are what an operator meets.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, expect
from rich.console import Console
from rich.table import Table

from tests.ui.serving import browsing, free_port, serving

GOAL_SECONDS: Final = 30.0
DEPLOYMENTS: Final = ("nightly", "backfill", "training", "evaluation")


def time_start(page: Page, lake: Path, home: Path) -> tuple[float, float]:
    """Start `mri-triage serve`, look at it, and stop it.

    Returns:
        Seconds until it says that it serves, and until the browser shows the deployments.
    """
    began = time.perf_counter()
    with serving(lake, home, free_port()) as url:
        said = time.perf_counter() - began
        page.goto(f"{url}/deployments")
        for name in DEPLOYMENTS:
            expect(page.get_by_role("link", name=name, exact=True).first).to_be_visible()
        shown = time.perf_counter() - began
        page.goto("about:blank")
    return said, shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Time some starts and print them.

    Returns:
        0, or 1 if the median or the first start misses the goal.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.ui.bench_serve", description="Seconds to a working UI."
    )
    parser.add_argument("--starts", type=int, default=5, help="starts after the first one (5)")
    starts: int = parser.parse_args(arguments).starts
    with tempfile.TemporaryDirectory(prefix="serve-") as folder, browsing() as page:
        lake, home = Path(folder) / "lake", Path(folder) / "home"
        (lake / "incoming").mkdir(parents=True)
        measured = [time_start(page, lake, home) for _ in range(1 + starts)]
    table = Table("start", "serves", "shown in the browser", title="Seconds to a working UI")
    for number, (said, shown) in enumerate(measured):
        table.add_row("first" if number == 0 else str(number), f"{said:.1f}", f"{shown:.1f}")
    console = Console()
    console.print(table)
    median = statistics.median(shown for _, shown in measured[1:])
    console.print(
        f"first start {measured[0][1]:.1f} s; median of the {starts} after it {median:.1f} s "
        f"(goal: under {GOAL_SECONDS:.0f} s); {platform.machine()}, Python "
        f"{platform.python_version()}"
    )
    return 0 if max(median, measured[0][1]) < GOAL_SECONDS else 1


if __name__ == "__main__":
    raise SystemExit(main())
