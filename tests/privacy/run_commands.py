"""Run commands of ``mri-triage`` one after the other in this process, and keep all that they leave.

    python -m tests.privacy.run_commands PLAN KEPT

The Spark session's folder (the log of the JVM and of the workers, spilled blocks) is removed at
the end of a process; here it is copied first.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        name: of the files that take its output.
        arguments: without the program's name.
        environ: set before, for this command and those after it.
        written: files written before, by path.
        removed: files removed before.
    """

    name: str
    arguments: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


def write_plan(path: Path, steps: list[Step]) -> None:
    """Write down what `main` is to run."""
    path.write_text(json.dumps([asdict(step) for step in steps]), "utf-8")


def main(plan: Path, kept: Path) -> None:
    """Run the plan; exit codes by name go to ``codes.json``, which is not searched."""
    _log_to(kept / "driver.log")
    codes = {}
    for content in json.loads(plan.read_text("utf-8")):
        step = Step(**content)
        codes[step.name] = _run(step, kept)
    for folder in Path(tempfile.gettempdir()).glob("mri-triage-*"):
        shutil.copytree(folder, kept / folder.name)
    (kept / "codes.json").write_text(json.dumps(codes), "utf-8")


def _run(step: Step, kept: Path) -> int:
    from flows.cli import main as run_command  # noqa: PLC0415 - logging is set up first

    os.environ.update(step.environ)
    for path, text in step.written.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8")
    for path in step.removed:
        Path(path).unlink()
    with (
        (kept / f"{step.name}.out").open("w", encoding="utf-8") as out,
        (kept / f"{step.name}.err").open("w", encoding="utf-8") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        return run_command(step.arguments)


def _log_to(path: Path) -> None:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    for name in ("conf", "flows", "jobs", "model"):
        logging.getLogger(name).setLevel(logging.DEBUG)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
