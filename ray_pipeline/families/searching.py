"""What a family says of the hyperparameters that are worth a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

__all__ = ["SearchDimension", "Searchable", "Value", "with_defaults"]

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class SearchDimension:
    """Where a search may look for one hyperparameter.

    Attributes
    ----------
    kind
        ``int`` and ``float`` lie between two ends, ``choice`` is one of a list.
    low, high
        Ends, both possible; unused for a choice.
    log
        Equal ratios are equally likely, instead of equal differences; `low` is above 0 then.
    choices
        What there is to choose from, at least two.
    default
        What the family takes where the config names nothing: it tells the optimiser where its
        first trial stands. None where the family decides by the data.
    """

    kind: Literal["int", "float", "choice"]
    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Value, ...] = ()
    default: Value | None = None

    def holds(self, value: Value) -> bool:
        """Whether a value lies in this dimension."""
        if self.kind == "choice":
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool | str) or (self.kind == "int" and not isinstance(value, int)):
            return False
        return self.low <= value <= self.high


@runtime_checkable
class Searchable(Protocol):
    """A family whose hyperparameters can be searched; one without this keeps those configured."""

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Return the hyperparameters that matter most, each where good values may lie."""
        ...


def with_defaults(
    space: Mapping[str, SearchDimension], defaults: Mapping[str, Value]
) -> dict[str, SearchDimension]:
    """Return a space whose dimensions say what the family takes where nothing is configured."""
    return {
        name: replace(dimension, default=defaults.get(name)) for name, dimension in space.items()
    }
