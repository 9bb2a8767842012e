"""Readers of image formats: pixels, what their numbers mean, and one way to sRGB."""


class Unsupported(Exception):
    """An intact file whose meaning is not known here; the message is one line."""
