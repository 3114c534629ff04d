"""The codec of `make bench-poison`, called by pydicom in a real decoding process."""

from __future__ import annotations

import pytest

from jobs.decoding_pool import DecodingPool, ImageFailure, PreparedFrame
from model.decoding import DecodingLimits
from model.preprocessing import PreprocessingParameters
from model.reasons import Reason
from tests.torture.poison import HARMLESS_WIDTH, POISON, POISONED_CODEC, encode_jpeg_ls

pytestmark = pytest.mark.slow

LIMITS = DecodingLimits(maximum_bytes=2**24, maximum_pixels=2**22, maximum_frames=50)


def test_a_poisonous_picture_costs_its_own_image_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(POISONED_CODEC)
    widths = [HARMLESS_WIDTH, *POISON.values(), HARMLESS_WIDTH]
    pool = DecodingPool(LIMITS, PreprocessingParameters(size=64), timeout_seconds=10.0)

    with pool:
        results = [
            result for _, (result,) in pool.decode_all((w, encode_jpeg_ls(w)) for w in widths)
        ]

    before, crashing, hanging, hungry, after = results
    assert isinstance(before, PreparedFrame)
    assert isinstance(crashing, ImageFailure)
    assert crashing.reason is Reason.DECODER_CRASH
    assert isinstance(hanging, ImageFailure)
    assert hanging.reason is Reason.TIMED_OUT
    # pydicom asks the second codec when the first one gets no memory.
    assert isinstance(hungry, PreparedFrame)
    assert isinstance(after, PreparedFrame)
