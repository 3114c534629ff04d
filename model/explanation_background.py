"""Why a network looks at the background: what the background alone tells it, and what helps.

Three networks are asked the same: the first project's on the whole picture, the same on the head
alone, and the one that ships. Of each it is measured how well it scores when only the surroundings
are left of a picture, or only the head, and how much of LIME's positive weight lies in the head.
The head is outlined by `independent_outline`, not by the model's own method.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy.special import logit

from model.comparison_inputs import prepare_input
from model.comparison_store import ComparedNetwork
from model.explanation import LEAST_PROBABILITY, Explanation, ScorePictures, explain_picture
from model.explanation_quality import outline_in_region, share_of_positive
from model.images import DecodedImage
from model.independent_outline import outline_head
from model.metrics import make_auc, resample_groups, with_intervals
from model.overlay_panels import PANEL, draw_weights, scale_slice
from model.preprocessing import (
    PreprocessingParameters,
    Region,
    prepare_image,
    prepare_unmasked,
)
from model.training_data import SPLIT_SEED, LabelledImage

Picture: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]
Record: TypeAlias = dict[str, Any]

LIME_BATCH: Final = 16
LIME_SEED: Final = 1


@dataclass(frozen=True)
class AskedNetwork:
    """A network, and how it sees a picture.

    Attributes:
        title: for the table.
        score_pictures: of its inputs.
        see: a decoded picture in, its input with surroundings and the head in it out; None for
            a picture in which no head can be outlined.
        sees_head_only: whether its preprocessing blackens the surroundings.
    """

    title: str
    score_pictures: ScorePictures
    see: Callable[[DecodedImage], tuple[Picture, Mask] | None]
    sees_head_only: bool


def ask_compared(network: ComparedNetwork, title: str) -> AskedNetwork:
    """Make a network of the comparison ready to be asked."""
    head_only = network.sees == "head"
    parameters = PreprocessingParameters(size=network.size)

    def see_whole(image: DecodedImage) -> tuple[Picture, Mask] | None:
        head = outline_head(image.pixels)
        if head is None:
            return None
        levels = Image.fromarray(np.where(head, np.uint8(255), np.uint8(0)))
        squeezed = np.asarray(levels.resize((network.size, network.size)))
        return prepare_input(image, "whole_picture", network.size), squeezed > 127  # noqa: PLR2004

    see = make_head_view(parameters) if head_only else see_whole
    return AskedNetwork(title, network.score_inputs, see, head_only)


def make_head_view(
    parameters: PreprocessingParameters,
) -> Callable[[DecodedImage], tuple[Picture, Mask] | None]:
    """Make the view of a network that sees the square around the head."""

    def see(image: DecodedImage) -> tuple[Picture, Mask] | None:
        region = prepare_image(image, parameters).region
        head = outline_in_region(image.pixels, region, parameters.size)
        return None if head is None else (prepare_unmasked(image, parameters), head)

    return see


def measure_background(  # noqa: PLR0913 - what is asked of whom
    network: AskedNetwork,
    images: Sequence[LabelledImage],
    decoded: Sequence[DecodedImage],
    explained: Sequence[int],
    perturbations: int,
    on_done: Callable[[], None],
) -> Record:
    """Measure one network.

    Args:
        network: see there.
        images: labelled, both classes.
        decoded: the same images.
        explained: places of those that LIME explains.
        perturbations: of each.
        on_done: called after each explained image.

    Returns:
        AUC of whole pictures, of those whose head is black, and of those whose surroundings are;
        how far the log-odds move by either, median; and the share of LIME's positive weight
        inside the head, mean.
    """
    views = {place: network.see(image) for place, image in enumerate(decoded)}
    seen = {place: view for place, view in views.items() if view is not None}
    places = list(seen)
    pictures = np.stack([seen[place][0] for place in places])
    heads = np.stack([seen[place][1] for place in places])
    only_head = np.where(heads, pictures, np.uint8(0))
    # What preprocessing blackens is black to the network, whatever the picture holds there.
    whole = only_head if network.sees_head_only else pictures
    without_head = np.where(heads, np.uint8(0), whole)
    scored = {
        "whole": network.score_pictures(whole),
        "surroundings": network.score_pictures(without_head),
        "head": network.score_pictures(only_head),
    }
    labels = np.array([images[place].label for place in places], dtype=np.int64)
    groups = np.array([images[place].group_id for place in places])
    metrics = {name: make_auc(values, labels) for name, values in scored.items()}
    shares = []
    for place in explained:
        if place in seen:
            picture, head = seen[place]
            explanation = _explain(network, picture, perturbations)
            shares.append(share_of_positive(explanation, head))
        on_done()
    known = [share for share in shares if share is not None]
    log_odds = {
        name: logit(np.clip(values, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
        for name, values in scored.items()
    }
    return {
        "title": network.title,
        "images": len(places),
        "auc": with_intervals(metrics, resample_groups(groups, SPLIT_SEED)),
        "moved_by_surroundings": round(
            float(np.median(np.abs(log_odds["whole"] - log_odds["head"]))), 3
        ),
        "moved_by_head": round(
            float(np.median(np.abs(log_odds["whole"] - log_odds["surroundings"]))), 3
        ),
        "explained": len(known),
        "lime_inside_head": round(float(np.mean(known)), 3) if known else None,
    }


def draw_networks(
    image: DecodedImage, networks: Sequence[AskedNetwork], perturbations: int
) -> bytes:
    """Draw what LIME says of one picture for each network, side by side, as a PNG."""
    gap, top = 20, 40
    width = len(networks) * (PANEL + gap) + gap
    page = Image.new("RGB", (width, PANEL + top + gap), (16, 18, 22))
    for number, network in enumerate(networks):
        left = gap + number * (PANEL + gap)
        font = ImageFont.load_default(17)
        ImageDraw.Draw(page).text((left, 10), network.title, fill=(235, 235, 235), font=font)
        view = network.see(image)
        if view is None:
            continue
        picture = view[0]
        explanation = _explain(network, picture, perturbations)
        canvas = scale_slice((picture / 255.0).astype(np.float32))
        region = Region(0.0, 0.0, float(len(picture)))
        drawn = draw_weights(canvas, picture.shape, region, explanation)
        page.paste(Image.fromarray(drawn), (left, top))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def describe_measures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say in words what each step changed, from the table's rows in their order."""
    lines = []
    for before, after in itertools.pairwise(rows):
        auc = [row["auc"]["surroundings"]["value"] for row in (before, after)]
        inside = [row["lime_inside_head"] or 0.0 for row in (before, after)]
        lines.append(
            f"{before['title']} -> {after['title']}: AUC of the surroundings alone {auc[0]:.3f} -> "
            f"{auc[1]:.3f}; LIME's positive weight inside the head {inside[0]:.0%} -> "
            f"{inside[1]:.0%}"
        )
    return lines


def _explain(network: AskedNetwork, picture: Picture, perturbations: int) -> Explanation:
    return explain_picture(
        picture,
        network.score_pictures,
        perturbations=perturbations,
        seed=LIME_SEED,
        batch_size=LIME_BATCH,
    )
