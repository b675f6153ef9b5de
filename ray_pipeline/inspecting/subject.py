"""The input of the later stages: the frame of the panel, and the symbols still in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.records import ColumnRoles, SymbolPartition
from ray_pipeline.stages.context import StageContext

__all__ = ["Inspections", "Subject", "current_subject"]


@dataclass(frozen=True, slots=True)
class Inspections:
    """The inspection of each usable symbol."""

    by_symbol: Mapping[str, SymbolInspection]


@dataclass(frozen=True, slots=True)
class Subject:
    """The input of the stages.

    Attributes
    ----------
    partitions
        Partition by symbol.
    roles
        Roles of the columns.
    rows_per_position
        Symbols at each timestamp, shape (n_timestamps,).
    bar_seconds, session_bars
        Length of a bar, and bars of a session.
    """

    frame: PanelFrame
    partitions: Mapping[str, SymbolPartition]
    roles: ColumnRoles
    rows_per_position: NDArray[np.int64]
    bar_seconds: int
    session_bars: int


def current_subject(context: StageContext) -> Subject:
    """Return the subject without the symbols lost to failures so far.

    Raises
    ------
    ExecutionError
        When no symbol is left.
    """
    subject = context.get(Subject)
    return replace(subject, partitions=context.healthy(subject.partitions))
