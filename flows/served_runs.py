"""Serve the deployments: register them, take up what a crash interrupted, and run what is due."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL
from prefect.states import AwaitingRetry, Cancelled

from conf.settings import Settings
from flows.automations import tell_of_crashed_runs, watch_for_silent_runs
from flows.deployments import make_deployments
from flows.recovery import end_run_processes

UNFINISHED: Final = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)


def serve_deployments(
    settings: Settings,
    place: str,
    lake: str,
    tell: Callable[[str], None],
) -> None:
    """Register the deployments and run what is due until the process is asked to stop.

    Args:
        settings: of the place.
        place: default of the forms.
        lake: default of the forms, as a URL.
        tell: prints a line.
    """
    asyncio.run(_serve(make_deployments(settings, place, lake), settings, tell))


async def _serve(
    deployments: Sequence[RunnerDeployment],
    settings: Settings,
    tell: Callable[[str], None],
) -> None:
    # A stop must not pause the schedule: the next start is to go on with it.
    limit = settings.schedule.runs_at_once
    runner = Runner(name="mri-triage", pause_on_shutdown=False, limit=limit)
    ids = [await runner.aadd_deployment(deployment) for deployment in deployments]
    async with get_client() as client:
        await watch_for_silent_runs(client)
        names = [deployment.name for deployment in deployments]
        await tell_of_crashed_runs(client, settings.alerts, names, tell)
        taken_up = await take_up_interrupted(client, ids)
    if taken_up:
        tell(f"went on with {taken_up} runs that were interrupted")
    tell(f"Prefect UI: {PREFECT_UI_URL.value() or PREFECT_API_URL.value()}")
    tell(f"deployments: {', '.join(deployment.name for deployment in deployments)}; Ctrl-C stops")
    await _run_until_stopped(runner, ids)


async def _run_until_stopped(runner: Runner, deployments: Sequence[UUID]) -> None:
    """Run what is due until a signal comes; what is under way then is scheduled to go on.

    The runner's own answer to a signal marks such runs as crashed for good.
    """
    serving = asyncio.create_task(runner.start())
    # It sets its own handler first, which is replaced here; it has no event for having started.
    while not runner.started and not serving.done():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        stopping.cancel()
        await serving  # it ended by itself: say why
        return
    async with get_client() as client:
        interrupted = await find_unfinished_runs(client, deployments)
        await asyncio.to_thread(end_run_processes)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        for run in interrupted:
            await _take_up(client, run)


async def take_up_interrupted(client: PrefectClient, deployments: Sequence[UUID]) -> int:
    """Schedule the runs again that no process works on; returns how many there were.

    Only whoever knows that there is no such process may call this: before the runner starts, or
    after it has ended. A run goes on from what it finished: shards, and the backfill's record.
    """
    runs = await find_unfinished_runs(client, deployments)
    for run in runs:
        await _take_up(client, run)
    return len(runs)


async def find_unfinished_runs(
    client: PrefectClient,
    deployments: Sequence[UUID],
) -> list[FlowRun]:
    """Return the runs of these deployments that have begun and not ended."""
    return await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=list(deployments)),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(UNFINISHED))),
        ),
    )


async def _take_up(client: PrefectClient, run: FlowRun) -> None:
    if run.state_type is StateType.CANCELLING:
        state: State[Any] = Cancelled(message="its process had ended")
    else:
        state = AwaitingRetry(message="its process had ended; it goes on from what it finished")
    # By force where its process has reported a crash meanwhile, which is final otherwise.
    now = await client.read_flow_run(run.id)
    force = now.state is not None and now.state.is_final()
    await client.set_flow_run_state(run.id, state, force=force)
