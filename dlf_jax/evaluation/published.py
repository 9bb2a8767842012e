"""Rate-distortion curves reported in papers, not measured by this package."""

import dataclasses
import importlib.resources
import json

from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class PublishedCurve:
    """Rate-distortion points of one codec on one image set.

    Attributes:
      label: name of the codec.
      citation: the paper.
      origin: source and accuracy of the numbers.
      bpp: rates, in bits per pixel.
      values: metric values at these rates, by name in `METRICS` (or "fid").
    """

    label: str
    citation: str
    origin: str
    bpp: list[float]
    values: dict[str, list[float]]


def published_curves(images: str) -> list[PublishedCurve]:
    """Returns the curves reported for an image set: "kodak" or "clic2020".

    Raises:
      UserError: the image set is unknown.
    """
    path = importlib.resources.files("dlf_jax.evaluation") / "published.json"
    file = json.loads(path.read_text(encoding="utf-8"))
    origin = file.pop("origin")
    if images not in file:
        raise UserError(f"no published curves for {images!r}: use {', '.join(file)}")
    return [
        PublishedCurve(
            **{name: entry.pop(name) for name in ("label", "citation", "bpp")},
            origin=origin,
            values=entry,
        )
        for entry in file[images]
    ]
