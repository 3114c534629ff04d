"""What ``mri-triage dataset build`` prints when it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from jobs.build_dataset import BuiltDataset
from model.training_dataset import count_crossing_clusters

SHOWN_PROBLEMS: Final = 10
"""Lines on the terminal; the file holds all of them."""


def print_summary(built: BuiltDataset, url: str, console: Console) -> None:
    """Print what was built and what was not."""
    plan = built.plan
    sizes = Counter(plan.clusters.tolist())
    doubles = [size for size in sizes.values() if size > 1]
    console.print(classes_table(built))
    console.print(parts_table(built))
    console.print(
        f"groups: {'as given' if plan.groups_given else 'near-duplicates'}; "
        f"split: {'as given' if plan.split_given else 'dealt out by group'}, "
        f"digest {plan.split_digest[:12]}",
    )
    console.print(
        f"near-duplicates: {len(doubles)} clusters of {sum(doubles)} images, the largest "
        f"{max(doubles, default=0)}; {count_crossing_clusters(plan)} of them in more than one part",
    )
    console.print(f"set aside: {len(plan.set_aside)}, listed in set_aside.csv")
    for one in plan.set_aside[:SHOWN_PROBLEMS]:
        console.print(f"  {one.path}: {one.problem}", markup=False)
    console.print(f"data set {url}: {built.manifest.images} images", soft_wrap=True)


def classes_table(built: BuiltDataset) -> Table:
    """Return the images and groups of each source, by class."""
    images = [one.image for one in built.plan.inspected]
    rows = [
        (
            source,
            sum(image.label == 1 for image in images if image.source == source),
            sum(image.label == 0 for image in images if image.source == source),
            len({image.group_id for image in images if image.source == source}),
        )
        for source in sorted({image.source for image in images})
    ]
    return _table("Sources", ("source", "tumor", "no tumor", "groups"), rows)


def parts_table(built: BuiltDataset) -> Table:
    """Return the images and groups of each part, by class."""
    rows = [
        (
            part,
            sum(image.label == 1 for image in images),
            sum(image.label == 0 for image in images),
            len({image.group_id for image in images}),
        )
        for part, images in built.plan.parts.items()
    ]
    return _table("Parts", ("part", "tumor", "no tumor", "groups"), rows)


def _table(
    title: str,
    headings: tuple[str, ...],
    rows: Sequence[tuple[str, int, int, int]],
) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == headings[0] else "right")
    for name, *numbers in rows:
        table.add_row(name, *map(str, numbers))
    return table
