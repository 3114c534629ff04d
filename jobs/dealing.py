"""Which object goes to which task, so that no task is much longer than the others."""

from __future__ import annotations

import heapq
import math
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

TASKS_A_CORE: Final = 2  # evens out tasks of different length; each start costs some time
BATCHES_A_TASK: Final = 8  # at least, so that a last part batch wastes little

WASTED_BATCHES: Final = 1.05
"""More tasks may need so many times the batches of fewer, for the sake of even ends."""

SLICE_BYTES: Final = 512 * 1024
"""An uncompressed slice of 512 x 512 pixels: a larger object costs as many slices more."""


def choose_tasks(objects: int, cores: int, batch_size: int) -> int:
    """Choose into how many tasks a job is cut.

    Every core has one, large jobs have several: as many as fill the network's batches about as
    well as any number that keeps all cores busy.
    """
    most = min(objects // (BATCHES_A_TASK * batch_size), TASKS_A_CORE * cores)
    choices = range(cores, max(cores, most) + 1, cores)
    batches = {tasks: tasks * _batches(objects, tasks, batch_size) for tasks in choices}
    most_batches = WASTED_BATCHES * min(batches.values())
    best = max(tasks for tasks, needed in batches.items() if needed <= most_batches)
    return max(1, min(objects, best))


def _batches(objects: int, tasks: int, batch_size: int) -> int:
    """Return the batches of the largest task."""
    return math.ceil(math.ceil(objects / tasks) / batch_size)


def measure_costs(objects: pa.Table) -> npt.NDArray[np.float64]:
    """Estimate, (n,), what the objects of an `INVENTORY` cost, in slices."""
    sizes = objects["size_bytes"].to_numpy().astype(np.float64)
    return np.asarray(1.0 + sizes / SLICE_BYTES, dtype=np.float64)


def deal(costs: npt.NDArray[np.float64], tasks: int) -> npt.NDArray[np.int64]:
    """Order objects so that equal slices of them, one a task, cost about the same.

    The costliest object goes first to the task with least to do that still has a place (longest
    processing time first, Graham 1969), and the first tasks, which start first, get the heaviest.

    Args:
        costs: (n,) of the objects.
        tasks: into how many slices Spark will cut them.

    Returns:
        (n,) positions.
    """
    count = len(costs)
    places = [(task + 1) * count // tasks - task * count // tasks for task in range(tasks)]
    dealt: list[list[int]] = [[] for _ in range(tasks)]
    open_tasks = [(0.0, task) for task in range(tasks) if places[task]]
    for position in np.argsort(-costs, kind="stable").tolist():
        load, task = heapq.heappop(open_tasks)
        dealt[task].append(position)
        if len(dealt[task]) < places[task]:
            heapq.heappush(open_tasks, (load + costs[position], task))
    return np.array([position for positions in dealt for position in positions], dtype=np.int64)


def cut_by_cost(costs: npt.NDArray[np.float64], limit: float) -> list[tuple[int, int]]:
    """Cut a sequence into consecutive parts that each cost at most `limit`, or are one object.

    Returns:
        First position and number of objects of each part.
    """
    parts: list[tuple[int, int]] = []
    start, total = 0, 0.0
    for position, cost in enumerate(costs.tolist()):
        if position > start and total + cost > limit:
            parts.append((start, position - start))
            start, total = position, 0.0
        total += cost
    if start < len(costs):
        parts.append((start, len(costs) - start))
    return parts
