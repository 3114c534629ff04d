"""A bundle: network, preprocessing, thresholds and card in one folder with one digest.

``model.keras`` is the only weights file and holds stock Keras layers only, so that loading it
runs nothing but Keras. Whatever else lies in the folder is refused: a pickle cannot come along.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from model.card import Card
from model.errors import BundleError

if TYPE_CHECKING:
    import keras

MODEL_FILE: Final = "model.keras"
CARD_FILE: Final = "card.json"
BUNDLE_FILES: Final = frozenset({MODEL_FILE, CARD_FILE})

SAFE_LAYERS: Final = frozenset(
    {
        "Activation",
        "Add",
        "BatchNormalization",
        "Concatenate",
        "Conv2D",
        "Dense",
        "DepthwiseConv2D",
        "Dropout",
        "Functional",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "InputLayer",
        "ReLU",
        "Rescaling",
        "SeparableConv2D",
        "Subtract",
        "UpSampling2D",
    },
)
"""Layers that compute and nothing else. Lambda and custom classes could run any code."""

ARCHIVE_MEMBERS: Final = frozenset({"metadata.json", "config.json", "model.weights.h5"})


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    Attributes:
        folder: where it lies.
        card: its card.
        digest: SHA-256 over every file, hexadecimal.
    """

    folder: Path
    card: Card
    digest: str


def packaged_bundle_folder() -> Path:
    """Return the folder of the bundle that comes with the package."""
    return Path(__file__).parent / "default_bundle"


def open_bundle(folder: Path, expected_digest: str | None = None) -> Bundle:
    """Open a bundle and verify it, without loading the network.

    Args:
        folder: of the bundle.
        expected_digest: the digest it must have, or None to accept any.

    Returns:
        The bundle with its digest.

    Raises:
        BundleError: if a file is absent, damaged or not of a bundle, a layer is unsafe, or the
            digest is another one.
    """
    if not folder.is_dir():
        message = f"no bundle at {folder}: expected a folder with {MODEL_FILE} and {CARD_FILE}"
        raise BundleError(message)
    found = {path.name for path in folder.iterdir()}
    if missing := BUNDLE_FILES - found:
        message = f"bundle {folder} lacks {', '.join(sorted(missing))}: copy the whole folder again"
        raise BundleError(message)
    if extra := found - BUNDLE_FILES:
        message = (
            f"bundle {folder} holds {', '.join(sorted(extra))}: only "
            f"{', '.join(sorted(BUNDLE_FILES))} may be there"
        )
        raise BundleError(message)
    digest = digest_of(folder)
    if expected_digest is not None and digest != expected_digest:
        message = (
            f"bundle {folder} has digest {digest}, expected {expected_digest}: "
            "it was changed or is another one"
        )
        raise BundleError(message)
    card = _read_card(folder / CARD_FILE)
    _refuse_unsafe_layers(folder / MODEL_FILE)
    return Bundle(folder=folder, card=card, digest=digest)


def digest_of(folder: Path) -> str:
    """Return a SHA-256 over the names and bytes of a bundle's files."""
    whole = hashlib.sha256()
    for name in sorted(BUNDLE_FILES):
        inner = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        whole.update(f"{name} {inner}\n".encode())
    return whole.hexdigest()


def write_bundle(folder: Path, network: keras.Model, card: Card) -> Bundle:
    """Write a network and its card as a bundle, and open it again.

    Args:
        folder: must not exist yet.
        network: made of `SAFE_LAYERS`; its optimizer's state is not written.
        card: its card.

    Raises:
        BundleError: if the folder exists, or what was written would not be accepted.
    """
    refuse_existing(folder)
    folder.mkdir(parents=True)
    network.save(folder / MODEL_FILE, include_optimizer=False)
    text = json.dumps(card.model_dump(mode="json"), indent=1, sort_keys=True)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")
    return open_bundle(folder)


def refuse_existing(folder: Path) -> None:
    """Refuse a folder that exists: a bundle is never written over.

    Raises:
        BundleError: if it exists.
    """
    if folder.exists():
        message = f"{folder} exists already: a bundle is never written over, choose a new version"
        raise BundleError(message)


def load_network(bundle: Bundle) -> keras.Model:
    """Load the network of a verified bundle.

    Raises:
        BundleError: if Keras cannot load it.
    """
    import keras  # noqa: PLC0415 - slow, and TensorFlow must not start in the driver

    try:
        return keras.saving.load_model(bundle.folder / MODEL_FILE, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"the network of bundle {bundle.folder} cannot be loaded: {error}"
        raise BundleError(message) from error


def _read_card(path: Path) -> Card:
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        message = f"{path} is damaged or of another version ({first}): copy the bundle again"
        raise BundleError(message) from error


def _refuse_unsafe_layers(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = set(archive.namelist())
            broken = archive.testzip()
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        message = f"{path} is damaged ({error}): copy the bundle again"
        raise BundleError(message) from error
    if broken is not None or not members <= ARCHIVE_MEMBERS:
        message = f"{path} is damaged, or holds more than {', '.join(sorted(ARCHIVE_MEMBERS))}"
        raise BundleError(message)
    unsafe = sorted(_foreign_classes(config))
    if unsafe:
        message = f"{path} holds layers that are not allowed: {', '.join(unsafe)}"
        raise BundleError(message)


def _foreign_classes(config: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """Collect the names of Keras objects in a configuration that are not known to be safe."""
    if isinstance(config, list):
        return set().union(*(_foreign_classes(item) for item in config))
    if not isinstance(config, dict):
        return set()
    foreign = set().union(*(_foreign_classes(value) for value in config.values()))
    name, module = config.get("class_name"), str(config.get("module"))
    is_layer = isinstance(name, str) and "config" in config
    if is_layer and not _is_safe(str(name), module):
        foreign.add(f"{module}.{name}")
    return foreign


def _is_safe(name: str, module: str) -> bool:
    if module in {"keras.layers", "keras.src.models.functional", "keras.models"}:
        return name in SAFE_LAYERS
    # Keras joins module and name with a dot and looks that up, so that a name with a dot in it
    # would lead from any module of Keras to any other. Initialisers hold numbers only.
    return (
        (module == "keras" and name == "DTypePolicy")
        or (module == "keras.initializers" and name.isidentifier())
        or name == "__keras_tensor__"
        or (module == "None" and name in {"__tuple__", "__numpy__", "__tensor__"})
    )
