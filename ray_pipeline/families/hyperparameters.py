"""What a hyperparameter may be, and the library that a family needs: checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ray_pipeline.errors import ConfigError

__all__ = [
    "AUTO",
    "EARLY_STOPPING",
    "MOST_PENALTY",
    "MOST_ROUNDS",
    "Automatic",
    "Flag",
    "Number",
    "check_hyperparameters",
    "check_installed",
    "stopping_fraction",
    "without_stopping",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A number within bounds.

    Attributes
    ----------
    least, most
        Bounds, both allowed. No library is trusted with a value that cannot be meant: some wrap
        around at 32 bits, some fill the memory, some never end.
    above
        Whether `least` itself is not allowed.
    whole
        Whether it has to be an integer.
    """

    least: float
    most: float
    above: bool = False
    whole: bool = False

    def allows(self, value: object) -> bool:
        """Whether the value is such a number; true and false are none."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        is_enough = self.least < value if self.above else self.least <= value
        return is_enough and value <= self.most

    def __str__(self) -> str:
        """Return what is needed, in words."""
        kind = "whole number" if self.whole else "number"
        least = f"above {self.least:g}" if self.above else f"of at least {self.least:g}"
        most = f"{self.most:,}" if self.whole else f"{self.most:g}"
        return f"a {kind} {least} and at most {most}"


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false, or a number in its place if 0 or 1."""

    def allows(self, value: object) -> bool:
        """Whether the value is one of the two."""
        return isinstance(value, bool) or (isinstance(value, int) and value in {0, 1})

    def __str__(self) -> str:
        """Return what is needed, in words."""
        return "true or false"


AUTO = "auto"
"""Leaves a hyperparameter to the family, which sets it by the training rows."""


@dataclass(frozen=True, slots=True)
class Automatic:
    """A number, or `AUTO`."""

    number: Number

    def allows(self, value: object) -> bool:
        """Whether the value is one of the two."""
        return value == AUTO or self.number.allows(value)

    def __str__(self) -> str:
        """Return what is needed, in words."""
        return f"{self.number}, or {AUTO},"


MOST_ROUNDS = 100_000
"""Rounds, trees or epochs; a hundred times what a well-fitted model has."""

MOST_PENALTY = 1e12
"""Of penalties and the like, which have shrunk a model to nothing long before."""

EARLY_STOPPING: Mapping[str, Number] = {
    "early_stopping_rounds": Number(1, MOST_ROUNDS, whole=True),
    "stopping_fraction": Number(0.05, 0.5),
}
"""Of families that are fitted round by round: rounds without improvement after which to stop, and
the share of the training rows, the latest, that is watched meanwhile."""

DEFAULT_STOPPING_FRACTION = 0.2


def check_hyperparameters(
    family: str, given: Mapping[str, Any], allowed: Mapping[str, Number | Flag | Automatic]
) -> None:
    """Accept names and values that a family can work with.

    Raises
    ------
    ConfigError
        For a name that is not allowed, a value out of its bounds, or a share of rows to watch
        without anything to watch them for.
    """
    for name, value in given.items():
        if name not in allowed:
            raise ConfigError(
                f"{family}: hyperparameter '{name}' is not supported; "
                f"known are {', '.join(sorted(allowed))}."
            )
        if not allowed[name].allows(value):
            found = repr(value) if len(repr(value)) <= 60 else f"{value!r:.60}…"
            raise ConfigError(f"{family}: {name} is {found}; {allowed[name]} is needed.")
    if "stopping_fraction" in given and "early_stopping_rounds" not in given:
        raise ConfigError(
            f"{family}: stopping_fraction says nothing without early_stopping_rounds; set both."
        )


def stopping_fraction(given: Mapping[str, Any]) -> float | None:
    """Return the share of the training rows to watch, None without early stopping."""
    if given.get("early_stopping_rounds") is None:
        return None
    return float(given.get("stopping_fraction", DEFAULT_STOPPING_FRACTION))


def without_stopping(given: Mapping[str, Any]) -> tuple[dict[str, Any], int | None]:
    """Return what the library itself is given, and the rounds of patience (None: no stopping).

    The share of the rows is spent by then: on choosing those to watch.
    """
    kept = {name: value for name, value in given.items() if name not in EARLY_STOPPING}
    return kept, given.get("early_stopping_rounds")


def check_installed(family: str, library: str, extra: str) -> None:
    """Accept a family whose library can be imported, without importing it.

    Raises
    ------
    ConfigError
        Names the extra that installs the library.
    """
    if find_spec(library) is None:
        raise ConfigError(
            f"model family '{family}' needs {library}, which is not installed: "
            f"pip install 'ray-pipeline[{extra}]'."
        )
