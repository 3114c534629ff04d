"""`prefect.yaml` and the work pools, by Prefect's own loader, on a real server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.settings import load_settings
from flows.local_prefect import prepare_prefect

prepare_prefect(os.environ)  # before Prefect is imported for the first time

from prefect.client.orchestration import SyncPrefectClient, get_client  # noqa: E402
from prefect.client.schemas.actions import WorkPoolCreate  # noqa: E402
from prefect.client.schemas.responses import DeploymentResponse  # noqa: E402
from prefect.deployments.runner import RunnerDeployment  # noqa: E402
from prefect.settings import PREFECT_API_URL  # noqa: E402
from prefect.testing.utilities import prefect_test_harness  # noqa: E402
from prefect.utilities.templating import find_placeholders  # noqa: E402
from prefect.workers.base import BaseJobConfiguration  # noqa: E402

from flows.deployments import make_deployments  # noqa: E402

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
POOLS = ("process", "docker", "kubernetes")
PLACE = "/etc/mri-triage/hospital.yaml"
RUN_COMMAND = "prefect flow-run execute"
SECRETS = dict.fromkeys(("identifier_key", "access_key", "secret_key"), "invented")


def template_of(kind: str) -> dict[str, Any]:
    text = (ROOT / f"deployment/work-pool-{kind}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    with prefect_test_harness(server_startup_timeout=250), get_client(sync_client=True) as made:
        yield made


@pytest.fixture(scope="module")
def deployed(client: SyncPrefectClient) -> dict[str, DeploymentResponse]:
    """What `prefect deploy --all` registers, by name."""
    pool = WorkPoolCreate(
        name="mri-triage", type="process", base_job_template=template_of("process")
    )
    client.create_work_pool(pool)
    environ = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())}
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    command += ["--prefect-file", str(ROOT / "prefect.yaml")]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = client.read_deployments()
    return {one.name: one for one in found}


def served() -> dict[str, RunnerDeployment]:
    """What `mri-triage serve` registers, by name."""
    made = make_deployments(load_settings("base", {}), PLACE, "")
    return {one.name: one for one in made}


def test_the_work_pool_gets_the_deployments_that_serve_makes(
    deployed: dict[str, DeploymentResponse],
) -> None:
    expected = served()

    assert deployed.keys() == expected.keys()
    for name, one in deployed.items():
        twin = expected[name]
        assert one.entrypoint == twin.entrypoint
        assert one.description == twin.description
        assert one.tags == twin.tags
        assert one.work_pool_name == "mri-triage"
        assert one.pull_steps == []
        form = {"definitions": {}, "required": []} | (one.parameter_openapi_schema or {})
        assert form == twin._parameter_openapi_schema.model_dump()


def test_the_nightly_run_of_a_work_pool_keeps_the_places_clock_and_runs_alone(
    deployed: dict[str, DeploymentResponse],
) -> None:
    nightly = deployed["nightly"]
    settings = load_settings("base", {})

    [scheduled] = nightly.schedules
    assert scheduled.schedule.model_dump(include={"cron", "timezone"}) == {
        "cron": settings.schedule.cron,
        "timezone": settings.night.time_zone,
    }
    assert nightly.global_concurrency_limit is not None
    assert nightly.global_concurrency_limit.limit == 1
    assert nightly.concurrency_options is not None
    assert nightly.concurrency_options.collision_strategy == "ENQUEUE"
    assert nightly.parameters == {"place": PLACE}


@pytest.mark.parametrize("kind", POOLS)
def test_a_server_takes_the_template_of_each_kind_of_pool(
    client: SyncPrefectClient, kind: str
) -> None:
    pool = WorkPoolCreate(name=f"pool-{kind}", type=kind, base_job_template=template_of(kind))

    made = client.create_work_pool(pool)

    assert made.type == kind
    assert made.base_job_template == template_of(kind)


@pytest.mark.parametrize("kind", POOLS)
def test_every_placeholder_of_a_template_is_one_of_its_variables(kind: str) -> None:
    template = template_of(kind)

    names = {one.name for one in find_placeholders(template["job_configuration"])}

    variables = set(template["variables"]["properties"])
    assert names <= variables


@pytest.mark.parametrize("kind", POOLS)
def test_a_runs_own_environment_is_put_over_that_of_the_pool(
    client: SyncPrefectClient, kind: str
) -> None:
    assert client  # there is a server to ask for blocks and variables
    template = template_of(kind)
    values = {"env": {"MRI_TRIAGE__ENGINE__CORES": "2"}, "command": RUN_COMMAND}

    make_job: Any = BaseJobConfiguration.from_template_and_values
    job = asyncio.run(make_job(template, values | SECRETS))

    assert job.command == RUN_COMMAND
    assert job.env["MRI_TRIAGE__ENGINE__CORES"] == "2"
    assert job.env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"


def test_a_kubernetes_job_runs_without_root_and_reads_secrets_from_the_cluster() -> None:
    configuration = template_of("kubernetes")["job_configuration"]
    pod = configuration["job_manifest"]["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert container["envFrom"] == [{"secretRef": {"name": "{{ secret }}"}}]
    assert not [name for name in configuration["env"] if "KEY" in name]
