"""Files as phones, editors and attackers make them, generated here so that every test run has them.

Each photo shows the same `SCENE`, so that the product's output can be compared with it.
"""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import Image

from contract.photos import Reason

pillow_heif.register_heif_opener()

WIDTH, HEIGHT = 360, 280
BROKEN = frozenset({Reason.CORRUPT_IMAGE, Reason.TRUNCATED_IMAGE})
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG colour type


def _scene() -> np.ndarray:
    """Soft colours within sRGB, a red corner at the top left, and noise as from a camera."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    red = 150 + 60 * np.sin(x / 60) + 20 * np.cos(y / 40)
    green = 120 + 60 * np.cos(y / 50)
    blue = 100 + 50 * np.sin((x + y) / 70)
    grain = np.random.default_rng(7).normal(0, 3, (HEIGHT, WIDTH, 1))
    photo = (np.dstack([red, green, blue]) + grain).clip(5, 250).astype(np.uint8)
    photo[:40, :56] = 200, 40, 40
    return photo


SCENE = _scene()
GREY = np.asarray(Image.fromarray(SCENE).convert("L"))


@dataclass(frozen=True)
class DrawnUpload:
    """A file with what it shows (upright sRGB) if it must be accepted, otherwise with the possible reasons.

    With both it may be accepted or refused.
    """

    name: str
    data: bytes
    shows: np.ndarray | None = None
    reasons: frozenset[Reason] = frozenset()


def file_of(photo: np.ndarray | Image.Image, kind: str = "JPEG", **options) -> bytes:
    image = photo if isinstance(photo, Image.Image) else Image.fromarray(photo)
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 95} | options))
    return buffer.getvalue()


# --- PNG by hand: Pillow writes neither interlaced nor most 16-bit files -----------------------------------
def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    samples: np.ndarray,
    colour: int,
    *,
    bits: int = 8,
    interlaced: bool = False,
    extra: Iterable[tuple[bytes, bytes]] = (),
    size: tuple[int, int] | None = None,
) -> bytes:
    """Return a PNG of samples (H, W, channels); `size` is what its header claims."""
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(_rows(samples[y::down, x::right], bits) for x, y, right, down in passes)
    head = struct.pack(">IIBBBBB", *(size or (width, height)), bits, colour, 0, 0, int(interlaced))
    chunks = [(b"IHDR", head), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return PNG_MAGIC + b"".join(chunk(*each) for each in chunks)


PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def _rows(samples: np.ndarray, bits: int) -> bytes:
    height = samples.shape[0]
    flat = samples.reshape(height, -1)
    if bits == 16:
        packed = flat.astype(">u2").view(np.uint8).reshape(height, -1)
    elif bits == 8:
        packed = flat.astype(np.uint8)
    else:
        planes = np.unpackbits(flat.astype(np.uint8)[..., None], axis=2)[..., -bits:]
        packed = np.packbits(planes.reshape(height, -1), axis=1)
    return np.hstack([np.zeros((height, 1), np.uint8), packed]).tobytes()


def _wide(photo: np.ndarray) -> np.ndarray:
    return photo.astype(np.uint16) * 257


def _with_alpha(photo: np.ndarray, alpha: int) -> np.ndarray:
    photo = photo.reshape(HEIGHT, WIDTH, -1)
    return np.dstack([photo, np.full((HEIGHT, WIDTH), alpha, photo.dtype)])


def _paletted(bits: int) -> tuple[bytes, np.ndarray]:
    """Return a palette PNG and what it shows."""
    small = Image.fromarray(SCENE).quantize(2**bits)
    table = np.array(small.getpalette(), np.uint8).reshape(-1, 3)[: 2**bits]
    numbers = np.asarray(small)
    return png(numbers, 3, bits=bits, extra=[(b"PLTE", table.tobytes())]), table[numbers]


def pngs() -> Iterable[DrawnUpload]:
    white = np.full_like(SCENE, 255)
    for interlaced in (False, True):
        how = " interlaced" if interlaced else ""
        yield DrawnUpload(f"png 16-bit rgb{how}", png(_wide(SCENE), 2, bits=16, interlaced=interlaced), SCENE)
        yield DrawnUpload(
            f"png 16-bit grey{how}", png(_wide(GREY), 0, bits=16, interlaced=interlaced), _rgb(GREY)
        )
        yield DrawnUpload(f"png 8-bit rgb{how}", png(SCENE, 2, interlaced=interlaced), SCENE)
        for bits, opaque in ((8, 255), (16, 65535)):
            rgb, grey = (SCENE, GREY) if bits == 8 else (_wide(SCENE), _wide(GREY))
            name = f"png {bits}-bit with alpha{how}"
            options = {"bits": bits, "interlaced": interlaced}
            yield DrawnUpload(f"{name}, rgb", png(_with_alpha(rgb, opaque), 6, **options), SCENE)
            yield DrawnUpload(f"{name}, grey", png(_with_alpha(grey, opaque), 4, **options), _rgb(GREY))
            half = (SCENE.astype(int) + white + 1) // 2
            yield DrawnUpload(f"{name}, half", png(_with_alpha(rgb, opaque // 2 + 1), 6, **options), half)
    for bits in (1, 2, 4, 8):
        yield DrawnUpload(f"png palette of {bits} bits", *_paletted(bits))
        levels = GREY >> (8 - bits)
        shown = _rgb((levels.astype(int) * 255 // (2**bits - 1)).astype(np.uint8))
        yield DrawnUpload(f"png grey of {bits} bits", png(levels, 0, bits=bits), shown)
    yield from _see_through()
    yield DrawnUpload(
        "png with exif at its end",
        file_of(SCENE, "PNG")[:-12] + chunk(b"eXIf", tiff(1)) + chunk(b"IEND", b""),
        SCENE,
    )
    yield DrawnUpload(
        "png that is animated",
        file_of(SCENE, "PNG", save_all=True, append_images=[Image.fromarray(255 - SCENE)]),
        SCENE,
    )
    yield DrawnUpload(
        "png with much text",
        png(SCENE, 2, extra=[(b"zTXt", b"x\0\0" + zlib.compress(bytes(30_000_000)))]),
        SCENE,
        BROKEN,
    )
    yield DrawnUpload(
        "png with gamma of its own",
        png(SCENE, 2, extra=[(b"gAMA", struct.pack(">I", 45455)), (b"sRGB", b"\0")]),
        SCENE,
    )


def _see_through() -> Iterable[DrawnUpload]:
    """A colour that means transparency, in each kind that supports it; the corner becomes white."""
    shown = SCENE.copy()
    shown[:40, :56] = 255
    yield DrawnUpload(
        "png rgb with tRNS", png(SCENE, 2, extra=[(b"tRNS", struct.pack(">HHH", 200, 40, 40))]), shown
    )
    wide = struct.pack(">HHH", *(257 * level for level in (200, 40, 40)))
    yield DrawnUpload(
        "png 16-bit rgb with tRNS", png(_wide(SCENE), 2, bits=16, extra=[(b"tRNS", wide)]), shown
    )
    grey = GREY.copy()
    grey[:40, :56] = 1
    shown_grey = _rgb(grey).copy()
    shown_grey[:40, :56] = 255
    yield DrawnUpload("png grey with tRNS", png(grey, 0, extra=[(b"tRNS", struct.pack(">H", 1))]), shown_grey)
    yield DrawnUpload(
        "png 16-bit grey with tRNS",
        png(_wide(grey), 0, bits=16, extra=[(b"tRNS", struct.pack(">H", 257))]),
        shown_grey,
    )
    numbers = np.zeros((HEIGHT, WIDTH), np.uint8)
    numbers[:, WIDTH // 2 :] = 1
    colours = np.array([[10, 200, 30], [40, 80, 120]], np.uint8)
    for depth in (1, 8):
        extra = [(b"PLTE", colours.tobytes()), (b"tRNS", b"\x00")]
        seen = np.array([[255, 255, 255], [40, 80, 120]], np.uint8)[numbers]
        yield DrawnUpload(
            f"png palette of {depth} bits with tRNS", png(numbers, 3, bits=depth, extra=extra), seen
        )


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


# --- Orientation ------------------------------------------------------------------------------------------
def tiff(orientation: int, order: str = ">", more: bytes = b"") -> bytes:
    """Return an EXIF block by hand, in either byte order."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}IH", 8, 1) + entry + struct.pack(f"{order}I", 0) + more


def stored_for(orientation: int, upright: np.ndarray = SCENE) -> np.ndarray:
    """Return the stored pixels of a file with this orientation."""
    stored = upright.transpose(1, 0, 2) if orientation >= 5 else upright
    return {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1],
        5: stored, 6: stored[::-1], 7: stored[::-1, ::-1], 8: stored[:, ::-1],
    }[orientation].copy()  # fmt: skip


def turned() -> Iterable[DrawnUpload]:
    for orientation in range(1, 9):
        stored = stored_for(orientation)
        for order in "<>":
            exif = b"Exif\0\0" + tiff(orientation, order)
            for kind in ("JPEG", "WEBP"):
                data = file_of(stored, kind, exif=exif)
                yield DrawnUpload(f"{kind} turned {orientation} {order}", data, SCENE)
            data = png(stored, 2, extra=[(b"eXIf", tiff(orientation, order))])
            yield DrawnUpload(f"PNG turned {orientation} {order}", data, SCENE)
        image = Image.fromarray(stored)
        data = file_of(image, "HEIF", exif=b"Exif\0\0" + tiff(orientation), chroma=444)
        yield DrawnUpload(f"HEIF turned {orientation}", data, SCENE)
    for odd in (0, 9, 65535):
        yield DrawnUpload(f"JPEG turned {odd}", file_of(SCENE, exif=b"Exif\0\0" + tiff(odd)), SCENE)
    yield DrawnUpload("JPEG with EXIF cut off", file_of(SCENE, exif=b"Exif\0\0" + tiff(6)[:9]), SCENE)


# --- Colour -----------------------------------------------------------------------------------------------
D65_TO_D50 = np.array(
    [
        [1.0478112, 0.0228866, -0.0501270],
        [0.0295424, 0.9904844, -0.0170491],
        [-0.0092345, 0.0150436, 0.7521316],
    ]
)
PRIMARIES = {  # xy of red, green, blue; white is D65
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "P3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "ProPhoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
}
GAMMA = 563 / 256


def matrix(space: str) -> np.ndarray:
    """Return linear RGB of a space to XYZ under D65."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES[space]]).T
    return xyz * np.linalg.solve(xyz, [0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])


def linear(srgb: np.ndarray) -> np.ndarray:
    level = srgb / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def in_space(space: str, srgb: np.ndarray = SCENE, gamma: float = GAMMA) -> np.ndarray:
    """Return the same colours as levels of another space."""
    other = linear(srgb) @ (np.linalg.inv(matrix(space)) @ matrix("sRGB")).T
    return np.rint(255 * other.clip(0, 1) ** (1 / gamma)).astype(np.uint8)


def profile(space: str, gamma: float = GAMMA, model: bytes = b"RGB ") -> bytes:
    """Return an ICC profile by hand: three primaries (or none, for grey) and a gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": _xyz([0.9642, 1.0, 0.8249])}
    if model == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        columns = (D65_TO_D50 @ matrix(space)).T
        tags |= {
            name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
        }
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s12x4s28xIII", at + len(body), b"test", 0x02400000, b"mntr", model, b"XYZ ",
                       b"acsp", *(round(65536 * level) for level in (0.9642, 1.0, 0.8249)))  # fmt: skip
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(values: Iterable[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def coloured() -> Iterable[DrawnUpload]:
    for space in ("P3", "Adobe RGB", "ProPhoto"):
        levels, icc = in_space(space), profile(space)
        yield DrawnUpload(f"jpeg in {space}", file_of(levels, icc_profile=icc, subsampling=0), SCENE)
        yield DrawnUpload(f"webp in {space}", file_of(levels, "WEBP", icc_profile=icc, lossless=True), SCENE)
        yield DrawnUpload(f"heif in {space}", file_of(levels, "HEIF", icc_profile=icc, chroma=444), SCENE)
        packed = b"icc\0\0" + zlib.compress(icc)
        yield DrawnUpload(f"png in {space}", png(levels, 2, extra=[(b"iCCP", packed)]), SCENE)
        wide = _wide(levels)
        yield DrawnUpload(f"png 16-bit in {space}", png(wide, 2, bits=16, extra=[(b"iCCP", packed)]), SCENE)
        clear = _with_alpha(levels, 255)
        yield DrawnUpload(f"png with alpha in {space}", png(clear, 6, extra=[(b"iCCP", packed)]), SCENE)
        colours = Image.fromarray(SCENE).quantize(256)
        table, numbers = np.array(colours.getpalette(), np.uint8).reshape(-1, 3), np.asarray(colours)
        plte = (b"PLTE", in_space(space, table).tobytes())
        yield DrawnUpload(
            f"png palette in {space}", png(numbers, 3, extra=[(b"iCCP", packed), plte]), table[numbers]
        )
    lit = np.rint(255 * linear(GREY)).astype(np.uint8)
    grey_icc = profile("sRGB", gamma=1.0, model=b"GRAY")
    yield DrawnUpload("grey jpeg with a grey profile", file_of(lit, icc_profile=grey_icc), _rgb(GREY))
    yield DrawnUpload(
        "grey png with a grey profile",
        png(lit, 0, extra=[(b"iCCP", b"g\0\0" + zlib.compress(grey_icc))]),
        _rgb(GREY),
    )
    for name, icc in broken_profiles():
        yield DrawnUpload(f"jpeg with {name}", file_of(SCENE, icc_profile=icc), SCENE)
    yield DrawnUpload("grey jpeg with a colour profile", file_of(GREY, icc_profile=profile("P3")), _rgb(GREY))
    yield DrawnUpload("grey jpeg", file_of(GREY), _rgb(GREY))
    yield from inks()


def broken_profiles() -> Iterable[tuple[str, bytes]]:
    good = profile("P3")
    yield "half a profile", good[: len(good) // 2]
    yield "a profile of zeros", bytes(400)
    yield "a profile of noise", np.random.default_rng(1).bytes(3000)
    yield "a grey profile", profile("sRGB", model=b"GRAY")
    yield "a Lab profile", good[:16] + b"Lab " + good[20:]
    yield "a CMYK profile", good[:16] + b"CMYK" + good[20:]


def inks() -> Iterable[DrawnUpload]:
    """CMYK as Adobe writes it (no ink is 255) and as YCCK."""
    ink = Image.fromarray(SCENE).convert("CMYK")
    yield DrawnUpload("jpeg cmyk", file_of(ink, subsampling=0), SCENE)
    k = ink.split()[3]
    # A YCCK file stores Y, Cb, Cr of the inverse of Adobe's values, and K as Adobe stores it.
    cmy = np.dstack([np.asarray(channel) for channel in ink.split()[:3]])
    luma = 255 - np.asarray(Image.fromarray(cmy).convert("YCbCr"))
    swapped = Image.merge("CMYK", [*(Image.fromarray(each) for each in np.moveaxis(luma, 2, 0)), k])
    data = bytearray(file_of(swapped, subsampling=0))
    at = data.index(b"Adobe") + 11
    data[at] = 2
    yield DrawnUpload("jpeg ycck", bytes(data), SCENE)


# --- JPEG -------------------------------------------------------------------------------------------------
def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("page.html", "<script>alert(1)</script>")
    return buffer.getvalue()


MP4 = (
    struct.pack(">I4s4sI4s", 20, b"ftyp", b"mp42", 0, b"isom")
    + struct.pack(">I4s", 5008, b"mdat")
    + bytes(5000)
)
SAMSUNG = b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFHk\0\0\0\x01\0\0\0SEFT"
MOTION_XMP = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:Camera='http://ns.google.com/photos/1.0/camera/' Camera:MotionPhoto='1'/>"


def jpegs() -> Iterable[DrawnUpload]:
    plain = file_of(SCENE)
    yield DrawnUpload("jpeg", plain, SCENE)
    for sampling in (0, 1, 2):
        yield DrawnUpload(f"jpeg subsampling {sampling}", file_of(SCENE, subsampling=sampling), SCENE)
    yield DrawnUpload("jpeg progressive", file_of(SCENE, progressive=True), SCENE)
    yield DrawnUpload("jpeg restart by blocks", file_of(SCENE, restart_marker_blocks=3), SCENE)
    yield DrawnUpload("jpeg restart by rows", file_of(SCENE, restart_marker_rows=1, progressive=True), SCENE)
    yield DrawnUpload("jpeg rgb stored", file_of(SCENE, keep_rgb=True), SCENE)
    one_colour = np.full((208, 256, 3), (200, 120, 100), np.uint8)
    yield DrawnUpload("jpeg arithmetic", ARITHMETIC, one_colour)
    for name, trailer in (
        ("zip", zipped()),
        ("mp4", MP4),
        ("samsung", SAMSUNG),
        ("zeros", bytes(99)),
        ("another", plain),
        ("php", b"<?php system(1); ?>"),
    ):
        yield DrawnUpload(f"jpeg with a trailer: {name}", plain + trailer, SCENE)
    yield DrawnUpload("jpeg motion photo", with_segments(plain, segment(0xE1, MOTION_XMP)) + MP4, SCENE)
    yield DrawnUpload(
        "mpo", file_of(SCENE, "MPO", save_all=True, append_images=[Image.fromarray(255 - SCENE)]), SCENE
    )
    yield DrawnUpload("jpeg fill bytes", plain[:2] + b"\xff\xff\xff" + plain[2:], SCENE)
    huge = [segment(0xED, bytes(65_000)) for _ in range(60)]
    yield DrawnUpload("jpeg with 4 MB of metadata", with_segments(plain, *huge), SCENE)
    yield DrawnUpload(
        "jpeg with a polyglot comment",
        with_segments(plain, segment(0xFE, b"*/=1;alert(1)/*<svg onload=alert(1)>")),
        SCENE,
    )
    yield DrawnUpload(
        "jpeg with a thumbnail",
        file_of(SCENE, exif=b"Exif\0\0" + tiff(1, more=file_of(255 - SCENE[:100, :100]))),
        SCENE,
    )
    yield DrawnUpload(
        "jpeg zlib of zeros in xmp",
        with_segments(plain, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<" * 60_000)),
        SCENE,
    )
    yield DrawnUpload(
        "jpeg with other Adobe version",
        with_segments(plain, segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01")),
        SCENE,
    )
    gap = plain.index(b"\xff\xdb")
    yield DrawnUpload(
        "jpeg whose ends count wrong is refused or whole", plain[:gap] + b"\0" + plain[gap:], SCENE, BROKEN
    )


# Made with `cjpeg -arithmetic`, which Pillow cannot do: 256 x 208 px of one colour.
ARITHMETIC = base64.b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV00RO70|EjA0|NsD0|NvF2n7WM1O*BQ2L=cX3JeSj3JVJj4iXRz4iOFu3lJ6%5fc;@6"
    "%`B*7Z?^47!ni}6#v@*LjeN>1O)^I2?YfS6b%av6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6ciK`6c"
    "iK`6cqo-01*fP&;bAg0U`hb5di}c0sqVZ3IGrg1pyEd1^?Or3<CiG0ucid06zfIUJWlD887ePK>yh"
)


# --- WebP, HEIF -------------------------------------------------------------------------------------------
def modern() -> Iterable[DrawnUpload]:
    negative = Image.fromarray(255 - SCENE)
    clear = Image.fromarray(_with_alpha(SCENE, 255), "RGBA")
    yield DrawnUpload("webp", file_of(SCENE, "WEBP"), SCENE)
    yield DrawnUpload("webp lossless", file_of(SCENE, "WEBP", lossless=True), SCENE)
    yield DrawnUpload("webp with alpha", file_of(clear, "WEBP"), SCENE)
    yield DrawnUpload("webp lossless with alpha", file_of(clear, "WEBP", lossless=True), SCENE)
    yield DrawnUpload("webp animated", file_of(SCENE, "WEBP", save_all=True, append_images=[negative]), SCENE)
    yield DrawnUpload("webp with a trailer", file_of(SCENE, "WEBP") + zipped(), SCENE)
    yield DrawnUpload("heif", file_of(SCENE, "HEIF", chroma=444), SCENE)
    yield DrawnUpload("heif with alpha", file_of(clear, "HEIF", chroma=444), SCENE)
    yield DrawnUpload("heif grey", file_of(GREY, "HEIF"), _rgb(GREY))
    yield DrawnUpload(
        "heif of two", file_of(SCENE, "HEIF", chroma=444, save_all=True, append_images=[negative]), SCENE
    )
    yield DrawnUpload(
        "heif of two, second first",
        file_of(
            negative,
            "HEIF",
            chroma=444,
            save_all=True,
            append_images=[Image.fromarray(SCENE)],
            primary_index=1,
        ),
        SCENE,
    )
    yield DrawnUpload(
        "heif with a trailer",
        file_of(SCENE, "HEIF", chroma=444) + struct.pack(">I4s", 5008, b"mpvd") + bytes(5000),
        SCENE,
    )
    wide = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), _wide(SCENE).tobytes())
    buffer = io.BytesIO()
    wide.save(buffer, quality=95, chroma=444)
    yield DrawnUpload("png animated", file_of(SCENE, "PNG", save_all=True, append_images=[negative]), SCENE)
    two = file_of(SCENE, "MPO", save_all=True, append_images=[negative])
    yield DrawnUpload("jpeg of two pictures", two, SCENE)
    yield DrawnUpload("heif of 10 or 12 bits", buffer.getvalue(), SCENE)


def file_type(*brands: bytes) -> bytes:
    """Return the first box of an MP4-like file, by which its kind is recognised, and padding."""
    body = brands[0] + bytes(4) + b"".join(brands)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + bytes(400)


# --- Files that must be refused ---------------------------------------------------------------------------
DICOM = bytes(128) + b"DICM\x02\0\0\0UL\x04\0\xc0\0\0\0"
NOT_PHOTOS = {
    "html": b"<!doctype html><img src=x onerror=alert(1)>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/'/></svg>",
    "xml": b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><svg>&e;</svg>",
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "dicom": DICOM,
    "raw": b"II*\0\x10\0\0\0CR\x02\0" + bytes(400),
    "raw fuji": b"FUJIFILMCCD-RAW 0201FF383501" + bytes(400),
    "postscript": b"%!PS\n(%pipe%id) (w) file\n",
    "mvg": b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/'\n",
    "zip": zipped(),
    "mp4": MP4,
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "text": b"moi",
    "one byte": b"\xff",
    "jxl": b"\xff\x0a" + bytes(100),
    "jxl container": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100),
    "canon raw 3": file_type(b"crx ", b"isom"),
    "quicktime": file_type(b"qt  "),
    "avif named by its second brand": file_type(b"mif1", b"miaf", b"avif"),
    "avif sequence": file_type(b"avis", b"msf1"),
    "avc in heif": file_type(b"mif1", b"avci"),
    "jpeg in heif": file_type(b"mif1", b"jpeg"),
    "jpeg 2000 in heif": file_type(b"j2ki", b"mif1"),
    "vvc in heif": file_type(b"mif1", b"vvic"),
    "html before a jpeg": b"<html>" + file_of(SCENE),
    "space before a jpeg": b" " + file_of(SCENE),
}


def not_photos() -> Iterable[DrawnUpload]:
    other = frozenset({Reason.UNSUPPORTED_FORMAT})
    yield DrawnUpload("nothing", b"", reasons=frozenset({Reason.EMPTY_FILE}))
    for name, data in NOT_PHOTOS.items():
        yield DrawnUpload(name, data, reasons=other)
    two = [Image.fromarray(255 - SCENE[:256, :256])]
    for kind in ("GIF", "TIFF", "AVIF"):
        several = file_of(Image.fromarray(SCENE[:256, :256]), kind, save_all=True, append_images=two)
        yield DrawnUpload(f"{kind} of two", several, reasons=other)
    for kind in ("TIFF", "BMP", "GIF", "JPEG2000", "AVIF", "PPM", "ICO", "TGA", "DDS", "PCX", "SGI"):
        image = Image.fromarray(SCENE[:256, :256])
        options = {"quality_layers": [1]} if kind == "JPEG2000" else {}
        yield DrawnUpload(kind, file_of(image, kind, **options), reasons=other)
    for kind in ("JPEG", "PNG", "WEBP", "HEIF"):
        for length in (12, 16, 40):
            head = file_of(SCENE, kind)[:length]
            broken = frozenset({Reason.CORRUPT_IMAGE, Reason.TRUNCATED_IMAGE, Reason.UNSUPPORTED_FORMAT})
            yield DrawnUpload(f"{kind} of {length} bytes", head, reasons=broken)


def bombs() -> Iterable[DrawnUpload]:
    many = frozenset({Reason.TOO_MANY_PIXELS})
    unread = many | {Reason.CORRUPT_IMAGE, Reason.TRUNCATED_IMAGE}
    dot = np.zeros((1, 1), np.uint8)
    yield DrawnUpload("png of 3.6 gigapixels", png(dot, 0, size=(60_000, 60_000)), reasons=many)
    yield DrawnUpload("png of 2^31 pixels", png(dot, 0, size=(2**31 - 1, 2**31 - 1)), reasons=many)
    yield DrawnUpload(
        "png of one bit, 1.6 gigapixels", png(dot, 0, bits=1, size=(40_000, 40_000)), reasons=many
    )
    yield DrawnUpload("png without a width", png(dot, 0, size=(0, 400)), reasons=unread)
    plain = file_of(SCENE)
    yield DrawnUpload("jpeg of 4.2 gigapixels", sized(plain, 65_000, 65_000), reasons=many)
    yield DrawnUpload("jpeg without a height", sized(plain, 0, 360), reasons=unread)
    yield DrawnUpload("jpeg that says a little more", sized(plain, HEIGHT * 4, WIDTH * 4), reasons=unread)
    second = plain[plain.index(b"\xff\xc0") :][: 2 + 17]
    yield DrawnUpload(
        "jpeg of two frames",
        plain[: plain.index(b"\xff\xc0")] + sized(second, 65_000, 65_000) + plain[plain.index(b"\xff\xc0") :],
        reasons=many,
    )
    after = plain.index(b"\xff\xda")
    late = plain[:after] + sized(second, 65_000, 65_000) + plain[after:]
    yield DrawnUpload("jpeg whose second frame is huge", late, reasons=unread)
    yield DrawnUpload("webp of 268 megapixels", vp8x(16384, 16384), reasons=many)
    yield DrawnUpload(
        "webp whose canvas is not its picture",
        vp8x(400, 400, file_of(np.zeros((1000, 1000, 3), np.uint8), "WEBP")[12:]),
        reasons=unread,
    )
    yield DrawnUpload(
        "webp lossless of 268 megapixels",
        b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\xff\xff\xff\x0f\0",
        reasons=unread,
    )
    heif = file_of(SCENE, "HEIF")
    yield DrawnUpload("heif of 4.2 gigapixels", with_ispe(heif, 65_000, 65_000), reasons=unread)
    yield DrawnUpload("heif that says more than it has", with_ispe(heif, 9_000, 9_000), reasons=unread)


def sized(jpeg: bytes, height: int, width: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def vp8x(width: int, height: int, rest: bytes = b"") -> bytes:
    body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    content = b"WEBPVP8X" + struct.pack("<I", 10) + body + rest
    return b"RIFF" + struct.pack("<I", len(content)) + content


def with_ispe(heif: bytes, width: int, height: int) -> bytes:
    at = heif.index(b"ispe") + 8
    return heif[:at] + struct.pack(">II", width, height) + heif[at + 8 :]


def damaged() -> Iterable[DrawnUpload]:
    """Photos with damage in the middle. In WebP and HEIC noise cannot be distinguished from pixels."""
    for name, data in WHOLE.items():
        half = len(data) // 2
        yield DrawnUpload(f"{name}, second half zeros", data[:half] + bytes(len(data) - half), reasons=BROKEN)
        yield DrawnUpload(
            f"{name}, a sector of zeros", data[:half] + bytes(512) + data[half + 512 :], reasons=BROKEN
        )
        missing = data[:half] + data[half + 2000 :]
        yield DrawnUpload(
            f"{name}, a piece missing", missing, SCENE if "progressive" in name else None, BROKEN
        )
        if name.startswith(("jpeg", "png")):
            noise = np.random.default_rng(2).bytes(600)
            yield DrawnUpload(
                f"{name}, noise inside", data[:half] + noise + data[half + 600 :], reasons=BROKEN
            )
    deeper = WHOLE["jpeg"].replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")
    yield DrawnUpload("jpeg of 12 bits by its header", deeper, reasons=BROKEN)
    plain = WHOLE["png"]
    yield DrawnUpload("png whose header is not its own", plain[:19] + b"\x01" + plain[20:], reasons=BROKEN)


WHOLE = {
    "jpeg": file_of(SCENE),
    "jpeg progressive": file_of(SCENE, progressive=True),
    "jpeg restart": file_of(SCENE, restart_marker_blocks=5),
    "jpeg cmyk": file_of(Image.fromarray(SCENE).convert("CMYK")),
    "png": file_of(SCENE, "PNG"),
    "png interlaced": png(SCENE, 2, interlaced=True),
    "webp": file_of(SCENE, "WEBP"),
    "webp lossless": file_of(SCENE, "WEBP", lossless=True),
    "heif": file_of(SCENE, "HEIF"),
}


def all_kinds() -> Iterable[DrawnUpload]:
    for make in (pngs, turned, coloured, jpegs, modern, not_photos, bombs, damaged):
        yield from make()
