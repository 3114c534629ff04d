from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.bundle import digest_of, open_bundle, packaged_bundle_folder, write_bundle
from model.errors import BundleError
from tests.builders import build_tiny_network, make_card, write_tiny_bundle


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny").folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in written.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def test_a_bundle_opens_with_the_digest_that_it_was_written_with(folder: Path) -> None:
    assert open_bundle(folder, digest_of(folder)).card.name == "tiny"


def test_another_digest_is_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match="expected 00"):
        open_bundle(folder, "00")


@pytest.mark.parametrize("name", ["model.keras", "card.json"])
def test_one_changed_byte_changes_the_digest(folder: Path, name: str) -> None:
    before = digest_of(folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))

    assert digest_of(folder) != before


@pytest.mark.parametrize("name", ["model.keras", "card.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()

    with pytest.raises(BundleError, match=name):
        open_bundle(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        open_bundle(tmp_path / "nowhere")


def test_a_file_that_does_not_belong_is_refused(folder: Path) -> None:
    (folder / "weights.pkl").write_bytes(b"\x80\x04.")

    with pytest.raises(BundleError, match=r"weights\.pkl"):
        open_bundle(folder)


def test_a_network_cut_short_is_refused(folder: Path) -> None:
    content = (folder / "model.keras").read_bytes()
    (folder / "model.keras").write_bytes(content[: len(content) // 2])

    with pytest.raises(BundleError, match="damaged"):
        open_bundle(folder)


def test_a_card_that_is_no_card_is_refused(folder: Path) -> None:
    (folder / "card.json").write_text('{"name": "x"}', "utf-8")

    with pytest.raises(BundleError, match="damaged"):
        open_bundle(folder)


def test_a_card_for_other_picture_features_is_refused(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text("utf-8"))
    card["scope"]["feature_mean"].append(0.0)
    (folder / "card.json").write_text(json.dumps(card), "utf-8")

    with pytest.raises(BundleError, match="of another version"):
        open_bundle(folder)


def test_a_lambda_layer_is_refused(folder: Path) -> None:
    _rewrite_config(folder / "model.keras", "Rescaling", "Lambda")

    with pytest.raises(BundleError, match=r"keras\.layers\.Lambda"):
        open_bundle(folder)


def test_a_layer_of_another_package_is_refused(folder: Path) -> None:
    _rewrite_config(folder / "model.keras", "keras.layers", "somebody.layers")

    with pytest.raises(BundleError, match=r"somebody\.layers"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keras", "layers.Lambda"),
        ("keras", "config.enable_unsafe_deserialization"),
        ("keras.initializers", "get.__globals__"),
        ("keras.layers", "TorchModuleWrapper"),
        ("keras.src.layers.core.lambda_layer", "Lambda"),
        ("builtins", "exec"),
        ("os", "system"),
        (None, "__lambda__"),
        (None, "function"),
    ],
)
@pytest.mark.parametrize("place", ["layers", "build_config", "compile_config"])
def test_whatever_could_run_code_is_refused_wherever_it_stands(
    folder: Path,
    module: str | None,
    name: str,
    place: str,
) -> None:
    def plant(config: dict[str, Any]) -> None:
        unsafe = {"module": module, "class_name": name, "config": {"value": "x"}}
        if place == "layers":
            config["config"]["layers"][1]["config"]["nested"] = [{"deeper": unsafe}]
        else:
            config[place] = unsafe

    _change_config(folder / "model.keras", plant)

    with pytest.raises(BundleError, match=r"not allowed: .*" + re.escape(f"{module}.{name}")):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["model.weights.npz", "../../outside.py", "/outside.py"])
def test_an_archive_with_another_file_is_refused_and_never_unpacked(
    folder: Path,
    name: str,
) -> None:
    with zipfile.ZipFile(folder / "model.keras", "a") as archive:
        archive.writestr(name, b"\x80\x04.")

    with pytest.raises(BundleError, match="damaged, or holds more"):
        open_bundle(folder)


def test_an_archive_with_more_than_a_network_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / "model.keras", "a") as archive:
        archive.writestr("assets/run.py", "print()")

    with pytest.raises(BundleError, match="damaged, or holds more"):
        open_bundle(folder)


def test_a_bundle_is_never_written_over(folder: Path) -> None:
    with pytest.raises(BundleError, match="exists already"):
        write_bundle(folder, build_tiny_network(), make_card())


def test_opening_a_bundle_does_not_start_tensorflow(folder: Path) -> None:
    code = (
        "import sys, pathlib; from model.bundle import open_bundle; "
        f"open_bundle(pathlib.Path({str(folder)!r})); print('tensorflow' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_the_packaged_bundle_is_whole_and_small() -> None:
    bundle = open_bundle(packaged_bundle_folder())

    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) < 25 * 1024 * 1024
    assert bundle.card.threshold < 0.5
    assert bundle.card.metrics["overall"]["auc"]["value"] >= 0.97


def _rewrite_config(path: Path, old: str, new: str) -> None:
    def replace(config: dict[str, Any]) -> None:
        changed = json.loads(json.dumps(config).replace(old, new))
        config.clear()
        config.update(changed)

    _change_config(path, replace)


def _change_config(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    change(config)
    content["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
