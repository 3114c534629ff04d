"""How the seconds of the stages get from the workers to the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.accumulators import AccumulatorParam

from jobs.stage_seconds import add_seconds

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.accumulators import Accumulator


class _SecondsParam(AccumulatorParam[dict[str, float]]):
    def zero(self, value: dict[str, float]) -> dict[str, float]:
        return dict.fromkeys(value, 0.0)

    def addInPlace(  # noqa: N802 - Spark's name
        self,
        value1: dict[str, float],
        value2: dict[str, float],
    ) -> dict[str, float]:
        return add_seconds(value1, value2)


def make_accumulator(context: SparkContext) -> Accumulator[dict[str, float]]:
    """Make what brings the workers' seconds to the driver; a repeated task counts twice."""
    return context.accumulator({}, _SecondsParam())
