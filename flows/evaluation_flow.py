"""The flow ``evaluation``: what `mri-triage evaluate` does, started from the Prefect UI.

As in `flows.training_flow`, TensorFlow is imported inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from rich.console import Console

from flows.recovery import outlive_serve


@flow(name="evaluation", flow_run_name="evaluation", persist_result=False)
def evaluation(
    data: str,
    bundle: str | None = None,
    part: Literal["test", "all", "calibration", "fit"] | None = None,
    prevalence: float = 0.05,
    json_file: str | None = None,
    html: str | None = None,
) -> str:
    """Measure a bundle on labelled images, with 95% intervals over groups.

    Args:
        data: Folder of labelled images with index.csv.
        bundle: Folder of the bundle; empty for the one that comes with the package.
        part: Empty for test in the folder that the bundle was trained from, or all of any other.
        prevalence: Share of slices with a tumour for which the NPV is stated.
        json_file: Write the figures here as JSON.
        html: Write a page with plots here.

    Returns:
        The digest of the bundle.
    """
    outlive_serve()
    from flows.evaluation import evaluate_with_bar, format_json, refuse_unwritable, write_text
    from flows.evaluation_tables import evaluation_notes, metrics_markdown
    from model.evaluation_report import render_evaluation

    places = [None if place is None else Path(place) for place in (json_file, html)]
    refuse_unwritable(*places)
    folder = None if bundle is None else Path(bundle)
    measured = evaluate_with_bar(folder, Path(data), part, prevalence, Console(stderr=True))
    card = measured.bundle.card
    notes = [f"* {note}" for note in evaluation_notes(measured)]
    create_markdown_artifact(
        "\n".join(
            [
                f"# {card.name} {card.version} on the part {measured.part.name}",
                "",
                f"Digest `{measured.bundle.digest}`, threshold {card.threshold:.4f}.",
                "",
                *metrics_markdown(measured.content),
                "",
                *notes,
            ],
        ),
        key=f"evaluation-{measured.bundle.digest[:12]}",
        description=f"{card.name} {card.version}",
    )
    if places[0] is not None:
        write_text(places[0], format_json(measured.content))
    if places[1] is not None:
        write_text(places[1], render_evaluation(measured))
    return measured.bundle.digest
