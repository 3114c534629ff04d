"""Whatever a decoding library raises becomes one of our own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from model.errors import ImageError, TooLargeError, UnreadableError, UnsupportedError


@contextmanager
def image_errors_only(step: str) -> Iterator[None]:
    """Turn every exception of the block into an `ImageError` that names the step.

    The library's own message is dropped: it may quote what stands in the file. Its class is kept.

    Args:
        step: what was being done, a fixed phrase such as ``decoding``.

    Raises:
        ImageError: `TooLargeError` for a lack of memory and for decompression bombs,
            `UnsupportedError` for what a library says it has not implemented, else
            `UnreadableError`.
    """
    try:
        yield
    except (ImageError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except MemoryError:
        message = f"not enough memory for {step}"
        raise TooLargeError(message) from None
    except Image.DecompressionBombError:  # a later frame or a tile larger than the header said
        message = f"{step}: more pixels than the header declared"
        raise TooLargeError(message) from None
    except NotImplementedError:
        message = f"{step}: this variant is not read"
        raise UnsupportedError(message) from None
    except ValueError as error:
        # What Pillow says of texts and colour profiles that inflate beyond its limit.
        if "Decompressed data too large" not in str(error):
            raise _failed(step, error) from None
        message = f"{step}: a text or colour profile inflates beyond all measure"
        raise TooLargeError(message) from None
    # BaseException: a panic in a plugin written in Rust is not an Exception.
    except BaseException as error:  # noqa: BLE001
        raise _failed(step, error) from None


def _failed(step: str, error: BaseException) -> UnreadableError:
    return UnreadableError(f"{step} failed with {type(error).__name__}")
