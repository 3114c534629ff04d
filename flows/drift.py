"""What the command ``mri-triage drift`` does, and what the nightly run tells of drift."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.table import Table

from conf.settings import Settings
from flows.bundle_choice import choose_bundle
from jobs.lake import Lake
from jobs.night_drift import NightDrift, judge_night, write_drift
from jobs.published_night import list_published_nights
from jobs.registry_bundles import open_source
from model.drift import DriftLimits
from model.errors import ConfigurationError

SHOWN_TESTS = 5


def judge_and_write(lake: Lake, night: date, settings: Settings) -> NightDrift:
    """Judge a published night against those before it, and write the verdict down.

    Raises:
        OutputError: if the night was not published, or the lake cannot be written.
        BundleError: if the place's bundle cannot be used.
    """
    drift = settings.drift
    limits = DriftLimits(least_nights=drift.least_nights, false_alarms=drift.false_alarms)
    card = open_source(lake, choose_bundle(settings.bundle)).card
    judged = judge_night(lake, night, drift.history_nights, limits, card)
    write_drift(lake, judged)
    return judged


def find_nights(lake: Lake, wanted: Sequence[date], *, every: bool) -> list[date]:
    """Return the nights to judge: the wanted ones, all published ones, or the latest.

    Raises:
        ConfigurationError: if no night was published.
    """
    if wanted:
        return list(wanted)
    published = list_published_nights(lake)
    if not published:
        message = "no night was published in this lake: run a night first"
        raise ConfigurationError(message)
    return published if every else published[-1:]


def drift_table(drift: NightDrift) -> Table:
    """Lay out the tests that stand out most."""
    table = Table(
        "measure",
        "scanner",
        "index",
        "p",
        "alarm",
        "in words",
        title=f"Night {drift.night}: {drift.images:,} images against "
        f"{len(drift.reference_nights)} nights before",
    )
    for test in [
        one for number, one in enumerate(drift.tests) if one.alarm or number < SHOWN_TESTS
    ]:
        table.add_row(
            test.measure,
            test.scanner or "all",
            f"{test.stability_index:.3f}",
            f"{test.p:.4f}",
            "yes" if test.alarm else "-",
            test.sentence,
        )
    return table


def tell_drift(drift: NightDrift) -> list[str]:
    """Say in sentences what came out."""
    if not drift.reference_nights:
        return [f"night {drift.night}: too few nights before it to tell drift from chance"]
    told = [f"night {drift.night}: {sentence}" for sentence in drift.alarms]
    if drift.set_aside:
        nights = ", ".join(one.isoformat() for one in drift.set_aside)
        told.append(f"no reference, because they stand out themselves: {nights}")
    told += [f"remark: {sentence}" for sentence in drift.remarks]
    return told if drift.alarms else [f"night {drift.night}: no drift", *told]
