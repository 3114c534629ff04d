from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from flows import cli
from model.errors import NightTakenError, StorageUnavailableError


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def run_with(error: BaseException, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("flows.arguments.resolve_settings", fail)
    return cli.main([*arguments, "config", "show"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NightTakenError("another run holds it"), 8, "another run holds it"),
        (StorageUnavailableError("no answer"), 75, "no answer"),
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError"),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_a_fixed_exit_code(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_with(error, monkeypatch) == code

    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("mri-triage: ")
    assert said in written.err
    assert written.err.count("\n") == 1


def test_the_text_of_an_unforeseen_error_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_with(FileNotFoundError(2, "No such file", "incoming/Doe^Jane.dcm"), monkeypatch)

    written = capsys.readouterr().err
    assert written.startswith("mri-triage: unexpected FileNotFoundError at flows/cli.py:")
    assert "Doe" not in written


def test_a_message_of_several_lines_is_told_in_one(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_with(NightTakenError("first\n  second"), monkeypatch)

    assert capsys.readouterr().err == "mri-triage: first second\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("hidden_by", [None, ConnectionError("the server is gone")])
def test_a_signal_has_its_exit_code_whatever_is_said_while_unwinding(
    number: signal.Signals,
    code: int,
    hidden_by: Exception | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unwound = []

    def wait(*_arguments: object, **_options: object) -> None:
        try:
            signal.raise_signal(number)
        finally:
            unwound.append("lease")
            if hidden_by is not None:
                raise hidden_by

    monkeypatch.setattr("flows.arguments.resolve_settings", wait)

    assert cli.main(["config", "show"]) == code
    assert unwound == ["lease"]
    assert capsys.readouterr().err == (
        "mri-triage: interrupted; what was scored is kept for the next run\n"
    )


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NightTakenError):
        run_with(NightTakenError("taken"), monkeypatch, "--debug")


@pytest.mark.parametrize(
    "arguments",
    [
        ["night", "--night", "2026-13-01"],
        ["night", "--place", "nowhere"],
        ["night", "--threshold", "much"],
        ["night", "--no-such-option"],
        ["no-such-command"],
        ["config", "show", "--place", "nowhere"],
        ["locate"],
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_ends_with_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert "it never diagnoses" in " ".join(capsys.readouterr().out.split())


def test_config_show_prints_the_resolved_settings(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MRI_TRIAGE__ENGINE__CORES", "3")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tops3cret")

    assert cli.main(["config", "show", "--place", "demo", "--lake", "s3://images"]) == 0

    shown = capsys.readouterr().out
    assert "place: demo" in shown
    assert "url: s3://images" in shown
    assert "cores: 3" in shown
    assert "tops3cret" not in shown


def test_the_place_can_be_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MRI_TRIAGE_PLACE", "hospital")

    assert cli.main(["config", "show"]) == 0

    assert "place: hospital" in capsys.readouterr().out


def test_without_an_identifier_key_a_hospital_run_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("MRI_TRIAGE_IDENTIFIER_KEY", raising=False)

    assert cli.main(["night", "--place", "hospital", "--night", "2026-11-20"]) == 2

    assert "MRI_TRIAGE_IDENTIFIER_KEY" in capsys.readouterr().err
