"""(c) The same work in Ray Data: one stage of as many actors as cores, each with the network.

One stage, because handing decoded pixels from one stage to the next costs more than it brings on
so few cores.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import ray

from tests.bench.image_work import ImageWork, Work
from tests.bench.serving import serve

KEYS_A_BATCH = 128
"""Of four calls of the network each, so that Ray's own work for a batch weighs little."""


class ScoreKeys:
    """An actor of Ray Data."""

    def __init__(self, work: str) -> None:
        """Load the network, once."""
        self._work = ImageWork(Work.of_json(work))

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Score the keys of a batch."""
        rows = self._work.run([str(key) for key in batch["item"]])
        return {
            name: [row[name] for row in rows] for name in ("probability", "scope_score", "area")
        }


def main() -> None:
    """Arguments: work, file of keys, cores."""
    work, keys_file, cores = sys.argv[1], sys.argv[2], int(sys.argv[3])
    keys = Path(keys_file).read_text("utf-8").split()
    environ = {name: os.environ[name] for name in ("PYTHONPATH", "OMP_NUM_THREADS")}
    begin = time.perf_counter()
    ray.init(
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        runtime_env={"env_vars": environ},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    started = time.perf_counter() - begin

    def score(some: list[str]) -> int:
        dataset = ray.data.from_items(
            some, override_num_blocks=max(cores, len(some) // KEYS_A_BATCH)
        )
        scored = dataset.map_batches(
            ScoreKeys,
            fn_constructor_args=(work,),
            batch_size=KEYS_A_BATCH,
            compute=ray.data.ActorPoolStrategy(size=cores),
            num_cpus=1,
        )
        return len(scored.take_all())

    begin = time.perf_counter()
    score(keys[:cores])
    start_of_actors = time.perf_counter() - begin

    def run_round() -> dict[str, Any]:
        # Every execution starts its actors anew; their start is taken off, as Spark's is.
        before = time.perf_counter()
        images = score(keys)
        spent = time.perf_counter() - before
        return {"images": images, "seconds": spent - start_of_actors, "with_start": spent}

    serve(run_round, {"start": started + start_of_actors, "version": ray.__version__})


if __name__ == "__main__":
    main()
