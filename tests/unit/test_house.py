from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest
import typer

from flows.cli import INTERRUPTED_EXIT_CODE, TERMINATED_EXIT_CODE, app
from model import errors

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEAVY = {"keras", "lime", "petastorm", "prefect", "pyspark", "skimage", "sklearn", "tensorflow"}


def heavy_modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # The last line only: the settings, printed before, name TensorFlow as the engine.
    return HEAVY.intersection(done.stdout.splitlines()[-1].split())


def test_importing_light_modules_loads_nothing_heavy() -> None:
    modules = (
        "conf.settings",
        "flows.cli",
        "flows.arguments",
        "flows.reports",
        "jobs.lake",
        "jobs.schemas",
        "model.decision",
        "model.errors",
    )

    assert heavy_modules_after(f"import {', '.join(modules)}") == set()


@pytest.mark.parametrize("arguments", [["config", "show"], ["night", "--night", "x"]])
def test_what_answers_at_once_loads_nothing_heavy(arguments: list[str]) -> None:
    statement = f"from flows.cli import main\nmain({arguments!r})"

    assert heavy_modules_after(statement) == set()


def test_the_network_is_not_loaded_by_what_decodes_images() -> None:
    assert heavy_modules_after("import model.decoding") & {"keras", "tensorflow"} == set()


@pytest.mark.parametrize("package", ["conf", "flows", "jobs", "model"])
def test_the_init_of_a_package_is_empty(package: str) -> None:
    assert (ROOT / package / "__init__.py").read_text("utf-8") == ""


def command_paths() -> list[str]:
    paths = [f"mri-triage {command.name}" for command in app.registered_commands]
    for group in app.registered_groups:
        assert isinstance(group.typer_instance, typer.Typer)
        commands = group.typer_instance.registered_commands
        paths.extend(f"mri-triage {group.name} {command.name}" for command in commands)
    return paths


@pytest.mark.parametrize("path", command_paths())
def test_every_command_stands_in_the_readme(path: str) -> None:
    assert f"`{path}" in README


def exit_codes() -> dict[str, int]:
    codes = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type)
        and issubclass(value, errors.TriageError)
        and "exit_code" in vars(value)
    }
    return codes | {"interrupted": INTERRUPTED_EXIT_CODE, "terminated": TERMINATED_EXIT_CODE}


@pytest.mark.parametrize(("name", "code"), exit_codes().items())
def test_every_exit_code_stands_in_the_readme(name: str, code: int) -> None:
    assert re.search(rf"^\| {code} \|", README, re.MULTILINE), name


def test_no_two_errors_share_an_exit_code() -> None:
    codes = list(exit_codes().values())

    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_the_makefile_that_a_page_names_is_there(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))

    assert set(re.findall(r"`make ([a-z0-9-]+)", page.read_text("utf-8"))) <= targets


@pytest.mark.parametrize("name", ["base.yaml", "demo.yaml", "hospital.yaml"])
def test_the_settings_are_shipped_with_the_package(name: str) -> None:
    assert resources.files("conf").joinpath(name).is_file()


@pytest.mark.parametrize(
    "name", ["templates/base.html", "static/worklist.css", "static/worklist.js", "static/icon.svg"]
)
def test_the_pages_of_the_worklist_are_shipped_with_the_package(name: str) -> None:
    assert resources.files("jobs.worklist").joinpath(name).is_file()


def test_the_wheel_holds_the_four_packages_and_no_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert packages == ["flows", "jobs", "model", "conf"]


@pytest.mark.parametrize("lock", ["audit.txt", "build.txt", "dev.txt", "jre.txt", "runtime.txt"])
def test_every_line_of_a_lock_is_pinned_and_hashed_and_names_no_address(lock: str) -> None:
    text = (ROOT / "locks" / lock).read_text("utf-8")

    requirements = text.replace("\\\n", " ").splitlines()

    assert requirements
    assert all("==" in line and "--hash=sha256:" in line for line in requirements)
    assert "://" not in text


def test_the_runtime_lock_pins_what_the_development_lock_pins() -> None:
    pins = {
        name: set(
            re.findall(r"^(\S+==\S+)", (ROOT / "locks" / name).read_text("utf-8"), re.MULTILINE)
        )
        for name in ("runtime.txt", "dev.txt")
    }

    assert pins["runtime.txt"] <= pins["dev.txt"]


def test_no_job_reads_the_settings_outside_its_main() -> None:
    readers: list[str] = []
    for path in sorted((ROOT / "jobs").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        mains = [node for node in tree.body if getattr(node, "name", "") == "main"]
        inside = {id(child) for main in mains for child in ast.walk(main)}
        readers.extend(
            path.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("conf")
            and id(node) not in inside
        )

    assert readers == []


def headings_of(page: Path) -> set[str]:
    return {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    lost = []
    for link in links:
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        known = not heading or (target.is_file() and heading in headings_of(target))
        if "://" not in link and not (target.exists() and known):
            lost.append(link)

    assert lost == []
