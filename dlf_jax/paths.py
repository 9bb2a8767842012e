"""Nested dictionaries as flat ones of joined paths, and back."""

from collections.abc import Mapping
from typing import Any


def flatten(tree: Mapping[str, Any], separator: str = "/") -> dict[str, Any]:
    """Returns {"a/b": leaf} for {"a": {"b": leaf}}.

    Args:
      tree: nested mappings; every other value is a leaf.
      separator: joins the names of a path.
    """
    flat = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            inner = flatten(value, separator)
            flat |= {f"{name}{separator}{path}": leaf for path, leaf in inner.items()}
        else:
            flat[name] = value
    return flat


def nest(flat: Mapping[str, Any], separator: str = "/") -> dict[str, Any]:
    """Inverse of `flatten`."""
    tree = {}
    for path, leaf in flat.items():
        *parents, name = path.split(separator)
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    return tree
