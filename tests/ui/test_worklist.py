"""A radiologist at the worklist, in a real browser and mostly by keys."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from model.bundle import packaged_bundle_folder
from tests.reading_room import (
    LAST_NIGHT,
    ROOT,
    RunningWorklist,
    an_image,
    publish_mini_lake,
    run_worklist,
)
from tests.ui.conftest import SCREENSHOTS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LEAST_CONTRAST = 4.5
LOADING_MILLISECONDS = 120_000

CONTRASTS = """() => {
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement;
    if (!node.textContent.trim() || !e.checkVisibility() || e.closest("svg, option")) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < LEAST) low.push([node.textContent.trim().slice(0, 40), contrast]);
  }
  return low;
}""".replace("LEAST", str(LEAST_CONTRAST))

UNNAMED = """() => [...document.querySelectorAll(
  "a, button, input:not([type=hidden]), select, textarea, img, svg[role=img]")]
  .filter((e) => !(e.innerText || e.getAttribute("aria-label") || e.alt
    || (e.labels && e.labels.length))).map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def worklist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorklist]:
    folder = tmp_path_factory.mktemp("worklist")
    lake = publish_mini_lake(folder, packaged_bundle_folder(), LAST_NIGHT)
    with run_worklist(lake, folder) as running:
        yield running


@pytest.fixture
def watched(page: Page, worklist: RunningWorklist) -> Iterator[Page]:
    """The browser's page; whatever it asks of another place, or fails, is a failure."""
    wrong: list[str] = []

    def watch(response: Response) -> None:
        elsewhere = not response.url.startswith((worklist.url, "data:"))
        if elsewhere or response.status >= 400:
            wrong.append(f"{response.status} {response.url}")

    def hear(message: Any) -> None:  # noqa: ANN401 - playwright's own
        if message.type == "error":
            wrong.append(message.text)

    page.goto("about:blank")  # where an earlier test left the page goes on asking
    page.on("response", watch)
    page.on("console", hear)
    yield page
    page.remove_listener("response", watch)
    page.remove_listener("console", hear)
    assert wrong == []


def keep(page: Page, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"worklist-{name}.png")


def is_shown(page: Page, layer: str) -> bool:
    return bool(
        page.locator(f"[data-layer={layer}]").evaluate(
            "e => !e.hidden && e.getAttribute('visibility') !== 'hidden'"
        )
    )


def test_a_radiologist_reads_the_first_studies_and_tries_an_image(
    watched: Page, worklist: RunningWorklist
) -> None:
    page = watched
    page.goto(f"{worklist.url}/")
    page.get_by_role("link", name=str(LAST_NIGHT)).click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("flagged")
    keep(page, "night")
    page.keyboard.press("Enter")  # the first flagged study
    expect(page.get_by_role("heading", level=1)).to_contain_text("Study")
    # The first map waits for the network, which is loaded beside the first pages.
    expect(page.locator(".viewer[data-ready]")).to_be_visible(timeout=LOADING_MILLISECONDS)

    for key, layer in (("o", "outline"), ("b", "box"), ("h", "heat"), ("l", "lime")):
        before = is_shown(page, layer)
        page.keyboard.press(key)
        assert is_shown(page, layer) is not before
        page.keyboard.press(key)
        assert is_shown(page, layer) is before
    assert page.locator(".outline").get_attribute("d")
    zoomed = page.locator(".screen").get_attribute("viewBox")
    page.get_by_label("Zoom").fill("300")
    assert page.locator(".screen").get_attribute("viewBox") != zoomed
    page.keyboard.press("0")
    keep(page, "study")

    page.keyboard.press("c")
    expect(page.get_by_role("status").filter(has_text="Stored: confirm.")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("text=rank 2")).to_be_visible()
    page.get_by_label("Note").fill("an artefact of the coil")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_text("an artefact of the coil")).to_be_visible()

    page.get_by_role("link", name="Single image").click()
    page.get_by_label("JPEG, PNG").set_input_files(an_image())
    page.get_by_role("button", name="Score").click()
    shown = page.locator("[data-probability]")
    expect(shown).to_have_text(re.compile(r"0\.\d{3}|above 0\.999"), timeout=LOADING_MILLISECONDS)
    expect(page.locator(".result .outline")).to_have_attribute("d", re.compile("^M"))
    keep(page, "single")

    command = [sys.executable, "-m", "flows.cli", "quality", "--json", "--place", "demo"]
    done = subprocess.run(
        [*command, "--lake", str(worklist.lake)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    quality = json.loads(done.stdout)
    assert quality["by_answer"] == {"confirm": 1, "reject": 1}
    assert quality["studies"]["confirmed"] == quality["studies"]["rejected"] == 1


def test_every_page_can_be_read_in_the_dark_by_keys_and_aloud(
    watched: Page, worklist: RunningWorklist
) -> None:
    page = watched
    command = [sys.executable, "-m", "flows.cli", "drift", "--all", "--place", "demo"]
    subprocess.run(
        [*command, "--lake", str(worklist.lake)], cwd=ROOT, check=True, capture_output=True
    )
    night = f"/nights/{LAST_NIGHT}"
    page.goto(worklist.url + night)
    study = page.locator("tbody a").first.get_attribute("href")
    for address in (
        "/nights",
        night,
        study,
        "/double-reading",
        f"{night}/double-reading",
        "/single",
        "/model",
        "/drift",
    ):
        page.goto(f"{worklist.url}{address}")
        assert page.evaluate(CONTRASTS) == [], address
        assert page.evaluate(UNNAMED) == [], address
        assert page.locator("h1").count() == 1, address
        assert page.locator("text=Assistant, not a diagnosis.").is_visible()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", address
    keep(page, "drift")


def test_a_study_prints_on_white_without_what_cannot_be_pressed_on_paper(
    watched: Page, worklist: RunningWorklist
) -> None:
    page = watched
    page.goto(f"{worklist.url}/nights/{LAST_NIGHT}")
    page.keyboard.press("Enter")
    expect(page.locator(".screen")).to_be_visible()
    page.emulate_media(media="print")
    try:
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        assert not page.get_by_role("button", name="Confirm").is_visible()
        assert page.locator(".screen").is_visible()
        assert page.locator("text=Assistant, not a diagnosis.").is_visible()
        keep(page, "print")
    finally:
        page.emulate_media(media="screen")


def test_no_name_of_an_object_stands_on_the_pages_or_in_the_log(
    watched: Page, worklist: RunningWorklist
) -> None:
    page = watched
    paths = [path for path in (worklist.lake / "incoming").rglob("*") if path.is_file()]
    names = {path.name for path in paths if path.suffix} | {path.parent.name for path in paths}
    names -= {f"night={LAST_NIGHT}"}
    page.goto(f"{worklist.url}/nights/{LAST_NIGHT}")
    assert not [name for name in names if name in page.content()]
    for link in [one.get_attribute("href") for one in page.locator("tbody a").all()[:5]]:
        page.goto(f"{worklist.url}{link}")
        assert not [name for name in names if name in page.content()]
    assert not [name for name in names if name in Path(worklist.log).read_text()]
