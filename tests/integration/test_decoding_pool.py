from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.decoding_pool import DecodingPool, FrameResult, ImageFailure, PreparedFrame
from model.decoding import DecodingLimits
from model.errors import ConfigurationError, ImageError, NotRetrievedError
from model.preprocessing import PreparedImage, PreprocessingParameters
from model.reasons import Reason
from tests.integration import planted_preparations as planted

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PLANTED = "tests.integration.planted_preparations"
MOST_PAGES_AN_IMAGE = 30
LIMITS = DecodingLimits(maximum_bytes=2**24, maximum_pixels=2**22, maximum_frames=50)


def picture(width: int, height: int = 20) -> bytes:
    levels = np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def make_pool(
    function: str = "measure",
    parameters: object = 0.5,
    *,
    timeout_seconds: float = 60.0,
    memory_bytes: int = 2**30,
    ahead: int = 64,
) -> DecodingPool:
    return DecodingPool(
        LIMITS,
        parameters,
        prepare=f"{PLANTED}:{function}",
        timeout_seconds=timeout_seconds,
        memory_bytes=memory_bytes,
        ahead=ahead,
    )


def widths(results: list[tuple[int, list[FrameResult]]]) -> list[object]:
    return [
        result.prepared[0] if isinstance(result, PreparedFrame) else result.reason  # type: ignore[index]
        for _, (result,) in results
    ]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_results_come_in_order_with_what_is_known_of_the_frame() -> None:
    with make_pool() as pool:
        results = list(pool.decode_all((width, picture(width)) for width in range(20, 50)))

    assert [tag for tag, _ in results] == list(range(20, 50))
    assert widths(results) == list(range(20, 50))
    assert results[0][1] == [PreparedFrame(prepared=(20, 20, 0.5), format="png", frame=0)]  # type: ignore[arg-type]


def test_the_real_preprocessing_gives_small_arrays() -> None:
    with DecodingPool(LIMITS, PreprocessingParameters(size=64)) as pool:
        ((_, (result,)),) = pool.decode_all([("a", picture(80, 90))])

    assert isinstance(result, PreparedFrame)
    assert isinstance(result.prepared, PreparedImage)
    assert result.prepared.network_input.shape == (64, 64)
    assert result.prepared.network_input.dtype == np.uint8


def test_memory_stays_with_the_process_from_image_to_image() -> None:
    # Given back to the system, it costs a millisecond an image to be had again, page by page.
    slices = [slice_of(seed) for seed in range(40)]
    parameters = PreprocessingParameters(size=192)
    with DecodingPool(LIMITS, parameters) as pool:
        decode_all(pool, slices)
        process = pool._process
        assert process is not None
        before = pages_had_again(process.pid)
        decode_all(pool, slices)

        assert pages_had_again(process.pid) - before < 40 * MOST_PAGES_AN_IMAGE


def slice_of(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 90, (512, 512), dtype=np.uint8)
    noise[150:350, 130:380] += 120
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


def decode_all(pool: DecodingPool, objects: list[bytes]) -> None:
    for _, results in pool.decode_all(enumerate(objects)):
        assert isinstance(results[0], PreparedFrame)


def pages_had_again(pid: int) -> int:
    """Return the minor page faults of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[7])


def test_a_segmentation_fault_costs_its_own_image_only() -> None:
    with make_pool() as pool:
        results = list(
            pool.decode_all((n, picture(n)) for n in (20, planted.CRASHING_WIDTH, 22, 23))
        )

    assert widths(results) == [20, Reason.DECODER_CRASH, 22, 23]
    failure = results[1][1][0]
    assert isinstance(failure, ImageFailure)
    assert failure.detail == "the decoding process ended by signal 11"
    assert failure.frame is None


def test_crash_after_crash_is_survived() -> None:
    crashing = planted.CRASHING_WIDTH

    with make_pool() as pool:
        results = list(pool.decode_all((n, picture(n)) for n in (crashing, crashing, 20, crashing)))

    assert widths(results) == [
        Reason.DECODER_CRASH,
        Reason.DECODER_CRASH,
        20,
        Reason.DECODER_CRASH,
    ]


def test_a_hang_is_ended_at_the_time_limit() -> None:
    with make_pool(timeout_seconds=1.0) as pool:
        results = list(pool.decode_all((n, picture(n)) for n in (20, planted.HANGING_WIDTH, 22)))

    assert widths(results) == [20, Reason.TIMED_OUT, 22]


def test_memory_beyond_the_limit_is_refused_and_the_process_lives_on() -> None:
    with make_pool(memory_bytes=2**28) as pool:
        results = list(pool.decode_all((n, picture(n)) for n in (20, planted.HUNGRY_WIDTH, 22)))

    assert widths(results) == [20, Reason.TOO_LARGE, 22]


def test_an_error_of_the_preprocessing_is_a_row_without_the_error_text() -> None:
    with make_pool() as pool:
        results = list(
            pool.decode_all(
                (n, picture(n)) for n in (planted.FAILING_WIDTH, planted.REFUSED_WIDTH)
            ),
        )

    assert results[0][1] == [
        ImageFailure(Reason.DECODER_CRASH, "preparing failed with ValueError", "png", 0),
    ]
    assert results[1][1] == [ImageFailure(Reason.UNREADABLE, "refused", "png", 0)]


def test_unreadable_empty_and_unfetched_objects_keep_their_place() -> None:
    items: list[tuple[str, bytes | ImageError]] = [
        ("cut", picture(40)[:60]),
        ("empty", b""),
        ("gone", NotRetrievedError("the object is gone")),
        ("good", picture(41)),
    ]

    with make_pool() as pool:
        results = list(pool.decode_all(items))

    assert [tag for tag, _ in results] == ["cut", "empty", "gone", "good"]
    assert widths(results) == [Reason.UNREADABLE, Reason.EMPTY_OBJECT, Reason.NOT_RETRIEVED, 41]  # type: ignore[arg-type]


def test_results_larger_than_a_pipe_do_not_block_large_objects() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1500, 1500), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")

    with make_pool("return_much") as pool:
        results = list(pool.decode_all((n, buffer.getvalue()) for n in range(6)))

    assert [len(result[0].prepared) for _, result in results] == [8 * 2**20] * 6  # type: ignore[arg-type,union-attr]


def test_only_so_many_objects_are_taken_ahead() -> None:
    taken: list[int] = []

    def source() -> Iterator[tuple[int, bytes]]:
        for width in range(20, 60):
            taken.append(width)
            yield width, picture(width)

    with make_pool(ahead=5) as pool:
        next(pool.decode_all(source()))

    assert len(taken) == 6


def test_the_process_decodes_ahead_while_its_results_are_used() -> None:
    with make_pool(ahead=20) as pool:
        results = pool.decode_all((n, picture(n)) for n in range(20, 60))
        next(results)
        deadline = time.monotonic() + 20
        while pool._in_process and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not pool._in_process
        assert len(list(results)) == 39


def test_credentials_and_tensorflow_stay_out_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "invented")
    monkeypatch.setenv("MRI_TRIAGE_IDENTIFIER_KEY", "invented")

    with make_pool("look_around") as pool:
        ((_, (result,)),) = pool.decode_all([("a", picture(20))])

    assert isinstance(result, PreparedFrame)
    names, has_tensorflow, parent = result.prepared  # type: ignore[misc]
    assert not {name for name in names if name.startswith(("AWS", "MRI"))}  # type: ignore[has-type]
    assert not has_tensorflow  # type: ignore[has-type]
    assert parent == os.getpid()  # type: ignore[has-type]


def test_closing_ends_a_hanging_process_at_once_and_leaves_no_zombie(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    ended: list[bool] = []
    with make_pool("tell_pid", str(told)) as pool:
        results = pool.decode_all([("a", picture(20))])
        reader = threading.Thread(target=lambda: ended.append(await_end(results)), daemon=True)
        reader.start()
        pid = wait_for_pid(told)
        started = time.monotonic()

    assert time.monotonic() - started < 5
    reader.join(timeout=5)
    assert ended == [True]
    assert not Path(f"/proc/{pid}").exists()


def test_the_process_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = (
        "import sys\n"
        "from tests.integration.test_decoding_pool import make_pool, picture\n"
        "with make_pool('tell_pid', sys.argv[1]) as pool:\n"
        "    list(pool.decode_all([('a', picture(20))]))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(told)], cwd=ROOT)
    pid = wait_for_pid(told)

    parent.kill()
    parent.wait()

    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def test_a_process_that_cannot_start_is_no_image_s_fault() -> None:
    pool = DecodingPool(LIMITS, None, prepare="no_such_module:function")

    with pool, pytest.raises(ConfigurationError, match="no_such_module"):
        list(pool.decode_all([("a", picture(20)), ("b", picture(21))]))


def await_end(results: Iterator[object]) -> bool:
    try:
        next(results)
    except CancelledError:
        return True
    return False


def wait_for_pid(path: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and path.read_text("ascii"):
            return int(path.read_text("ascii"))
        time.sleep(0.05)
    message = "the decoding process did not start"
    raise TimeoutError(message)
