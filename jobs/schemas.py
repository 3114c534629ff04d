"""The columns of everything that is written to the lake, as Arrow schemas."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_TIMESTAMP = pa.timestamp("us", tz="UTC")

OBJECT_COLUMNS: Final = (
    pa.field("image_id", pa.string(), nullable=False),  # keyed hash of location, version, frame
    pa.field("object_key", pa.string(), nullable=False),
    pa.field("etag", pa.string(), nullable=False),
    pa.field("size_bytes", pa.int64(), nullable=False),
    pa.field("format", pa.string()),
    pa.field("frame", pa.int32()),  # from 0; null when the object could not be opened
    pa.field("study_id", pa.string(), nullable=False),  # keyed hash
    pa.field("counts_for_study", pa.bool_(), nullable=False),
)

MEASURED_COLUMNS: Final = (
    pa.field("detail", pa.string()),
    pa.field("probability", pa.float64()),  # 0..1, calibrated
    pa.field("scope_score", pa.float64()),  # 0 surely not brain MR .. 1
    pa.field("box_x", pa.int32()),  # pixels of the original image
    pa.field("box_y", pa.int32()),
    pa.field("box_width", pa.int32()),
    pa.field("box_height", pa.int32()),
    pa.field("lesion_area_fraction", pa.float64()),  # of the picture
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("brightness", pa.float64()),  # mean gray of the decoded picture, 0 black .. 1 white
    pa.field("manufacturer", pa.string()),
    pa.field("scanner_model", pa.string()),
    pa.field("field_strength_tesla", pa.float64()),
    pa.field("pixel_spacing_mm", pa.float64()),
    pa.field("plane", pa.string()),
    pa.field("sequence", pa.string()),
)

INVENTORY: Final = pa.schema(
    [
        pa.field("object_key", pa.string(), nullable=False),
        pa.field("etag", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64(), nullable=False),
    ],
)
"""The objects listed for a night, sorted by key."""

SCORES: Final = pa.schema(
    [
        *OBJECT_COLUMNS,
        # The study could not be read from an object that would have told it: see
        # jobs/studies.py, such an object flags the studies of its folder.
        pa.field("study_known", pa.bool_(), nullable=False),
        pa.field("folder_id", pa.string()),  # keyed hash of the folder; null at the night's root
        pa.field("failure", pa.string()),  # a Reason other than the four that scores decide
        *MEASURED_COLUMNS,
        pa.field("scored_at", _TIMESTAMP, nullable=False),
    ],
)
"""What a shard holds: scores, never decisions."""

RESULTS: Final = pa.schema(
    [
        *OBJECT_COLUMNS,
        pa.field("decision", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
        *MEASURED_COLUMNS,
        pa.field("bundle", pa.string(), nullable=False),
        pa.field("bundle_digest", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("scored_at", _TIMESTAMP, nullable=False),
    ],
)
"""results.parquet: at least one row for every listed object, sorted by object key and frame."""

STUDIES: Final = pa.schema(
    [
        pa.field("study_id", pa.string(), nullable=False),
        pa.field("images", pa.int32(), nullable=False),
        pa.field("counted", pa.int32(), nullable=False),
        pa.field("flagged", pa.int32(), nullable=False),
        pa.field("unreadable", pa.int32(), nullable=False),
        pa.field("max_probability", pa.float64()),
        pa.field("decision", pa.string(), nullable=False),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),  # distinct, sorted
        pa.field("run_id", pa.string(), nullable=False),
    ],
)
"""studies.parquet: one row a study."""

EXPLANATIONS: Final = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("study_id", pa.string(), nullable=False),
        pa.field("frame", pa.int32()),
        pa.field("chosen_for", pa.string(), nullable=False),  # see jobs/sampling.py
        pa.field("reason", pa.string(), nullable=False),
        pa.field("probability", pa.float64()),
        pa.field("overlay", pa.string()),  # path below the night's explanations folder
        pa.field("overlay_colour_blind", pa.string()),  # the same in blue and orange
        pa.field("weights", pa.string()),
        pa.field("r_squared", pa.float64()),  # local fidelity of the linear model
        pa.field("stability", pa.float64()),  # this and the next three: model/explanation_quality
        pa.field("inside_head", pa.float64()),
        pa.field("map_agreement", pa.float64()),
        pa.field("doubts", pa.string()),
        # Of the tumour map: x, y, x, y ... in pixels of the original, closed lines.
        pa.field("outlines", pa.list_(pa.list_(pa.float64()))),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("detail", pa.string()),  # why there is no overlay, else null
        # Null or false: text may be burned into the pixels, the picture stays out of artifacts.
        pa.field("may_leave_lake", pa.bool_()),
        pa.field("bundle_digest", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ],
)
"""explanations/night=.../index.parquet: one row an explained image."""

FEEDBACK: Final = pa.schema(
    [
        pa.field("answer_id", pa.string(), nullable=False),
        pa.field("answered_at", _TIMESTAMP, nullable=False),
        pa.field("reader", pa.string(), nullable=False),  # an account's name
        pa.field("study_id", pa.string(), nullable=False),
        pa.field("image_id", pa.string()),  # what was on the screen
        pa.field("answer", pa.string(), nullable=False),  # see jobs/feedback.py
        pa.field("finding", pa.string()),  # tumor, no_tumor, or null
        pa.field("purpose", pa.string(), nullable=False),  # worklist, double_reading
        pa.field("note", pa.string()),
        pa.field("decision", pa.string(), nullable=False),  # of the study, as it was shown
        pa.field("max_probability", pa.float64()),
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("bundle_digest", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
    ],
)
"""feedback/night=.../<answer id>.parquet: one row, one answer of one reader; never changed."""


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a stored table with the columns of a schema, in its order.

    A night that an older release published lacks the columns that came later: they are null.

    Raises:
        KeyError: if a column is absent that may not be null.
        pyarrow.ArrowInvalid: if a column holds something else.
    """
    columns = [
        pa.nulls(table.num_rows, field.type)
        if field.nullable and field.name not in table.column_names
        else table[field.name].cast(field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
