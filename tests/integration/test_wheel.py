"""The wheel is what hospitals install: built here, installed alone, run far from the repository."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pyspark
import pytest

from jobs.java_runtime import find_java
from tests.builders import MINI_LAKE

pytestmark = [pytest.mark.slow, pytest.mark.spark]

ROOT = Path(__file__).parents[2]
NIGHT = "2026-11-18"
IMAGES = 4

IMPORT_EVERYTHING = """
import importlib, pathlib, pkgutil, sys
places = set()
for package in ("conf", "flows", "jobs", "model"):
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        module = importlib.import_module(found.name)
        depth = found.name.count(".") + found.ispkg
        places.add(pathlib.Path(module.__file__).parents[depth])
print(*places, sep="\\n")
"""


class Installed:
    """An environment that holds the wheel, sees the locked packages, and no source folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv/bin/python"
        self.wheel = self._build()
        self._make()

    def _build(self) -> Path:
        out = self.folder / "wheels"
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
        [wheel] = out.glob("*.whl")
        return wheel

    def _make(self) -> None:
        venv = [sys.executable, "-m", "venv", "--without-pip", str(self.folder / "venv")]
        subprocess.run(venv, check=True, capture_output=True, timeout=120)
        install = [sys.executable, "-m", "pip", "--python", str(self.python), "install"]
        install += ["--quiet", "--no-deps", "--no-index", str(self.wheel)]
        subprocess.run(install, check=True, capture_output=True, timeout=120)
        # As a plain line: the editable install of this repository is not looked at.
        locked = sysconfig.get_path("purelib")
        (self.packages / "locked.pth").write_text(f"{locked}\n", "utf-8")

    @property
    def packages(self) -> Path:
        return self.folder / "venv/lib/python3.11/site-packages"

    @property
    def command(self) -> Path:
        return self.python.parent / "mri-triage"

    def run(self, *command: str | Path, **settings: str) -> str:
        environ = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        environ |= {"MRI_TRIAGE__EXPLANATION__ENABLED": "false"} | settings
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def spark_master(installed: Installed) -> Iterator[str]:
    """A Spark master with one worker, as `compose.yaml` starts them; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = f"spark://127.0.0.1:{port}"
    started = ["--host", "127.0.0.1", "--webui-port", "0"]
    master = ["org.apache.spark.deploy.master.Master", *started, "--port", port]
    worker = ["org.apache.spark.deploy.worker.Worker", *started, "--cores", "1"]
    worker += ["--memory", "1g", "--work-dir", str(installed.folder / "work"), address]
    environ = {"JAVA_HOME": str(find_java(os.environ).home), "PATH": os.environ["PATH"]}
    spark_class = Path(pyspark.__file__).parent / "bin/spark-class"
    log = (installed.folder / "spark.log").open("wb")
    services = [
        subprocess.Popen([spark_class, *one], env=environ, stdout=log, stderr=log)
        for one in (master, worker)
    ]
    yield address
    for service in services:
        service.terminate()
        service.wait(30)
    log.close()


def test_the_wheel_holds_the_settings_the_bundle_and_the_licences_and_no_tests(
    installed: Installed,
) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()

    assert {"conf/base.yaml", "conf/demo.yaml", "conf/hospital.yaml"} <= set(names)
    assert {"model/default_bundle/model.keras", "model/default_bundle/card.json"} <= set(names)
    assert {Path(name).name for name in names} >= {"LICENSE", "NOTICE"}
    assert {name.split("/")[0].removesuffix(".dist-info").split("-")[0] for name in names} == {
        "conf",
        "flows",
        "jobs",
        "model",
        "mri_triage",
    }
    tracked = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("[fjmc]*/*.py")}
    assert {name for name in tracked if name.split("/")[0] in {"flows", "jobs"}} <= set(names)


def test_every_module_of_the_wheel_can_be_imported(installed: Installed) -> None:
    places = installed.run(installed.python, "-c", IMPORT_EVERYTHING).split()

    assert places == [str(installed.packages)]


def test_the_wheel_brings_the_command(installed: Installed) -> None:
    assert "serve" in installed.run(installed.command, "--help")


def test_a_night_runs_from_the_wheel_on_a_spark_master_and_a_worker(
    installed: Installed, spark_master: str
) -> None:
    rows = run_night(installed, MRI_TRIAGE__ENGINE__MASTER=spark_master)

    assert len(rows) == IMAGES
    reasons = {row["reason"] for row in rows}
    assert reasons <= {"below_threshold", "tumor_suspected", "not_brain_mr"}


def run_night(installed: Installed, **settings: str) -> list[dict[str, object]]:
    """Run a night of some images from the wheel."""
    lake = installed.folder / "lake"
    folder = lake / f"incoming/night={NIGHT}"
    folder.mkdir(parents=True)
    images = sorted((MINI_LAKE / f"incoming/night={NIGHT}").rglob("image-*"))[:IMAGES]
    for number, image in enumerate(images):
        shutil.copy(image, folder / f"image-{number}{image.suffix}")
    arguments = ("night", "--place", "demo", "--night", NIGHT, "--lake", lake)
    assert f"Night {NIGHT}: {IMAGES} objects" in installed.run(
        installed.command, *arguments, **settings
    )
    rows = pq.read_table(
        lake / f"results/night={NIGHT}/results.parquet",
        columns=["object_key", "decision", "reason"],
    )
    found: list[dict[str, object]] = rows.sort_by("object_key").to_pylist()
    return found
