"""How many normal studies would be cleared: a simulation from normal slices.

A study is cleared only if every slice of it is. The labelled collections hold slices, not whole
studies, so that studies have to be made up. How alike the slices of one study are decides the
result; the two extremes are given beside it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.metrics import Flags

STUDY_LENGTHS: Final = (1, 5, 30, 150)
SIMULATED_STUDIES: Final = 2000

Groups = npt.NDArray[np.str_]


@dataclass(frozen=True)
class NormalSlices:
    """What became of n normal slices.

    Attributes:
        cleared: (n,).
        groups: (n,) group of each slice.
        sources: (n,) source of each slice.
    """

    cleared: Flags
    groups: Groups
    sources: Groups


def simulate_cleared_share(
    normals: NormalSlices, length: int, seed: int
) -> dict[str, float] | None:
    """Simulate the share of normal studies of `length` slices that are cleared.

    A simulated study starts with a slice's group and takes all its slices before it goes on to
    another group of the same source, so that slices that belong together stay together.

    Returns:
        simulated: as described; if_independent: every slice drawn by itself; if_one_group: every
        slice of a study drawn from one group, with replacement. None without normals.
    """
    if not normals.cleared.size:
        return None
    share = float(normals.cleared.mean())
    members = _members_by_source(normals)
    of_group = {
        group: float(normals.cleared[normals.groups == group].mean())
        for group in set(normals.groups.tolist())
    }
    alike = np.array([of_group[group] for group in normals.groups.tolist()])
    random = np.random.default_rng(seed)
    starts = random.integers(normals.cleared.size, size=SIMULATED_STUDIES)
    cleared = [_simulate_study(normals, members, int(start), length, random) for start in starts]
    return {
        "simulated": round(float(np.mean(cleared)), 4),
        "if_independent": round(share**length, 4),
        "if_one_group": round(float((alike**length).mean()), 4),
    }


def _simulate_study(
    normals: NormalSlices,
    members: dict[str, dict[str, Flags]],
    start: int,
    length: int,
    random: np.random.Generator,
) -> bool:
    groups = members[str(normals.sources[start])]
    names = list(groups)
    drawn = groups[str(normals.groups[start])]
    left = length
    while True:
        taken = drawn if left >= drawn.size else random.choice(drawn, size=left, replace=False)
        left -= taken.size
        if not taken.all():
            return False
        if left == 0:
            return True
        drawn = groups[names[int(random.integers(len(names)))]]


def _members_by_source(normals: NormalSlices) -> dict[str, dict[str, Flags]]:
    members: dict[str, dict[str, Flags]] = defaultdict(dict)
    for source in sorted(set(normals.sources.tolist())):
        here = normals.sources == source
        for group in sorted(set(normals.groups[here].tolist())):
            members[source][group] = normals.cleared[here & (normals.groups == group)]
    return members
