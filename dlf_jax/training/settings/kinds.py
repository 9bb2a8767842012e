"""Rows of the table of settings, and kinds of values with their names in messages."""

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

# Nested dictionaries of settings by name.
Settings: TypeAlias = Mapping[str, Any]

_LARGEST = 10**9  # fits the int32 that devices count with


@runtime_checkable
class Kind(Protocol):
    """A set of values; `str` returns X for the message "must be X"."""

    def allows(self, value: Any) -> bool: ...


class Setting(NamedTuple):
    """One row of the table of settings.

    Attributes:
      kind: allowed values.
      meaning: explanation for users.
      free: a resumed run may change it, because no weight depends on it: locations,
        reports, and settings that only the first step uses.
    """

    kind: Kind
    meaning: str
    free: bool = False


@dataclasses.dataclass(frozen=True)
class Optional:
    """Values of another kind, and None."""

    kind: Kind

    def allows(self, value: Any) -> bool:
        return value is None or self.kind.allows(value)

    def __str__(self) -> str:
        return f"{self.kind}, or None for that of the variant"


@dataclasses.dataclass(frozen=True)
class Wholes:
    """Tuples of integers from `low` to `high`."""

    low: int
    high: int
    example: str

    def allows(self, value: Any) -> bool:
        return _is_row(value) and all(map(Whole(self.low, self.high).allows, value))

    def __str__(self) -> str:
        return (
            f"a tuple of whole numbers from {self.low:_} to {self.high:_}, such as "
            f"{self.example}"
        )


@dataclasses.dataclass(frozen=True)
class Whole:
    """Integers from `low` to `high`."""

    low: int = 0
    high: int = _LARGEST

    def allows(self, value: Any) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low:_} to {self.high:_}"


@dataclasses.dataclass(frozen=True)
class Number:
    """Finite numbers from `low` to `high`, except those named by `without`."""

    low: int | float = 0
    high: int | float = math.inf
    without: tuple[int | float, ...] = ()

    def allows(self, value: Any) -> bool:
        return (
            _is_number(value)
            and math.isfinite(value)
            and self.low <= value <= self.high
            and value not in self.without
        )

    def __str__(self) -> str:
        low = f"{'above' if self.low in self.without else 'of at least'} {self.low}"
        if self.high == math.inf:
            return f"a finite number {low}"
        high = f"{'below' if self.high in self.without else 'at most'} {self.high}"
        return f"a number {low} and {high}"


@dataclasses.dataclass(frozen=True)
class Switch:
    """True and False."""

    def allows(self, value: Any) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "True or False"


@dataclasses.dataclass(frozen=True)
class Text:
    """Strings."""

    def allows(self, value: Any) -> bool:
        return isinstance(value, str)

    def __str__(self) -> str:
        return "text"


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some names."""

    names: Collection[str]

    def allows(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.names

    def __str__(self) -> str:
        return f"one of {', '.join(self.names)}"


@dataclasses.dataclass(frozen=True)
class Rows:
    """Tuples of ascending finite numbers, none negative, one tuple for each rate point.

    Attributes:
      length: length of every tuple; None for any except 0.
      example: a value for messages.
    """

    length: int | None
    example: str

    def allows(self, value: Any) -> bool:
        return _is_row(value) and all(map(self._ascends, value))

    def _ascends(self, row: Any) -> bool:
        if not _is_row(row) or not row or self.length not in (None, len(row)):
            return False
        return all(map(Number().allows, row)) and list(row) == sorted(set(row))

    def __str__(self) -> str:
        count = "" if self.length is None else f"{self.length} "
        return (
            f"a tuple of {count}ascending numbers, none negative, for every rate "
            f"point, such as {self.example}"
        )


@dataclasses.dataclass(frozen=True)
class Steps:
    """First and last step of a range after step 1, or (0, 0) for none."""

    def allows(self, value: Any) -> bool:
        if not _is_row(value) or len(value) != 2:
            return False
        if not all(map(Whole().allows, value)):
            return False
        return tuple(value) == (0, 0) or 2 <= value[0] <= value[1]

    def __str__(self) -> str:
        return "a first step from 2 on and a last one, such as (100, 110), or (0, 0)"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_row(value: Any) -> bool:
    return isinstance(value, tuple | list)
