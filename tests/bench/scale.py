"""`python -m tests.bench.scale`: what size, latency and skew cost a night (`make bench-scale`).

Each part can be run alone; what it finds is put into one table with what other parts found before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from model.bundle import open_bundle, packaged_bundle_folder
from model.derived_network import derive_or_find
from model.engine_choice import EngineChoice
from tests.bench.__main__ import CACHE
from tests.bench.arms import SparkArm
from tests.bench.image_work import Work
from tests.bench.nights import add_series, make_night
from tests.bench.results import describe_machine, markdown_table
from tests.bench.serving import ROOT

HEADING: Final = ("part", "what", "found", "wanted")
MILLION: Final = 1_000_000
LATENCY_SECONDS: Final = 0.03
SERIES: Final = 4
FRAMES: Final = 100
FAKE_CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

Row = tuple[str, str, str, str]


class Bench:
    """What all parts need."""

    def __init__(self, out: Path, sizes: Sequence[int], small: int, batch: int) -> None:
        """Make the network ready."""
        self.out = out
        self.sizes = sizes
        self.small = small
        self.cores = os.cpu_count() or 1
        self._batch = batch
        self._bundle = open_bundle(packaged_bundle_folder())
        self._derived = derive_or_find(self._bundle, EngineChoice(), batch, CACHE)

    def work(self, lake: Path | str) -> Work:
        """Say where everything is."""
        return Work(str(lake), str(self._bundle.folder), str(self._derived.folder), self._batch)

    def new_lake(self, images: int) -> Path:
        """Make a lake with one night; samples of earlier ones are kept."""
        lake = self.out / "scale-lake"
        for name in ("incoming", "runs", "results", "studies", "explanations"):
            shutil.rmtree(lake / name, ignore_errors=True)
        make_night(lake, images)
        return lake

    def score(self, lake: Path | str, images: int, endpoint: str = "") -> dict[str, Any]:
        """Score a night once, warm."""
        arm = SparkArm("night", self.work(lake), images, self.cores, endpoint)
        arm.start()
        try:
            return {**arm.run(), "ready": arm.ready}
        finally:
            arm.stop()


def measure_sizes(bench: Bench) -> Iterator[Row]:
    """Cost an image and memory at several sizes."""
    costs = {}
    for size in bench.sizes:
        found = bench.score(bench.new_lake(size), size)
        memory = found["memory_mib"]
        costs[size] = found["seconds"] / found["images"]
        yield (
            "size",
            f"{size:,} images",
            (
                f"{1000 * costs[size]:.2f} ms an image on {bench.cores} cores, "
                f"{1000 * found['cpu_seconds'] / found['images']:.2f} ms of CPU; driver "
                f"{memory['driver']:.0f} MiB, JVM {memory['jvm']:.0f} MiB, worker and decoding "
                f"process {memory['worker']:.0f} MiB"
            ),
            "worker at most 1.8 GB",
        )
    if len(costs) > 1:
        last, before = bench.sizes[-1], bench.sizes[-2]
        ratio = costs[last] / costs[before]
        yield ("size", f"cost an image, {last:,} / {before:,}", f"{ratio:.3f}", "at most 1.05")


def measure_listing(bench: Bench) -> Iterator[Row]:
    """List a million keys that an endpoint makes up."""
    with serve_storage(bench.out, generated=MILLION) as endpoint:
        found = run_driver("listing", endpoint)
    yield (
        "listing",
        f"{found['objects']:,} keys listed and cut into {found['shards']} shards",
        (
            f"{found['list']:.0f} s and {found['all'] - found['list']:.0f} s; driver's Python "
            f"{found['peak_mib']} MiB"
        ),
        "at most 1 GB",
    )


def measure_publish(bench: Bench) -> Iterator[Row]:
    """Publish a million rows."""
    lake = bench.out / "publish-lake"
    shutil.rmtree(lake, ignore_errors=True)
    lake.mkdir(parents=True)
    found = run_driver("publish", str(lake), str(MILLION))
    yield (
        "publish",
        f"{found['rows']:,} rows decided, audited and written",
        (
            f"{found['all']:.1f} s (decide and audit {found['decide']:.1f} s); driver's Python "
            f"{found['peak_mib']} MiB"
        ),
        "at most 30 s",
    )


def measure_latency(bench: Bench) -> Iterator[Row]:
    """Score the same night from a storage that answers at once, and after 30 ms."""
    lake = bench.new_lake(bench.small)
    rates = {}
    for latency in (0.0, LATENCY_SECONDS):
        shutil.rmtree(lake / "runs", ignore_errors=True)
        with serve_storage(lake, latency=latency) as endpoint:
            found = bench.score(lake, bench.small, endpoint)
        rates[latency] = found["images"] / found["seconds"]
    plain, slow = rates[0.0], rates[LATENCY_SECONDS]
    yield (
        "latency",
        f"{bench.small:,} images from S3 over HTTP, 30 ms a request / none",
        f"{slow:.1f} / {plain:.1f} images/s = {slow / plain:.2f}",
        "at least 0.9",
    )


def measure_skew(bench: Bench) -> Iterator[Row]:
    """Score a few long series among single slices, and as many single slices."""
    frames = SERIES * FRAMES
    even = bench.score(bench.new_lake(bench.small + frames), bench.small + frames)
    lake = bench.new_lake(bench.small)
    add_series(lake, SERIES, FRAMES)
    skewed = bench.score(lake, bench.small + SERIES)
    rates = [one["images"] / one["seconds"] for one in (skewed, even)]
    yield (
        "skew",
        f"{SERIES} objects of {FRAMES} frames (50 MB) among {bench.small:,} slices / slices alone",
        (
            f"{rates[0]:.1f} / {rates[1]:.1f} images/s = {rates[0] / rates[1]:.2f}; worker and "
            f"decoding process {skewed['memory_mib']['worker']:.0f} MiB"
        ),
        "no idle cores",
    )


def measure_start(bench: Bench) -> Iterator[Row]:
    """Start everything anew until the first images are scored."""
    found = bench.score(bench.new_lake(bench.small), bench.cores)
    ready = found["ready"]
    yield (
        "start",
        "from nothing to the first scored image",
        f"{ready['start']:.1f} s, of which Spark {ready['session']:.1f} s",
        "at most 20 s on 2 cores",
    )


PARTS: Final[dict[str, Callable[[Bench], Iterator[Row]]]] = {
    "start": measure_start,
    "publish": measure_publish,
    "listing": measure_listing,
    "latency": measure_latency,
    "skew": measure_skew,
    "size": measure_sizes,
}


@contextmanager
def serve_storage(folder: Path, *, latency: float = 0.0, generated: int = 0) -> Iterator[str]:
    """Run the small S3 in a process of its own; yield its address."""
    arguments = ["--folder", str(folder), "--latency", str(latency), "--generated", str(generated)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.storage_server", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def run_driver(*arguments: str) -> dict[str, Any]:
    """Run a driver's work in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.driver_work", *arguments],
        cwd=ROOT,
        env={**os.environ, **FAKE_CREDENTIALS},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; print the table; write it as JSON and Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, if none is named")
    parser.add_argument("--sizes", default="1000,10000", help="images of the part size")
    parser.add_argument("--small", type=int, default=2048, help="images of the other parts (2048)")
    parser.add_argument("--batch", type=int, default=16, help="images a call of the network (16)")
    parser.add_argument("--out", default=".bench", help="folder of the nights and the results")
    options = parser.parse_args(arguments)
    console = Console(width=120 if "COLUMNS" not in os.environ else None)
    out = Path(options.out).absolute()
    out.mkdir(parents=True, exist_ok=True)
    sizes = [int(size) for size in options.sizes.split(",")]
    os.environ.update(FAKE_CREDENTIALS)
    bench = Bench(out, sizes, options.small, options.batch)
    for part in options.parts or PARTS:
        console.print(f"measuring: {part}")
        rows = list(PARTS[part](bench))
        found = _keep(out / "scale.json", part, rows, bench.cores)
    _tell(found, console, out / "scale.md")
    return 0


def _keep(path: Path, part: str, rows: Sequence[Row], cores: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    found = {**found, "machine": describe_machine(cores), part: [list(row) for row in rows]}
    path.write_text(json.dumps(found, indent=1), "utf-8")
    return found


def _tell(found: dict[str, Any], console: Console, markdown: Path) -> None:
    rows = [row for part in PARTS for row in found.get(part, [])]
    table = Table(*HEADING)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    machine = found["machine"]
    line = f"{machine['cores']} cores, {machine['memory_gib']} GiB"
    markdown.write_text(f"{markdown_table([HEADING, *rows])}\n\n{line}\n", "utf-8")
    console.print(f"{line}; written: {markdown}")


if __name__ == "__main__":
    raise SystemExit(main())
