"""`python -m tests.bench.cluster`: a night on a cluster that loses a worker (`make cluster-demo`).

A standalone Spark master and two workers run as processes of their own on 127.0.0.1. The workers'
Python has the packages but not this project: its code, the bundle and the engine's files are
shipped to it. In the middle of the night one worker is killed, with all that it started.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import pyarrow.parquet as pq
import pyspark
from rich.console import Console
from rich.table import Table

from jobs.java_runtime import find_java
from tests.bench.nights import NIGHT, make_night
from tests.bench.serving import ROOT

PLACE: Final = """\
place: cluster-demo
demo: true
night:
  step_retries: 0
engine:
  master: {master}
explanation:
  enabled: false
"""
START_SECONDS: Final = 120
NIGHT_SECONDS: Final = 900
AT_WORK_SECONDS: Final = 4.0
"""After its decoding process has started, a worker is in the middle of its images."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo.

    Returns:
        0 if the night was published whole although a worker died.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cluster", description=__doc__)
    parser.add_argument("--images", type=int, default=600, help="of the night (600)")
    parser.add_argument("--out", default=".cluster", help="folder of everything (.cluster)")
    options = parser.parse_args(arguments)
    console = Console(width=100 if "COLUMNS" not in os.environ else None)
    out = Path(options.out).absolute()
    for name in ("lake", "work"):
        shutil.rmtree(out / name, ignore_errors=True)
    keys = make_night(out / "lake", options.images)
    python = make_worker_python(out / "worker-python")
    console.print(f"the workers' Python: {python}; {describe_project_there(python)}")
    with start_cluster(out) as (master, workers):
        console.print(f"master and two workers of one core: {master}")
        place = out / "place.yaml"
        place.write_text(PLACE.format(master=master), "utf-8")
        begin = time.perf_counter()
        with start_night(out, place, python) as night:
            killed = kill_in_the_middle(workers[1], night)
            console.print(f"killed a worker and the {killed - 1} processes below it")
            code = night.wait(NIGHT_SECONDS)
        seconds = time.perf_counter() - begin
    return report(console, out, keys, code, seconds, killed)


def make_worker_python(folder: Path) -> Path:
    """Make an environment that has the project's packages, and not the project."""
    if not (folder / "bin/python").exists():
        venv.create(folder, with_pip=False)
    inside = subprocess.run(
        [folder / "bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    # Lines of this folder's own .pth files, the project's among them, are not followed.
    packages = f"{sysconfig.get_path('purelib')}\n"
    (Path(inside.stdout.strip()) / "packages.pth").write_text(packages, "utf-8")
    return folder / "bin/python"


def describe_project_there(python: Path) -> str:
    """Say what happens when the workers' Python imports the project by itself."""
    done = subprocess.run(
        [python, "-c", "import jobs"],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )
    last = (done.stderr.strip().splitlines() or ["it has the project"])[-1]
    return f"import jobs: {last}"


@contextmanager
def start_cluster(out: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a master and two workers; yield the master's URL and the workers."""
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    classes = "org.apache.spark.deploy"
    processes = [
        _spark_class(out, "master", f"{classes}.master.Master", "--port", str(port)),
    ]
    try:
        _await_port(port)
        processes += [
            _spark_class(
                out,
                f"worker-{number}",
                f"{classes}.worker.Worker",
                *("--cores", "1", "--memory", "1g", "--work-dir", str(out / "work" / str(number))),
                master,
            )
            for number in range(2)
        ]
        yield master, processes[1:]
    finally:
        for process in processes:
            kill_tree(process.pid)
            process.wait()


def _spark_class(out: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    home = Path(pyspark.__file__).parent
    (out / "work").mkdir(parents=True, exist_ok=True)
    with (out / "work" / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [home / "bin/spark-class", *arguments, "--host", "127.0.0.1", "--webui-port", "0"],
            # No PYTHONPATH: what a worker has, it has from its own machine.
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(out / "work"),
                "JAVA_HOME": str(find_java(os.environ).home),
                "SPARK_HOME": str(home),
                "SPARK_LOCAL_IP": "127.0.0.1",
            },
            cwd=out / "work",
            stdout=log,
            stderr=log,
        )


@contextmanager
def start_night(out: Path, place: Path, python: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command `mri-triage night` against the cluster."""
    command = [sys.executable, "-m", "flows.cli", "night", "--place", str(place)]
    process = subprocess.Popen(
        [*command, "--night", NIGHT, "--lake", str(out / "lake")],
        cwd=ROOT,
        env={
            **os.environ,
            "PYSPARK_PYTHON": str(python),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PREFECT_HOME": str(out / "work" / "prefect"),
        },
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            kill_tree(process.pid)
            process.wait()


def kill_in_the_middle(worker: subprocess.Popen[bytes], night: subprocess.Popen[bytes]) -> int:
    """Kill a worker while it scores; return how many processes ended with it."""
    deadline = time.monotonic() + NIGHT_SECONDS
    while not _is_decoding(worker.pid):
        if night.poll() is not None or time.monotonic() > deadline:
            message = f"the night ended (code {night.poll()}) before the worker was at work"
            raise RuntimeError(message)
        time.sleep(0.2)
    time.sleep(AT_WORK_SECONDS)
    return kill_tree(worker.pid)


def _is_decoding(pid: int) -> bool:
    """Tell whether a decoding process of the project runs below a process."""
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if any("jobs.decoding_child" in part for part in child.cmdline()):
                return True
        except psutil.Error:
            continue
    return False


def kill_tree(pid: int) -> int:
    """Kill a process and all below it, at once; return how many there were."""
    try:
        root = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return 0
    family = [root, *root.children(recursive=True)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family[1:], timeout=10)
    return len(family)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _await_port(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    message = f"the master does not listen on port {port} after {START_SECONDS} s"
    raise RuntimeError(message)


def report(  # noqa: PLR0913 - what there is to tell
    console: Console,
    out: Path,
    keys: Sequence[str],
    code: int,
    seconds: float,
    killed: int,
) -> int:
    """Print what became of the night."""
    results = out / "lake" / f"results/night={NIGHT}/results.parquet"
    rows = pq.ParquetFile(results).read() if results.exists() else None
    found = set(rows["object_key"].to_pylist()) if rows is not None else set()
    scored = rows["probability"].drop_null() if rows is not None else []
    table = Table("what", "value", title="A night on a cluster that lost a worker")
    table.add_row("exit code", str(code))
    table.add_row("objects listed, published", f"{len(keys)}, {len(found)}")
    table.add_row("images with a score", str(len(scored)))
    table.add_row("processes killed", str(killed))
    table.add_row("seconds, start of Spark and of the workers included", f"{seconds:.0f}")
    console.print(table)
    is_whole = code == 0 and found == set(keys) and len(scored) == len(keys)
    console.print("complete" if is_whole else f"NOT complete; logs: {out / 'work'}")
    return 0 if is_whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
