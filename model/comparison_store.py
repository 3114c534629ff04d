"""The folder of a comparison: a row's figures and weights once it is finished, and the table.

    rows/<row>.keras   the network, stock Keras layers only
    rows/<row>.json    its figures; written last, so that it stands for a finished row
    compare.json       all finished rows
    compare.html       the same, to be read

A comparison that was killed goes on with the rows that are not finished.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from model.comparison_inputs import prepare_input
from model.comparison_rows import ROWS, ComparedRow, Sees, find_row
from model.comparison_training import ScoreInputs, make_scoring
from model.errors import BundleError, ConfigurationError, OutputError
from model.images import DecodedImage
from model.metrics import Floats
from model.preprocessing import NetworkInput

ROWS_FOLDER: Final = "rows"

SettingsOf = Callable[[ComparedRow], Mapping[str, Any]]
"""What a row's outcome depends on, as plain values; a row of other settings is not taken over."""


@dataclass(frozen=True)
class ComparedNetwork:
    """A trained network of a comparison, ready to score.

    Attributes:
        name: of its row.
        size: pixels of its square input.
        sees: the head alone, or the whole picture.
        threshold: probability from which it flags, chosen on the calibration part.
        score_inputs: from (n, size, size) uint8 to probabilities, (n,).
    """

    name: str
    size: int
    sees: Sees
    threshold: float
    score_inputs: ScoreInputs

    def prepare(self, image: DecodedImage) -> NetworkInput:
        """Make the network's input, (size, size), of a decoded picture."""
        return prepare_input(image, self.sees, self.size)

    def score(self, inputs: Sequence[NetworkInput]) -> Floats:
        """Return the tumour probability, 0..1, of each prepared input, in order."""
        return self.score_inputs(np.stack(inputs)) if inputs else np.zeros(0)


class ComparisonFolder:
    """Reads and writes the rows of one comparison."""

    def __init__(self, folder: Path, settings_of: SettingsOf) -> None:
        """Open a folder, which is made if need be.

        Args:
            folder: of the comparison.
            settings_of: what a row's outcome depends on, as plain values.

        Raises:
            OutputError: if the folder cannot be made.
        """
        self.folder = folder
        self._settings_of = settings_of
        try:
            (folder / ROWS_FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{folder} cannot be written ({error.strerror}): choose another --out"
            raise OutputError(message) from error

    def finished(self) -> dict[str, dict[str, Any]]:
        """Return the figures of the finished rows by name, in the order of the story.

        Raises:
            ConfigurationError: if a row was made with other settings: they may not stand in one
                table.
            BundleError: if a row is damaged.
        """
        found = {
            row.name: read_figures(self.folder, row)
            for row in ROWS
            if file_of(self.folder, row, ".json").is_file()
        }
        for name, figures in found.items():
            asked = self._settings_of(find_row(name))
            if changed := [key for key in asked if figures["settings"].get(key) != asked[key]]:
                message = (
                    f"{self.folder} holds the row {name}, made with another "
                    f"{', '.join(changed)}: choose another --out, or delete "
                    f"{ROWS_FOLDER}/{name}.json to make it anew"
                )
                raise ConfigurationError(message)
        return found

    def keep(self, row: ComparedRow, figures: Mapping[str, Any], network: keras.Model) -> None:
        """Keep a finished row: weights first, figures last, each put in place in one step.

        Raises:
            OutputError: if it cannot be written.
        """
        draft = file_of(self.folder, row, ".draft.keras")
        try:
            network.save(draft, include_optimizer=False)
            draft.replace(file_of(self.folder, row, ".keras"))
        except OSError as error:
            message = f"{draft} cannot be written ({error.strerror}): choose another --out"
            raise OutputError(message) from error
        content = {**figures, "settings": self._settings_of(row)}
        write_whole(file_of(self.folder, row, ".json"), json.dumps(content, allow_nan=False))


def load_compared(folder: Path, name: str) -> ComparedNetwork:
    """Load the network of a finished row.

    Args:
        folder: the ``--out`` of a comparison.
        name: of the row, as ``cnn_dropout``.

    Raises:
        ConfigurationError: if no row has this name.
        BundleError: if the row is not finished, or its files are damaged.
    """
    row = find_row(name)
    figures = read_figures(folder, row)
    file = file_of(folder, row, ".keras")
    try:
        network = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"{file} cannot be loaded ({error}): delete {name}.json and compare again"
        raise BundleError(message) from error
    return ComparedNetwork(
        name=name,
        size=figures["size"],
        sees=figures["sees"],
        threshold=figures["threshold"],
        score_inputs=make_scoring(network),
    )


def read_figures(folder: Path, row: ComparedRow) -> dict[str, Any]:
    """Read the figures of a finished row.

    Raises:
        BundleError: if there are none, or they are damaged.
    """
    file = file_of(folder, row, ".json")
    try:
        figures: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"no {file}: mri-triage compare --row {row.name} makes it"
        raise BundleError(message) from error
    except (OSError, ValueError) as error:
        message = f"{file} is damaged ({error}): delete it and compare again"
        raise BundleError(message) from error
    return figures


def file_of(folder: Path, row: ComparedRow, ending: str) -> Path:
    """Return where a row's file lies."""
    return folder / ROWS_FOLDER / f"{row.name}{ending}"


def write_whole(file: Path, text: str) -> None:
    """Write a text so that a reader sees all of it or what was there before.

    Raises:
        OutputError: if it cannot be written.
    """
    draft = file.with_name(file.name + ".draft")
    try:
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        message = f"{file} cannot be written ({error.strerror}): choose another --out"
        raise OutputError(message) from error
