"""The flow ``training``: what `mri-triage train` does, started from the Prefect UI.

TensorFlow is imported inside, so that `mri-triage serve`, which only registers it, starts fast.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from rich.console import Console

from flows.recovery import outlive_serve
from model.bundle import Bundle, packaged_bundle_folder

SMALL_EPOCHS = 8
FULL_EPOCHS = 24


@flow(name="training", flow_run_name="training {version}", persist_result=False)
def training(
    data: str,
    imagenet: str,
    out: str,
    version: str,
    small_epochs: int = SMALL_EPOCHS,
    full_epochs: int = FULL_EPOCHS,
    continue_packaged: bool = False,
) -> str:
    """Train a bundle, choose its threshold and measure it. It takes one to two hours.

    The bundle is neither registered nor promoted: look at its figures, then use
    mri-triage model register and promote.

    Args:
        data: Folder of labelled images with index.csv.
        imagenet: File with the ImageNet weights of EfficientNet-Lite0 (.npz).
        out: Folder of the new bundle; it must not exist.
        version: Version of the new bundle, as in 1.2.0.
        small_epochs: Epochs at 128 pixels.
        full_epochs: Epochs at 192 pixels.
        continue_packaged: Train the bundle that comes with the package on, instead of beginning
            with the ImageNet weights.

    Returns:
        The digest of the bundle.
    """
    outlive_serve()
    from flows.training import make_training_request, train_with_bars

    request = make_training_request(
        data=Path(data),
        imagenet=Path(imagenet),
        start_from=packaged_bundle_folder() if continue_packaged else None,
        out=Path(out),
        version=version,
        # Kept by version: a run that is started again goes on from them.
        checkpoints=Path(tempfile.gettempdir()) / "mri-triage-checkpoints",
        epochs=(small_epochs, full_epochs),
    )
    bundle = train_with_bars(request, Console(stderr=True))
    create_markdown_artifact(
        format_bundle(bundle), key=f"training-{bundle.digest[:12]}", description="The new bundle"
    )
    return bundle.digest


def format_bundle(bundle: Bundle) -> str:
    """Write the figures of a bundle's own test part as markdown."""
    from flows.evaluation_tables import metrics_markdown

    card = bundle.card
    return "\n".join(
        [
            f"# {card.name} {card.version}",
            "",
            f"Digest `{bundle.digest}`. Threshold {card.threshold:.4f}. {card.threshold_method}",
            "",
            *metrics_markdown(card.metrics),
        ],
    )
