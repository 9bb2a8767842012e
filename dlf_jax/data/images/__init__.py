"""Readers of image formats: pixels, their colour space, and conversion to sRGB."""


class Unsupported(Exception):
    """The file is intact but uses an unsupported feature; the message is one line."""
