"""A worker's state between units: the filesystem client and the tables it read last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.bars.clock import find_clock, reach_of_labels
from ray_pipeline.intervals import Interval
from ray_pipeline.memory import give_back
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest, labeled_table, load_symbol_table
from ray_pipeline.panel.membership import members_at
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import Horizon, SymbolPartition
from ray_pipeline.statistics.folds import label_end_positions
from ray_pipeline.storage import RunDirectory, open_filesystem

__all__ = ["PanelReader", "SymbolRows"]

CACHE_BYTES = 512 * 2**20
"""Number of tables kept by one worker; the least recently used one goes first."""

_LARGE_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class SymbolRows:
    """A symbol's table aligned with the panel's time axis.

    Attributes
    ----------
    table
        Its features and targets.
    positions
        Panel position of each row, shape (n_rows,), strictly increasing.
    is_member
        Whether each row belongs to the universe, shape (n_rows,); None: all do.
    axis
        The panel's unique timestamps in nanoseconds, shape (n_timestamps,); for labels on the
        clock.
    interval
        Length of a bar; for labels on the clock.
    is_ours
        Whether the labels were computed here, on the clock; others may count time or rows.
    """

    table: SymbolTable
    positions: NDArray[np.int64]
    is_member: NDArray[np.bool_] | None = None
    axis: NDArray[np.int64] | None = None
    interval: Interval | None = None
    is_ours: bool = False
    _ends: dict[Horizon, NDArray[np.int64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def label_ends(self, horizon: Horizon) -> NDArray[np.int64]:
        """Last position that each row's label depends on, shape (n_rows,).

        On the clock, it is that of the last bar that any symbol's label from there could use,
        because an excess return contains the others' bars. Without a label, it is that many rows
        later; for given labels, too, if that is later.
        """
        if horizon not in self._ends:  # every fold asks for it
            self._ends[horizon] = self._found_ends(horizon)
            self._ends[horizon].flags.writeable = False
        return self._ends[horizon]

    def _found_ends(self, horizon: Horizon) -> NDArray[np.int64]:
        if horizon.unit == "rows" or self.axis is None or self.interval is None:
            return label_end_positions(self.positions, horizon.count)
        time_ns = self.table.time_ns
        clock = find_clock(time_ns, self.interval)
        reach = reach_of_labels(time_ns, horizon, clock)
        by_rows = label_end_positions(self.positions, horizon.in_bars(clock.session_bars))
        last = np.searchsorted(self.axis, reach.deadline_ns, side="right") - 1
        by_clock = np.where(reach.rows >= 0, np.maximum(last, self.positions[reach.rows]), by_rows)
        return by_clock if self.is_ours else np.maximum(by_clock, by_rows)

    def target(self, name: str) -> NDArray[np.float64]:
        """Labels of one target, shape (n_rows,)."""
        return self.table.targets[:, self.table.target_names.index(name)]


class PanelReader:
    """Reads symbols for the units of one worker, with a bounded cache.

    Parameters
    ----------
    data_dir
        Root of the data: determines the filesystem of the partitions.
    storage_options
        fsspec options without secrets; credentials come from this worker's environment.
    run
        Where units leave tables for later units.
    """

    def __init__(
        self, data_dir: str, storage_options: Mapping[str, Any], run: RunDirectory
    ) -> None:
        self.run = run
        self.fs, _ = open_filesystem(data_dir, storage_options)
        self._tables: OrderedDict[tuple[SymbolPartition, TableRequest], SymbolTable] = OrderedDict()
        self._axes: dict[str, NDArray[np.int64]] = {}

    def table(self, partition: SymbolPartition, request: TableRequest) -> SymbolTable:
        """Read a symbol's table, or return it from the cache."""
        key = (partition, request)
        if key in self._tables:
            self._tables.move_to_end(key)
            return self._tables[key]
        table = load_symbol_table(partition, self.fs, request, self.run)
        if _n_bytes(table) >= _LARGE_BYTES:
            give_back()  # what else decoding needed
        self._tables[key] = table
        while len(self._tables) > 1 and self._cached_bytes() > CACHE_BYTES:
            self._tables.popitem(last=False)
        return table

    def arrow_table(self, partition: SymbolPartition, request: TableRequest) -> pa.Table:
        """Return a symbol's table as `labeled_table` does, from the cache if possible."""
        return labeled_table(partition, self.fs, request, self.table(partition, request))

    def rows(self, partition: SymbolPartition, frame: PanelFrame) -> SymbolRows:
        """Read a symbol's table and align its rows with the panel's time axis."""
        table = self.table(partition, frame.request)
        axis = self.axis(frame.axis)
        positions = np.searchsorted(axis, table.time_ns)
        is_member = members_at(partition.membership, table.time_ns)
        request = frame.request
        is_ours = request.kind != "labeled"
        return SymbolRows(table, positions, is_member, axis, request.interval, is_ours)

    def axis(self, name: str) -> NDArray[np.int64]:
        """Return the panel's unique timestamps in nanoseconds, shape (n_timestamps,)."""
        if name not in self._axes:
            column = self.run.read_table(name).column("time_ns")
            self._axes = {name: column.to_numpy()}
        return self._axes[name]

    def _cached_bytes(self) -> int:
        return sum(map(_n_bytes, self._tables.values()))


def _n_bytes(table: SymbolTable) -> int:
    return table.features.nbytes + table.targets.nbytes
