"""Builds the mini lake: `python -m tests.mini_lake.build --out tests/mini_lake/lake`.

The lake holds `incoming/night=.../`; `truth.csv` and `masks/` are written beside it. The same
environment writes the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.mini_lake.anatomy import Atlas, Plane, load_atlas
from tests.mini_lake.bad_files import (
    EXPECTED_REASONS,
    TEXT,
    BadKind,
    encode_absurd_png,
    encode_bundled_photograph,
    truncate,
)
from tests.mini_lake.dicom_files import (
    SliceTags,
    encode_presentation_state,
    encode_report,
    encode_slice,
    encode_slice_without_pixels,
)
from tests.mini_lake.encoding import encode_jpeg, encode_mask, encode_png, encode_png_16_bit
from tests.mini_lake.plan import BadObject, DicomStudy, Format, Night, Picture, plan_nights
from tests.mini_lake.recipes import SliceRecipe, draw_recipe
from tests.mini_lake.slices import PaintedSlice, paint_slice

TRUTH_COLUMNS: Final = (
    "night",
    "object_key",
    "kind",
    "expected_reasons",
    "lesion_type",
    "lesion_diameter_mm",
    "plane",
    "contrast",
    "skull",
    "format",
    "mask",
)

_MNI_AXIAL_ORIGIN: Final = 72  # voxel level of the anterior commissure's plane
_HEALTHY_SEED: Final = 7001
_PHOTOGRAPHS: Final = {"kitchen": "coffee", "cat": "chelsea"}


@dataclass(frozen=True)
class LakeFile:
    """One object with its row of the truth and, if it shows a lesion, the mask's file."""

    key: str
    data: bytes
    truth: dict[str, str]
    mask: bytes | None = None


def build_lake(out: Path) -> None:
    """Writes the lake at `out`, `truth.csv` and `masks/` beside it; replaces what is there."""
    atlas = load_atlas()
    # All of it is made before anything is removed: a failure leaves the old lake alone.
    made = [file for night in plan_nights() for file in make_night(atlas, night)]
    for folder in (out, out.parent / "masks"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for file in made:
        _write_bytes(out / file.key, file.data)
        if file.mask is not None:
            _write_bytes(out.parent / file.truth["mask"], file.mask)
    _write_truth(out.parent / "truth.csv", [file.truth for file in made])


def make_night(atlas: Atlas, night: Night) -> Iterator[LakeFile]:
    """Makes every object of a night."""
    prefix = f"incoming/night={night.date}/"
    for picture in night.pictures:
        yield _make_picture(atlas, prefix, picture)
    for study in night.studies:
        yield from _make_study(atlas, prefix, study)
    for bad in night.bad:
        yield _make_bad(atlas, prefix, bad, night)


def _make_picture(atlas: Atlas, prefix: str, picture: Picture) -> LakeFile:
    painted = paint_slice(atlas, picture.recipe)
    data = {
        Format.JPEG: lambda: encode_jpeg(painted.pixels, picture.quality),
        Format.PNG: lambda: encode_png(painted.pixels),
        Format.PNG_16_BIT: lambda: encode_png_16_bit(painted.pixels),
    }[picture.format]()
    return _describe(prefix + picture.key, picture.format, picture.recipe, painted, data)


def _make_study(atlas: Atlas, prefix: str, study: DicomStudy) -> Iterator[LakeFile]:
    slices_a_series = len(study.recipes) // len(study.transfer_syntaxes)
    for index, recipe in enumerate(study.recipes):
        series, instance = divmod(index, slices_a_series)
        painted = paint_slice(atlas, recipe)
        tags = SliceTags(
            series=series + 1,
            instance=instance + 1,
            plane=recipe.plane,
            contrast=recipe.contrast,
            spacing_mm=recipe.spacing_mm,
            level_mm=float(recipe.level - _MNI_AXIAL_ORIGIN),
            transfer_syntax=study.transfer_syntaxes[series],
            inverted=study.inverted,
        )
        data = encode_slice(painted.pixels, study.examination, tags)
        key = f"{prefix}{study.folder}/series-{series + 1}/slice-{instance + 1:03d}.dcm"
        yield _describe(key, Format.DICOM, recipe, painted, data)


def _describe(
    key: str,
    format_: Format,
    recipe: SliceRecipe,
    painted: PaintedSlice,
    data: bytes,
) -> LakeFile:
    truth = dict.fromkeys(TRUTH_COLUMNS, "") | {
        "night": key.split("/")[1].removeprefix("night="),
        "object_key": key,
        "kind": "clean" if recipe.lesion is None else "tumor",
        "plane": recipe.plane.value,
        "contrast": recipe.contrast.value,
        "skull": "yes" if recipe.skull else "no",
        "format": format_.value,
    }
    if recipe.lesion is None or painted.lesion is None:
        return LakeFile(key=key, data=data, truth=truth)
    stem = key.removeprefix("incoming/night=").rsplit(".", 1)[0].replace("/", "_")
    truth["lesion_type"] = recipe.lesion.type.value
    truth["lesion_diameter_mm"] = str(painted.lesion_diameter_mm)
    truth["mask"] = f"masks/{stem}.png"
    return LakeFile(key=key, data=data, truth=truth, mask=encode_mask(painted.lesion))


def _make_bad(atlas: Atlas, prefix: str, bad: BadObject, night: Night) -> LakeFile:
    truth = dict.fromkeys(TRUTH_COLUMNS, "") | {
        "night": night.date,
        "object_key": prefix + bad.key,
        "kind": "bad",
        "expected_reasons": "|".join(EXPECTED_REASONS[bad.kind]),
        "format": bad.kind.value,
    }
    return LakeFile(key=prefix + bad.key, data=_make_bad_bytes(atlas, bad, night), truth=truth)


def _make_bad_bytes(atlas: Atlas, bad: BadObject, night: Night) -> bytes:
    # A DICOM object belongs to the examination whose folder it lies in, else to the night's first.
    study = next(
        (study for study in night.studies if bad.key.startswith(study.folder + "/")),
        night.studies[0],
    )
    examination = study.examination
    tags = SliceTags(
        series=80,
        instance=1,
        plane=Plane.SAGITTAL,
        contrast=study.recipes[0].contrast,
        spacing_mm=250 / 96,
        level_mm=0.0,
        localizer=bad.kind is BadKind.LOCALIZER,
    )
    makers: dict[BadKind, Callable[[], bytes]] = {
        BadKind.TRUNCATED_JPEG: lambda: truncate(_make_healthy_jpeg(atlas), 0.45),
        BadKind.EMPTY: lambda: b"",
        BadKind.TEXT: lambda: TEXT,
        BadKind.NO_PIXELS: lambda: encode_slice_without_pixels(examination, tags),
        BadKind.PHOTOGRAPH: lambda: encode_bundled_photograph(_PHOTOGRAPHS[Path(bad.key).stem]),
        BadKind.ABSURD_SIZE: encode_absurd_png,
        BadKind.REPORT: lambda: encode_report(examination),
        BadKind.PRESENTATION_STATE: lambda: encode_presentation_state(examination),
        BadKind.LOCALIZER: lambda: encode_slice(
            _paint_localizer(atlas, study.recipes[0]).pixels,
            examination,
            tags,
        ),
    }
    return makers[bad.kind]()


def _make_healthy_jpeg(atlas: Atlas) -> bytes:
    return encode_jpeg(paint_slice(atlas, draw_recipe(_HEALTHY_SEED, with_lesion=False)).pixels, 88)


def _paint_localizer(atlas: Atlas, recipe: SliceRecipe) -> PaintedSlice:
    """A coarse sagittal slice of the same person."""
    return paint_slice(
        atlas,
        replace(
            recipe,
            plane=Plane.SAGITTAL,
            level=90,
            height=96,
            width=96,
            spacing_mm=250 / 96,
            acquired_spacing_mm=250 / 96,
            level_mm_down=6.0,
            lesion=None,
        ),
    )


def _write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_truth(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, TRUTH_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["object_key"]))


def main() -> None:
    """Builds the lake where the command line says."""
    parser = argparse.ArgumentParser(description="Build the mini lake.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the lake; replaced")
    build_lake(parser.parse_args().out)


if __name__ == "__main__":
    main()
