"""What ``mri-triage predict`` does: files in, a table or JSON out. Nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from conf.settings import Settings
from flows.arguments import make_lake_address
from flows.bundle_choice import choose_bundle
from flows.night_request import make_decoding
from jobs.lake import open_lake
from jobs.registry_bundles import open_source
from jobs.score_night import choose_limits
from jobs.single_image import ImagePredictor, Prediction, PredictionTerms
from model.bundle import open_bundle
from model.errors import ConfigurationError, OutputError
from model.overlay import write_probability

TOLD: Final = (
    "frame",
    "decision",
    "reason",
    "probability",
    "threshold",
    "scope_score",
    "box_x",
    "box_y",
    "box_width",
    "box_height",
    "lesion_area_fraction",
    "width",
    "height",
    "format",
    "detail",
    "bundle",
    "bundle_digest",
)
"""Columns of `jobs.schemas.RESULTS` that say something of an image that belongs to no night."""

FILES_AT_ONCE: Final = 64
"""Whole files are held in memory while they are scored."""


def make_terms(settings: Settings, bundle: Path | None = None) -> PredictionTerms:
    """Gather what predictions need, as a night of this place would be scored.

    Args:
        settings: of the place.
        bundle: a folder in place of the place's own bundle, or None.

    Raises:
        BundleError: if the bundle cannot be used.
        ConfigurationError: if the threshold is above the bundle's.
    """
    if bundle is not None:
        opened = open_bundle(bundle)
    else:
        lake = open_lake(make_lake_address(settings.lake, Path.cwd()))
        opened = open_source(lake, choose_bundle(settings.bundle))
    return PredictionTerms(
        bundle=opened,
        limits=choose_limits(opened.card.limits, settings.bundle.threshold),
        decoding=make_decoding(settings.decoding),
        batch_size=settings.engine.batch_size,
        fetch_threads=settings.engine.fetch_threads,
        perturbations=settings.explanation.perturbations,
        seed=settings.explanation.seed,
    )


def read_file(path: Path, maximum_bytes: int) -> bytes:
    """Read a file, of one that is too large only as much as shows that it is.

    Raises:
        ConfigurationError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(maximum_bytes + 1)
    except OSError as error:
        message = (
            f"{path} cannot be read ({error.strerror}): expected a JPEG, PNG, DICOM or NIfTI file; "
            "check the path"
        )
        raise ConfigurationError(message) from None


def predict_files(
    predictor: ImagePredictor,
    files: Sequence[Path],
) -> Iterator[tuple[Path, bytes, list[Prediction]]]:
    """Yield each file with its content and its frames' predictions, in the order given.

    Raises:
        ConfigurationError: if a file cannot be read.
    """
    remaining = iter(files)
    maximum_bytes = predictor.terms.decoding.limits.maximum_bytes
    while some := list(islice(remaining, FILES_AT_ONCE)):
        contents = [read_file(path, maximum_bytes) for path in some]
        yield from zip(some, contents, predictor.predict(contents), strict=True)


def write_overlays(
    predictor: ImagePredictor,
    name: str,
    content: bytes,
    predictions: Sequence[Prediction],
    folder: Path,
) -> list[str]:
    """Explain every scored frame of a file, write the pictures, and return what went wrong.

    Raises:
        OutputError: if the folder cannot be written.
    """
    problems = []
    for one in predictions:
        if one.tumor_map is None:
            continue
        explained = predictor.explain(content, one)
        frame = one.row["frame"]
        if explained.overlay is None:
            problems.append(f"{name}, frame {frame}: {explained.detail}")
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}-{frame}-overlay.png").write_bytes(explained.overlay)
        except OSError as error:
            message = (
                f"{folder} cannot be written ({error.strerror}): expected a folder for the "
                "overlays; choose another one"
            )
            raise OutputError(message) from None
    return problems


def to_records(path: Path, predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Return a file's predictions as plain values for JSON."""
    return [{"file": str(path), **{name: one.row[name] for name in TOLD}} for one in predictions]


def format_records(records: Sequence[dict[str, Any]]) -> str:
    """Return records as JSON."""
    return json.dumps(list(records), indent=1, allow_nan=False)


def records_table(records: Sequence[dict[str, Any]]) -> Table:
    """Lay records out, one a row."""
    heads = ("file", "frame", "decision", "reason", "probability", "threshold", "box", "detail")
    table = Table(*heads, title="An assistant's order of reading, no diagnosis")
    for one in records:
        table.add_row(
            one["file"],
            "-" if one["frame"] is None else str(one["frame"]),
            one["decision"],
            one["reason"],
            "-" if one["probability"] is None else write_probability(one["probability"]),
            f"{one['threshold']:.3f}",
            _tell_box(one),
            one["detail"] or "",
        )
    return table


def _tell_box(record: dict[str, Any]) -> str:
    if record["box_x"] is None:
        return "-"
    size = f"{record['box_width']} x {record['box_height']}"
    return f"{size} at {record['box_x']}, {record['box_y']}"
