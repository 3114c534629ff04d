from __future__ import annotations

import pytest

from conf.settings import SettingsError, load_settings


def load(**changes: str) -> None:
    load_settings("demo", {f"MRI_TRIAGE__BUNDLE__{name}": text for name, text in changes.items()})


def test_a_folder_and_a_model_of_the_registry_are_one_too_many() -> None:
    with pytest.raises(SettingsError, match="'bundle': has a location and a name"):
        load(LOCATION="/srv/bundle", NAME="lite0")


def test_a_version_says_which_model_it_is_of() -> None:
    with pytest.raises(SettingsError, match="'bundle': has a version without a name"):
        load(VERSION="'1.2'")


def test_a_version_that_yaml_takes_for_a_number_is_refused_and_not_guessed() -> None:
    with pytest.raises(SettingsError, match=r"'bundle\.version'.*found 1\.1"):
        load(NAME="lite0", VERSION="1.10")
