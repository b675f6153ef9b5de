"""How a column runs over its symbol's rows: where values begin and end, and whether it only rises.

A number that rises with every row counts rows or tells the time. A model would learn from it which
year it is, and no later row will ever be in that year.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.rows import Rows

__all__ = ["CourseTally"]

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

_MIN_ROWS = 30
"""Values below which rising says nothing: of 30 in random order, one in 10^32 rises throughout."""
_MIN_STEPS = 12
"""Number of changes of a column that also rests, like the day of a bar, before it is called a
clock."""
_YEARS = (1900.0, 2200.0)
_FIRST_LOOK = 64


class CourseTally:
    """The course of one column, block by block.

    Attributes
    ----------
    first, last
        Positions of its first and last value among the symbol's rows; ``first > last``: no value.
    """

    def __init__(self) -> None:
        self.first = np.iinfo(np.int64).max
        self.last = -1
        self._n_values = 0
        self._n_steps = 0
        self._signs = {1, -1}
        self._rests = False
        self._is_year = True
        self._ends: list[tuple[int, float, int, float]] = []

    def add(self, values: _Floats, rows: Rows) -> None:
        """Take the cells of a block.

        Parameters
        ----------
        values
            As `to_float` gives them.
        rows
            Their places among all rows of the symbol.
        """
        present = ~np.isnan(values)
        if isinstance(rows, slice):
            self._add_in_order(values, present, int(rows.start))
        elif present.any():
            places = rows[present]
            self.first = min(self.first, int(places.min()))
            self.last = max(self.last, int(places.max()))
            if self._signs:
                order = np.argsort(places)
                self._follow(values[present][order], int(places.min()), int(places.max()))

    def _add_in_order(self, values: _Floats, present: NDArray[np.bool_], start: int) -> None:
        if present.all():
            if not len(values):
                return
            first, last = 0, len(values) - 1
        else:
            where = np.flatnonzero(present)
            if not len(where):
                return
            first, last = int(where[0]), int(where[-1])
            values = values[where] if self._signs else values
        self.first = min(self.first, start + first)
        self.last = max(self.last, start + last)
        if self._signs:
            self._follow(values, start + first, start + last)

    def _follow(self, values: _Floats, first: int, last: int) -> None:
        """Compare each value with the previous one; stop for good once both directions occur."""
        # Most columns turn within a few rows; the rest of them is skipped.
        for part in (values[:_FIRST_LOOK], values):
            later, earlier = part[1:], part[:-1]
            if (later < earlier).any():
                self._signs.discard(1)
            if (later > earlier).any():
                self._signs.discard(-1)
            if not self._signs:
                self._ends = []
                return
        self._n_values += len(values)
        n_steps = int(np.count_nonzero(later != earlier))
        self._n_steps += n_steps
        self._rests |= n_steps < len(later)
        if self._is_year:
            self._is_year = bool(
                (np.floor(values) == values).all()
                and _YEARS[0] <= values.min()
                and values.max() <= _YEARS[1]
            )
        self._ends.append((first, float(values[0]), last, float(values[-1])))

    @property
    def kind(self) -> Literal["counter", "clock"] | None:
        """The kind of a column that goes one way only.

        A ``counter`` changes with every row; a ``clock`` rests at times, as a day's number does.
        None: neither, or the blocks were not in order, so nothing is claimed.
        """
        if not self._signs or self._n_values < _MIN_ROWS:
            return None
        signs, rests, n_steps = set(self._signs), self._rests, self._n_steps
        ends = sorted(self._ends)
        for (_, _, last, before), (first, after, _, _) in pairwise(ends):
            if first <= last:
                return None
            signs -= {1} if after < before else {-1} if after > before else set()
            rests |= after == before
            n_steps += after != before
        if not signs or not n_steps:
            return None
        if not rests:
            return "counter"
        return "clock" if n_steps >= _MIN_STEPS or self._is_year else None
