"""The benchmark's figures: medians over the rounds, ratios, a table for people."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.bench.arms import Arm

GIBIBYTE = 1024**3
NIGHT_HOURS = 4
SPARE = 1.5
CORE_HOUR_DOLLARS = 0.05
"""About what clouds ask for a virtual core of a general machine, on demand."""
ARM_HEADING = (
    "arm",
    "what",
    "images",
    "images/s (median)",
    "lowest - highest",
    "CPU ms an image",
    "peak MiB",
)


def make_report(
    arms: Mapping[str, Arm],
    rounds: Mapping[str, Sequence[Mapping[str, Any]]],
    cores: int,
) -> dict[str, Any]:
    """Put all figures together, as plain values."""
    rows = {
        name: {
            "name": arm.name,
            "images": rounds[name][0]["images"],
            "images_per_second": [one["images"] / one["seconds"] for one in rounds[name]],
            "median": median(one["images"] / one["seconds"] for one in rounds[name]),
            "cpu_ms_by_round": [1000 * one["cpu_seconds"] / one["images"] for one in rounds[name]],
            "cpu_ms_per_image": median(
                1000 * one["cpu_seconds"] / one["images"] for one in rounds[name]
            ),
            "memory_mib": _largest([one["memory_mib"] for one in rounds[name]]),
            "ready": arm.ready,
        }
        for name, arm in arms.items()
    }
    return {
        "machine": describe_machine(cores),
        "arms": rows,
        "ratios": _ratios(rows, rounds),
        "stages": _stages(rounds),
    }


def describe_machine(cores: int) -> dict[str, Any]:
    """Name the machine by what counts."""
    return {
        "cores": cores,
        "memory_gib": round(psutil.virtual_memory().total / GIBIBYTE),
        "python": platform.python_version(),
        "load_at_end": round(os.getloadavg()[0], 2),
    }


def _largest(peaks: Sequence[Mapping[str, float]]) -> dict[str, int]:
    kinds = {kind for one in peaks for kind in one}
    return {kind: round(max(one.get(kind, 0.0) for one in peaks)) for kind in sorted(kinds)}


def _ratios(
    rows: Mapping[str, Any],
    rounds: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, float]:
    """Return medians of the ratios within each round."""
    wanted = {
        "b / a (Spark keeps of the bare loop)": ("b", "a"),
        "b / e (of the bare engine)": ("b", "e tensorflow-fp32"),
        "b / c (beside Ray Data)": ("b", "c"),
        "b / d (beside the plain approach)": ("b", "d"),
        "OpenVINO fp32 / TensorFlow": ("e openvino-fp32", "e tensorflow-fp32"),
        "OpenVINO bf16 / TensorFlow": ("e openvino-bf16", "e tensorflow-fp32"),
    }
    return {
        text: median(
            (one["images"] / one["seconds"]) / (other["images"] / other["seconds"])
            for one, other in zip(rounds[first], rounds[second], strict=True)
        )
        for text, (first, second) in wanted.items()
        if first in rows and second in rows
    }


def _stages(rounds: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    if "b" not in rounds:
        return {}
    last = rounds["b"][-1]
    return {stage: 1000 * spent / last["images"] for stage, spent in last["stages"].items()}


def _arm_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [ARM_HEADING]
    for name, arm in report["arms"].items():
        rates = arm["images_per_second"]
        version = arm["ready"].get("version")
        peaks = ", ".join(f"{kind} {size}" for kind, size in arm["memory_mib"].items() if size)
        rows.append(
            (
                name[0],
                f"{arm['name']} {version}" if version else arm["name"],
                str(arm["images"]),
                f"{arm['median']:.1f}",
                f"{min(rates):.1f} - {max(rates):.1f}",
                f"{arm['cpu_ms_per_image']:.2f}",
                peaks,
            )
        )
    return rows


def _ratio_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows = [("ratio", "median over rounds")]
    return rows + [(text, f"{value:.2f}") for text, value in report["ratios"].items()]


def _stage_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows = [("stage of b", "ms of work an image, over all workers")]
    return rows + [(stage, f"{value:.2f}") for stage, value in report["stages"].items()]


def sizing_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Say how many cores a night of some sizes needs, and what they cost."""
    heading: tuple[str, ...] = (
        "images a night",
        "core-hours",
        f"cores for {NIGHT_HOURS} hours, with {SPARE - 1:.0%} to spare",
        f"cost a night at {CORE_HOUR_DOLLARS:.2f} USD a core-hour",
    )
    night = report["arms"].get("b")
    if night is None:
        return [heading]
    an_hour = 3600 * night["median"] / report["machine"]["cores"]
    rows = [heading]
    for images in (10_000, 1_000_000, 100_000_000):
        hours = images / an_hour
        cores = max(1, math.ceil(SPARE * hours / NIGHT_HOURS))
        cost = SPARE * hours * CORE_HOUR_DOLLARS
        rows.append((f"{images:,}", f"{hours:,.2f}", f"{cores:,}", f"{cost:,.2f} USD"))
    return rows


def _start_line(report: Mapping[str, Any]) -> str:
    parts = [
        f"{name}: {arm['ready']['start']:.1f} s"
        for name, arm in report["arms"].items()
        if "start" in arm["ready"]
    ]
    return f"Start-up to the first scored image, not counted above: {', '.join(parts) or 'none'}."


def _machine_line(report: Mapping[str, Any]) -> str:
    machine = report["machine"]
    return f"{machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}."


def _tables(report: Mapping[str, Any]) -> list[list[tuple[str, ...]]]:
    tables = [_arm_rows(report), _ratio_rows(report), _stage_rows(report), sizing_rows(report)]
    return [rows for rows in tables if len(rows) > 1]


def print_tables(report: Mapping[str, Any], console: Console) -> None:
    """Print the tables."""
    for heading, *rows in _tables(report):
        table = Table(*heading)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print(_start_line(report))
    console.print(_machine_line(report))


def format_markdown(report: Mapping[str, Any]) -> str:
    """Write the tables for the README."""
    parts = [markdown_table(rows) for rows in _tables(report)]
    return "\n\n".join([*parts, f"{_start_line(report)} {_machine_line(report)}"]) + "\n"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Write rows, the heading first, as a Markdown table."""
    heading, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([heading, "|---" * len(rows[0]) + "|", *body])
