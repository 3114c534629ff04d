"""A night of its own: a lake in a folder, the command run over it, and the published rows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow.parquet as pq

ROOT: Final = Path(__file__).parents[2]
NIGHT: Final = "2026-11-20"
FOLDER: Final = f"incoming/night={NIGHT}/"

METADATA_PREFIX: Final = "mri_triage."

WITHOUT_EXPLANATIONS: Final = {"MRI_TRIAGE__EXPLANATION__ENABLED": "false"}


def write_lake(lake: Path, objects: Mapping[str, bytes]) -> None:
    """Write objects, by key, below a folder."""
    for key, data in objects.items():
        path = lake / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def run_night(lake: Path, environ: Mapping[str, str]) -> float:
    """Run the night by its command, with the packaged bundle; the share limit is off.

    Args:
        lake: the folder; Prefect's own is put beside it.
        environ: put over this process's environment.

    Returns:
        Seconds that the command took, its start and the start of Spark among them.

    Raises:
        CalledProcessError: if it fails.
    """
    command = [sys.executable, "-m", "flows.cli", "night", "--place", "demo", "--night", NIGHT]
    home = {"PREFECT_HOME": str(lake.parent / "prefect")}
    begin = time.monotonic()
    subprocess.run(
        [*command, "--lake", str(lake), "--publish-anyway"],
        cwd=ROOT,
        env={**os.environ, **WITHOUT_EXPLANATIONS, **home, **environ},
        check=True,
    )
    return time.monotonic() - begin


def read_night(lake: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the published rows and what the file says of the run, without the project's reader."""
    table = pq.ParquetFile(lake / f"results/night={NIGHT}/results.parquet").read()
    pairs = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    return table.to_pandas(), {
        key.removeprefix(METADATA_PREFIX): value for key, value in pairs.items()
    }
