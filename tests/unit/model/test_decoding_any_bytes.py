from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.decoding import DecodingLimits
from model.errors import ImageError
from tests.unit.model.decoding_samples import bundled, decode_all, encode, make_slice, ramp, write

ROOT = Path(__file__).parents[3]

SMALL = DecodingLimits(maximum_bytes=2**20, maximum_pixels=2**18, maximum_frames=10)

# Python and Pillow code mostly; native codecs are mutated in the decoding process only, where a
# crash would not end the tests.
SEEDS: Final = [
    encode(ramp(20, 16), "JPEG"),
    encode(ramp(20, 16), "PNG"),
    encode(ramp(20, 16), "BMP"),
    encode(ramp(20, 16), "GIF"),
    write(make_slice(ramp(20, 16), WindowCenter="100", WindowWidth="200")),
    bundled("MR_small_RLE.dcm"),
]

MUTATIONS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.sampled_from(SEEDS), mutations=MUTATIONS, kept=st.floats(0.05, 1))
def test_damaged_bytes_give_pixels_in_range_or_an_image_error(
    seed: bytes, mutations: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(seed[: max(1, int(len(seed) * kept))])
    for place, value in mutations:
        data[int(place * (len(data) - 1))] = value

    for item in decode_all(bytes(data), SMALL):
        if isinstance(item, ImageError):
            assert str(item)
        else:
            assert item.pixels.ndim == 2
            assert item.pixels.dtype == np.float32
            assert np.isfinite(item.pixels).all()
            assert 0.0 <= item.pixels.min() <= item.pixels.max() <= 1.0


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_arbitrary_bytes_give_image_errors(data: bytes) -> None:
    assert all(isinstance(item, ImageError) for item in decode_all(data, SMALL))


def test_neither_decoding_nor_its_process_loads_the_network() -> None:
    code = (
        "import sys, model.decoding, model.preprocessing, jobs.decoding_child, jobs.decoding_pool\n"
        "print(*sorted({'tensorflow', 'keras', 'pyspark'} & sys.modules.keys()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""
