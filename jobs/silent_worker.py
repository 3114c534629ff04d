"""A worker that stands still is ended by the kernel, so that no night waits for it for ever.

Where memory runs out any line may fail: a thread dies before it has answered, a lock stays taken.
Spark's own worker may fail to report its error, and then waits until the driver hangs up while the
driver waits for the report (``pyspark.daemon``). Nothing inside such a process can be trusted to
notice, so the kernel does: a timer (setitimer(2)) is wound up anew at every sign of life, and
SIGALRM ends the process when it runs down. That takes neither memory nor a thread. For Spark the
worker has died, and `jobs.spark_jobs` tries its objects again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias, TypeVar

REPORT_SECONDS: Final = 60.0
"""For a worker that failed to report its error; thereafter it ends anyhow."""

Item = TypeVar("Item")
ShowLife: TypeAlias = Callable[[], None]


@contextmanager
def ended_when_silent(
    seconds: float | None,
    report_seconds: float = REPORT_SECONDS,
) -> Iterator[ShowLife]:
    """End this process if the block gives no sign of life for so long.

    Only for the main thread of a process that nothing else depends on, as a worker of Spark is.

    Args:
        seconds: between two signs of life; None watches nothing.
        report_seconds: that the process may live on after an error has left the block.

    Yields:
        What gives a sign of life; cheap, and callable from every thread.
    """
    if seconds is None:
        yield lambda: None
        return

    def show_life() -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    show_life()
    left = report_seconds
    try:
        yield show_life
        left = 0.0
    except GeneratorExit:  # nobody wants more rows
        left = 0.0
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)


def each_shows_life(items: Iterable[Item], show_life: ShowLife) -> Iterator[Item]:
    """Yield the items, with a sign of life for each."""
    for item in items:
        show_life()
        yield item
