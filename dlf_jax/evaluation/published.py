"""Curves out of papers, which nothing here measured."""

import dataclasses
import importlib.resources
import json

from dlf_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class PublishedCurve:
    """Points of one codec on one set of images.

    Attributes:
      label: name of the codec.
      citation: whose numbers these are.
      origin: how they came here, and how exact they are.
      bpp: rates.
      values: of metrics at those rates, by name.
    """

    label: str
    citation: str
    origin: str
    bpp: list[float]
    values: dict[str, list[float]]


def published_curves(images: str) -> list[PublishedCurve]:
    """What papers report on a set of images: "kodak" or "clic2020".

    Raises:
      UserError: there is nothing about this set.
    """
    path = importlib.resources.files("dlf_jax.evaluation") / "published.json"
    file = json.loads(path.read_text(encoding="utf-8"))
    origin = file.pop("origin")
    if images not in file:
        raise UserError(f"no curves are known of {images!r}: use {', '.join(file)}")
    return [
        PublishedCurve(
            **{name: entry.pop(name) for name in ("label", "citation", "bpp")},
            origin=origin,
            values=entry,
        )
        for entry in file[images]
    ]
