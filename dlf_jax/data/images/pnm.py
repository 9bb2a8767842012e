"""PBM, PGM, PPM and PAM, plain or binary, with any maximum value."""

import re

import numpy as np

from dlf_jax.data.images.picture import Picture
from dlf_jax.data.images.pillow import Check

# Digit of the signature -> channels, plain; bitmaps have no maximum value.
_KINDS = {1: (1, True), 2: (1, True), 3: (3, True), 4: (1, False), 5: (1, False)}
_KINDS |= {6: (3, False)}
_BITMAPS, _PAM = (1, 4), 7
_NUMBER = re.compile(rb"(?:\s|#[^\n\r]*)*(\d+)")
_PAM_FIELD = re.compile(rb"\s*(?:#[^\n]*\n\s*)*(\w+)(?:[ \t]+(\w+))?[^\n]*\n")


def read(data: bytes, check: Check) -> Picture:
    """Reads a Netpbm file; the first picture if it holds several."""
    kind = data[1] - ord("0")
    if kind == _PAM:
        return _read_pam(data, check)
    channels, plain = _KINDS[kind]
    numbers, place = [], 2
    for _ in range(2 if kind in _BITMAPS else 3):
        match = _NUMBER.match(data, place)
        if match is None:
            raise ValueError("the header is incomplete")
        numbers.append(int(match[1]))
        place = match.end()
    width, height, top = *numbers[:2], (numbers[2] if len(numbers) == 3 else 1)
    check(width, height)
    shape = height, width, channels
    if plain:
        text = re.sub(rb"#[^\n\r]*", b"", data[place:])
        if kind in _BITMAPS:  # digits may follow each other without a space
            text = re.sub(rb"([01])", rb"\1 ", text)
        samples = np.array(text.split()[: height * width * channels], np.int64)
        samples = _whole(samples, shape, top)
    elif kind in _BITMAPS:
        rows = np.frombuffer(data, np.uint8, offset=place + 1)
        rows = _whole(rows, (height, -(-width // 8)), 255)
        samples = np.unpackbits(rows, axis=1, count=width)[..., None]
    else:
        samples = _binary(data, place + 1, shape, top)
    return Picture(1 - samples if kind in _BITMAPS else samples, top)


def _binary(data: bytes, place: int, shape: tuple[int, ...], top: int) -> np.ndarray:
    kind = np.dtype("u1" if top < 256 else ">u2")
    end = place + (len(data) - place) // kind.itemsize * kind.itemsize
    return _whole(np.frombuffer(data[place:end], kind), shape, top)


def _whole(samples: np.ndarray, shape: tuple[int, ...], top: int) -> np.ndarray:
    """Reshapes samples and clips them to the maximum value."""
    count = int(np.prod(shape))
    if samples.size < count:
        raise ValueError(f"{count - samples.size} of {count} samples are missing")
    if not 0 < top < 2**16 or not count:
        raise ValueError(f"invalid shape {shape} or maximum value {top}")
    samples = np.clip(samples[:count], 0, top).reshape(shape)
    return samples.astype(np.uint8 if top < 256 else np.uint16, copy=False)


def _read_pam(data: bytes, check: Check) -> Picture:
    fields, place = {}, 2
    while b"ENDHDR" not in fields:
        match = _PAM_FIELD.match(data, place)
        if match is None:
            raise ValueError("the header is incomplete")
        fields[match[1]] = match[2] or b""
        place = match.end()
    width, height, depth, top = (
        int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
    )
    check(width, height)
    if not 1 <= depth <= 4:
        raise ValueError(f"{depth} channels")
    samples = _binary(data, place, (height, width, depth), top)
    if depth % 2:
        return Picture(samples, top)
    return Picture(samples[..., :-1], top, samples[..., -1])
