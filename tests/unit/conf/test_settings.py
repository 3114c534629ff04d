from __future__ import annotations

from pathlib import Path

import pytest

from conf.settings import (
    SettingsError,
    known_keys,
    load_settings,
    override_settings,
    packaged_places,
)


def write_place(folder: Path, text: str) -> str:
    path = folder / "ours.yaml"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("place", ["base", "demo", "hospital"])
def test_every_packaged_place_loads(place: str) -> None:
    assert load_settings(place, {}).place == place


def test_the_packaged_places_are_the_demo_and_the_hospital() -> None:
    assert packaged_places() == ["demo", "hospital"]


def test_only_the_demo_does_without_an_identifier_key() -> None:
    assert load_settings("demo", {}).demo is True
    assert load_settings("base", {}).demo is False
    assert load_settings("hospital", {}).demo is False


def test_the_file_of_a_place_changes_only_what_it_names(tmp_path: Path) -> None:
    place = write_place(tmp_path, "engine:\n  cores: 3\n")

    settings = load_settings(place, {})

    assert settings.place == "ours"
    assert settings.engine.cores == 3
    assert settings.engine.batch_size == 16


def test_the_environment_goes_over_the_file_of_the_place(tmp_path: Path) -> None:
    place = write_place(tmp_path, "engine:\n  cores: 3\nlake:\n  url: s3://images\n")

    settings = load_settings(place, {"MRI_TRIAGE__ENGINE__CORES": "7", "PATH": "/bin"})

    assert settings.engine.cores == 7
    assert settings.lake.url == "s3://images"


def test_an_argument_goes_over_the_environment() -> None:
    settings = load_settings("demo", {"MRI_TRIAGE__LAKE__URL": "s3://environment"})

    changed = override_settings(settings, {"lake.url": "s3://argument", "bundle.threshold": None})

    assert changed.lake.url == "s3://argument"
    assert settings.lake.url == "s3://environment"


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("lake.urll", "lake.url"), ("engin", "engine"), ("engine.batchsize", "engine.batch_size")],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key: str, nearest: str) -> None:
    variable = "MRI_TRIAGE__" + key.upper().replace(".", "__")

    with pytest.raises(SettingsError) as refused:
        load_settings("demo", {variable: "5"})

    assert str(refused.value) == f"unknown setting '{key}'; the nearest known one is '{nearest}'"


def test_an_unknown_time_zone_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError, match=r"night\.time_zone.*did you mean Europe/Berlin\?"):
        load_settings("demo", {"MRI_TRIAGE__NIGHT__TIME_ZONE": "Europe/Berlim"})


def test_an_unknown_place_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"'dmeo': name one of demo, hospital, or a path"):
        load_settings("dmeo", {})


@pytest.mark.parametrize(
    "template",
    ["incoming/", "incoming/{night}", "{night}/{night}/", "/incoming/night={night}/"],
)
def test_a_template_that_is_not_one_folder_a_night_is_refused(template: str) -> None:
    with pytest.raises(SettingsError, match=r"lake\.night_template"):
        load_settings("demo", {"MRI_TRIAGE__LAKE__NIGHT_TEMPLATE": f"'{template}'"})


@pytest.mark.parametrize("threshold", ["0", "1.2", ".nan", "-0.5"])
def test_a_threshold_outside_0_to_1_is_refused(threshold: str) -> None:
    with pytest.raises(SettingsError, match=r"bundle\.threshold"):
        load_settings("demo", {"MRI_TRIAGE__BUNDLE__THRESHOLD": threshold})


@pytest.mark.parametrize("name", ["URL", "ENDPOINT_URL"])
def test_a_password_in_an_address_is_refused_and_never_repeated(name: str) -> None:
    environ = {f"MRI_TRIAGE__LAKE__{name}": "https://triage:tops3cret@storage.example"}

    with pytest.raises(SettingsError) as refused:
        load_settings("demo", environ)

    assert "credentials come from the environment" in str(refused.value)
    assert "tops3cret" not in str(refused.value)


def test_a_secret_among_the_settings_is_refused_and_never_repeated(tmp_path: Path) -> None:
    place = write_place(tmp_path, "lake:\n  secret_access_key: tops3cret\n")

    with pytest.raises(SettingsError) as refused:
        load_settings(place, {})

    assert "unknown setting 'lake.secret_access_key'" in str(refused.value)
    assert "tops3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lake: [unclosed", "is not valid YAML"),
        ("- a\n- b\n", "must hold keys and values, found list"),
        ("engine: 3\n", "setting 'engine'"),
        ("engine:\n  cores: many\n", "setting 'engine.cores'.*found 'many'"),
    ],
)
def test_a_broken_file_of_a_place_is_one_settings_error(
    tmp_path: Path,
    text: str,
    message: str,
) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(write_place(tmp_path, text), {})


def test_a_file_that_is_no_text_is_one_settings_error(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_bytes(b"\xff\xfe\x00bad")

    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(str(path), {})


def test_a_broken_value_in_the_environment_is_one_settings_error() -> None:
    with pytest.raises(SettingsError, match="MRI_TRIAGE__LAKE__REGION is not valid YAML"):
        load_settings("demo", {"MRI_TRIAGE__LAKE__REGION": "{a"})


def test_a_value_and_its_parts_at_once_are_one_settings_error() -> None:
    environ = {"MRI_TRIAGE__LAKE": "s3://images", "MRI_TRIAGE__LAKE__URL": "s3://images"}

    with pytest.raises(SettingsError, match="'lake' has a value and parts as well"):
        load_settings("demo", environ)


def test_known_keys_name_sections_and_what_is_in_them() -> None:
    keys = known_keys()

    assert "demo" in keys
    assert "lake" in keys
    assert "lake.endpoint_url" in keys


def test_settings_cannot_be_changed() -> None:
    settings = load_settings("demo", {})

    with pytest.raises(ValueError, match="frozen"):
        settings.lake.url = "s3://elsewhere"  # type: ignore[misc]
