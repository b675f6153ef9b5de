"""Rows of a symbol inside its membership in the universe, and the rules outside.

Outside it a row has no label, no rank and no place in the cross-section. Its bars stay: features
look back on them, and a label that starts inside may end outside, like a holding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import MembershipSpans
from ray_pipeline.wording import iso_time

__all__ = ["labelled_inside", "members_at", "membership_findings", "without_ungrouped"]


def members_at(
    membership: MembershipSpans | None, time_ns: NDArray[np.int64]
) -> NDArray[np.bool_] | None:
    """Tell which timestamps, shape (n_rows,), lie inside; None: all do.

    Examples
    --------
    >>> members_at(((10, 20), (30, 40)), np.array([5, 10, 20, 35])).tolist()
    [False, True, False, True]
    """
    if membership is None:
        return None
    bounds = np.array(membership, dtype=np.int64).ravel()
    # Spans lie apart: inside one an odd number of bounds has been passed.
    inside: NDArray[np.bool_] = np.searchsorted(bounds, time_ns, side="right") % 2 == 1
    return None if inside.all() else inside


def labelled_inside(
    table: SymbolTable, membership: MembershipSpans | None, *, features_too: bool = False
) -> SymbolTable:
    """Return the table without labels of rows outside; `features_too` removes features as well.

    Parameters
    ----------
    features_too
        For columns that are compared across symbols: nothing may be compared with such a row.
    """
    inside = members_at(membership, table.time_ns)
    return table if inside is None else _only(table, inside, features_too=features_too)


def without_ungrouped(table: SymbolTable) -> SymbolTable:
    """Return the table without features and labels of rows that no group compares with others."""
    if table.groups is None or not table.groups.n_missing:
        return table
    return _only(table, table.groups.codes >= 0, features_too=True)


def _only(table: SymbolTable, kept: NDArray[np.bool_], *, features_too: bool) -> SymbolTable:
    targets = np.where(kept[:, None], table.targets, np.nan)
    features = table.features
    if features_too:
        features = np.where(kept[:, None], features, np.float32(np.nan))
    for array in (features, targets):
        array.flags.writeable = False
    return replace(table, features=features, targets=targets)


def membership_findings(
    membership: MembershipSpans | None, time_ns: NDArray[np.int64]
) -> list[QualityFinding]:
    """Report rows outside the universe.

    Raises
    ------
    DataError
        When no row is inside it.
    """
    inside = members_at(membership, time_ns)
    if inside is None:
        return []
    n_outside = int((~inside).sum())
    if n_outside == len(time_ns):
        raise DataError(
            f"no row lies inside its membership in data.universe: rows from "
            f"{iso_time(int(time_ns[0]))} to {iso_time(int(time_ns[-1]))}."
        )
    message = (
        f"{n_outside} of {len(time_ns)} rows lie outside data.universe: they have no label and no "
        "place in the cross-section; features look back on them"
    )
    return [QualityFinding("outside_universe", None, n_outside, message)]
