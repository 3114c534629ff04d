"""What the Prefect server watches by itself: runs that fell silent, and runs that crashed.

A process that died can tell nobody: the server has to notice, and has to say it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from conf.settings import AlertSettings

SILENT_SECONDS: Final = 120
"""Without a heartbeat for so long a run counts as dead; four heartbeats."""

ZOMBIES: Final = "mri-triage: runs that fell silent"

CRASHES: Final = "mri-triage: runs that crashed"

RUN: Final = "prefect.flow-run"

PAUSED: Final = ("Suspended", "Paused")
ENDED: Final = ("Completed", "Failed", "Cancelled", "Crashed", "AwaitingRetry", *PAUSED)
TAKEN_UP: Final = ("AwaitingRetry", "Scheduled", "Late", "Pending", "Running", "Completed")

SUBJECT: Final = "mri-triage: a run crashed"
BODY: Final = """\
{{ flow_run.name }} crashed: its process or its machine went away.
What to do: look at {{ flow_run | ui_url }}, mend the cause, then press Retry there, or start \
mri-triage serve again if it has ended; nothing that was scored is scored again.\
"""


async def watch_for_silent_runs(client: PrefectClient) -> None:
    """Have the server mark runs as crashed that stopped sending heartbeats; once is enough."""
    if await client.read_automations_by_name(ZOMBIES):
        return
    automation = AutomationCore(
        name=ZOMBIES,
        description="A run whose process died says nothing any more: this marks it as crashed.",
        trigger=EventTrigger(
            after={f"{RUN}.heartbeat"},
            expect={f"{RUN}.heartbeat", *(f"{RUN}.{state}" for state in ENDED)},
            match=ResourceSpecification({"prefect.resource.id": [f"{RUN}.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"no heartbeat for {SILENT_SECONDS} s: its process died",
            ),
        ],
    )
    await client.create_automation(automation)


async def tell_of_crashed_runs(
    client: PrefectClient,
    alerts: AlertSettings,
    deployments: list[str],
    tell: Callable[[str], None],
) -> None:
    """Have the server tell of runs that crashed and were not taken up again soon.

    Args:
        client: of the server.
        alerts: whom to tell, and how soon; without a block nobody is told any more.
        deployments: names of those whose runs are watched. Their sub-runs are not.
        tell: prints a line; it is used if the block is not on the server.
    """
    for old in await client.read_automations_by_name(CRASHES):
        await client.delete_automation(old.id)
    if alerts.block is None:
        return
    kind, _, name = alerts.block.partition("/")
    try:
        block = await client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound:
        tell(
            f"alerts.block is {alerts.block}, and there is no such block on the server: nobody "
            "will be told of anything; create it under Blocks, then start mri-triage serve again"
        )
        return
    automation = AutomationCore(
        name=CRASHES,
        description="A run that crashed cannot say so itself.",
        trigger=EventTrigger(
            after={f"{RUN}.Crashed"},
            # A serve that is stopped lets its runs crash, and takes them up again at once.
            expect={f"{RUN}.{state}" for state in TAKEN_UP},
            match=ResourceSpecification({"prefect.resource.id": [f"{RUN}.*"]}),
            match_related=ResourceSpecification(
                {
                    "prefect.resource.role": ["deployment"],
                    "prefect.resource.name": deployments,
                },
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=alerts.crashed_seconds),
        ),
        actions=[SendNotification(block_document_id=block.id, subject=SUBJECT, body=BODY)],
    )
    await client.create_automation(automation)
