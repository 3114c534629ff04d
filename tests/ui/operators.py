"""What an operator does in the Prefect UI, in steps that can be told."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

RUN_SECONDS = 300
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED", "PAUSED"}


def open_deployment(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/deployments")
    # Flow and deployment share the name; the deployment's link comes first in its row.
    page.get_by_role("link", name=name, exact=True).first.click()


def open_upcoming_runs(page: Page, url: str, deployment: str) -> None:
    open_deployment(page, url, deployment)
    page.get_by_text("Upcoming", exact=True).first.click()


def open_backfill_form(page: Page, url: str) -> None:
    open_deployment(page, url, "backfill")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    expect(page.get_by_text("first_night", exact=True)).to_be_visible()


def _field(page: Page, name: str) -> Locator:
    return page.locator(".schema-form-property").filter(
        has=page.locator(".schema-form-property__label", has_text=re.compile(f"^{name}\\b")),
    )


def choose_night(page: Page, name: str, night: date) -> None:
    """Choose a date in the form's date picker."""
    _field(page, name).locator(".p-date-button__control").click()
    picker = page.locator(".p-date-picker")
    picker.locator("input[type=date]").fill(night.isoformat())
    picker.get_by_role("button", name="Apply").click()
    expect(picker).to_have_count(0)


def switch_off(page: Page, name: str) -> None:
    """Turn a switch of the form."""
    _field(page, name).locator(".p-toggle__control").click()


def submit(page: Page) -> None:
    """Submit the form, again if the server was too busy to answer, and open the run it made.

    By the answer that the form got: its toast, which links the run, comes and goes.
    """
    for _ in range(5):
        with page.expect_response("**/create_flow_run") as answered:
            page.get_by_role("button", name="Submit").click()
        if answered.value.ok:
            break
    parts = urlsplit(page.url)
    page.goto(f"{parts.scheme}://{parts.netloc}/runs/flow-run/{answered.value.json()['id']}")


def open_sub_runs(page: Page) -> None:
    """Open the tab of the run's own runs."""
    page.get_by_text("Subflow Runs", exact=True).click()


def state_of(page: Page, run: str) -> str:
    """Ask the server for the state of the run that a page of the UI is about."""
    parts = urlsplit(run)
    path = f"{parts.scheme}://{parts.netloc}/api/flow_runs/{Path(parts.path).name}"
    answer = page.request.get(path)
    # Its database is SQLite, which is busy at times; the next look will do.
    return str(answer.json()["state_type"]) if answer.ok else "UNKNOWN"


def wait_for_state(page: Page, state: str) -> None:
    """Wait until the run of this page has ended, and see that the page says how.

    Meanwhile the page is closed: the UI's animations, drawn without a graphics card, would take
    half a core from the very run that is waited for.
    """
    run = page.url
    page.goto("about:blank")
    end = time.monotonic() + RUN_SECONDS
    while state_of(page, run) not in FINAL and time.monotonic() < end:
        time.sleep(0.5)
    page.goto(run)
    expect(page.locator(".state-badge").first).to_have_text(state)


def retry(page: Page) -> None:
    """Press Retry, again if the server was too busy to answer, as the UI then says."""
    run = page.url
    for _ in range(5):
        page.get_by_role("button", name="Retry").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Retry").click()
        page.wait_for_timeout(1000)
        if state_of(page, run) != "FAILED":
            return
        page.goto(run)


def open_artifact(page: Page, url: str, key: str) -> None:
    """Open the newest artifact of a key on a page of its own."""
    page.goto(f"{url}/artifacts/key/{key}")
    page.locator('a[href^="/artifacts/artifact/"]').first.click()
    page.wait_for_url("**/artifacts/artifact/**")
    page.wait_for_load_state("networkidle")


def picture_widths(page: Page) -> list[int]:
    """Return the widths in which the browser has really drawn the pictures of the page."""
    pictures = page.locator("article img, .markdown-renderer img")
    expect(pictures.first).to_be_visible()
    return [int(one.evaluate("image => image.naturalWidth")) for one in pictures.all()]


def keep_screenshot(page: Page, folder: Path, name: str, height: int = 1000) -> None:
    """Keep a picture of the page, so many pixels high."""
    page.set_viewport_size({"width": 1400, "height": height})
    page.wait_for_timeout(500)
    page.screenshot(path=folder / f"{name}.png")
