"""TIFF: strips and tiles from Pillow's libtiff, sample layout from the fields.

Pillow supports few sample layouts.  Byte-oriented compression is therefore decoded as
an 8-bit picture whose width is the number of bytes in a row, and `samples` unpacks the
bytes.  JPEG and fax compression code pictures, and are decoded by Pillow alone.
"""

import dataclasses

import numpy as np
from jaxtyping import Shaped, UInt8

from dlf_jax.data.images import Unsupported
from dlf_jax.data.images.camera import colour_of
from dlf_jax.data.images.color import Lab
from dlf_jax.data.images.directory import Directory, Tag
from dlf_jax.data.images.exif import read_exif
from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check, eight_bits, opened, planes
from dlf_jax.data.images.samples import undo_prediction, unpacked
from dlf_jax.data.images.ycc import from_ycc

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCC = 0, 1, 2, 3, 5, 6
_CIE_LAB, _ICC_LAB = 8, 9
_CHANNELS = {
    **dict.fromkeys((_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE), 1),
    **dict.fromkeys((_RGB, _YCC, _CIE_LAB, _ICC_LAB), 3),
    _CMYK: 4,
}
# No compression, LZW, deflate, PackBits, LZMA and Zstandard.
_OF_BYTES = {1, 5, 8, 32946, 32773, 34925, 50000}
_OF_PICTURES = {2: 1, 3: 1, 4: 1, 6: 8, 7: 8}  # fax and JPEG -> bits per sample
_FORMATS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}
_CONTIGUOUS, _PLANAR = 1, 2
_MAX_CHANNELS = 16  # the pixel limit assumes fewer
_NO_PREDICTOR, _HORIZONTAL = 1, 2
_PREMULTIPLIED, _ALPHA = 1, 2
_BT601 = (0.299, 0.587, 0.114)
_FULL_RANGE = (0, 255, 128, 255, 128, 255)  # black and white of each component
_SENSORS = {32803, 34892}  # photometric interpretations of camera RAW


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Layout of the samples.

    Attributes:
      width, height: picture size, in pixels.
      bits: bits per sample.
      channels: samples per pixel.
      unit: columns and rows of a data unit of subsampled YCbCr; (1, 1) otherwise.
      planar: the channels are separate planes.
    """

    width: int
    height: int
    bits: int
    channels: int
    unit: tuple[int, int]
    planar: bool

    @property
    def unit_samples(self) -> int:
        """Consecutive samples of one pixel or unit; 1 for separate planes."""
        columns, rows = self.unit
        return 1 if self.planar else columns * rows + self.channels - 1


def read(data: bytes, check: Check) -> Picture:
    """Reads the first page of a TIFF file."""
    fields = Directory(data)
    _reject_camera_raw(data, fields)
    width, height = fields.value(Tag.WIDTH), fields.value(Tag.HEIGHT)
    check(width, height)
    layout = _layout(fields, width, height)
    if fields.value(Tag.COMPRESSION, 1) in _OF_BYTES:
        picture = _picture(_samples(fields, layout, check), fields, layout)
    else:
        picture = _by_pillow(fields, layout, check)
    picture.orientation = fields.value(Tag.ORIENTATION, 1)
    if picture.colour is None:
        picture.colour = colour_of(fields.raw(Tag.PROFILE), read_exif(data))
    return picture


def _reject_camera_raw(data: bytes, fields: Directory) -> None:
    """Rejects RAW files of cameras, whose first page is a small preview."""
    reduced = fields.value(Tag.SUBFILE, 0) & 1
    if (
        Tag.DNG_VERSION in fields
        or data[8:10] == b"CR"
        or (reduced and Tag.SUBDIRECTORIES in fields)
        or fields.value(Tag.PHOTOMETRIC, _BLACK_IS_ZERO) in _SENSORS
    ):
        raise Unsupported("is a camera's RAW file: develop it to JPEG, PNG or TIFF")


def _layout(fields: Directory, width: int, height: int) -> _Layout:
    """Checks that the samples are supported, and returns their layout."""
    channels = fields.value(Tag.SAMPLES, 1)
    bits = set(fields.values(Tag.BITS, (1,)))
    formats = set(fields.values(Tag.FORMAT, (1,)))
    photometric = fields.value(Tag.PHOTOMETRIC)
    if photometric not in _CHANNELS:
        raise Unsupported(
            f"has TIFF photometric interpretation {photometric}: convert it to PNG"
        )
    known = _CHANNELS[photometric] <= channels <= _MAX_CHANNELS
    if not known or len(bits) > 1 or not width or not height:
        raise ValueError(f"{channels} samples of {sorted(bits)} bits")
    (depth,) = bits
    kinds = {_FORMATS[number] for number in formats & _FORMATS.keys()}
    if depth > 16 and "floating-point" not in kinds:
        raise Unsupported(
            f"is a TIFF whose range of {depth} bits has no fixed meaning: convert it "
            "to PNG"
        )
    if kinds - ({"signed"} if photometric in (_CIE_LAB, _ICC_LAB) else set()):
        raise Unsupported(
            f"has {' and '.join(kinds)} samples without a fixed range: convert it to "
            "PNG"
        )
    if depth < 1:
        raise ValueError("samples of no bits")
    unit = 1, 1
    if photometric == _YCC:
        unit = _unit(fields)
    planar = fields.value(Tag.PLANES, _CONTIGUOUS) == _PLANAR and channels > 1
    return _Layout(width, height, depth, channels, unit, planar)


def _unit(fields: Directory) -> tuple[int, int]:
    """Columns and rows that share a chroma sample; checks the YCbCr encoding."""
    expected = {Tag.YCC_WEIGHTS: _BT601, Tag.YCC_REFERENCE: _FULL_RANGE}
    for tag, numbers in expected.items():
        fractions = np.array(fields.values(tag, ())).reshape(-1, 2)
        stored = fractions[:, 0] / np.maximum(fractions[:, 1], 1)
        if len(stored) and not np.allclose(stored, numbers, atol=1e-3):
            raise Unsupported("has unusual YCbCr colours: convert it to RGB")
    columns, rows = fields.values(Tag.YCC_SUBSAMPLING, (2, 2))
    if columns not in (1, 2, 4) or rows not in (1, 2, 4):
        raise ValueError(f"subsampling {columns}x{rows}")
    return columns, rows


def _samples(
    fields: Directory, layout: _Layout, check: Check
) -> Shaped[np.ndarray, "H W C"]:
    """Stored samples."""
    columns, rows = layout.unit
    predictor = fields.value(Tag.PREDICTOR, _NO_PREDICTOR)
    if fields.value(Tag.COMPRESSION, 1) not in (5, 8, 32946, 34925, 50000):
        predictor = _NO_PREDICTOR  # other compressions have no predictor
    if layout.unit != (1, 1) and (layout.planar or predictor != _NO_PREDICTOR):
        raise Unsupported("has unusual YCbCr colours: convert it to RGB")
    if predictor not in (_NO_PREDICTOR, _HORIZONTAL) or (
        predictor == _HORIZONTAL and layout.bits not in (8, 16)
    ):
        raise Unsupported(
            f"has TIFF predictor {predictor} for {layout.bits} bits: convert it to PNG"
        )
    tile = fields.value(Tag.TILE_WIDTH, 0)
    across = -(-layout.width // tile) if tile else 1
    check(across * (tile or layout.width), layout.height)
    units = -(-(tile or layout.width) // columns)  # in a row of a tile or strip
    count = units * layout.unit_samples
    parts = []
    for plane in range(layout.channels if layout.planar else 1):
        packed = _decompressed(fields, layout, plane, -(-count * layout.bits // 8))
        part = unpacked(packed, layout.bits, count, fields.order)
        part = part.reshape(-1, across, units, layout.unit_samples)
        if predictor == _HORIZONTAL:
            part = undo_prediction(part)
        parts.append(part.reshape(len(part), across * units, -1))
    if layout.unit != (1, 1):
        return _from_units(parts[0], layout)
    samples = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
    return samples[: layout.height, : layout.width]


def _decompressed(
    fields: Directory, layout: _Layout, plane: int, row_bytes: int
) -> UInt8[np.ndarray, "rows bytes"]:
    """Decompressed bytes of a plane, one row of a strip or tile per row."""
    tiled = Tag.TILE_WIDTH in fields
    rows = -(-layout.height // layout.unit[1])
    many = -(-layout.width // fields.value(Tag.TILE_WIDTH)) if tiled else 1
    size = fields.value(Tag.TILE_HEIGHT if tiled else Tag.ROWS_PER_STRIP, 2**32 - 1)
    size = min(max(size // layout.unit[1], 1), rows if not tiled else size)
    number = many * -(-rows // size)
    where, sizes = (
        (Tag.TILE_OFFSETS, Tag.TILE_SIZES)
        if tiled
        else (Tag.STRIP_OFFSETS, Tag.STRIP_SIZES)
    )
    part = slice(plane * number, (plane + 1) * number)
    changed = {
        Tag.WIDTH: (many * row_bytes,),
        Tag.HEIGHT: (rows,),
        Tag.BITS: (8,),
        Tag.COMPRESSION: (fields.value(Tag.COMPRESSION, 1),),
        Tag.PHOTOMETRIC: (_BLACK_IS_ZERO,),
        Tag.FILL_ORDER: (fields.value(Tag.FILL_ORDER, 1),),
        Tag.SAMPLES: (1,),
        where: fields.values(where)[part],
        sizes: fields.values(sizes, (number * row_bytes * size,))[part],
    }
    if len(changed[where]) < number or len(changed[sizes]) < number:
        raise ValueError("strips or tiles are missing")
    if tiled:
        changed |= {Tag.TILE_WIDTH: (row_bytes,), Tag.TILE_HEIGHT: (size,)}
    else:
        changed[Tag.ROWS_PER_STRIP] = (size,)
    with opened(fields.with_fields(changed), "TIFF", lambda *_: None) as image:
        return planes(image).reshape(rows * many, row_bytes)


def _from_units(
    units: UInt8[np.ndarray, "rows columns samples"], layout: _Layout
) -> UInt8[np.ndarray, "H W 3"]:
    """Upsamples the chroma of YCbCr units by repetition."""
    columns, rows = layout.unit
    down, across, _ = units.shape
    luma = units[..., : columns * rows].reshape(down, across, rows, columns)
    luma = luma.swapaxes(1, 2).reshape(down * rows, across * columns, 1)
    others = units[..., columns * rows :].repeat(rows, 0).repeat(columns, 1)
    return np.concatenate([luma, others], -1)[: layout.height, : layout.width]


def _picture(
    samples: Shaped[np.ndarray, "H W C"], fields: Directory, layout: _Layout
) -> Picture:
    """Interprets the samples; extra samples except alpha are dropped."""
    photometric, top = fields.value(Tag.PHOTOMETRIC), 2**layout.bits - 1
    number = _CHANNELS[photometric]
    extra = fields.values(Tag.EXTRA)[: samples.shape[2] - number]
    alpha, kind = None, 0
    for i, role in enumerate(extra):
        if role in (_PREMULTIPLIED, _ALPHA) and alpha is None:
            alpha, kind = samples[..., number + i], role
    samples = samples[..., :number]
    if photometric == _WHITE_IS_ZERO:
        samples = top - samples
    elif photometric == _PALETTE:
        return _from_palette(samples[..., 0], fields)
    elif photometric == _YCC:
        samples = from_ycc(samples, top)
    elif photometric == _CMYK and fields.value(Tag.INK_SET, 1) != 1:
        raise Unsupported("has inks that are not CMYK: convert it to RGB")
    picture = Picture(samples, top, alpha)
    if kind == _PREMULTIPLIED:
        picture = picture.unpremultiplied()
    if photometric in (_CIE_LAB, _ICC_LAB):
        return _from_lab(picture, photometric, layout.bits)
    return picture


def _from_palette(entries: Shaped[np.ndarray, "H W"], fields: Directory) -> Picture:
    """Resolves a palette of 16-bit colours; some writers store 8 bits."""
    colours = np.array(fields.values(Tag.PALETTE)).reshape(3, -1).T
    if colours.size and colours.max() < 256:
        colours = colours * 257
    return Picture(colours.astype(np.uint16)[entries], 2**16 - 1)


def _from_lab(picture: Picture, photometric: int, bits: int) -> Picture:
    if bits not in (8, 16):
        raise Unsupported(f"has Lab colours of {bits} bits: convert it to RGB")
    samples, zero = np.array(picture.samples), 1 << (bits - 1)
    if photometric == _CIE_LAB:  # signed
        samples[..., 1:] ^= samples.dtype.type(zero)
    white = 0xFF00 if photometric == _ICC_LAB and bits == 16 else picture.top
    colour = Lab(100 / white, 2.0 ** (8 - bits), zero)
    return dataclasses.replace(picture, samples=samples, colour=colour)


def _by_pillow(fields: Directory, layout: _Layout, check: Check) -> Picture:
    """Reads JPEG and fax compression with Pillow."""
    compression = fields.value(Tag.COMPRESSION)
    photometric = fields.value(Tag.PHOTOMETRIC)
    if (
        _OF_PICTURES.get(compression) != layout.bits
        or layout.channels != _CHANNELS[photometric]
        or photometric in (_PALETTE, _CIE_LAB, _ICC_LAB)
        or layout.planar
    ):
        raise Unsupported(
            f"is a TIFF of compression {compression}, photometric interpretation "
            f"{photometric} and {layout.channels} samples of {layout.bits} bits, which "
            "is not supported: convert it to PNG"
        )
    kept = {tag: fields.values(tag) for tag in Tag if tag in fields}
    for tag in (Tag.SUBFILE, Tag.ORIENTATION, Tag.PROFILE, Tag.SUBDIRECTORIES):
        kept.pop(tag, None)
    with opened(fields.with_fields(kept), "TIFF", check) as image:
        return eight_bits(image)
