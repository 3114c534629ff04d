"""Write explained images as DICOM segmentations and reports, apart from everything else.

They carry the patient's identity, because a PACS files by it. So they go to ``dicom/`` alone, only
when asked for, and each night's writing is in the audit log before it happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pyarrow as pa

from jobs.audit_log import Fact, record_event
from jobs.explain_published import OpenExplaining, find_rows
from jobs.lake import Lake
from jobs.night_keys import dicom_prefix
from model.errors import ImageError

Record: TypeAlias = dict[str, Any]

SEGMENTATION_NAME: Final = "segmentation.dcm"
REPORT_NAME: Final = "report.dcm"


@dataclass(frozen=True)
class WrittenDicom:
    """What became of one image.

    Attributes:
        image_id: keyed hash.
        folder: in the lake, or None where nothing was written.
        detail: why nothing was written, or None.
    """

    image_id: str
    folder: str | None = None
    detail: str | None = None


def write_dicom(
    opened: OpenExplaining,
    explained: pa.Table,
    on_progress: Callable[[int, int], None],
) -> list[WrittenDicom]:
    """Write segmentation and report of explained images whose source is DICOM.

    Args:
        opened: the night, its lease held.
        explained: `EXPLANATIONS`.
        on_progress: told how many images are done, of how many.

    Raises:
        OutputError: if the lake does not take the files.
    """
    lake, night = opened.run.lake, opened.night.night
    facts: dict[str, Fact] = {"night": night.isoformat(), "images": explained.num_rows}
    record_event(lake, "dicom", facts, opened.run.request.now())
    written: list[WrittenDicom] = []
    on_progress(0, explained.num_rows)
    for row in explained.to_pylist():
        written.append(_write_one(opened, lake, row))
        on_progress(len(written), explained.num_rows)
    return written


def _write_one(opened: OpenExplaining, lake: Lake, explained: Record) -> WrittenDicom:
    # Inside the function: highdicom takes a second to load.
    from model.explanation_dicom import MarkedImage, make_dicom_objects  # noqa: PLC0415

    image_id = explained["image_id"]
    (row,) = find_rows(opened.night, (image_id,))
    if row["format"] != "dicom":
        return WrittenDicom(image_id, detail="its source is no DICOM file")
    if explained["outlines"] is None:
        return WrittenDicom(image_id, detail=explained["detail"])
    marked = MarkedImage(
        image_id=image_id,
        frame=row["frame"],
        contours=[_corners(line) for line in explained["outlines"]],
        probability=row["probability"],
        threshold=row["threshold"],
        model=row["bundle"],
        model_digest=row["bundle_digest"],
        scored_at=row["scored_at"],
    )
    folder = f"{dicom_prefix(opened.night.night)}{image_id}/"
    try:
        objects = make_dicom_objects(lake.read(row["object_key"], row["etag"]), marked)
    except ImageError as error:
        return WrittenDicom(image_id, detail=str(error))
    lake.write(f"{folder}{SEGMENTATION_NAME}", objects.segmentation)
    lake.write(f"{folder}{REPORT_NAME}", objects.report)
    return WrittenDicom(image_id, folder)


def _corners(line: list[float]) -> list[list[float]]:
    return [[x, y] for x, y in zip(line[::2], line[1::2], strict=True)]
