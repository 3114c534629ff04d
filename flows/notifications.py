"""Telling people: a notification block of the Prefect server, named by the settings.

Any block of `prefect.blocks.notifications` will do: Slack, Teams, e-mail, or a webhook of one's
own. What is told names nights, counts and runs, never a person, an object or a picture.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from prefect import task
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from conf.settings import Settings
from model.errors import TriageError
from model.unforeseen import quoting_nothing

PAUSES: Final = (2.0, 10.0)
"""Seconds before each new try."""

SUBJECT: Final = "mri-triage"

LOG = logging.getLogger(__name__)


def notify(settings: Settings, subject: str, sentences: Sequence[str]) -> bool:
    """Send sentences to the place's notification block; a failure is logged and nothing more.

    Args:
        settings: of the place; without a block nothing is sent.
        subject: what it is about.
        sentences: one a line.

    Returns:
        Whether something was sent.
    """
    name = settings.alerts.block
    if name is None or not sentences:
        return False
    try:
        _send(name, f"{SUBJECT}: {subject}", "\n".join(sentences))
    except Exception as error:  # noqa: BLE001 - blocks raise what their services raise
        # Class only: an error of a webhook may hold its address, which is a secret.
        LOG.warning("nobody could be notified by %s: %s", name, type(error).__name__)
        return False
    return True


def notify_of_nights(
    settings: Settings,
    states: Mapping[date, State[Any]],
    unusual: Mapping[date, Sequence[str]] | None = None,
) -> bool:
    """Tell which nights failed or are unusual, and what to do; nothing if all is as it should be.

    Args:
        settings: of the place.
        states: how the nights' runs ended.
        unusual: sentences about published nights; see `jobs.unusual_nights`.

    Returns:
        Whether something was sent.
    """
    failed = {night: state for night, state in sorted(states.items()) if not state.is_completed()}
    odd = {night: found for night, found in sorted((unusual or {}).items()) if found}
    counted = [(len(failed), "failed"), (len(odd), "unusual")]
    subject = ", ".join(
        f"{count} of {len(states)} nights {what}" for count, what in counted if count
    )
    sentences = [f"night {night}: {describe_state(state)}" for night, state in failed.items()]
    if failed:
        sentences.append(
            "What to do: mend the cause, then run the deployment nightly again with this night, or "
            "a backfill over several; nothing that was scored is scored again."
        )
    sentences += [
        f"night {night}: {sentence}" for night, found in odd.items() for sentence in found
    ]
    return notify(settings, subject, sentences)


def describe_state(state: State[Any]) -> str:
    """Say why a run of a night failed; only this project's own errors are quoted."""
    error = state.result(raise_on_failure=False)
    if isinstance(error, TriageError):
        return str(error)
    return f"{state.name} ({type(error).__name__})"


@task(
    name="notify",
    retries=len(PAUSES),
    retry_delay_seconds=list(PAUSES),
    cache_policy=NO_CACHE,
    persist_result=False,
)
@quoting_nothing()
def _send(name: str, subject: str, body: str) -> None:
    block = Block.load(name)
    if not isinstance(block, NotificationBlock):
        message = f"{name} is a {type(block).__name__}, no notification block"
        raise TypeError(message)
    # Typed as if it might be a coroutine, which it is only within asynchronous flows.
    block.notify(body=body, subject=subject)  # type: ignore[unused-coroutine]
