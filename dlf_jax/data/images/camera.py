"""The colour space that a profile or, without one, EXIF names."""

from dlf_jax.data.images.color import Colour, Profile
from dlf_jax.data.images.exif import Exif
from dlf_jax.data.images.shaper import D65, Shaper, matrix_of, power

_ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))


def colour_of(profile: bytes, exif: Exif) -> Colour | None:
    """Returns the meaning of RGB samples; None for sRGB.

    A camera that is set to Adobe RGB says so in EXIF and embeds no profile (DCF 2.0).
    Browsers take such photos for sRGB, pale; systems and editors that follow DCF, and
    this function, do not.
    """
    if profile:
        return Profile(profile)
    if exif.adobe_rgb:
        return Shaper((power(563 / 256),), matrix_of(_ADOBE_RGB, D65))
    return None
