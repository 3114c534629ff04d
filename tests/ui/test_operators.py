from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from playwright.sync_api import Page, expect

from tests.ui import operators
from tests.ui.conftest import SCREENSHOTS, Site

GARBAGE_OBJECTS = 30


def test_an_operator_previews_a_backfill_and_runs_it(page: Page, site: Site) -> None:
    first, _, last = site.nights
    operators.open_backfill_form(page, site.url)
    operators.choose_night(page, "first_night", first)
    operators.choose_night(page, "last_night", last)
    operators.keep_screenshot(page, SCREENSHOTS, "backfill-form")
    operators.submit(page)
    operators.wait_for_state(page, "Completed")

    operators.open_artifact(page, site.url, f"backfill-plan-{first}-{last}")
    expect(page.get_by_text("3 of 3 run. Nothing was done yet")).to_be_visible()
    for night in site.nights:
        row = page.get_by_role("row").filter(has_text=night.isoformat())
        expect(row).to_contain_text("missing")
        expect(row).to_contain_text("never published")
        assert not site.results(night).exists()
    operators.keep_screenshot(page, SCREENSHOTS, "backfill-plan")
    refuse_names(page, site)

    operators.open_backfill_form(page, site.url)
    operators.choose_night(page, "first_night", first)
    operators.choose_night(page, "last_night", last)
    operators.switch_off(page, "preview")
    operators.submit(page)
    operators.wait_for_state(page, "Completed")
    operators.open_sub_runs(page)
    for night in site.nights:
        expect(page.get_by_role("link", name=f"night {night}")).to_be_visible()
        assert pq.read_metadata(site.results(night)).num_rows >= 30
    operators.keep_screenshot(page, SCREENSHOTS, "backfill-run")

    operators.open_artifact(page, site.url, f"backfill-outcome-{first}-{last}")
    expect(page.get_by_text("3 published, 0 failed, of 3 nights")).to_be_visible()
    refuse_names(page, site)


def test_a_published_night_shows_its_counts_and_its_pictures(page: Page, site: Site) -> None:
    night = site.nights[-1]

    operators.open_artifact(page, site.url, f"night-{night}")

    expect(page.get_by_role("heading", name=f"Night {night}")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="flagged").first).to_be_visible()
    widths = operators.picture_widths(page)
    assert widths
    assert all(width > 300 for width in widths)
    operators.keep_screenshot(page, SCREENSHOTS, "night", height=1315)
    refuse_names(page, site)


def test_the_coming_nights_are_seen_to_be_scheduled(page: Page, site: Site) -> None:
    operators.open_upcoming_runs(page, site.url, "nightly")

    expect(page.get_by_text("Scheduled for").nth(2)).to_be_visible()
    refuse_names(page, site)


def test_a_failed_night_says_why_and_is_run_again(page: Page, site: Site) -> None:
    night = site.broken_night
    garbage = break_night(site)
    operators.open_backfill_form(page, site.url)
    operators.choose_night(page, "first_night", night)
    operators.choose_night(page, "last_night", night)
    operators.switch_off(page, "preview")
    operators.submit(page)
    operators.wait_for_state(page, "Failed")
    backfill_run = page.url
    operators.open_sub_runs(page)
    page.get_by_role("link", name=f"night {night}").click()
    operators.wait_for_state(page, "Failed")
    expect(page.get_by_text("expected a share of at most 0.2").first).to_be_visible()
    operators.keep_screenshot(page, SCREENSHOTS, "failed-night")
    refuse_names(page, site)
    assert not site.results(night).exists()

    for one in garbage:
        one.unlink()
    page.goto(backfill_run)
    operators.retry(page)
    operators.wait_for_state(page, "Completed")

    assert pq.read_metadata(site.results(night)).num_rows == 1


def break_night(site: Site) -> list[Path]:
    """Fill a night with one image and many objects that nobody can read."""
    folder = site.incoming(site.broken_night)
    folder.mkdir()
    image = next(site.incoming(site.nights[0]).rglob("*.jpg"))
    (folder / "whole.jpg").write_bytes(image.read_bytes())
    garbage = [folder / f"torn-{number}.jpg" for number in range(GARBAGE_OBJECTS)]
    for one in garbage:
        one.write_bytes(image.read_bytes()[:200])
    return garbage


def refuse_names(page: Page, site: Site) -> None:
    """No name of an object stands on the page."""
    shown = page.inner_text("body")
    paths = [path for path in (site.lake / "incoming").rglob("*") if path.is_file()]
    names = {path.name for path in paths if path.suffix} | {path.parent.name for path in paths}
    names -= {site.incoming(night).name for night in (*site.nights, site.broken_night)}
    assert not [name for name in names if name in shown]
