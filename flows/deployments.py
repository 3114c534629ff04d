"""The deployments: what operators find in the Prefect UI."""

from __future__ import annotations

from typing import Any, Final

from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import Flow
from prefect.types.entrypoint import EntrypointType

from conf.settings import Settings
from flows.backfill import backfill
from flows.evaluation_flow import evaluation
from flows.nightly import nightly
from flows.training_flow import training
from jobs.code_version import code_version

TAG: Final = "mri-triage"

DESCRIPTIONS: Final = {
    "nightly": "Last night, and the nights before it that images came late for.",
    "backfill": "A range of nights: look at the plan first (preview), then run it.",
    "training": "A new bundle from labelled images. It is neither registered nor promoted.",
    "evaluation": "The figures of a bundle on labelled images.",
}


def make_deployments(settings: Settings, place: str, lake: str) -> list[RunnerDeployment]:
    """Make the four deployments.

    They name their flows as modules, so that whatever runs them needs the installed package and
    no source folder.

    Args:
        settings: of the place; the schedule is read from them.
        place: default of the forms; absolute if it is a file.
        lake: default of the forms, as a URL.
    """
    where = {"place": place, "lake": lake}
    schedule = CronSchedule(cron=settings.schedule.cron, timezone=settings.night.time_zone)
    # A second nightly run waits for the first. The other strategy, cancelling it, can leave runs
    # behind that stay late for ever.
    one_at_a_time = ConcurrencyLimitConfig(
        limit=1,
        collision_strategy=ConcurrencyLimitStrategy.ENQUEUE,
    )
    return [
        _deploy(nightly, where, schedule=schedule, concurrency_limit=one_at_a_time),
        _deploy(backfill, where),
        _deploy(training, {}),
        _deploy(evaluation, {}),
    ]


def _deploy(flow: Flow[..., Any], parameters: dict[str, Any], **options: Any) -> RunnerDeployment:  # noqa: ANN401 - those of Prefect
    return RunnerDeployment.from_flow(
        flow=flow,
        name=flow.name,
        parameters=parameters,
        description=DESCRIPTIONS[flow.name],
        tags=[TAG],
        version=code_version(),
        entrypoint_type=EntrypointType.MODULE_PATH,
        **options,
    )
