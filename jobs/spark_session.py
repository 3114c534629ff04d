"""The Spark session: one place for every setting of the engine, and a quiet terminal.

The JVM's own output (warnings of Java and Hadoop, Spark's log, what native libraries of the
workers print) goes to a file in the session's folder. Errors reach the caller as exceptions.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException, PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from jobs.java_runtime import find_java
from model.errors import ConfigurationError

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway

LOG_NAME: Final = "jvm.log"

_QUIET_LOG4J: Final = """\
status = error
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
"""


@dataclass(frozen=True)
class EngineOptions:
    """How Spark and the network share the machine.

    Attributes:
        master: Spark master URL; ``local`` and ``local[...]`` mean this machine.
        cores: cores used, None for all.
        driver_memory: JVM heap of the driver as Spark writes it (``1g``).
        batch_size: images a call of the network.
        shard_objects: objects a Spark job.
        fetch_threads: objects that a worker fetches ahead.
        silence_seconds: a worker that shows no progress for so long is ended.
    """

    master: str = "local[*]"
    cores: int | None = None
    driver_memory: str = "1g"
    batch_size: int = 16
    shard_objects: int = 4096
    fetch_threads: int = 8
    silence_seconds: float = 900.0

    @property
    def is_local(self) -> bool:
        """Whether the workers are processes of this machine's driver."""
        return self.master == "local" or self.master.startswith("local[")


def make_session(options: EngineOptions, app_name: str) -> SparkSession:
    """Start Spark, or return the session that this process has already.

    Sets JAVA_HOME, PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON of this process, because Spark
    reads them there. On a cluster a PYSPARK_PYTHON that is set already is kept: it names the
    Python of the workers' machines.

    Args:
        options: the engine's settings.
        app_name: shown in Spark's own pages and logs.

    Returns:
        A session whose workers run this very Python (locally).

    Raises:
        ConfigurationError: if there is no supported Java, or Spark does not start.
    """
    # The active session belongs to a thread; the context belongs to the process.
    if SparkContext._active_spark_context is not None:  # noqa: SLF001 - no public question
        return SparkSession.builder.getOrCreate()
    _set_environment(options)
    folder = Path(tempfile.mkdtemp(prefix="mri-triage-spark-"))
    conf = _configuration(options, app_name, folder)
    try:
        spark = SparkSession(SparkContext(conf=conf, gateway=_gateway(conf, folder)))
    except Exception as error:
        reason = _first_line(error)
        message = (
            f"Spark did not start on {options.master} ({reason}); its log is {folder / LOG_NAME}"
        )
        raise ConfigurationError(message) from error
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def local_master(options: EngineOptions) -> str:
    """The master URL with the number of cores written into it, where it is a local one."""
    if options.is_local and options.cores is not None:
        return f"local[{options.cores}]"
    return options.master


def spark_settings(options: EngineOptions, app_name: str, folder: Path) -> dict[str, str]:
    """All settings of the session, as Spark names them.

    Args:
        options: the engine's settings.
        app_name: shown in Spark's own pages.
        folder: an empty folder for spill files, the warehouse and the log.
    """
    log4j = (folder / "log4j2.properties").as_uri()
    settings = {
        "spark.master": local_master(options),
        "spark.app.name": app_name,
        "spark.driver.memory": options.driver_memory,
        "spark.driver.extraJavaOptions": (
            f"-Dlog4j2.configurationFile={log4j} -Djava.io.tmpdir={folder}"
        ),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": (folder / "warehouse").as_uri(),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.catalogImplementation": "in-memory",
        # Object references are short, and a task works through them one batch at a time: small
        # Arrow batches let the first image be fetched before the last reference has arrived.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # A worker keeps its loaded network from job to job.
        "spark.python.worker.reuse": "true",
        # No job shuffles. If one ever does, it must not make 200 tasks of a few rows.
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        # The rows of a shard are small, and a shard that is larger is better seen than hidden.
        "spark.driver.maxResultSize": "512m",
        # A native crash kills the Python worker; its standard error is then the only trace.
        "spark.sql.execution.pyspark.udf.faulthandler.enabled": "true",
    }
    if options.is_local:
        # Nothing outside this machine may speak to the driver, and no name needs to resolve.
        settings |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    elif options.cores is not None:
        settings["spark.cores.max"] = str(options.cores)
    return settings


def _set_environment(options: EngineOptions) -> None:
    os.environ["JAVA_HOME"] = str(find_java(os.environ).home)
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if options.is_local:
        os.environ["PYSPARK_PYTHON"] = sys.executable
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    else:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)


def _configuration(options: EngineOptions, app_name: str, folder: Path) -> SparkConf:
    (folder / "log4j2.properties").write_text(_QUIET_LOG4J, "utf-8")
    conf = SparkConf(loadDefaults=False)
    for key, value in spark_settings(options, app_name, folder).items():
        conf.set(key, value)
    return conf


def _gateway(conf: SparkConf, folder: Path) -> JavaGateway | None:
    # A process has one JVM: it outlives a stopped session and is used again.
    if SparkContext._gateway is not None:  # noqa: SLF001 - there is no public question
        return None
    with (folder / LOG_NAME).open("ab") as log:
        return launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]


def _first_line(error: BaseException) -> str:
    if isinstance(error, PySparkRuntimeError | PySparkException):
        return str(error).splitlines()[0]
    return f"{type(error).__name__}: {error}".splitlines()[0]
