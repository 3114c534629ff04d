"""`mri-triage model promote --data`: two bundles on the same drawn heads."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flows.cli import main
from model.bundle import Bundle
from model.preprocessing import PreprocessingParameters
from model.promotion import choose_compared_part
from model.training_data import SPLIT_SEED, digest_of_split, read_index, split_by_group
from tests.builders import SIZE, make_card
from tests.unit.jobs.registry_builders import make_version
from tests.unit.model.pictures import draw_head, ellipse

pytestmark = pytest.mark.slow

SLICES = 60
FLAGS_ALL = 1e-6
FLAGS_NONE = 1.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw a slice of each of 60 groups; every second one has a bright lesion."""
    folder = tmp_path_factory.mktemp("drawn")
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["path", "source", "label", "tumor_type", "group_id", "mask"])
        for number in range(SLICES):
            is_tumor = number % 2 == 1
            lesion = ellipse(120, 120, (50 + number % 9, 52 + number % 7), (11, 9))
            pixels, _ = draw_head(120, 120)
            levels = np.where(lesion & is_tumor, 0.98, pixels * (0.6 + 0.005 * number))
            Image.fromarray((levels * 255).astype(np.uint8)).save(folder / f"{number}.png")
            label, kind = ("tumor", "glioma") if is_tumor else ("no_tumor", "none")
            writer.writerow([f"{number}.png", "drawn", label, kind, f"g{number}", ""])
    return folder


@pytest.fixture
def lake(
    tiny_bundle: Bundle,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Register the same network as 1 (flags all), 2 (sees less of the margin), 3 (flags none)."""
    monkeypatch.setenv("MRI_TRIAGE__LAKE__URL", str(tmp_path / "lake"))
    monkeypatch.setenv("MRI_TRIAGE__BUNDLE__CACHE", str(tmp_path / "cache"))
    (tmp_path / "lake").mkdir()
    split = digest_of_split(split_by_group(read_index(data), SPLIT_SEED), data)
    changes: dict[str, dict[str, object]] = {
        "1": {"threshold": FLAGS_ALL, "data_digest": split},
        "2": {
            "threshold": FLAGS_ALL,
            "preprocessing": PreprocessingParameters(size=SIZE, margin=0.0401),
        },
        "3": {"threshold": FLAGS_NONE},
    }
    for version, of_card in changes.items():
        bundle = make_version(tiny_bundle, tmp_path / "made", version, **of_card)
        assert run("register", "--bundle", str(bundle.folder)) == 0
    assert run("promote", "1") == 0
    return tmp_path / "lake"


def run(*arguments: str) -> int:
    return main(["model", *arguments])


def current(lake: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((lake / "models/tiny/CURRENT").read_text("utf-8"))
    return content


def test_a_bundle_that_is_as_good_on_the_test_part_is_promoted_though_the_cards_differ(
    lake: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("promote", "2") == 11
    capsys.readouterr()

    assert run("promote", "2", "--data", str(data)) == 0

    told = " ".join(capsys.readouterr().out.split())
    test_part = split_by_group(read_index(data), SPLIT_SEED)["test"]
    assert f"both bundles on {len(test_part)} images (the grouped test part" in told
    assert current(lake)["version"] == "2"
    assert current(lake)["changes"][-1]["overruled"] == []


def test_a_bundle_that_misses_more_on_the_test_part_is_refused_unless_told_why(
    lake: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("promote", "3", "--data", str(data)) == 11

    assert "sensitivity at its own threshold is 0.000 instead of 1.000" in capsys.readouterr().err
    assert current(lake)["version"] == "1"
    assert run("promote", "3", "--data", str(data), "--because", "to see it fail") == 0
    assert current(lake)["changes"][-1]["because"] == "to see it fail"


def test_a_folder_that_holds_no_labelled_images_is_refused(lake: Path, tmp_path: Path) -> None:
    assert run("promote", "2", "--data", str(tmp_path)) == 10
    assert current(lake)["version"] == "1"


def test_the_test_part_is_chosen_if_either_bundle_was_trained_from_the_folder(data: Path) -> None:
    split = digest_of_split(split_by_group(read_index(data), SPLIT_SEED), data)
    of_it, of_another = make_card(data_digest=split), make_card(data_digest="another")

    assert choose_compared_part(data, of_it, of_another).name == "test"
    assert choose_compared_part(data, of_another, of_it).name == "test"
    assert choose_compared_part(data, of_another, of_another).name == "all"
