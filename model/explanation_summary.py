"""From the records of a bench to its table: figures with intervals, and which bars they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from model.explanation_bench import ORDERS, SEGMENTATIONS
from model.explanation_measures import HEAT_SHARES
from model.metrics import make_share, resample_groups, with_intervals

Record: TypeAlias = dict[str, Any]

LOCATED: Final = ("lime", "gradcam", "map")
INTERVAL_SEED: Final = 1

BARS: Final = (
    ("pointing game of the map", "map_points", 0.94),
    ("pointing game of LIME", "lime_points", 0.75),
    ("LIME's positive weight inside the head, mean", "inside_head", 0.95),
    ("rank agreement over 5 seeds, median", "agreement", 0.8),
)
"""What is asked for: at least."""

MOST_SECONDS: Final = 10.0
LEAST_SPEED_UP: Final = 2.0


def choose_shares(calibration: Sequence[Record]) -> dict[str, float]:
    """Choose, for every method, the share of the highest heat that marks lesions best."""
    return {
        name: HEAT_SHARES[
            int(np.argmax(np.mean([record["dice"][name] for record in calibration], axis=0)))
        ]
        for name in LOCATED
    }


def summarise_bench(
    test: Sequence[Record],
    calibration: Sequence[Record],
    shuffled: Sequence[Record],
    costs: Mapping[str, Any] | None,
) -> Record:
    """Return the figures of a bench for JSON.

    Args:
        test: of `measure_image`, each with its ``group_id`` and ``source``.
        calibration: of `measure_segmentations`.
        shuffled: of `measure_shuffled`.
        costs: of `measure_costs`, or None where they were not asked for.
    """
    shares = choose_shares(calibration)
    located = _measure_located(test, shares)
    agreement = [record["agreement"] for record in test]
    inside = [record["inside_head"] for record in test]
    content: Record = {
        "images": len(test),
        "groups": len({record["group_id"] for record in test}),
        "by_source": _by_source(test),
        "located": located,
        "heat_shares": shares,
        "agreement": _median(agreement),
        "agreement_lowest_tenth": _quantile(agreement, 0.1),
        "stability_of_halves": _median([record["stability_of_halves"] for record in test]),
        "inside_head": _mean(inside),
        "inside_head_lowest_tenth": _quantile(inside, 0.1),
        "fidelity": _median([record["fidelity"][0] for record in test]),
        "curves": _measure_curves(test),
        "shuffled": {
            name: _median([record[name] for record in shuffled])
            for name in ("other_seed", "shuffled")
        },
        "segmentations": _measure_segmentations(calibration),
        "calibration_images": len(calibration),
        "shuffled_images": len(shuffled),
        "costs": costs,
    }
    content["bars"] = judge_bars(content)
    return content


def judge_bars(content: Mapping[str, Any]) -> list[Record]:
    """Say which figures reach what is asked for."""
    values = {
        "map_points": content["located"]["map"]["points"]["value"],
        "lime_points": content["located"]["lime"]["points"]["value"],
        "inside_head": content["inside_head"],
        "agreement": content["agreement"],
    }
    bars: list[Record] = [
        {"what": what, "value": values[key], "bar": f">= {bar}", "met": values[key] >= bar}
        for what, key, bar in BARS
    ]
    if content["costs"]:
        seconds, ratio = content["costs"]["ours_seconds"], content["costs"]["times_less"]
        bars.append(
            {
                "what": "processor seconds of 1,000 perturbations, one core",
                "value": seconds,
                "bar": f"<= {MOST_SECONDS:g}",
                "met": seconds <= MOST_SECONDS,
            }
        )
        bars.append(
            {
                "what": "times less than lime's image explainer calling Keras predict",
                "value": ratio,
                "bar": f">= {LEAST_SPEED_UP:g}",
                "met": ratio >= LEAST_SPEED_UP,
            }
        )
    return bars


def _measure_located(test: Sequence[Record], shares: Mapping[str, float]) -> Record:
    groups = np.array([record["group_id"] for record in test])
    resamples = resample_groups(groups, INTERVAL_SEED)
    every = np.ones(len(test), dtype=bool)
    located: Record = {}
    for name in LOCATED:
        place = HEAT_SHARES.index(shares[name])
        values = {
            "points": [record["points"][name] for record in test],
            "points_nearly": [record["points_nearly"][name] for record in test],
            "dice": [record["dice"][name][place] for record in test],
        }
        metrics = {
            key: make_share(np.array(column, dtype=np.float64), every)
            for key, column in values.items()
        }
        located[name] = with_intervals(metrics, resamples)
    return located


def _by_source(test: Sequence[Record]) -> Record:
    sources = sorted({record["source"] for record in test})
    return {
        source: {
            "images": len(of_source := [one for one in test if one["source"] == source]),
            "points": {name: _mean([one["points"][name] for one in of_source]) for name in LOCATED},
        }
        for source in sources
    }


def _measure_curves(test: Sequence[Record]) -> Record:
    return {
        name: {
            "deletion": _mean([record["curves"][name][0] for record in test]),
            "insertion": _mean([record["curves"][name][1] for record in test]),
        }
        for name in ORDERS
    }


def _measure_segmentations(calibration: Sequence[Record]) -> Record:
    return {
        name: {
            "segments": _median([one["segmentations"][name]["segments"] for one in calibration]),
            "fidelity": _median([one["segmentations"][name]["fidelity"] for one in calibration]),
            "agreement": _median([one["segmentations"][name]["agreement"] for one in calibration]),
            "points": _mean([one["segmentations"][name]["points"] for one in calibration]),
            "inside_head": _mean(
                [one["segmentations"][name]["inside_head"] for one in calibration]
            ),
            "dice": round(
                max(
                    np.mean(
                        [one["segmentations"][name]["dice"] for one in calibration], axis=0
                    ).tolist()
                ),
                3,
            ),
        }
        for name in SEGMENTATIONS
    }


def _known(values: Sequence[float | None]) -> list[float]:
    return [float(value) for value in values if value is not None]


def _mean(values: Sequence[float | None]) -> float:
    return round(float(np.mean(_known(values) or [0.0])), 4)


def _median(values: Sequence[float | None]) -> float:
    return round(float(np.median(_known(values) or [0.0])), 4)


def _quantile(values: Sequence[float | None], share: float) -> float:
    return round(float(np.quantile(_known(values) or [0.0], share)), 4)
