"""The shift table: what a bundle says of the same pictures, delivered in other ways.

Every change of `picture_changes` is applied to every picture before the bundle sees it; then the
bundle prepares, scores and decides as in a night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from model.bundle import Bundle
from model.changed_picture import Change, OriginalPicture, apply_change
from model.evaluated_part import EvaluatedPart
from model.images import DecodedImage
from model.judgement import (
    Judge,
    Judgement,
    LabelledGroups,
    join_judgements,
    make_bundle_judge,
    make_flips,
    measure_row,
)
from model.localisation import read_outline
from model.measurement import prepare_images
from model.metrics import Flags, make_share, resample_groups, with_intervals
from model.picture_changes import BACKGROUND, PAINTED, SHORTCUT
from model.preprocessing import PreprocessingParameters
from model.training_data import SPLIT_SEED, LabelledImage

AT_ONCE: Final = 32
"""Pictures that are in memory at once, and scored together."""

LEAST_TUMORS_FLAGGED: Final = 0.97
MOST_FLIPS: Final = 0.01
MOST_AUC_LOST: Final = 0.01
"""The bars. Under every change tumours stay flagged; another background changes no decision; size,
codec and border of a picture tell nothing."""

BUNDLE: Final = ""
"""Name of the bundle among the judges; no network of a comparison has it."""

OnJudged = Callable[[int, int], None]
"""Called with how many pictures are judged under all changes, and of how many."""


@dataclass(frozen=True)
class ShiftTable:
    """A measured bundle.

    Attributes:
        bundle: what was measured.
        part: on which pictures.
        changes: the rows.
        content: the JSON of the command.
    """

    bundle: Bundle
    part: EvaluatedPart
    changes: tuple[Change, ...]
    content: dict[str, Any]


@dataclass(frozen=True)
class _Judged:
    """What a judge says of the pictures under one change; `applied`, (n,), are those changed."""

    applied: Flags
    judgement: Judgement


def make_shift_table(
    bundle: Bundle,
    part: EvaluatedPart,
    changes: Sequence[Change],
    compared: Mapping[str, Judge],
    on_judged: OnJudged,
) -> ShiftTable:
    """Judge every picture unchanged and under every change.

    Args:
        bundle: what is measured.
        part: of the labelled images.
        changes: rows of the table.
        compared: other networks by name, judged on the changes of the background only.
        on_judged: see `OnJudged`.

    Raises:
        TrainingDataError: if an image or an outline cannot be used.
        BundleError: if the network cannot be loaded.
    """
    judges = {BUNDLE: make_bundle_judge(bundle), **compared}
    before, after = _judge_all(judges, bundle.card.preprocessing, part.images, changes, on_judged)
    known = LabelledGroups(
        np.array([image.label for image in part.images], dtype=np.int64),
        np.array([image.group_id for image in part.images]),
    )
    content = {
        "bundle_digest": bundle.digest,
        "threshold": bundle.card.threshold,
        "data": {"part": part.name, "reason": part.reason, "warning": part.warning},
        "unchanged": measure_row(before[BUNDLE], known),
        "changes": {
            change.name: _measure_change(change, after[BUNDLE, change.name], before[BUNDLE], known)
            for change in changes
        },
        "compared": {
            name: {
                change.name: _measure_flips(after[name, change.name], before[name], known)
                for change in changes
                if (name, change.name) in after
            }
            for name in compared
        },
    }
    return ShiftTable(bundle, part, tuple(changes), content)


def open_picture(image: LabelledImage, parameters: PreprocessingParameters) -> OriginalPicture:
    """Decode a labelled image and read the outline of its lesion.

    Raises:
        TrainingDataError: if the image or the outline cannot be used.
    """
    _, decoded, prepared = next(prepare_images([image], parameters))
    outline = read_outline(image, prepared)
    if outline is None or not outline.any():
        return OriginalPicture(decoded, None)
    height, width = decoded.pixels.shape
    fitted = Image.fromarray(outline).resize((width, height), Image.Resampling.NEAREST)
    return OriginalPicture(decoded, np.asarray(fitted, dtype=bool))


def _judge_all(
    judges: Mapping[str, Judge],
    parameters: PreprocessingParameters,
    images: Sequence[LabelledImage],
    changes: Sequence[Change],
    on_judged: OnJudged,
) -> tuple[dict[str, Judgement], dict[tuple[str, str], _Judged]]:
    """Return what each judge says of the images, and, by judge and change, of the changed ones."""
    unchanged: dict[str, list[Judgement]] = {name: [] for name in judges}
    changed: dict[tuple[str, str], list[_Judged]] = {}
    for start in range(0, len(images), AT_ONCE):
        chunk = images[start : start + AT_ONCE]
        pictures = [open_picture(image, parameters) for image in chunk]
        for name, judge in judges.items():
            unchanged[name].append(judge([picture.image for picture in pictures]))
        for change in changes:
            wanted = [change.family != PAINTED or image.label == 0 for image in chunk]
            for name, judged in _judge_change(pictures, wanted, change, judges):
                changed.setdefault((name, change.name), []).append(judged)
        on_judged(start + len(chunk), len(images))
    before = {name: join_judgements(parts) for name, parts in unchanged.items()}
    return before, {key: _join(parts) for key, parts in changed.items()}


def _judge_change(
    pictures: Sequence[OriginalPicture],
    wanted: Sequence[bool],
    change: Change,
    judges: Mapping[str, Judge],
) -> Iterator[tuple[str, _Judged]]:
    def make(index: int) -> DecodedImage | None:
        return apply_change(pictures[index], change) if wanted[index] else None

    with ThreadPoolExecutor(max_workers=2) as pool:
        made = list(pool.map(make, range(len(pictures))))
    applied = np.array([image is not None for image in made], dtype=bool)
    images = [image for image in made if image is not None]
    for name, judge in judges.items():
        if name != BUNDLE and change.family != BACKGROUND:
            continue
        yield name, _Judged(applied, judge(images) if images else _nothing())


def _nothing() -> Judgement:
    return Judgement(np.zeros(0), np.zeros(0, dtype=object))


def _join(parts: Sequence[_Judged]) -> _Judged:
    return _Judged(
        np.concatenate([part.applied for part in parts]),
        join_judgements([part.judgement for part in parts]),
    )


def _measure_change(
    change: Change,
    after: _Judged,
    before: Judgement,
    known: LabelledGroups,
) -> dict[str, Any]:
    of_these, pictures = before.where(after.applied), known.where(after.applied)
    if change.family == PAINTED:
        row = _measure_painted(after.judgement, of_these, pictures)
    else:
        row = measure_row(after.judgement, pictures, of_these)
    asked = len(known.labels) if change.family != PAINTED else int((known.labels == 0).sum())
    return {
        "family": change.family,
        "description": change.description,
        "left_out": asked - int(after.applied.sum()),
        **row,
        "bars": _hold_to_bars(change, row),
    }


def _measure_painted(
    after: Judgement,
    before: Judgement,
    normals: LabelledGroups,
) -> dict[str, Any]:
    """Measure painted slices as tumours against the same slices as they were."""
    both = LabelledGroups(
        np.concatenate([np.ones_like(normals.labels), normals.labels]),
        np.concatenate([normals.groups, normals.groups]),
    )
    row = measure_row(join_judgements([after, before]), both)
    # A slice that was flagged before says nothing about its lesion.
    noticed = {"newly_flagged": make_share(after.flagged, ~before.flagged)}
    return row | with_intervals(noticed, resample_groups(normals.groups, SPLIT_SEED))


def _measure_flips(after: _Judged, before: Judgement, known: LabelledGroups) -> dict[str, Any]:
    flips = {"flips": make_flips(after.judgement, before.where(after.applied))}
    groups = known.where(after.applied).groups
    counted = {"n": len(groups), "left_out": len(known.groups) - len(groups)}
    return counted | with_intervals(flips, resample_groups(groups, SPLIT_SEED))


def _hold_to_bars(change: Change, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Hold a row to what it should reach; painted lesions are no tumours and have no bar."""
    if change.family == PAINTED:
        return {}
    bars = [("tumors_flagged", "at_least", LEAST_TUMORS_FLAGGED)]
    if change.family == BACKGROUND:
        bars.append(("flips", "at_most", MOST_FLIPS))
    if change.family == SHORTCUT:
        bars.append(("auc_change", "at_least", -MOST_AUC_LOST))
    return {
        figure: {kind: limit, "met": _meets(row[figure]["value"], kind, limit)}
        for figure, kind, limit in bars
        if row[figure] is not None
    }


def _meets(value: float, kind: str, limit: float) -> bool:
    return value >= limit if kind == "at_least" else value <= limit
