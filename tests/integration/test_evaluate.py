"""`mri-triage evaluate` and `mri-triage threshold` on a real tiny bundle and drawn heads."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from model.bundle import digest_of
from model.training_data import SPLIT_SEED, digest_of_split, read_index, split_by_group
from tests.builders import write_tiny_bundle
from tests.drawn_slices import draw_slice, write_index

pytestmark = pytest.mark.slow

SLICES = 48
ROW_KEYS = {
    "n",
    "positives",
    "groups",
    "auc",
    "accuracy",
    "log_loss",
    "precision",
    "sensitivity",
    "specificity",
    "npv",
    "normals_cleared",
    "specificity_at_sensitivity",
    "tumor_groups",
}
METRICS = ROW_KEYS - {"n", "positives", "groups", "specificity_at_sensitivity", "tumor_groups"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw slices of 24 groups and two sources; every second one has a bright, masked lesion."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = [
        draw_slice(
            folder,
            number,
            is_tumor=number % 2 == 1,
            brightness=0.6 + 0.005 * number,
            source="north" if number < 40 else "south",
            tumor_type="glioma" if number % 2 == 1 else "none",
            group_id=f"g{number // 2}",
            plane="axial" if number < 40 else "",
        )
        for number in range(SLICES)
    ]
    return write_index(folder, rows)


@pytest.fixture(scope="module")
def bundle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a bundle whose card names the drawn folder as the one it was trained from."""
    digest = digest_of_split(split_by_group(read_index(data), SPLIT_SEED), data)
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    return write_tiny_bundle(folder, data_digest=digest, threshold=0.93).folder


def _run(command: str, data: Path, bundle: Path, *arguments: str) -> int:
    return main([command, "--data", str(data), "--bundle", str(bundle), *arguments])


@pytest.fixture(scope="module")
def written(data: Path, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    out = ("--json", str(folder / "all.json"), "--html", str(folder / "all.html"))
    assert _run("evaluate", data, bundle, "--part", "all", "--prevalence", "0.1", *out) == 0
    return folder


@pytest.fixture(scope="module")
def content(written: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((written / "all.json").read_text("utf-8"))
    return loaded


def test_the_json_names_the_bundle_and_its_threshold(content: dict[str, Any], bundle: Path) -> None:
    assert content["bundle_digest"] == digest_of(bundle)
    assert content["threshold"] == 0.93
    assert content["prevalence"] == 0.1


def test_the_json_holds_every_key_of_the_contract(content: dict[str, Any]) -> None:
    overall = content["overall"]

    assert set(overall) == ROW_KEYS
    assert (overall["n"], overall["positives"], overall["groups"]) == (48, 24, 24)
    for name in METRICS - {"npv"}:
        assert set(overall[name]) == {"value", "low", "high"}, name
        assert overall[name]["low"] <= overall[name]["value"] <= overall[name]["high"], name
    at = overall["specificity_at_sensitivity"]
    assert list(at) == ["0.98", "0.99", "0.995", "0.999"]
    assert set(at["0.99"]) == {"value", "low", "high"}
    assert set(overall["tumor_groups"]) == {"groups", "missed", "lower_bound"}


def test_the_json_divides_by_source_type_plane_and_size(content: dict[str, Any]) -> None:
    counts = {
        division: {name: row["n"] for name, row in rows.items()}
        for division, rows in content["by"].items()
    }

    assert counts["source"] == {"north": 40, "south": 8}
    assert counts["tumor_type"] == {"glioma": 24, "none": 24}
    assert counts["plane"] == {"axial": 40, "unknown": 8}
    assert counts["lesion_size"] == {"1.5-4%": 24, "no lesion": 24}
    assert all(set(row) == ROW_KEYS for rows in content["by"].values() for row in rows.values())


def test_the_json_counts_what_is_out_of_scope_on_both_sides(content: dict[str, Any]) -> None:
    gate = content["scope_gate"]

    assert gate["brain_mr"] == {
        "all": {"n": 48, "out_of_scope": 0},
        "north": {"n": 40, "out_of_scope": 0},
        "south": {"n": 8, "out_of_scope": 0},
    }
    kinds = gate["not_brain_mr"]
    assert {"photograph", "body_part", "document", "pattern", "noise", "blank"} < set(kinds)
    assert kinds["all"]["n"] == sum(row["n"] for name, row in kinds.items() if name != "all")


def test_a_metric_without_one_of_the_classes_is_null(content: dict[str, Any]) -> None:
    glioma = content["by"]["tumor_type"]["glioma"]

    assert glioma["auc"] is None
    assert glioma["specificity"] is None
    assert glioma["specificity_at_sensitivity"]["0.99"] is None
    assert content["by"]["tumor_type"]["none"]["sensitivity"] is None


def test_the_maps_are_measured_where_there_are_masks(content: dict[str, Any]) -> None:
    maps = content["localisation"]

    assert maps["n"] == 24
    for name in ("dice", "box_iou", "pointing_game"):
        assert 0.0 <= maps[name] <= 1.0
        assert set(maps["intervals"][name]) == {"value", "low", "high"}


def test_the_shortcuts_stand_beside_the_bundle(content: dict[str, Any]) -> None:
    # Every picture has one size, every source both classes: neither can tell a tumour.
    assert set(content["shortcuts"]) == {"image_size", "border_brightness", "source"}
    assert content["shortcuts"]["image_size"]["auc"]["value"] <= 0.6


def test_the_page_needs_nothing_else(written: Path) -> None:
    page = (written / "all.html").read_text("utf-8")

    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert page.count('src="data:image/png;base64,') == page.count("<img") == 4
    assert page.count('alt="') == 4


def test_the_page_warns_of_images_that_the_bundle_was_trained_on(written: Path) -> None:
    page = (written / "all.html").read_text("utf-8")

    assert "The network was trained on these images" in page
    assert "Sources with fewer than 100 groups rest on few patients" in page
    assert "cross-validation" in page


def test_the_page_of_a_folder_with_one_class_shows_what_can_be_shown(
    data: Path,
    bundle: Path,
    tmp_path: Path,
) -> None:
    shutil.copytree(data, tmp_path / "normals")
    with (data / "index.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["label"] == "no_tumor"]
    write_index(tmp_path / "normals", rows)
    out = ("--json", str(tmp_path / "one.json"), "--html", str(tmp_path / "one.html"))

    assert _run("evaluate", tmp_path / "normals", bundle, *out) == 0

    content = json.loads((tmp_path / "one.json").read_text("utf-8"))
    assert content["data"]["part"] == "all"
    assert content["overall"]["auc"] is None
    assert content["overall"]["tumor_groups"] is None
    assert content["localisation"]["dice"] is None
    assert content["shortcuts"] == {"image_size": None, "border_brightness": None, "source": None}
    assert (tmp_path / "one.html").read_text("utf-8").count("<img") == 1


def test_the_test_part_is_measured_where_the_bundle_was_trained(
    data: Path,
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    test_part = split_by_group(read_index(data), SPLIT_SEED)["test"]

    assert _run("evaluate", data, bundle) == 0

    told = " ".join(capsys.readouterr().out.split())
    assert f"{len(test_part)} images: the grouped test part of the folder" in told
    assert "warning" not in told


def test_the_threshold_study_covers_every_target_and_leaves_the_bundle_alone(
    data: Path,
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = digest_of(bundle)

    assert _run("threshold", data, bundle, "--json", str(tmp_path / "study.json")) == 0

    study = json.loads((tmp_path / "study.json").read_text("utf-8"))
    assert study["data"]["part"] == "calibration"
    assert list(study["targets"]) == ["0.98", "0.99", "0.995", "0.999"]
    for row in study["targets"].values():
        assert {"threshold", "sensitivity", "groups", "normals_cleared", "in_words"} <= set(row)
        assert list(row["simulated_studies"]) == ["1", "5", "30", "150"]
    told = capsys.readouterr().out
    assert "A simulation, not a measurement" in told
    assert "cannot be shown" in told
    assert digest_of(bundle) == before


@pytest.mark.parametrize("command", ["evaluate", "threshold"])
def test_a_folder_without_an_index_is_refused(
    command: str,
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(command, tmp_path, bundle) == 10
    assert "no index.csv" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "threshold"])
def test_a_missing_bundle_is_refused(
    command: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(command, data, tmp_path / "nowhere") == 5
    assert "no bundle at" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--part", "training"), 2, "'training'"),
        (("--prevalence", "5"), 2, "between 0 and 1"),
        (("--json", "/nowhere/figures.json"), 6, "/nowhere/figures.json cannot be written"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_scored(  # noqa: PLR0913 - fixtures
    arguments: tuple[str, ...],
    code: int,
    said: str,
    data: Path,
    bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run("evaluate", data, bundle, *arguments) == code
    assert said in capsys.readouterr().err


def test_an_image_that_cannot_be_read_is_named(
    data: Path,
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(data, tmp_path / "broken")
    (tmp_path / "broken" / "7.png").write_bytes(b"not a picture")

    assert _run("evaluate", tmp_path / "broken", bundle, "--part", "all") == 10
    assert "7.png cannot be read" in capsys.readouterr().err
