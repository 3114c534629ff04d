"""Pictures and other files that name a person wherever their formats have room for text."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.privacy.identity import BIRTH_DATE, FAMILY, GIVEN, PATIENT_ID
from tests.privacy.planted_dicom import LINE

XMP: Final = f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{LINE}</dc:title></rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()

_IMAGE_DESCRIPTION, _ARTIST, _COPYRIGHT, _XP_AUTHOR, _PAGE_NAME = 270, 315, 33432, 40093, 285
_TEXT_CHUNKS: Final = ("Title", "Author", "Description", "Comment", f"{FAMILY} {GIVEN}")


def planted_pictures() -> Iterator[tuple[str, bytes]]:
    """Yield a name and the bytes of each file."""
    jpeg, png, tiff = make_jpeg(), make_png(), make_tiff()
    yield from {"picture.jpg": jpeg, "picture.png": png, "picture.tif": tiff}.items()
    yield "picture.gif", make_gif()
    yield "volume.nii", make_nifti()
    for name, data in {"jpg": jpeg, "png": png, "tif": tiff, "nii": make_nifti()}.items():
        yield f"truncated.{name}", data[: len(data) * 2 // 3]
    yield "broken-text-chunk.png", png.replace(LINE.encode(), LINE.encode().swapcase())
    yield "name-as-chunk.png", png[:33] + chunk(FAMILY[:4].encode(), LINE.encode()) + png[33:]
    yield "bomb.png", make_bomb()
    yield "too-many-bytes.png", png + LINE.encode() * 40_000
    yield "note.txt", LINE.encode()
    yield "report.pdf", b"%PDF-1.7\n% " + LINE.encode()
    yield "empty.dcm", b""
    yield "zeros.dcm", bytes(5000)


def make_jpeg() -> bytes:
    """Make a JPEG with the person in its comment, EXIF and XMP."""
    buffer = io.BytesIO()
    ramp().save(buffer, "JPEG", exif=make_exif(), comment=LINE.encode(), xmp=XMP)
    return buffer.getvalue()


def make_png() -> bytes:
    """Make a PNG with the person in every kind of text chunk, EXIF and XMP."""
    info = PngInfo()
    for keyword in _TEXT_CHUNKS:
        info.add_text(keyword, LINE.encode("latin-1"))
        info.add_text(keyword, LINE.encode("latin-1"), zip=True)
        info.add_itxt(keyword, LINE, zip=True)
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    buffer = io.BytesIO()
    ramp().save(buffer, "PNG", pnginfo=info, exif=make_exif())
    return buffer.getvalue()


def make_tiff() -> bytes:
    """Make a TIFF with the person in its descriptions."""
    texts = {_IMAGE_DESCRIPTION: LINE, _ARTIST: LINE, _PAGE_NAME: LINE, 700: XMP}
    buffer = io.BytesIO()
    ramp().save(buffer, "TIFF", tiffinfo=texts)
    return buffer.getvalue()


def make_gif() -> bytes:
    """Make a GIF with the person in its comment."""
    buffer = io.BytesIO()
    ramp().save(buffer, "GIF", comment=LINE.encode()[:250])
    return buffer.getvalue()


def make_nifti() -> bytes:
    """Make a NIfTI volume with the person in its text fields and an extension."""
    header = bytearray(352)
    struct.pack_into("<i10s18s", header, 0, 348, PATIENT_ID.encode(), FAMILY.encode())
    struct.pack_into("<8h", header, 40, 3, 64, 64, 3, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)  # 16-bit integers
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352 + 96)  # where the voxels begin
    struct.pack_into("<f", header, 112, 1)
    struct.pack_into("<80s24s", header, 148, LINE.encode()[:80], f"{GIVEN}.nii".encode())
    struct.pack_into("<16s4s", header, 328, BIRTH_DATE.encode(), b"n+1\0")
    struct.pack_into("<4B", header, 348, 1, 0, 0, 0)
    extension = struct.pack("<ii88s", 96, 6, LINE.encode())
    voxels = np.tile(np.arange(64, dtype="<i2"), 64 * 3)
    return bytes(header) + extension + voxels.tobytes()


def make_bomb() -> bytes:
    """Make a PNG that declares far more pixels than it may."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    text = chunk(b"tEXt", b"Author\0" + LINE.encode())
    return b"\x89PNG\r\n\x1a\n" + head + text + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def make_exif() -> bytes:
    """Make EXIF data that hold the person, also as Windows writes it (UTF-16)."""
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = LINE
    exif[_ARTIST] = exif[_COPYRIGHT] = f"{FAMILY} {GIVEN}"
    exif[_XP_AUTHOR] = LINE.encode("utf-16-le")
    return exif.tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    """Make a PNG chunk."""
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def ramp() -> Image.Image:
    """Make a gray picture."""
    levels = np.linspace(0, 255, 96 * 96).reshape(96, 96).astype(np.uint8)
    return Image.fromarray(levels)
