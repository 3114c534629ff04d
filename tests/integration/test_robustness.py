"""`mri-triage shifts` on a real tiny bundle, `mri-triage leave-one-out` with real short trainings.

All pictures are drawn.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows import robustness
from flows.cli import main
from flows.training import make_training_request
from model.bundle import Bundle, open_bundle
from model.changed_picture import Change
from model.evaluated_part import choose_part
from model.evaluation import metrics_of
from model.judgement import make_bundle_judge
from model.measurement import prepare_part, score_part
from model.picture_changes import BACKGROUND, CHANGES, PAINTED
from model.preprocessing import PreprocessingParameters
from model.shift_table import make_shift_table, open_picture
from model.train_bundle import TrainingRequest
from model.training import Stage, TrainingPlan
from model.training_data import SPLIT_SEED, read_index, split_by_group
from tests.builders import write_tiny_bundle
from tests.drawn_slices import draw_slice, write_index, write_random_weights

pytestmark = pytest.mark.slow

SLICES = 72
SIZE = 64
SOURCES = ("north", "south", "west")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw slices of three sources; every second one has a bright, masked lesion."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = [
        draw_slice(
            folder,
            number,
            is_tumor=number % 2 == 1,
            brightness=0.6 + 0.003 * number,
            source=SOURCES[number // 2 % 3],
        )
        for number in range(SLICES)
    ]
    return write_index(folder, rows)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", threshold=0.992)


def shifts(data: Path, bundle: Bundle, *arguments: str) -> int:
    return main(["shifts", "--data", str(data), "--bundle", str(bundle.folder), *arguments])


@pytest.fixture(scope="module")
def written(data: Path, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    out = ("--json", str(folder / "table.json"), "--report", str(folder / "table.html"))
    assert shifts(data, bundle, *out) == 0
    return folder


@pytest.fixture(scope="module")
def content(written: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((written / "table.json").read_text("utf-8"))
    return loaded


def test_the_shift_table_has_a_row_for_every_change(
    content: dict[str, Any], bundle: Bundle
) -> None:
    assert content["bundle_digest"] == bundle.digest
    assert list(content["changes"]) == [change.name for change in CHANGES]
    assert content["unchanged"]["n"] == SLICES
    for name, row in content["changes"].items():
        assert row["description"], name
        for figure in ("auc", "tumors_flagged", "normals_cleared"):
            assert row[figure] is None or set(row[figure]) == {"value", "low", "high"}, name


def test_every_picture_is_in_a_row_or_counted_as_left_out(content: dict[str, Any]) -> None:
    for name, row in content["changes"].items():
        pictures = row["positives"] if row["family"] == PAINTED else row["n"]
        asked = SLICES // 2 if row["family"] == PAINTED else SLICES
        assert pictures + row["left_out"] == asked, name


def test_every_row_is_held_to_the_bars_of_its_family(content: dict[str, Any]) -> None:
    for row in content["changes"].values():
        expected = {"tumors_flagged"} if row["family"] != PAINTED else set()
        expected |= {"flips"} if row["family"] == BACKGROUND else set()
        expected |= {"auc_change"} if row["family"] == "shortcut check" else set()
        assert set(row["bars"]) == expected
        for figure, bar in row["bars"].items():
            value = row[figure]["value"]
            met = value >= bar["at_least"] if "at_least" in bar else value <= bar["at_most"]
            assert bar["met"] == met


def test_the_unchanged_row_agrees_with_the_evaluation(
    content: dict[str, Any],
    data: Path,
    bundle: Bundle,
) -> None:
    prepared = prepare_part(read_index(data), bundle.card.preprocessing)

    overall = metrics_of(score_part(bundle, prepared).slices, SPLIT_SEED)

    assert content["unchanged"]["auc"] == overall["auc"]
    assert content["unchanged"]["tumors_flagged"] == overall["sensitivity"]
    assert content["unchanged"]["normals_cleared"] == overall["specificity"]
    assert content["unchanged"]["tumor_groups"] == overall["tumor_groups"]


def test_a_change_that_changes_nothing_flips_no_decision(data: Path, bundle: Bundle) -> None:
    same = Change("same", "none", "nothing", lambda picture, _: picture.pixels)
    part = choose_part(data, bundle.card, "all")

    table = make_shift_table(bundle, part, [same], {}, lambda *_: None)

    row, unchanged = table.content["changes"]["same"], table.content["unchanged"]
    assert row["flips"]["value"] == 0.0
    assert row["auc"] == unchanged["auc"]
    assert row["auc_change"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert row["tumors_lost"] == 0


def test_a_compared_network_is_judged_on_other_backgrounds_only(data: Path, bundle: Bundle) -> None:
    part = choose_part(data, bundle.card, "all")
    changes = [change for change in CHANGES if change.family in {BACKGROUND, "orientation"}]
    judge = make_bundle_judge(bundle)

    table = make_shift_table(bundle, part, changes, {"other": judge}, lambda *_: None)

    compared = table.content["compared"]["other"]
    assert set(compared) == {change.name for change in CHANGES if change.family == BACKGROUND}
    for name, row in compared.items():
        # The same network as judge of itself: the same flips.
        assert row["flips"] == table.content["changes"][name]["flips"]


def test_progress_is_told_up_to_the_last_picture(data: Path, bundle: Bundle) -> None:
    told: list[tuple[int, int]] = []

    make_shift_table(
        bundle,
        choose_part(data, bundle.card, "all"),
        [],
        {},
        lambda done, total: told.append((done, total)),
    )

    assert told == [(32, 72), (64, 72), (72, 72)]


def test_the_outline_of_a_lesion_comes_with_its_picture(data: Path, bundle: Bundle) -> None:
    images = read_index(data)

    normal, tumor = (open_picture(image, bundle.card.preprocessing) for image in images[:2])

    assert normal.lesion is None
    assert tumor.lesion is not None
    assert tumor.pixels[tumor.lesion].min() > 0.95


def test_the_page_of_the_shift_table_needs_nothing_else(written: Path) -> None:
    page = (written / "table.html").read_text("utf-8")

    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    # The plot of all rows, that of the backgrounds, and two tumours and two normals.
    assert page.count('src="data:image/png;base64,') == page.count("<img") == 6
    assert page.count('alt="') == 6


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--change", "sepia"), 2, "unknown change 'sepia'"),
        (("--json", "/nowhere/table.json"), 6, "/nowhere/table.json cannot be written"),
        (("--compared", "/nowhere"), 2, "/nowhere holds no row cnn_dropout"),
    ],
)
def test_a_wrong_argument_of_shifts_is_refused_before_anything_is_scored(  # noqa: PLR0913 - fixtures
    arguments: tuple[str, ...],
    code: int,
    said: str,
    data: Path,
    bundle: Bundle,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert shifts(data, bundle, *arguments) == code
    assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights in the format of the ImageNet backbone."""
    return write_random_weights(tmp_path_factory.mktemp("weights"), SIZE)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same training with small pictures and two epochs."""

    def make_small(**arguments: Any) -> TrainingRequest:  # noqa: ANN401 - those of the original
        request = make_training_request(**arguments)
        parameters = PreprocessingParameters(size=SIZE)
        plan = TrainingPlan(stages=(Stage(32, 1), Stage(SIZE, 1)), batch_size=8)
        return TrainingRequest(**{**vars(request), "plan": plan, "parameters": parameters})

    monkeypatch.setattr(robustness, "make_training_request", make_small)
    monkeypatch.setattr("model.left_out.PACE_STEPS", 2)


def leave_out(data: Path, imagenet: Path, out: Path, *names: str, minutes: str = "0.02") -> int:
    arguments = ["--data", str(data), "--imagenet", str(imagenet), "--out", str(out)]
    left_out = [part for name in names for part in ("--left-out", name)]
    return main(["leave-one-out", *arguments, "--minutes", minutes, *left_out])


@pytest.mark.usefixtures("small")
def test_leaving_sources_out_trains_measures_and_goes_on_where_it_stopped(
    data: Path,
    imagenet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"

    assert leave_out(data, imagenet, out, "north+south") == 0

    first = json.loads((out / "left_out.json").read_text("utf-8"))
    trained = first["left_out"]["north+south"]
    assert (trained["left_out"]["n"], trained["left_out"]["positives"]) == (48, 24)
    assert {name: row["n"] for name, row in trained["by_source"].items()} == {
        "north": 24,
        "south": 24,
    }
    assert set(trained["bars"]) == {"tumors_flagged"}
    parts = split_by_group(read_index(data), SPLIT_SEED)
    for part, count in (("fit", trained["fit"]), ("calibration", trained["calibration"])):
        members = parts["fit" if part == "fit" else "calibration"]
        assert count == len([image for image in members if image.source == "west"])
    bundle = open_bundle(out / "north+south" / "bundle")
    assert bundle.digest == trained["bundle_digest"]
    page = (out / "left_out.html").read_text("utf-8")
    assert "without north+south: the others&#x27; test part" in page
    assert "https://" not in page
    capsys.readouterr()

    # The second run keeps the plan and the finished bundle, and trains only what is new. What a
    # run that was killed left behind is no obstacle.
    (out / "west").mkdir()
    (out / "west" / "bundle").mkdir()
    (out / "west" / "bundle.draft").mkdir()
    assert leave_out(data, imagenet, out, "north+south", "west") == 0

    second = json.loads((out / "left_out.json").read_text("utf-8"))
    assert second["plan"] == first["plan"]
    assert second["left_out"]["north+south"] == trained
    assert second["left_out"]["west"]["left_out"]["n"] == 24
    told = capsys.readouterr().out
    assert "west epoch 2/2" in told
    assert "north+south epoch" not in told


@pytest.mark.usefixtures("small")
def test_a_folder_that_was_begun_with_other_minutes_is_refused(
    data: Path,
    imagenet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = {"minutes": 7.0, "data_digest": "other", "imagenet_digest": "other", "steps": 3}
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    assert leave_out(data, imagenet, tmp_path, "west") == 2

    said = capsys.readouterr().err
    assert "was begun with other minutes, data_digest, imagenet_digest" in said


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"names": ("east",)}, 2, "unknown source 'east'"),
        ({"names": SOURCES[:1], "minutes": "0"}, 2, "--minutes must be above 0"),
        ({"names": ("north+south+west",)}, 10, "leave out fewer"),
    ],
)
def test_a_wrong_argument_of_leave_one_out_is_refused_before_anything_is_trained(  # noqa: PLR0913 - fixtures
    changes: dict[str, Any],
    code: int,
    said: str,
    data: Path,
    imagenet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = changes.pop("names")

    assert leave_out(data, imagenet, tmp_path / "out", *names, **changes) == code

    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_weights_are_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave_out(data, tmp_path / "none.npz", tmp_path / "out", "west") == 2
    assert "none.npz" in capsys.readouterr().err
