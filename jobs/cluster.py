"""What a cluster's workers need that they do not have: this very code, and the bundle.

The Python packages (TensorFlow, pydicom ...) must be installed on them, and PYSPARK_PYTHON must
name that Python. The code goes along nonetheless, so that driver and workers cannot differ.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyspark import SparkFiles, TaskContext

import jobs
import model

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CODE_NAME: Final = "mri-triage-code.zip"


def ship_to_workers(spark: SparkSession, *folders: Path) -> None:
    """Send the packages ``jobs`` and ``model``, and some folders, to all workers of a session.

    Calling it again for the same session and folders changes nothing.

    Args:
        spark: the session.
        folders: the bundle, and what was derived from it.
    """
    context = spark.sparkContext
    # In the session's own folder, which is removed when the driver ends.
    place = Path(tempfile.mkdtemp(prefix="shipped-", dir=context.getConf().get("spark.local.dir")))
    if CODE_NAME not in {Path(name).name for name in context.listFiles}:
        context.addPyFile(str(write_code(place)))
    shipped = {name.rpartition("#")[2] for name in context.listArchives}
    for folder in folders:
        name = shipped_name(folder)
        if name not in shipped:
            # An archive, because Spark ships no folders of the driver's own disk to a cluster.
            archive = shutil.make_archive(str(place / name), "zip", folder)
            context.addArchive(f"{archive}#{name}")


def find_shipped(folder: Path) -> Path:
    """Return where a worker finds a folder: where it was shipped, or where the driver has it.

    Either way its digest is verified when it is opened.
    """
    if TaskContext.get() is None:  # not in a task: a test, or the driver itself
        return folder
    shipped = Path(SparkFiles.get(shipped_name(folder)))
    return shipped if shipped.is_dir() else folder


def shipped_name(folder: Path) -> str:
    """Return the name that a folder has on the workers: others may have its last part as well."""
    return f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def write_code(folder: Path) -> Path:
    """Write an archive of the packages ``jobs`` and ``model``, importable as it is."""
    archive = folder / CODE_NAME
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for package in (jobs, model):
            root = Path(next(iter(package.__path__)))
            for path in sorted(root.rglob("*.py")):
                packed.write(path, Path(root.name) / path.relative_to(root))
    return archive
