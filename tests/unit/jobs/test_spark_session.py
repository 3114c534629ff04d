from pathlib import Path

import pytest

from jobs.spark_session import EngineOptions, local_master, spark_settings


@pytest.mark.parametrize(
    ("master", "cores", "expected"),
    [
        ("local[*]", None, "local[*]"),
        ("local[*]", 3, "local[3]"),
        ("local", 2, "local[2]"),
        ("spark://spark-master:7077", 8, "spark://spark-master:7077"),
    ],
)
def test_the_cores_are_part_of_a_local_master(
    master: str,
    cores: int | None,
    expected: str,
) -> None:
    assert local_master(EngineOptions(master=master, cores=cores)) == expected


def test_a_local_engine_listens_on_this_machine_only(tmp_path: Path) -> None:
    settings = spark_settings(EngineOptions(master="local[2]"), "night", tmp_path)

    assert settings["spark.driver.bindAddress"] == "127.0.0.1"
    assert settings["spark.driver.host"] == "127.0.0.1"
    assert settings["spark.ui.enabled"] == "false"


def test_a_cluster_must_be_able_to_reach_the_driver(tmp_path: Path) -> None:
    options = EngineOptions(master="spark://spark-master:7077", cores=8)

    settings = spark_settings(options, "night", tmp_path)

    assert "spark.driver.bindAddress" not in settings
    assert settings["spark.cores.max"] == "8"


def test_spark_writes_its_own_files_into_the_session_s_folder(tmp_path: Path) -> None:
    settings = spark_settings(EngineOptions(), "night", tmp_path)

    assert settings["spark.local.dir"] == str(tmp_path)
    assert settings["spark.sql.warehouse.dir"].startswith(tmp_path.as_uri())
    assert f"java.io.tmpdir={tmp_path}" in settings["spark.driver.extraJavaOptions"]
