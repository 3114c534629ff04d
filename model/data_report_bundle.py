"""What a bundle says of labelled pictures that its network was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence

from model.bundle import Bundle
from model.data_report import BundleScores
from model.data_report_pictures import MeasuredPicture
from model.inference import load_scorer
from model.measurement import OnPrepared, prepare_part
from model.training_data import SPLIT_SEED, digest_of_split, split_by_group
from model.training_folders import LabelledFolder


def score_unfitted(
    bundle: Bundle,
    listed: LabelledFolder,
    pictures: Sequence[MeasuredPicture],
    threads: int,
    on_prepared: OnPrepared,
) -> BundleScores:
    """Score the pictures that the bundle's network was not fitted on.

    Of the folder that it was trained from these are the calibration and test parts; of any other
    folder all pictures, of which nothing says whether they are copies of training images.

    Args:
        bundle: the bundle.
        listed: the folder.
        pictures: those of it that can be used.
        threads: of the network.
        on_prepared: called with how many pictures are prepared, and of how many.

    Raises:
        TrainingDataError: if a picture cannot be read any more.
        BundleError: if the network cannot be loaded.
    """
    chosen = list(pictures)
    which = f"all {len(pictures)} pictures (copies of its training images are not told apart)"
    parts = split_by_group(listed.images, SPLIT_SEED)
    if digest_of_split(parts, listed.folder) == bundle.card.data_digest:
        fitted = {image.path for image in parts["fit"]}
        chosen = [picture for picture in pictures if picture.image.path not in fitted]
        which = f"the {len(chosen)} pictures that it was not fitted on"
    name = f"{bundle.card.name} {bundle.card.version}"
    if not chosen:
        return BundleScores(name, which, {})
    part = prepare_part(
        [picture.image for picture in chosen],
        bundle.card.preprocessing,
        on_prepared,
    )
    raw = load_scorer(bundle, threads=threads).score(part.inputs, part.picture_features)
    scores = raw.probabilities.tolist()
    return BundleScores(
        name,
        which,
        {one.name: score for one, score in zip(chosen, scores, strict=True)},
    )
