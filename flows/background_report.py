"""Measure why a network looks at the background, with a bar; print a table, write JSON, draw."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from flows.evaluation import format_json, tell, write_text
from flows.progress import counting_bars
from model.bundle import open_bundle, packaged_bundle_folder
from model.comparison_store import load_compared
from model.errors import OutputError
from model.evaluated_part import choose_part
from model.explanation_background import (
    AskedNetwork,
    ask_compared,
    describe_measures,
    draw_networks,
    make_head_view,
    measure_background,
)
from model.inference import load_scorer
from model.measurement import prepare_images
from model.training_data import UNKNOWN, LabelledImage
from model.training_samples import decode_labelled

COMPARED: Final = {
    "cnn_dropout_whole_picture": "plain CNN, whole picture",
    "cnn_dropout": "plain CNN, head alone",
}
SHIPPED: Final = "the network that ships"
PANELS_PERTURBATIONS: Final = 500


@dataclass(frozen=True)
class BackgroundRequest:
    """What is measured.

    Attributes:
        data: folder of labelled images.
        compared: folder of the comparison that holds the plain networks.
        explained: test images with a tumour that LIME explains.
        perturbations: of each.
        json_file: where the figures go, or None.
        picture_of: an image whose explanations are drawn, or None.
        picture: where that drawing goes, or None.
    """

    data: Path
    compared: Path
    explained: int
    perturbations: int
    json_file: Path | None
    picture_of: Path | None
    picture: Path | None


def report_background(request: BackgroundRequest, console: Console) -> None:
    """Measure the three networks and tell what was found.

    Raises:
        BundleError: if a network of the comparison is not finished or damaged.
        TrainingDataError: if the data cannot be used.
        OutputError: if a result cannot be written.
    """
    networks = load_networks(request.compared)
    if request.picture_of and request.picture:
        _draw(request.picture_of, request.picture, networks)
    bundle = open_bundle(packaged_bundle_folder())
    part = choose_part(request.data, bundle.card, None)
    prepared = list(prepare_images(part.images, bundle.card.preprocessing))
    images = [labelled for labelled, _, _ in prepared]
    decoded = [one for _, one, _ in prepared]
    tumors = [place for place, image in enumerate(images) if image.label == 1]
    explained = sorted(tumors, key=lambda place: _lot(images[place].path))[: request.explained]
    rows = []
    with counting_bars(Console(stderr=True), transient=True) as bars:
        for network in networks:
            task = bars.add_task(network.title, total=len(explained))
            rows.append(
                measure_background(
                    network,
                    images,
                    decoded,
                    explained,
                    request.perturbations,
                    lambda task=task: bars.advance(task),  # type: ignore[misc]
                )
            )
    console.print(background_table(rows))
    tell(describe_measures(rows), console)
    if request.json_file is not None:
        write_text(request.json_file, format_json({"rows": rows}))


def load_networks(compared: Path) -> list[AskedNetwork]:
    """Load the three networks, in the order of the story."""
    bundle = open_bundle(packaged_bundle_folder())
    scorer = load_scorer(bundle, threads=2)
    plain = [ask_compared(load_compared(compared, name), title) for name, title in COMPARED.items()]
    see = make_head_view(bundle.card.preprocessing)
    return [*plain, AskedNetwork(SHIPPED, scorer.probabilities, see, sees_head_only=True)]


def background_table(rows: list[dict[str, Any]]) -> Table:
    """Lay the figures out, one network a row."""
    table = Table(title="What the background tells a network", caption="95% over groups")
    table.add_column("")
    for head in (
        "AUC, whole picture",
        "AUC, surroundings alone",
        "AUC, head alone",
        "log-odds moved by blackening the surroundings",
        "by blackening the head",
        "LIME's positive weight inside the head",
    ):
        table.add_column(head, justify="right")
    for row in rows:
        auc = row["auc"]
        table.add_row(
            row["title"],
            *(_figure(auc[name]) for name in ("whole", "surroundings", "head")),
            f"{row['moved_by_surroundings']:.2f}",
            f"{row['moved_by_head']:.2f}",
            f"{row['lime_inside_head']:.0%} of {row['explained']} images"
            if row["lime_inside_head"] is not None
            else "-",
        )
    return table


def _draw(picture_of: Path, picture: Path, networks: list[AskedNetwork]) -> None:
    image = LabelledImage(picture_of, "", 0, UNKNOWN, "", None)
    decoded = decode_labelled(image)
    try:
        picture.write_bytes(draw_networks(decoded, networks, PANELS_PERTURBATIONS))
    except OSError as error:
        message = f"{picture} cannot be written ({error.strerror}): choose another place"
        raise OutputError(message) from error


def _lot(path: Path) -> str:
    return hashlib.sha256("/".join(path.parts[-3:]).encode()).hexdigest()


def _figure(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}\n{interval['low']:.3f}-{interval['high']:.3f}"
