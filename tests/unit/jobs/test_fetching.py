import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from jobs.fetching import FetchLimits, fetch_ahead
from jobs.lake import LakeObject
from model.errors import StorageUnavailableError

SMALL = [LakeObject(f"scan-{number}.png", "e", 10) for number in range(6)]


def test_objects_come_out_in_their_order_with_what_was_fetched_for_them() -> None:
    def fetch(source: LakeObject) -> str:
        return source.key.upper()

    fetched = list(fetch_ahead(SMALL, fetch, FetchLimits(threads=3, bytes_ahead=1000)))

    assert [source.key for source, _ in fetched] == [f"scan-{number}.png" for number in range(6)]
    assert [text for _, text in fetched] == [f"SCAN-{number}.PNG" for number in range(6)]


def test_several_objects_are_fetched_at_once() -> None:
    together = threading.Barrier(3, timeout=10)

    def fetch(_: LakeObject) -> int:
        return together.wait()

    fetched = fetch_ahead(SMALL[:3], fetch, FetchLimits(threads=3, bytes_ahead=1000))

    assert sorted(turn for _, turn in fetched) == [0, 1, 2]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (FetchLimits(threads=2, bytes_ahead=1000), 2),
        (FetchLimits(threads=8, bytes_ahead=35), 3),
        (FetchLimits(threads=8, bytes_ahead=1), 1),
    ],
)
def test_no_more_is_fetched_ahead_than_the_limits_allow(
    limits: FetchLimits,
    expected: int,
) -> None:
    taken: list[str] = []

    def listed() -> Iterator[LakeObject]:
        for source in SMALL:
            taken.append(source.key)
            yield source

    fetched = fetch_ahead(listed(), lambda source: source.key, limits)
    next(fetched)

    # The first one that did not fit has been taken from the list, but is not fetched yet.
    assert len(taken) == expected + 1
    fetched.close()  # type: ignore[attr-defined]


def test_an_error_comes_out_where_its_object_would_have_been() -> None:
    def fetch(source: LakeObject) -> str:
        if source.key == "scan-2.png":
            message = "no answer"
            raise StorageUnavailableError(message)
        return source.key

    fetched = fetch_ahead(SMALL, fetch, FetchLimits(threads=4, bytes_ahead=1000))

    assert [next(fetched)[1], next(fetched)[1]] == ["scan-0.png", "scan-1.png"]
    with pytest.raises(StorageUnavailableError, match="no answer"):
        next(fetched)


def test_every_thread_is_there_before_the_first_object_is_fetched() -> None:
    def fetch(_: LakeObject) -> int:
        return sum(thread.name.startswith("fetch") for thread in threading.enumerate())

    fetched = fetch_ahead(SMALL[:1], fetch, FetchLimits(threads=5, bytes_ahead=1000))

    assert [threads for _, threads in fetched] == [5]


def test_without_memory_for_threads_the_fetching_fails_at_once_and_does_not_wait() -> None:
    code = (
        "import resource\n"
        "from jobs.fetching import FetchLimits, fetch_ahead\n"
        "from jobs.lake import LakeObject\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "limit = pages * resource.getpagesize() + 20 * 1024**2\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "sources = [LakeObject('scan.png', 'e', 10)]\n"
        "list(fetch_ahead(sources, str, FetchLimits(threads=8, bytes_ahead=1000)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert "MemoryError: Unable to allocate 128. MiB" in done.stderr.splitlines()[-1]
