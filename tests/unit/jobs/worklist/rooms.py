"""Reading rooms for tests that need neither the network nor a decoding process."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

from starlette.testclient import TestClient

from jobs.lake import Lake
from jobs.scoring_udf import DecodingOptions
from jobs.single_image import PredictionTerms
from jobs.worklist.access import PACS, READER, AccessPolicy, Reader
from jobs.worklist.app import make_app
from jobs.worklist.room import ReadingRoom, RoomOptions
from model.bundle import Bundle, open_bundle, packaged_bundle_folder
from model.preflight import DecodingLimits

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECRET = b"a secret of the tests, long enough"
HERE = Reader("here", frozenset({READER}))
LOCAL = AccessPolicy("local", b"", HERE)
WITH_TOKEN = AccessPolicy("token", SECRET, HERE)
WITH_PROXY = AccessPolicy(
    "proxy",
    SECRET,
    HERE,
    role_names={"readers": READER, "pacs": PACS},
)
PACS_URL = "https://pacs.example/viewer?study={study_uid}"


@cache
def packaged_bundle() -> Bundle:
    return open_bundle(packaged_bundle_folder())


def make_room(lake: Lake, policy: AccessPolicy = LOCAL, **changes: object) -> ReadingRoom:
    bundle = packaged_bundle()
    terms = PredictionTerms(
        bundle=bundle,
        limits=bundle.card.limits,
        decoding=DecodingOptions(DecodingLimits(2**24, 2**24, 100), 20.0, 2**30),
        batch_size=32,
        fetch_threads=2,
        perturbations=40,
        seed=1,
    )
    options = {
        "policy": policy,
        "form_secret": SECRET,
        "zone": ZoneInfo("Europe/Berlin"),
        "pacs_url": None,
        "show_unsure_pictures": False,
        "double_readings": 5,
        "maximum_upload_bytes": 100_000,
        "now": lambda: NOW,
    }
    return ReadingRoom(lake, terms, RoomOptions(**(options | changes)))  # type: ignore[arg-type]


def make_client(room: ReadingRoom) -> TestClient:
    """Return a client of an application that is not started: no process, no network."""
    return TestClient(make_app(room), base_url="http://127.0.0.1", raise_server_exceptions=False)


def hidden_fields(html: str) -> dict[str, str]:
    """Return the hidden fields of a page, as a browser would send them."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
