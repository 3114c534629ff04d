from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from conf.settings import Settings, load_settings, override_settings
from flows.local_prefect import prepare_prefect

prepare_prefect(os.environ)  # before Prefect is imported for the first time

from prefect import flow  # noqa: E402
from prefect.blocks.notifications import CustomWebhookNotificationBlock  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.states import Completed, Failed  # noqa: E402
from prefect.testing.utilities import prefect_test_harness  # noqa: E402

from flows import notifications  # noqa: E402
from flows.notifications import notify, notify_of_nights  # noqa: E402
from model.errors import AuditError  # noqa: E402
from tests.integration.webhook import MESSAGE, Webhook, receiving  # noqa: E402

pytestmark = pytest.mark.slow

BLOCK = "custom-webhook/hospital"


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=250):
        yield


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    monkeypatch.setattr(notifications, "PAUSES", (0.0, 0.0))
    with receiving() as server:
        CustomWebhookNotificationBlock(name="hospital", url=server.url, json_data=MESSAGE).save(
            "hospital", overwrite=True
        )
        yield server


def settings_with(block: str | None) -> Settings:
    return override_settings(load_settings("demo", {}), {"alerts.block": block})


@flow
def tell(settings: Settings, sentences: list[str]) -> bool:
    return notify(settings, "two nights", sentences)


def test_what_is_told_arrives_at_the_webhook(webhook: Webhook) -> None:
    assert tell(settings_with(BLOCK), ["night 2026-11-20: no images", "ask"])

    assert webhook.received == [
        {"subject": "mri-triage: two nights", "text": "night 2026-11-20: no images\nask"},
    ]


def test_a_refused_message_is_sent_again(webhook: Webhook) -> None:
    webhook.refusals = 1

    assert tell(settings_with(BLOCK), ["night 2026-11-20: no images"])

    assert len(webhook.received) == 1


def test_a_message_that_cannot_be_delivered_is_a_warning_without_the_address(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.refusals = 99

    with caplog.at_level(logging.WARNING, "flows.notifications"):
        assert not tell(settings_with(BLOCK), ["night 2026-11-20: no images"])

    assert f"nobody could be notified by {BLOCK}" in caplog.text
    assert "secret-path" not in caplog.text


@pytest.mark.parametrize("block", [None, "custom-webhook/nowhere"])
def test_without_a_block_nothing_is_sent_and_nothing_fails(
    webhook: Webhook, block: str | None
) -> None:
    assert not tell(settings_with(block), ["night 2026-11-20: no images"])
    assert webhook.received == []


def test_failed_nights_are_told_with_their_reason_and_what_to_do(webhook: Webhook) -> None:
    error = AuditError("30 of 31 objects failed")
    unforeseen = ValueError("quotes a name")
    states: dict[date, State[Any]] = {
        date(2026, 11, 19): Failed(data=error),
        date(2026, 11, 20): Completed(),
        date(2026, 11, 18): Failed(data=unforeseen),
    }

    @flow
    def end() -> bool:
        return notify_of_nights(settings_with(BLOCK), states)

    assert end()
    [message] = webhook.received
    assert message["subject"] == "mri-triage: 2 of 3 nights failed"
    assert message["text"].splitlines()[:2] == [
        "night 2026-11-18: Failed (ValueError)",
        "night 2026-11-19: 30 of 31 objects failed",
    ]
    assert "What to do" in message["text"]


def test_unusual_nights_are_told_beside_the_failed_ones(webhook: Webhook) -> None:
    unusual = {date(2026, 11, 20): ["no images came, usually about 500: ask"]}

    @flow
    def end() -> bool:
        return notify_of_nights(settings_with(BLOCK), {date(2026, 11, 20): Completed()}, unusual)

    assert end()
    [message] = webhook.received
    assert message == {
        "subject": "mri-triage: 1 of 1 nights unusual",
        "text": "night 2026-11-20: no images came, usually about 500: ask",
    }
