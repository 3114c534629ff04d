"""A night of a person who does not exist, read in the worklist: the name stands nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from model.bundle import packaged_bundle_folder
from tests.privacy.identity import PERSON
from tests.privacy.planted_lake import NIGHT, planted_objects
from tests.privacy.search import parts_of, parts_of_folder, search
from tests.reading_room import ROOT, RunningWorklist, run_worklist
from tests.unit.jobs.worklist.rooms import hidden_fields

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ADDRESS: Final = re.compile(r'(?:href|data-marks|data-src|src|action)="(/[^"#]+)"')
UPLOADED: Final = 6
LEAST_PAGES: Final = 40


@pytest.fixture(scope="module")
def worklist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorklist]:
    folder = tmp_path_factory.mktemp("planted-reading")
    lake = folder / "lake"
    for key, data in planted_objects():
        path = lake / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    command = [sys.executable, "-m", "tests.published_lake", str(lake)]
    subprocess.run([*command, packaged_bundle_folder(), NIGHT], cwd=ROOT, check=True)
    environ = {
        "MRI_TRIAGE__WORKLIST__PACS_URL": "https://pacs.example/{study_uid}",
        "MRI_TRIAGE__WORKLIST__LOCAL_ROLES": "[reader, pacs]",
        # The strictest look: pictures that the default withholds are searched too.
        "MRI_TRIAGE__WORKLIST__SHOW_UNSURE_PICTURES": "true",
        "TMPDIR": str(folder),
    }
    with run_worklist(lake, folder, environ) as running:
        yield running


def crawl(client: httpx.Client, start: str) -> dict[str, bytes]:
    """Fetch every address that pages lead to."""
    waiting, fetched = [start, "/api/v1/nights", f"/api/v1/nights/{NIGHT}/studies"], {}
    while waiting:
        address = waiting.pop().replace("&amp;", "&")
        if address in fetched:
            continue
        answered = client.get(address)
        fetched[address] = answered.content + str(answered.headers).encode()
        if "text/html" in answered.headers["content-type"]:
            waiting += ADDRESS.findall(answered.text)
    return fetched


def test_no_page_no_answer_and_no_file_of_the_worklist_names_the_patient(
    worklist: RunningWorklist,
) -> None:
    kept: dict[str, bytes] = {}
    with httpx.Client(base_url=worklist.url, timeout=120) as client:
        kept |= crawl(client, "/nights")
        studies = [address for address in kept if re.search(r"/studies/[0-9a-f]{24}$", address)]
        for address in (one for one in studies if not one.startswith("/api")):
            fields = hidden_fields(client.get(address).text) | {"answer": "confirm"}
            sent = client.post(f"{address}/answers", data=fields)
            kept[f"answer {address}"] = sent.content + str(sent.headers).encode()
            # Where the way to the PACS leads is the study itself; what it writes down is searched.
            client.post(f"{address}/pacs", data=fields)
        for number, (_, data) in enumerate(list(planted_objects())[:UPLOADED]):
            sent = client.post("/api/v1/predict", files={"image": ("upload", data)})
            kept[f"upload {number}"] = sent.content
            fields = hidden_fields(client.get("/single").text)
            sent = client.post("/single", data=fields, files={"image": ("upload", data)})
            kept[f"single {number}"] = sent.content
        kept |= {f"answered {address}": client.get(address).content for address in studies}

    assert len(kept) > LEAST_PAGES
    assert studies
    found = [one for name, data in kept.items() for one in search(parts_of(name, data), PERSON)]
    assert found == []
    assert search(parts_of("log", worklist.log.read_bytes()), PERSON) == []
    for folder in ("feedback", "audit"):
        assert any((worklist.lake / folder).rglob("*.*"))
        assert search(parts_of_folder(worklist.lake / folder), PERSON) == []


def test_the_search_would_find_the_name(worklist: RunningWorklist) -> None:
    first = next(iter((worklist.lake / "incoming").rglob("*.dcm")))

    assert search(parts_of(Path(first).name, first.read_bytes()), PERSON)
