"""Rate of a compressed file."""


def bits_per_pixel(num_bytes: int, height: int, width: int) -> float:
    """Bits of a complete file, header included, per pixel of the original image."""
    return 8 * num_bytes / (height * width)
