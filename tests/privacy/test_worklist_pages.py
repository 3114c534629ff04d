"""A night of a person who does not exist, read in the worklist: the name stands nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.privacy.identity import PERSON
from tests.privacy.planted_lake import planted_objects
from tests.privacy.search import parts_of, parts_of_folder, search
from tests.reading_room import LAST_NIGHT, PLANTED_NIGHT, RunningWorklist
from tests.unit.jobs.worklist.rooms import hidden_fields

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ADDRESS: Final = re.compile(r'(?:href|data-marks|data-src|src|action)="(/[^"#]+)"')
OTHER: Final = f"/nights/{LAST_NIGHT}"
UPLOADED: Final = 6
LEAST_PAGES: Final = 40


def crawl(client: httpx.Client, start: str) -> dict[str, bytes]:
    """Fetch every address that pages lead to."""
    waiting, fetched = [start, "/api/v1/nights", f"/api{start.replace('/', '/v1/', 1)}/studies"], {}
    while waiting:
        address = waiting.pop().replace("&amp;", "&")
        if address in fetched:
            continue
        answered = client.get(address)
        fetched[address] = answered.content + str(answered.headers).encode()
        if "text/html" in answered.headers["content-type"]:
            # Nights have pages alike; the others are left to their own tests.
            found = (one for one in ADDRESS.findall(answered.text) if OTHER not in one)
            waiting += found
    return fetched


def test_no_page_no_answer_and_no_file_of_the_worklist_names_the_patient(
    worklist: RunningWorklist,
) -> None:
    kept: dict[str, bytes] = {}
    with httpx.Client(base_url=worklist.url, timeout=120) as client:
        kept |= crawl(client, f"/nights/{PLANTED_NIGHT}")
        ends = re.compile(rf"/{PLANTED_NIGHT}/studies/[0-9a-f]{{24}}$")
        studies = [address for address in kept if ends.search(address)]
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
    first = next(iter((worklist.lake / f"incoming/night={PLANTED_NIGHT}").rglob("*.dcm")))

    assert search(parts_of(Path(first).name, first.read_bytes()), PERSON)
