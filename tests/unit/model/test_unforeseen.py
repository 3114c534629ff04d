from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from model.errors import AccessDeniedError, UnforeseenError
from model.preprocessing import PreprocessingParameters, prepare_image
from model.unforeseen import describe_unforeseen, quoting_nothing


def open_patients_file() -> None:
    Path("/nowhere/Doe^Jane.dcm").read_bytes()


def test_an_unforeseen_exception_is_told_without_its_text() -> None:
    with (
        pytest.raises(UnforeseenError, match=r"^unexpected FileNotFoundError") as caught,
        quoting_nothing(),
    ):
        open_patients_file()

    assert "Doe" not in "".join(traceback.format_exception(caught.value))


def test_an_error_of_the_project_keeps_its_message_and_loses_its_cause() -> None:
    def refuse() -> None:
        try:
            open_patients_file()
        except OSError as error:
            message = "the storage refuses"
            raise AccessDeniedError(message) from error

    with (
        pytest.raises(AccessDeniedError, match=r"^the storage refuses$") as caught,
        quoting_nothing(),
    ):
        refuse()

    assert "Doe" not in "".join(traceback.format_exception(caught.value))


def test_the_place_in_the_project_is_told() -> None:
    no_picture: Any = "no picture"

    place = r"^unexpected \w+ at .*model/preprocessing\.py:\d+$"
    with pytest.raises(UnforeseenError, match=place), quoting_nothing():
        prepare_image(no_picture, PreprocessingParameters(size=64))


def test_signals_and_the_end_of_a_generator_pass() -> None:
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind), quoting_nothing():
            raise kind


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert describe_unforeseen(ValueError("Doe^Jane")) == "unexpected ValueError"
