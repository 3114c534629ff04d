from __future__ import annotations

import numpy as np

from model.data_report_counts import (
    ClassCounts,
    count_classes,
    count_duplicates,
    count_group_sizes,
    count_scanners,
    size_of,
    source_of,
)
from model.images import Acquisition
from tests.unit.model.report_pictures import make_picture


def test_both_classes_and_the_groups_of_each_source_are_counted() -> None:
    pictures = [
        make_picture(0, source="north", label=1, group="a"),
        make_picture(1, source="south", label=1, group="b"),
        make_picture(2, source="south", label=0, group="b"),
        make_picture(3, source="south", label=0, group="c"),
    ]

    assert count_classes(pictures, source_of) == [
        ClassCounts("south", tumors=1, normals=2, groups=2),
        ClassCounts("north", tumors=1, normals=0, groups=1),
    ]
    assert count_group_sizes(pictures) == [2, 1, 1]


def test_a_size_is_width_by_height() -> None:
    counts = count_classes([make_picture(0, size=(640, 480))], size_of)

    assert [kind.name for kind in counts] == ["640 x 480"]


def test_duplicates_are_counted_by_what_they_cross() -> None:
    pictures = [
        make_picture(0, group="a", label=1),
        make_picture(1, group="a", label=0),
        make_picture(2, group="b", digest="same"),
        make_picture(3, group="c", digest="same"),
        make_picture(4, group="c"),
        make_picture(5, group="d"),
    ]

    found = count_duplicates(pictures, np.array([0, 0, 1, 1, 1, 2]))

    assert found.sizes == [3, 2]
    assert found.copies == 1
    assert found.crossing == 1
    assert found.both_labels == 1


def test_scanner_fields_that_are_not_told_are_unknown() -> None:
    told = Acquisition("Maker", "Model", 1.5, 0.9375, "axial", "T1")

    rows = count_scanners([told, Acquisition(plane="axial"), told])

    assert rows == [
        (("Maker", "Model", "1.5", "T1", "axial", "0.938"), 2),
        (("unknown", "unknown", "unknown", "unknown", "axial", "unknown"), 1),
    ]
