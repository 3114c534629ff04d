"""The engines of the network, on the bundle that ships and on slices of the mini lake."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model.bundle import open_bundle, packaged_bundle_folder
from model.decoding import decode_object
from model.derived_network import (
    GRAPH_FILE,
    DerivedNetwork,
    choice_of,
    derive_or_find,
    open_derived,
    read_manifest,
)
from model.engine_choice import EngineChoice
from model.errors import BundleError
from model.images import DecodedImage
from model.preprocessing import prepare_image
from tests.torture.originals import mini_lake_files
from tests.unit.model.decoding_samples import LIMITS

Arrays = dict[str, npt.NDArray[Any]]

ROOT = Path(__file__).parents[2]
BATCH = 8

SCORE = """
import contextlib
import os
import sys
import threading
import numpy as np
from pathlib import Path
from model.bundle import load_network, open_bundle, packaged_bundle_folder
from model.derived_network import open_derived
from model.inference import load_scorer

allowed = os.sched_getaffinity(0)
pinned = set()
scored = threading.Event()

def watch():
    while not scored.wait(0.001):
        with contextlib.suppress(OSError):
            pinned.update(
                thread for thread in os.listdir("/proc/self/task")
                if os.sched_getaffinity(int(thread)) != allowed
            )

watching = threading.Thread(target=watch, daemon=True)
watching.start()
given = np.load(sys.argv[1])
bundle = open_bundle(packaged_bundle_folder())
found = {}
for number, folder in enumerate(sys.argv[3:]):
    derived = open_derived(Path(folder))
    scores = load_scorer(bundle, batch_size=8, derived=derived).score(**given)
    found |= {f"probabilities{number}": scores.probabilities,
              f"scope{number}": scores.scope_scores, f"maps{number}": scores.tumor_maps}
unfolded = load_network(bundle).predict(given["inputs"][..., None].astype("float32"), verbose=0)
scored.set()
watching.join()
np.savez(sys.argv[2], logit=unfolded["logit"], pinned_threads=len(pinned), **found)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def networks(cache: Path) -> list[DerivedNetwork]:
    bundle = open_bundle(packaged_bundle_folder())
    choices = [EngineChoice(), EngineChoice("openvino")]
    return [derive_or_find(bundle, choice, BATCH, cache) for choice in choices]


@pytest.fixture(scope="module")
def scores(
    networks: list[DerivedNetwork],
    tmp_path_factory: pytest.TempPathFactory,
) -> Arrays:
    """Scores of some slices by each engine, from a process of its own: TensorFlow stays out."""
    folder = tmp_path_factory.mktemp("scores")
    parameters = open_bundle(packaged_bundle_folder()).card.preprocessing
    prepared = [prepare_image(image, parameters) for image in slices(20)]
    np.savez(
        folder / "given.npz",
        inputs=np.stack([one.network_input for one in prepared]),
        picture_features=np.stack([one.picture_features for one in prepared]),
    )
    folders = [str(network.folder) for network in networks]
    subprocess.run(
        [sys.executable, "-c", SCORE, folder / "given.npz", folder / "found.npz", *folders],
        cwd=ROOT,
        check=True,
    )
    with np.load(folder / "found.npz") as found:
        return dict(found)


def slices(count: int) -> Iterator[DecodedImage]:
    named = [file for file in mini_lake_files() if "neuro-study" in file.name]
    files = [file for file in named if file.name.endswith(".jpg")]
    for file in files[:count]:
        for image in decode_object(file.data, LIMITS):
            if isinstance(image, DecodedImage):
                yield image


def test_folding_the_norms_changes_nothing_that_counts(scores: Arrays) -> None:
    temperature = open_bundle(packaged_bundle_folder()).card.temperature
    unfolded = 1.0 / (1.0 + np.exp(-scores["logit"].ravel().astype(np.float64) / temperature))
    np.testing.assert_allclose(scores["probabilities0"], unfolded, atol=1e-4)


def test_no_engine_pins_a_thread_to_a_core(scores: Arrays) -> None:
    # Each worker of a machine would pin its own to the first.
    assert int(scores["pinned_threads"]) == 0


@pytest.mark.parametrize("what", ["probabilities", "scope", "maps"])
def test_openvino_in_fp32_scores_as_tensorflow_does(
    scores: Arrays,
    what: str,
) -> None:
    assert np.ptp(scores["probabilities0"]) > 0.5
    np.testing.assert_allclose(scores[f"{what}1"], scores[f"{what}0"], atol=1e-3)


def test_what_was_made_once_is_found_again(networks: list[DerivedNetwork], cache: Path) -> None:
    made = [(network.folder / "manifest.json").stat().st_mtime_ns for network in networks]
    bundle = open_bundle(packaged_bundle_folder())
    again = [derive_or_find(bundle, choice_of(one.folder), BATCH, cache) for one in networks]
    assert again == networks
    assert made == [(one.folder / "manifest.json").stat().st_mtime_ns for one in again]


def test_a_network_that_was_changed_is_refused(
    networks: list[DerivedNetwork], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in networks[0].folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    graph = bytearray((folder / GRAPH_FILE).read_bytes())
    graph[len(graph) // 2] ^= 1
    (folder / GRAPH_FILE).write_bytes(graph)
    with pytest.raises(BundleError, match="damaged"):
        open_derived(folder)


def test_another_network_than_the_driver_s_is_refused(networks: list[DerivedNetwork]) -> None:
    with pytest.raises(BundleError, match="differs"):
        open_derived(networks[0].folder, expected_digest=networks[1].digest)


def test_the_comparison_with_tensorflow_is_written_down(networks: list[DerivedNetwork]) -> None:
    manifest = read_manifest(networks[1].folder)
    assert manifest["bundle_digest"] == open_bundle(packaged_bundle_folder()).digest
    assert 0.0 <= manifest["largest_difference"] <= 1e-3
    assert json.dumps(dict(manifest))


def test_an_engine_that_is_not_installed_is_named() -> None:
    code = (
        "import sys; sys.modules['openvino'] = None\n"
        "from model.engine_openvino import import_openvino\n"
        "from model.errors import ConfigurationError\n"
        "try: import_openvino()\n"
        "except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "pip install 'mri-triage[openvino]'" in done.stdout
