import itertools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from jobs.dealing import choose_tasks, cut_by_cost, deal, measure_costs
from jobs.schemas import INVENTORY


def slice_costs(
    costs: npt.NDArray[np.float64],
    order: npt.NDArray[np.int64],
    tasks: int,
) -> list[float]:
    """Cost of each task as Spark cuts a local table: consecutive slices of equal length."""
    count = len(order)
    ends = [task * count // tasks for task in range(tasks + 1)]
    return [float(costs[order[a:b]].sum()) for a, b in itertools.pairwise(ends)]


def test_a_few_long_series_are_dealt_to_different_tasks() -> None:
    costs = np.ones(400)
    costs[[3, 4, 5, 6]] = 100.0  # side by side in the inventory, as a study's series are

    order = deal(costs, 8)

    assert sorted(order.tolist()) == list(range(400))
    by_task = slice_costs(costs, order, 8)
    assert max(by_task) < 155
    assert max(slice_costs(costs, np.arange(400), 8)) > 400
    assert by_task[:4] == sorted(by_task, reverse=True)[:4]  # the heaviest start first


@pytest.mark.parametrize(("count", "tasks"), [(0, 1), (1, 1), (7, 3), (2048, 8), (100, 7)])
def test_every_object_is_dealt_once(count: int, tasks: int) -> None:
    costs = np.random.default_rng(0).random(count)
    assert sorted(deal(costs, tasks).tolist()) == list(range(count))


def test_the_number_of_tasks_fills_the_batches_of_the_network() -> None:
    # Of four tasks each would end in a half-empty batch, of two none.
    assert choose_tasks(1088, 2, 32) == 2
    assert choose_tasks(2048, 2, 32) == 4


def test_an_object_costs_more_slices_the_larger_it_is() -> None:
    inventory = pa.Table.from_pylist(
        [
            {"object_key": "a", "etag": "e", "size_bytes": 0},
            {"object_key": "b", "etag": "e", "size_bytes": 50 * 1024 * 1024},
        ],
        schema=INVENTORY,
    )
    assert measure_costs(inventory).tolist() == [1.0, 101.0]


def test_a_sequence_is_cut_where_its_cost_is_reached() -> None:
    costs = np.array([1.0, 1.0, 50.0, 1.0, 1.0, 1.0])
    assert cut_by_cost(costs, 3.0) == [(0, 2), (2, 1), (3, 3)]
    assert cut_by_cost(np.array([]), 3.0) == []
