"""Read every image and mask of a folder on Spark: what can be used, and how it looks.

Images are decoded as in a night, in a process of their own: one that crashes its decoder or hangs
is set aside like any other that cannot be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from jobs.decoding_messages import FrameResult, ImageFailure
from jobs.decoding_pool import DecodingPool
from jobs.spark_jobs import read_failure
from model.errors import ImageError, NotRetrievedError
from model.images import DecodedImage
from model.near_duplicates import THUMBNAIL_SIDE, Thumbnail, make_thumbnail
from model.training_data import LabelledImage
from model.training_dataset import InspectedImage, SetAside
from model.training_folders import LabelledFolder
from model.training_samples import TRAINING_LIMITS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DESCRIBE: Final = "jobs.inspect_images:describe_image"
"""What the decoding process does with an image: only little comes back from it."""

ROWS_SCHEMA: Final = (
    "number long, problem string, width int, height int, digest string, thumbnail binary"
)


@dataclass(frozen=True)
class Description:
    """What is kept of a decoded image.

    Attributes:
        width: pixels.
        height: pixels.
        thumbnail: see `model.near_duplicates`.
    """

    width: int
    height: int
    thumbnail: Thumbnail


def describe_image(image: DecodedImage, _: object) -> Description:
    """Measure a decoded image."""
    height, width = image.pixels.shape
    return Description(width, height, make_thumbnail(image.pixels))


def inspect_images(
    spark: SparkSession,
    listed: LabelledFolder,
) -> tuple[list[InspectedImage], list[SetAside]]:
    """Read all images and masks of a folder.

    Args:
        spark: the session; its workers see the folder under the same path.
        listed: the folder.

    Returns:
        The images that can be used, and the others with what is wrong with them; both in the
        order of the folder.

    Raises:
        TriageError: if the Spark job fails.
    """
    files = pa.table(
        {
            "number": range(len(listed.images)),
            "image": [str(image.path) for image in listed.images],
            "mask": [str(image.mask) if image.mask else "" for image in listed.images],
            "label": [image.label for image in listed.images],
        },
    )
    # Every core reads; what an earlier job of this session asked for does not count.
    tasks = max(1, spark.sparkContext.defaultParallelism)
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", str(tasks))
    try:
        rows = spark.createDataFrame(files).mapInPandas(inspect_files, ROWS_SCHEMA).toArrow()
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise read_failure(error) from error
    inspected: list[InspectedImage] = []
    failed: list[SetAside] = []
    for row in rows.sort_by("number").to_pylist():
        image = listed.images[row["number"]]
        if row["problem"]:
            failed.append(SetAside(listed.name_of(image.path), row["problem"]))
        else:
            inspected.append(_inspected(image, row))
    return inspected, failed


def inspect_files(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Decode the files of each row; Spark runs this in its workers."""
    with DecodingPool(TRAINING_LIMITS, None, prepare=DESCRIBE) as pool:
        for frame in frames:
            decoded = pool.decode_all(_read_files(frame))
            yield pd.DataFrame([_row(file, digest, results) for (file, digest), results in decoded])


def find_mask_problem(mask: Path, label: int, width: int, height: int) -> str | None:
    """Say what is wrong with a mask, or None.

    Args:
        mask: its file.
        label: of the slice.
        width: pixels of the image.
        height: pixels of the image.
    """
    if not mask.is_file():
        return "its mask is missing"
    try:
        with Image.open(mask) as opened:
            if opened.size != (width, height):
                size = f"{opened.width}x{opened.height}"
                return f"its mask has the size {size}, the image {width}x{height}"
            is_empty = not np.asarray(opened.convert("1")).any()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "its mask cannot be read"
    if label == 1 and is_empty:
        return "its label is tumor, its mask is empty"
    if label == 0 and not is_empty:
        return "its label is no_tumor, its mask shows one"
    return None


def _read_files(frame: pd.DataFrame) -> Iterator[tuple[tuple[Any, str], bytes | ImageError]]:
    for file in frame.itertuples(index=False):
        try:
            content = Path(str(file.image)).read_bytes()
        except OSError:
            yield (file, ""), NotRetrievedError("the file is missing or cannot be opened")
        else:
            yield (file, hashlib.sha256(content).hexdigest()), content


def _row(
    file: Any,  # noqa: ANN401 - pandas makes the class of its rows at run time
    digest: str,
    results: list[FrameResult],
) -> dict[str, Any]:
    row = {"number": file.number, "problem": None, "width": 0, "height": 0, "digest": digest}
    first = results[0]  # of several frames the first is the labelled one, as in training
    if isinstance(first, ImageFailure):
        return row | {"problem": f"{first.reason}: {first.detail}", "thumbnail": b""}
    image = cast("Description", first.prepared)
    problem = None
    if file.mask:
        problem = find_mask_problem(Path(file.mask), file.label, image.width, image.height)
    return row | {
        "problem": problem,
        "width": image.width,
        "height": image.height,
        "thumbnail": image.thumbnail.tobytes(),
    }


def _inspected(image: LabelledImage, row: dict[str, Any]) -> InspectedImage:
    thumbnail = np.frombuffer(row["thumbnail"], dtype=np.float32)
    return InspectedImage(
        image=image,
        width=row["width"],
        height=row["height"],
        digest=row["digest"],
        thumbnail=thumbnail.reshape(THUMBNAIL_SIDE, THUMBNAIL_SIDE),
    )
