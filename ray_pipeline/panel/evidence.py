"""What a symbol's rows show about its columns: counters, clocks, and targets already known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.course import CourseTally
from ray_pipeline.panel.newest import NewestRows
from ray_pipeline.panel.rows import Rows
from ray_pipeline.panel.trailing import find_lags, find_past_path
from ray_pipeline.records import LARGEST_VALUE

__all__ = ["NO_EVIDENCE", "ColumnEvidence", "EvidenceTally", "InspectedColumns", "Lag"]

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

_NEWEST_ROWS = 1_024
_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Lag:
    """A target that equals another column some rows earlier.

    Attributes
    ----------
    target, source, n_rows
        ``target[t] == source[t - n_rows]``.
    was_shifted
        Whether the target begins at least `n_rows` later than its source, so that it was made by
        shifting the source within this table.
    """

    target: str
    source: str
    n_rows: int
    was_shifted: bool


@dataclass(frozen=True, slots=True)
class ColumnEvidence:
    """What one symbol shows; small, regardless of its number of rows.

    Attributes
    ----------
    counters, clocks
        Columns that go one way with every row, and those that go one way and rest at times.
    ended
        Targets with a value in the last row. A label has none, unless its table was cut.
    lags
        Of the targets in `ended`.
    past_paths
        (target, column of returns whose path up to each row explains it), of those in `ended`.
    """

    counters: tuple[str, ...] = ()
    clocks: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    lags: tuple[Lag, ...] = ()
    past_paths: tuple[tuple[str, str], ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "counters": list(self.counters),
            "clocks": list(self.clocks),
            "ended": list(self.ended),
            "lags": [
                [each.target, each.source, each.n_rows, each.was_shifted] for each in self.lags
            ],
            "past_paths": [list(pair) for pair in self.past_paths],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Rebuild it from what `to_record` wrote."""
        values = {field.name: tuple(record[field.name]) for field in fields(cls)}
        values["lags"] = tuple(Lag(*each) for each in record["lags"])
        values["past_paths"] = tuple((target, column) for target, column in record["past_paths"])
        return cls(**values)


NO_EVIDENCE = ColumnEvidence()
"""The evidence of a symbol whose columns are computed from bars."""


class InspectedColumns(Protocol):
    """What is known about one symbol's columns; see `SymbolInspection`."""

    @property
    def n_rows(self) -> int: ...  # noqa: D102 (the class says what they are)
    @property
    def columns(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102
    @property
    def n_missing(self) -> tuple[tuple[str, int], ...]: ...  # noqa: D102
    @property
    def constant(self) -> tuple[tuple[str, float], ...]: ...  # noqa: D102
    @property
    def evidence(self) -> ColumnEvidence: ...  # noqa: D102


class EvidenceTally:
    """Gathers evidence block by block.

    Parameters
    ----------
    n_rows
        Rows of the symbol.
    features, targets
        Names of its columns of either role.
    """

    def __init__(self, n_rows: int, features: Sequence[str], targets: Sequence[str]) -> None:
        self._n_rows = n_rows
        self._features, self._targets = tuple(features), tuple(targets)
        names = (*self._features, *self._targets)
        self._courses = {name: CourseTally() for name in names}
        # Without a target nothing is compared.
        self._newest = NewestRows(n_rows, names, _NEWEST_ROWS) if targets else None

    def add(self, name: str, values: _Floats, rows: Rows) -> None:
        """Take the cells of a block; other columns are ignored.

        Parameters
        ----------
        values
            As `to_float` gives them.
        rows
            Their places among all rows of the symbol.
        """
        course = self._courses.get(name)
        if course is None:
            return
        course.add(values, rows)
        if self._newest is not None:
            self._newest.add(name, values, rows)

    def found(self) -> ColumnEvidence:
        """Return the evidence of all blocks."""
        kinds = {name: self._courses[name].kind for name in self._features}
        ended = tuple(
            name for name in self._targets if self._courses[name].last == self._n_rows - 1
        )
        lags, past_paths = [], []
        for target in ended:
            lags += self._lags_of(target)
            path = self._past_path_of(target)
            past_paths += [] if path is None else [(target, path)]
        return ColumnEvidence(
            counters=tuple(name for name, kind in kinds.items() if kind == "counter"),
            clocks=tuple(name for name, kind in kinds.items() if kind == "clock"),
            ended=ended,
            lags=tuple(lags),
            past_paths=tuple(past_paths),
        )

    def _lags_of(self, target: str) -> list[Lag]:
        others = [name for name in (*self._features, *self._targets) if name != target]
        found = find_lags(self._column(target), self._columns(others))
        return [
            Lag(target, others[place], n_rows, self._begins_later(target, others[place], n_rows))
            for place, n_rows in found
        ]

    def _past_path_of(self, target: str) -> str | None:
        windows = [int(number) for number in _NUMBER.findall(target)]
        place = find_past_path(self._column(target), self._columns(self._features), windows)
        return None if place is None else self._features[place]

    def _begins_later(self, target: str, source: str, n_rows: int) -> bool:
        return self._courses[target].first >= self._courses[source].first + n_rows

    def _column(self, name: str) -> NDArray[np.float64]:
        return self._columns([name])[:, 0]

    def _columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        if self._newest is None:
            return np.empty((0, len(names)))
        columns = self._newest.columns(names)
        columns[np.abs(columns) > LARGEST_VALUE] = np.nan
        return columns
