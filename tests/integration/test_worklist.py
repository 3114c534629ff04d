"""The real command on a night that was published with the packaged bundle."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image

from tests.builders import MINI_LAKE
from tests.reading_room import LAST_NIGHT, ROOT, RunningWorklist, an_image
from tests.unit.jobs.worklist.rooms import hidden_fields

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FOLDER = MINI_LAKE / f"incoming/night={LAST_NIGHT.isoformat()}"
DICOM = FOLDER / "neuro/study-0007/series-1/slice-002.dcm"
EXAMPLES = 12


@pytest.fixture
def client(worklist: RunningWorklist) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=worklist.url, timeout=120) as made:
        yield made


@pytest.fixture
def rows(worklist: RunningWorklist) -> dict[str, dict[str, Any]]:
    """The night's rows by the name of their object."""
    path = worklist.lake / f"results/night={LAST_NIGHT.isoformat()}/results.parquet"
    table = pq.ParquetFile(path).read().to_pylist()
    return {row["object_key"].partition("/")[2].partition("/")[2]: row for row in table}


def send(client: httpx.Client, path: Path) -> dict[str, Any]:
    sent = client.post("/api/v1/predict", files={"image": (path.name, path.read_bytes())})
    assert sent.status_code == 200
    answered: dict[str, Any] = sent.json()
    return answered


def test_a_single_image_scores_as_it_did_in_the_night(
    client: httpx.Client, rows: dict[str, dict[str, Any]]
) -> None:
    for path in (an_image(), DICOM):
        row = rows[path.relative_to(FOLDER).as_posix()]
        image = send(client, path)["images"][0]
        for name in ("decision", "reason", "threshold", "box_x", "box_y", "box_width"):
            assert image[name] == row[name]
        # Another batch may change the last bits.
        assert image["probability"] == pytest.approx(row["probability"], abs=1e-6)


def test_the_command_says_the_same_as_the_interface(client: httpx.Client) -> None:
    path = an_image()
    command = [sys.executable, "-m", "flows.cli", "predict", "--json", "--place", "demo"]
    torn = FOLDER / "transfer/picture-31.jpg"

    done = subprocess.run(
        [*command, path, torn], cwd=ROOT, check=True, capture_output=True, text=True
    )

    said = json.loads(done.stdout)
    assert [one["reason"] for one in said] == ["tumor_suspected", "unreadable"]
    asked = send(client, path)["images"][0]
    assert said[0]["probability"] == pytest.approx(asked["probability"], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("transfer/readme.jpg", "unsupported"),
        ("transfer/picture-32.jpg", "empty_object"),
        ("transfer/slice-009.dcm", "unreadable"),
        ("transfer/panorama.png", "too_large"),
        ("inbox/cat.jpg", "not_brain_mr"),
        ("neuro/study-0007/report.dcm", "non_diagnostic"),
    ],
)
def test_what_cannot_be_scored_is_flagged_with_its_reason(
    client: httpx.Client, name: str, reason: str
) -> None:
    image = send(client, FOLDER / name)["images"][0]

    assert (image["decision"], image["reason"]) == ("flagged", reason)


def test_the_page_of_a_single_image_shows_it_with_its_marks_and_lime(
    client: httpx.Client, worklist: RunningWorklist
) -> None:
    fields = hidden_fields(client.get("/single").text)
    before = {path for path in worklist.lake.rglob("*") if path.is_file()}
    files = {"image": ("x.jpg", an_image().read_bytes())}

    page = client.post("/single", data={**fields, "lime": "yes"}, files=files).text

    assert "tumor suspected" in page
    assert 'class="outline" d="M' in page
    assert page.count("data:image/png;base64,") >= 3  # the slice, its map, LIME
    assert {path for path in worklist.lake.rglob("*") if path.is_file()} == before


def test_a_broken_dicom_on_the_page_is_a_sentence(client: httpx.Client) -> None:
    fields = hidden_fields(client.get("/single").text)
    torn = DICOM.read_bytes()[:2000]

    page = client.post("/single", data=fields, files={"image": ("x.dcm", torn)})

    assert page.status_code == 200
    assert "flagged" in page.text
    assert "unreadable" in page.text


def test_the_picture_of_an_image_is_drawn_and_marked(
    client: httpx.Client, rows: dict[str, dict[str, Any]]
) -> None:
    row = rows[an_image().relative_to(FOLDER).as_posix()]
    address = f"/nights/{LAST_NIGHT}/images/{row['image_id']}"

    picture = Image.open(io.BytesIO(client.get(f"{address}/picture.png").content))
    marks = client.get(f"{address}/marks.json").json()

    assert picture.size == (row["width"], row["height"])
    assert not picture.info
    assert marks["box"] == {
        "x": row["box_x"],
        "y": row["box_y"],
        "width": row["box_width"],
        "height": row["box_height"],
    }
    assert marks["outline"].startswith("M")


def test_double_reading_shows_the_picture_and_no_mark(client: httpx.Client) -> None:
    page = client.get(f"/nights/{LAST_NIGHT}/double-reading").text

    assert "picture.png" in page
    assert "marks.json" not in page
    assert 'class="box"' not in page


def test_the_night_s_explanations_are_shown(
    client: httpx.Client, worklist: RunningWorklist
) -> None:
    folder = worklist.lake / f"explanations/night={LAST_NIGHT.isoformat()}"
    index = pq.ParquetFile(folder / "index.parquet").read().to_pylist()
    shown = next(row for row in index if row["overlay"] and row["may_leave_lake"])

    sent = client.get(f"/nights/{LAST_NIGHT}/images/{shown['image_id']}/lime.png")

    assert sent.content == (folder / shown["overlay"]).read_bytes()


def test_the_pacs_link_resolves_the_study_and_leaves_no_trace_of_it(
    client: httpx.Client, worklist: RunningWorklist, rows: dict[str, dict[str, Any]]
) -> None:
    row = rows[DICOM.relative_to(FOLDER).as_posix()]
    address = f"/nights/{LAST_NIGHT}/studies/{row['study_id']}"
    page = client.get(address)

    sent = client.post(f"{address}/pacs", data=hidden_fields(page.text))

    where = sent.headers["location"]
    study_uid = where.removeprefix("https://pacs.example/viewer?study=")
    assert sent.status_code == 303
    assert study_uid.startswith("2.25.") or study_uid[0].isdigit()
    assert study_uid not in page.text
    assert study_uid not in worklist.log.read_text()
    events = [path.read_text() for path in (worklist.lake / "audit").rglob("*pacs_link*")]
    assert any(row["study_id"] in text for text in events)
    assert not any(study_uid in text for text in events)
    assert "form-action 'self' https://pacs.example" in page.headers["content-security-policy"]


def test_no_request_that_the_interface_describes_ends_in_a_server_error(
    worklist: RunningWorklist,
) -> None:
    schema = schemathesis.openapi.from_url(f"{worklist.url}/api/openapi.json")
    asked = 0
    for operation in schema.get_all_operations():
        found: Any = operation
        asked += _ask(found.ok(), worklist)

    assert asked >= 3 * EXAMPLES


def _ask(operation: Any, worklist: RunningWorklist) -> int:  # noqa: ANN401 - schemathesis' own
    asked = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:  # noqa: ANN401 - as above
        nonlocal asked
        asked += 1
        answered = case.call(base_url=worklist.url)
        assert answered.status_code < 500, (case.method, case.path, answered.text[:300])

    ask()
    return asked
