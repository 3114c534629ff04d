"""How well a bundle's scope gate tells brain MR from other pictures: counted, not estimated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle
from model.card import ScopeCheck, ScopeCount
from model.inference import load_scorer
from model.measurement import PreparedPart, ScoredPart
from model.out_of_scope import make_out_of_scope_pictures
from model.preprocessing import prepare_image


def check_scope_gate(bundle: Bundle, part: PreparedPart, scored: ScoredPart) -> ScopeCheck:
    """Count what the gate calls out of scope.

    Args:
        bundle: whose gate it is.
        part: brain MR that the gate was not fitted on.
        scored: its scores.

    Returns:
        Counts over the pictures of `make_out_of_scope_pictures` that nothing was chosen on, by
        kind, and over the part, by source.
    """
    kinds, inputs, features = [], [], []
    for picture in make_out_of_scope_pictures("measuring"):
        prepared = prepare_image(picture.image, bundle.card.preprocessing)
        kinds.append(picture.kind)
        inputs.append(prepared.network_input)
        features.append(prepared.picture_features)
    scores = load_scorer(bundle, threads=2).score(np.stack(inputs), np.stack(features))
    limit = bundle.card.minimum_scope_score
    return ScopeCheck(
        not_brain_mr=count_out_of_scope(kinds, scores.scope_scores, limit),
        brain_mr=count_out_of_scope(
            [image.source for image in part.images],
            scored.raw.scope_scores,
            limit,
        ),
    )


def count_out_of_scope(
    names: Iterable[str],
    scope_scores: npt.NDArray[np.float64],
    minimum: float,
) -> dict[str, ScopeCount]:
    """Count by name, and over all, how many scores lie below the minimum or are not numbers."""
    out: dict[str, list[bool]] = defaultdict(list)
    for name, score in zip(names, scope_scores.tolist(), strict=True):
        is_out = not score >= minimum
        out["all"].append(is_out)
        out[name].append(is_out)
    return {
        name: ScopeCount(n=len(out[name]), out_of_scope=sum(out[name]))
        for name in ("all", *sorted(out.keys() - {"all"}))
        if name in out
    }
