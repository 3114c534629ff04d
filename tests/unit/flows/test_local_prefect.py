from __future__ import annotations

from pathlib import Path

from flows.local_prefect import prepare_prefect


def test_without_a_server_prefect_keeps_to_a_folder_of_its_own() -> None:
    environ = {"PATH": "/bin"}

    prepare_prefect(environ)

    assert Path(environ["PREFECT_HOME"]).is_dir()
    assert Path(environ["PREFECT_HOME"]).resolve() != (Path.home() / ".prefect").resolve()
    assert environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "true"
    assert environ["PREFECT_LOGGING_LEVEL"] == "CRITICAL"
    assert environ["PREFECT_CLIENT_MAX_RETRIES"] == "1"


def test_no_word_goes_to_the_outside() -> None:
    environ: dict[str, str] = {}

    prepare_prefect(environ)

    assert environ["DO_NOT_TRACK"] == "1"
    assert environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_whoever_names_a_server_keeps_prefect_as_configured() -> None:
    environ = {"PREFECT_API_URL": "http://prefect.hospital.example/api"}

    prepare_prefect(environ)

    assert "PREFECT_HOME" not in environ
    assert "PREFECT_LOGGING_LEVEL" not in environ
    assert "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE" not in environ


def test_what_is_set_already_is_kept() -> None:
    environ = {"PREFECT_HOME": "/srv/prefect", "PREFECT_LOGGING_LEVEL": "DEBUG"}

    prepare_prefect(environ)

    assert environ["PREFECT_HOME"] == "/srv/prefect"
    assert environ["PREFECT_LOGGING_LEVEL"] == "DEBUG"
