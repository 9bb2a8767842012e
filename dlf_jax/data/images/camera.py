"""Colour space from an ICC profile or, if there is none, from EXIF."""

from dlf_jax.data.images.color import Colour, Profile
from dlf_jax.data.images.exif import Exif
from dlf_jax.data.images.shaper import D65, Shaper, matrix_of, power

_ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))


def colour_of(profile: bytes, exif: Exif) -> Colour | None:
    """Returns the colour space of RGB samples; None for sRGB.

    Cameras set to Adobe RGB record the setting in EXIF and embed no profile (DCF 2.0).
    Browsers ignore the setting and show pale colours; this function follows DCF.
    """
    if profile:
        return Profile(profile)
    if exif.adobe_rgb:
        return Shaper((power(563 / 256),), matrix_of(_ADOBE_RGB, D65))
    return None
