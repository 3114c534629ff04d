"""How fast is the worklist?

    python -m tests.reading_bench [--seconds 60] [--readers 20] [--rows 100000]

Starts the real command on a lake with the mini lake's nights and one large night. Then: the first
page of the large night in a fresh process; single images, warm; and readers who all read at once.
Each reader opens a night, then study after study as a browser does (page, picture, map), answers
every fourth, and looks at each for one to two seconds. Only this machine is asked.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx

from model.bundle import packaged_bundle_folder
from tests.reading_bench.large_night import publish_large_night
from tests.reading_room import NIGHTS, an_image, publish_mini_lake, run_worklist
from tests.unit.jobs.worklist.rooms import hidden_fields

LARGE_NIGHT = date(2026, 11, 21)
SINGLE_IMAGES = 20
LOOK_SECONDS = (1.0, 2.0)
ANSWER_EVERY = 4
GOALS = {"first page": 500.0, "single": 2000.0, "load": 800.0}
"""Milliseconds."""

STUDY = re.compile(r'href="(/nights/[\d-]+/studies/[0-9a-f]{24}[^"]*)"')
PICTURE = re.compile(r'href="(/nights/[^"]+/picture\.png)"')
MARKS = re.compile(r'data-marks="([^"]+)"')


@dataclass
class Clock:
    """Takes the time of requests; used by many threads.

    Attributes:
        milliseconds: of each answer.
        errors: what went wrong.
    """

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def timed(self, what: str) -> Iterator[list[int]]:
        """Time a request, whose status the block puts into the list."""
        status: list[int] = []
        begin = time.perf_counter()
        try:
            yield status
        except httpx.HTTPError as error:
            with self.lock:
                self.errors.append(f"{what}: {type(error).__name__}")
            return
        spent = (time.perf_counter() - begin) * 1000
        with self.lock:
            self.milliseconds.append(spent)
            if status and status[0] >= 400:
                self.errors.append(f"{what}: {status[0]}")


def main() -> None:
    """Run all three and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reading-bench-") as name:
        folder = Path(name)
        lake = publish_mini_lake(folder, packaged_bundle_folder(), *NIGHTS)
        size = publish_large_night(lake, LARGE_NIGHT, options.rows)
        print(f"large night: {options.rows:,} rows, {size / 1e6:.1f} MB")
        with run_worklist(lake, folder) as running:
            _measure(running.url, options)


def _measure(url: str, options: argparse.Namespace) -> None:
    with httpx.Client(base_url=url, timeout=300) as client:
        # The network is loaded beside the first pages; a reader of the morning comes later.
        _send_single(client)
        first, again = _open_large_night(client), _open_large_night(client)
        _tell("first page of the large night, never read before", [first], GOALS["first page"])
        _tell("the same page again", [again], GOALS["first page"])
        singles = [_send_single(client) for _ in range(SINGLE_IMAGES)]
        _tell(f"{SINGLE_IMAGES} single images, warm, without LIME", singles, GOALS["single"])
    clock = Clock()
    end = time.monotonic() + options.seconds
    with ThreadPoolExecutor(options.readers) as pool:
        for reader in range(options.readers):
            pool.submit(_read, url, reader, end, clock)
    what = f"{options.readers} readers for {options.seconds:g} s"
    _tell(what, clock.milliseconds, GOALS["load"])
    print(f"  {len(clock.milliseconds):,} requests, {len(clock.errors)} errors")
    for error in sorted(set(clock.errors)):
        print(f"  {error}: {clock.errors.count(error)} times")


def _open_large_night(client: httpx.Client) -> float:
    begin = time.perf_counter()
    answered = client.get(f"/nights/{LARGE_NIGHT}")
    answered.raise_for_status()
    return (time.perf_counter() - begin) * 1000


def _send_single(client: httpx.Client) -> float:
    content = an_image().read_bytes()
    begin = time.perf_counter()
    client.post("/api/v1/predict", files={"image": ("x.jpg", content)}).raise_for_status()
    return (time.perf_counter() - begin) * 1000


def _read(url: str, reader: int, end: float, clock: Clock) -> None:
    """Be one reader until the time is over."""
    choose = random.Random(reader)  # noqa: S311 - which page comes next is no secret
    nights = [*NIGHTS, LARGE_NIGHT]
    with httpx.Client(base_url=url, timeout=60) as client:
        time.sleep(choose.uniform(0, LOOK_SECONDS[0]))
        while time.monotonic() < end:
            page = _get(client, f"/nights/{choose.choice(nights)}", clock)
            studies = STUDY.findall(page)
            for number, address in enumerate(studies[: choose.randint(3, 8)]):
                if time.monotonic() >= end:
                    return
                page = _get(client, address, clock)
                for found in (PICTURE.search(page), MARKS.search(page)):
                    # The large night has no images behind its rows: no pictures, no maps.
                    if found and str(LARGE_NIGHT) not in found[1]:
                        _get(client, found[1], clock)
                if number % ANSWER_EVERY == 0:
                    _answer(client, address, page, clock)
                time.sleep(choose.uniform(*LOOK_SECONDS))


def _get(client: httpx.Client, address: str, clock: Clock) -> str:
    texts = [""]
    with clock.timed("GET") as status:
        answered = client.get(address)
        status.append(answered.status_code)
        texts.append(answered.text)
    return texts[-1]


def _answer(client: httpx.Client, address: str, page: str, clock: Clock) -> None:
    fields = hidden_fields(page)
    if "answer_id" not in fields:
        return
    with clock.timed("POST") as status:
        sent = client.post(
            f"{address.partition('?')[0]}/answers", data={**fields, "answer": "confirm"}
        )
        status.append(sent.status_code)


def _tell(what: str, milliseconds: list[float], goal: float) -> None:
    ordered = sorted(milliseconds)
    middle = statistics.median(ordered)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    verdict = "met" if p95 <= goal else "missed"
    print(
        f"{what}: median {middle:,.0f} ms, p95 {p95:,.0f} ms, longest {ordered[-1]:,.0f} ms "
        f"(goal {goal:,.0f} ms: {verdict})",
        flush=True,
    )


if __name__ == "__main__":
    main()
