"""What Dockerfile, .dockerignore, the rehearsal and compose.yaml must agree on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from conf.settings import load_settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
REHEARSAL = (ROOT / "scripts/rehearse_image.sh").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def let_through() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_the_image_and_its_rehearsal_run_the_same_steps_in_the_same_order() -> None:
    of_image = re.findall(r"RUN scripts/image_steps\.sh (\w+) /opt/mri-triage", DOCKERFILE)
    of_rehearsal = re.findall(r'^steps (\w+) "\$prefix"', REHEARSAL, re.MULTILINE)

    assert of_image == of_rehearsal == ["packages", "project"]


def test_the_rehearsal_has_the_environment_of_the_image() -> None:
    [block] = re.findall(r"^ENV ((?:.*\\\n)*.*)", DOCKERFILE, re.MULTILINE)

    names = set(re.findall(r"(\w+)=", block))

    assert names == {
        "PATH",
        "JAVA_HOME",
        "PYSPARK_PYTHON",
        "PREFECT_UI_STATIC_DIRECTORY",
        "PYTHONUNBUFFERED",
    }
    assert all(f"{name}=" in REHEARSAL for name in names)


def test_what_reaches_the_builder_is_there_and_holds_no_tests_and_no_development_lock() -> None:
    paths = let_through()

    assert all((ROOT / path).exists() for path in paths)
    assert "locks/runtime.txt" in paths
    assert not {"tests", "locks", "locks/dev.txt", "."} & set(paths)


def test_the_image_runs_without_root() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)

    assert users == ["10001"]
    assert "readonly user=nobody" in REHEARSAL


@pytest.mark.parametrize(
    "service", ["database", "prefect", "storage", "spark-master", "spark-worker", "worker"]
)
def test_every_part_is_there(service: str) -> None:
    assert service in SERVICES
    # The worker serves nothing: it has the image's own check.
    assert "healthcheck" in SERVICES[service] or service == "worker"


def test_two_spark_workers_are_started() -> None:
    assert SERVICES["spark-worker"]["deploy"]["replicas"] == 2


def test_nothing_can_be_reached_from_another_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_of_others_are_pinned() -> None:
    images = {service["image"] for service in SERVICES.values()} - {COMPOSE["x-image"]["image"]}

    assert all(re.fullmatch(r"[\w/.-]+:\d[\w.-]+", image) for image in images)


def test_the_settings_of_the_worker_are_settings() -> None:
    environ = {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        for name, value in SERVICES["worker"]["environment"].items()
    }

    settings = load_settings("base", environ)

    assert settings.lake.url == "s3://mri-lake"
    assert settings.lake.endpoint_url == "http://storage:8333"
    assert settings.engine.master == "spark://spark-master:7077"


def test_secrets_come_from_outside() -> None:
    text = (ROOT / "compose.yaml").read_text("utf-8")
    secret = re.compile(r"^\s*(\w*(?:PASSWORD|SECRET\w*|IDENTIFIER_KEY)):\s*(.*)$", re.MULTILINE)

    found = dict(secret.findall(text))

    assert set(found) == {"AWS_SECRET_ACCESS_KEY", "POSTGRES_PASSWORD", "MRI_TRIAGE_IDENTIFIER_KEY"}
    assert all(re.match(r"\$\{\w+:\?", value) for value in found.values())
