"""The commands ``mri-triage model …`` over a folder, in this process."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from model.bundle import CARD_FILE, Bundle, packaged_bundle_folder
from tests.builders import write_tiny_bundle
from tests.unit.jobs.registry_builders import make_metrics, make_version

GOOD = make_metrics(auc=0.98)
BAD = make_metrics(auc=0.80, sensitivity=0.80)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    return write_tiny_bundle(folder, data_digest="split", metrics=GOOD)


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MRI_TRIAGE_PLACE", "demo")
    monkeypatch.setenv("MRI_TRIAGE__LAKE__URL", str(tmp_path / "lake"))
    monkeypatch.setenv("MRI_TRIAGE__BUNDLE__CACHE", str(tmp_path / "cache"))
    (tmp_path / "lake").mkdir()
    return tmp_path / "lake"


@pytest.fixture
def registered(lake: Path, tiny: Bundle, tmp_path: Path) -> Path:
    """Register versions 1 and 2 (alike), 3 (worse), and promote 1."""
    for version, metrics in (("1", GOOD), ("2", GOOD), ("3", BAD)):
        bundle = make_version(tiny, tmp_path / "made", version, metrics=metrics)
        assert run("register", "--bundle", str(bundle.folder)) == 0
    assert run("promote", "1") == 0
    return lake


def run(*arguments: str) -> int:
    return main(["model", *arguments])


def current(lake: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((lake / "models/tiny/CURRENT").read_text("utf-8"))
    return content


def test_a_version_as_good_as_the_current_one_is_promoted(registered: Path) -> None:
    assert run("promote", "2") == 0

    assert current(registered)["version"] == "2"


def test_a_worse_version_is_refused_with_its_figures_and_nothing_changes(
    registered: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (registered / "models/tiny/CURRENT").read_bytes()
    capsys.readouterr()

    assert run("promote", "3") == 11

    told = capsys.readouterr()
    assert "3 against 1" in told.out
    assert told.out.count("worse") == 2
    assert "tiny 3 is not promoted: AUC is 0.800 instead of 0.980" in told.err
    assert "say why with --because" in told.err
    assert (registered / "models/tiny/CURRENT").read_bytes() == before


def test_whoever_says_why_may_promote_a_worse_version_and_it_is_written_down(
    registered: Path,
) -> None:
    assert run("promote", "3", "--because", "  the other one\nfails on\tthe new scanner ") == 0

    change = current(registered)["changes"][-1]
    assert change["because"] == "the other one fails on the new scanner"
    assert len(change["overruled"]) == 2
    assert change["overruled"][0].startswith("AUC is 0.800 instead of 0.980")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_an_empty_reason_is_none(reason: str, registered: Path) -> None:
    assert run("promote", "3", "--because", reason) == 2
    assert current(registered)["version"] == "1"


def test_cards_of_different_splits_need_a_reason(
    registered: Path,
    tiny: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = make_version(tiny, tmp_path / "made", "4", data_digest="another split")
    run("register", "--bundle", str(other.folder))

    assert run("promote", "4") == 11
    assert "different splits" in capsys.readouterr().err
    assert run("promote", "4", "--because", "measured by hand") == 0
    assert current(registered)["version"] == "4"


def test_promoting_what_scores_already_changes_nothing(
    registered: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = (registered / "models/tiny/CURRENT").read_bytes()

    assert run("promote", "1") == 0

    assert "tiny 1 is CURRENT already" in capsys.readouterr().out
    assert (registered / "models/tiny/CURRENT").read_bytes() == before


def test_rollbacks_walk_back_one_promotion_each(
    registered: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("promote", "2")
    run("promote", "3", "--because", "a try")

    assert run("rollback", "--because", "it missed one") == 0
    assert current(registered)["version"] == "2"
    assert run("rollback") == 0
    assert current(registered)["version"] == "1"
    assert run("rollback") == 11
    assert "cannot be rolled back" in capsys.readouterr().err
    assert [change["action"] for change in current(registered)["changes"]] == [
        "promote",
        "promote",
        "promote",
        "rollback",
        "rollback",
    ]


def test_a_rollback_to_files_that_were_changed_is_refused(
    registered: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("promote", "2")
    card = registered / "models/tiny/1" / CARD_FILE
    card.write_text(card.read_text("utf-8").replace("0.5", "0.6", 1), "utf-8")
    monkeypatch.setenv("MRI_TRIAGE__BUNDLE__CACHE", str(tmp_path / "another-machine"))

    assert run("rollback") == 5
    assert current(registered)["version"] == "2"


def test_a_current_bundle_that_is_damaged_does_not_stand_in_the_way_of_a_reason(
    registered: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (registered / "models/tiny/1" / CARD_FILE).unlink()
    monkeypatch.setenv("MRI_TRIAGE__BUNDLE__CACHE", str(tmp_path / "another-machine"))

    assert run("promote", "2") == 11
    assert "the current bundle cannot be used" in capsys.readouterr().err
    assert run("promote", "2", "--because", "the files of 1 are lost") == 0
    assert current(registered)["version"] == "2"


def test_a_version_that_is_not_registered_is_refused(
    registered: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("promote", "9") == 5
    assert "models/tiny/9/card.json is not to be had" in capsys.readouterr().err
    assert current(registered)["version"] == "1"


def test_the_list_shows_every_version_and_which_one_scores(
    registered: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (registered / "models/tiny/3" / CARD_FILE).unlink()
    capsys.readouterr()

    assert run("list") == 0

    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "tiny" in line]
    assert [row[3] for row in rows] == ["1", "2", "3"]
    assert "CURRENT" in rows[0]
    assert "0.980" in rows[1]
    assert "incomplete:" in rows[2]


def test_show_prints_the_digest_the_card_and_the_history(
    registered: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("promote", "3", "--because", "a try")
    digest = current(registered)["digest"]
    capsys.readouterr()

    assert run("show") == 0

    told = capsys.readouterr().out
    assert "tiny 3 of 2026-11-20" in told
    assert digest in told
    assert "a try" in told
    assert "overruled" in told


def test_a_registry_of_two_models_asks_which_one(
    registered: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("register") == 0  # the packaged one
    name = json.loads((packaged_bundle_folder() / CARD_FILE).read_text("utf-8"))["name"]

    assert run("rollback") == 2

    assert f"2 models ({', '.join(sorted(['tiny', name]))})" in capsys.readouterr().err
    assert run("promote", "2", "--name", "tiny") == 0
    assert current(registered)["version"] == "2"


def test_a_lake_that_is_not_there_is_not_made(
    lake: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("register", "--lake", str(lake / "nowhere")) == 3
    assert "no folder" in capsys.readouterr().err
    assert not (lake / "nowhere").exists()
