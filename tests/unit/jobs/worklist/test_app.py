from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from jobs.feedback import Answer, Finding, Purpose, list_answers, read_answer
from jobs.lake import Lake
from jobs.night_keys import results_key
from jobs.worklist.access import COOKIE, PACS, READER, SECRET_HEADER, Reader, issue_token
from jobs.worklist.app import PAGES, make_app
from model.errors import StorageUnavailableError
from tests.unit.jobs.night_builders import NIGHT, failed, folder_lake, score
from tests.unit.jobs.worklist.published import publish_rows, study
from tests.unit.jobs.worklist.rooms import (
    NOW,
    PACS_URL,
    SECRET,
    WITH_PROXY,
    WITH_TOKEN,
    hidden_fields,
    make_client,
    make_room,
)

BASE = f"/nights/{NIGHT}"
STUDY = f"{BASE}/studies/{study(1)}"
ROWS = (
    failed("torn", "unreadable", study_id=study(1), format="png"),
    score("b.png", study_id=study(2), frame=None, probability=0.9, detail="drawn by a test"),
    *(score(f"c{number}.png", study_id=study(10 + number), frame=None) for number in range(20)),
)
OPEN = {"/sign-in", "/sign-out", "/api/openapi.json"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = folder_lake(tmp_path)
    publish_rows(made, *ROWS)
    return made


@pytest.fixture
def client(lake: Lake) -> TestClient:
    return make_client(make_room(lake))


def stored(lake: Lake) -> list[object]:
    return [read_answer(lake, key, night) for key, night in list_answers(lake)]


def answer(client: TestClient, address: str = STUDY, **changes: str) -> object:
    """Open a study and send its form."""
    fields = hidden_fields(client.get(address).text)
    return client.post(
        f"{BASE}/studies/{changes.pop('study', study(1))}/answers",
        data={**fields, "answer": "confirm", "note": "", **changes},
        follow_redirects=False,
    )


@pytest.mark.parametrize(
    "address",
    ["/nights", BASE, STUDY, "/double-reading", "/single", "/model", "/drift", "/nights/x"],
)
def test_every_page_says_that_it_is_no_diagnosis_and_loads_nothing_from_elsewhere(
    client: TestClient, address: str
) -> None:
    page = client.get(address)

    assert "Assistant, not a diagnosis." in page.text
    assert "http://" not in page.text.replace("http://www.w3.org/", "")
    assert "https://" not in page.text
    assert " style=" not in page.text
    assert "<script>" not in page.text
    assert page.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nights/2020-01-01", 404),
        ("/nights/2026-13-45", 404),
        ("/nights/yesterday", 422),
        (f"{BASE}/studies/{'0' * 24}", 404),
        (f"{BASE}/studies/..%2f..%2fetc", 404),
        (f"{BASE}/studies/xyz", 422),
        (f"{BASE}/images/{'f' * 24}/picture.png", 404),
        (f"{BASE}/images/{'f' * 24}/lime.png", 404),
        (f"{BASE}?page=0", 422),
        ("/nowhere", 404),
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(
    client: TestClient, address: str, status: int
) -> None:
    page = client.get(address)

    assert page.status_code == status
    assert 'role="alert"' in page.text
    assert "Traceback" not in page.text


def test_a_program_gets_its_errors_as_json(client: TestClient) -> None:
    answered = client.get("/api/v1/nights/2020-01-01/studies")

    assert answered.status_code == 404
    assert answered.json()["detail"] == "The night 2020-01-01 was not published in this lake."


def test_what_was_typed_into_an_address_does_not_come_back_as_html(client: TestClient) -> None:
    page = client.get(f"{BASE}?scanner=<script>alert(1)</script>")

    assert page.status_code == 200
    assert "<script>alert" not in page.text


def addresses() -> Iterator[tuple[str, str]]:
    for route in (route for pages in PAGES for route in pages.router.routes):
        path = getattr(route, "path", "")
        for name, value in (("night", str(NIGHT)), ("study_id", study(1)), ("image_id", study(0))):
            path = path.replace(f"{{{name}}}", value)
        for method in getattr(route, "methods", ()) or ():
            yield method, path


@pytest.mark.parametrize("policy", [WITH_TOKEN, WITH_PROXY])
def test_nobody_gets_anywhere_without_a_token(lake: Lake, policy: object) -> None:
    app = make_app(make_room(lake, policy))  # type: ignore[arg-type]
    client = TestClient(app, raise_server_exceptions=False)
    tried = [
        (method, path, client.request(method, path, follow_redirects=False).status_code)
        for method, path in addresses()
        if path not in OPEN
    ]

    assert len(tried) > 15
    assert {status for _, _, status in tried} <= {401, 403, 303}
    assert {path for _, path, status in tried if status == 303} <= {"/", "/nights"}


def token(days: int = 1, *roles: str) -> str:
    reader = Reader("a.muster", frozenset(roles or (READER,)))
    return issue_token(SECRET, reader, NOW + timedelta(days=days))


def test_a_token_opens_the_worklist_and_an_expired_one_does_not(lake: Lake) -> None:
    client = make_client(make_room(lake, WITH_TOKEN))

    refused = client.post("/sign-in", data={"token": token(-1)}, follow_redirects=False)
    assert refused.status_code == 401
    assert "expired" in refused.text

    let_in = client.post("/sign-in", data={"token": token()}, follow_redirects=False)
    assert let_in.status_code == 303
    cookie = let_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/nights").status_code == 200

    client.cookies.set(COOKIE, token(-1))
    assert "expired" in client.get(BASE).text


def test_a_bearer_token_opens_the_interface(lake: Lake) -> None:
    client = make_client(make_room(lake, WITH_TOKEN))

    found = client.get("/api/v1/nights", headers={"authorization": f"Bearer {token()}"})

    assert [one["night"] for one in found.json()] == [str(NIGHT)]
    assert client.get("/api/v1/nights").headers["www-authenticate"] == "Bearer"


def test_an_answer_is_stored_and_said_to_be(client: TestClient, lake: Lake) -> None:
    sent = answer(client, note="left, 2 cm")

    assert sent.status_code == 303  # type: ignore[attr-defined]
    found = stored(lake)[0]
    assert (found.answer, found.finding) == (Answer.CONFIRM, Finding.TUMOR)  # type: ignore[attr-defined]
    assert (found.reader, found.note) == ("here", "left, 2 cm")  # type: ignore[attr-defined]
    page = client.get(sent.headers["location"]).text  # type: ignore[attr-defined]
    assert "Stored: confirm." in page
    assert "left, 2 cm" in page
    assert "2026-11-24 13:00 CET" in page  # the hospital's zone


def test_a_form_sent_twice_is_one_answer(client: TestClient, lake: Lake) -> None:
    fields = hidden_fields(client.get(STUDY).text) | {"answer": "reject"}

    for _ in range(2):
        sent = client.post(f"{STUDY}/answers", data=fields, follow_redirects=False)
        assert sent.status_code == 303

    assert len(stored(lake)) == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"form_key": "0" * 64}, 403),
        ({"form_key": ""}, 403),
        ({"run_id": "an older run"}, 409),
        ({"answer": "shrug"}, 400),
        ({"answer": "note"}, 400),
        ({"note": "born 12.03.1987"}, 400),
        ({"answer_id": "../../x"}, 409),
        ({"purpose": "double_reading"}, 400),
        ({"study": "0" * 24}, 404),
        ({"note": "x" * 70_000}, 413),
    ],
)
def test_an_answer_that_cannot_be_taken_stores_nothing_and_says_why(
    client: TestClient, lake: Lake, changes: dict[str, str], status: int
) -> None:
    sent = answer(client, **changes)

    assert sent.status_code == status  # type: ignore[attr-defined]
    assert 'role="alert"' in sent.text  # type: ignore[attr-defined]
    assert "1987" not in sent.text  # type: ignore[attr-defined]
    assert stored(lake) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_cannot_send_a_form(
    client: TestClient, lake: Lake, headers: dict[str, str]
) -> None:
    fields = hidden_fields(client.get(STUDY).text) | {"answer": "reject"}

    sent = client.post(f"{STUDY}/answers", data=fields, headers=headers)

    assert sent.status_code == 403
    assert stored(lake) == []


def test_on_this_machine_it_answers_to_no_other_name(client: TestClient) -> None:
    assert client.get("/nights", headers={"host": "worklist.evil.example"}).status_code == 400


def test_an_answer_that_cannot_be_written_is_not_said_to_be(
    client: TestClient, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = hidden_fields(client.get(STUDY).text) | {"answer": "confirm"}

    def gone(*_: object, **__: object) -> str:
        message = "the lake does not answer"
        raise StorageUnavailableError(message)

    monkeypatch.setattr(lake, "write", gone)

    sent = client.post(f"{STUDY}/answers", data=fields, follow_redirects=False)

    assert sent.status_code == 503
    assert "try again in a moment" in sent.text


@pytest.mark.parametrize("address", ["/api/v1/predict", "/single"])
def test_a_large_upload_is_refused_before_it_is_read(client: TestClient, address: str) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        for _ in range(100 * 16):
            taken += 65536
            yield b"0" * 65536

    sent = client.post(
        address, content=endless(), headers={"content-type": "multipart/form-data; boundary=x"}
    )

    assert sent.status_code == 413


def test_a_declared_length_is_enough_to_be_refused(client: TestClient) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": str(2**30)}

    assert client.post("/api/v1/predict", content=b"", headers=headers).status_code == 413


@pytest.mark.parametrize(
    "files",
    [
        [("image", ("a.png", b"1")), ("image", ("b.png", b"2"))],
        [("image", ("a.png", b"1")), ("other", ("b.png", b"2"))],
        [(f"image{number}", ("a.png", b"1")) for number in range(4)],
        [("picture", ("a.png", b"1"))],
    ],
)
def test_anything_but_one_file_is_refused(client: TestClient, files: object) -> None:
    sent = client.post("/api/v1/predict", files=files)

    assert sent.status_code == 400
    assert sent.json()["detail"] == "Send one image at a time: a single file was expected."


def test_what_is_no_upload_is_refused(client: TestClient) -> None:
    assert client.post("/api/v1/predict", json={"image": "x"}).status_code == 415
    broken = {"content-type": "multipart/form-data"}
    assert client.post("/api/v1/predict", content=b"x", headers=broken).status_code == 400


def test_the_way_to_the_pacs_needs_its_role(lake: Lake) -> None:
    client = make_client(make_room(lake, WITH_PROXY, pacs_url=PACS_URL))
    who = {"x-forwarded-user": "b", SECRET_HEADER: SECRET.decode()}
    reader = {**who, "x-forwarded-groups": "readers"}
    both = {**who, "x-forwarded-groups": "readers,pacs"}

    page = client.get(STUDY, headers=reader)
    assert "Open in the PACS" not in page.text
    fields = hidden_fields(page.text)
    refused = client.post(f"{STUDY}/pacs", data=fields, headers=reader, follow_redirects=False)
    assert refused.status_code == 403
    assert PACS in refused.text

    assert "Open in the PACS" in client.get(STUDY, headers=both).text
    page = client.post(f"{STUDY}/pacs", data=fields, headers=both, follow_redirects=False)
    assert page.status_code == 404  # no object of it names a study


def test_double_reading_shows_nothing_of_what_the_job_said(client: TestClient, lake: Lake) -> None:
    address = f"{BASE}/double-reading"
    page = client.get(address).text

    assert "probability" not in page.lower().replace("0 probability", "")
    fields = hidden_fields(page)
    assert fields["purpose"] == str(Purpose.DOUBLE_READING)
    where = page.partition('method="post" action="')[2].partition("answers")
    assert where[1]
    action = page.partition('<form class="answer" method="post" action="')[2].partition('"')[0]
    sent = client.post(action, data=fields | {"answer": "reject"}, follow_redirects=False)

    assert sent.headers["location"].startswith(address)
    assert stored(lake)[0].finding is Finding.TUMOR  # type: ignore[attr-defined]
    assert client.get(address).text.count(action) == 0


def test_the_whole_sample_is_read_once_by_each_reader(client: TestClient, lake: Lake) -> None:
    address = f"{BASE}/double-reading"
    for _ in range(5):
        page = client.get(address).text
        action = page.partition('<form class="answer" method="post" action="')[2].partition('"')[0]
        client.post(action, data=hidden_fields(page) | {"answer": "confirm"})

    assert client.get(address, follow_redirects=False).headers["location"] == "/double-reading"
    assert len({one.study_id for one in stored(lake)}) == 5  # type: ignore[attr-defined]


def test_a_night_that_is_published_anew_while_it_is_paged_says_so(
    client: TestClient, lake: Lake
) -> None:
    address = f"{BASE}?run=run-1"
    assert "published anew" not in client.get(address).text

    publish_rows(lake, *ROWS, run_id="run-2")

    assert "published anew" in client.get(address).text


def test_a_damaged_night_is_a_page(client: TestClient, lake: Lake) -> None:
    lake.write(results_key(NIGHT), b"no table")

    page = client.get(BASE)

    assert page.status_code == 500
    assert "cannot be read" in page.text
    assert client.get("/nights").status_code == 200


def test_what_nobody_foresaw_is_told_without_its_text(
    client: TestClient,
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        message = "DOE^JOHN"
        raise RuntimeError(message)

    monkeypatch.setattr(lake, "list_objects", fail)
    with caplog.at_level(logging.INFO):
        page = client.get("/nights")

    assert page.status_code == 500
    assert "DOE" not in page.text + caplog.text
    assert "unexpected RuntimeError" in caplog.text


def test_the_log_tells_the_address_that_was_recognised_and_no_query(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="jobs.worklist.request_log"):
        client.get(f"{STUDY}?scanner=DOE")
        client.get("/DOE/JOHN")

    assert f"GET {STUDY} 200" in caplog.text
    assert "DOE" not in caplog.text


def test_the_interface_describes_itself_without_a_page_from_elsewhere(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()

    assert set(described["paths"]) == {
        "/api/v1/nights",
        "/api/v1/nights/{night}/studies",
        "/api/v1/nights/{night}/studies/{study_id}",
        "/api/v1/predict",
    }
    assert client.get("/docs").status_code == 404
