"""The second pass: all symbols within one span of time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.cross_section.base import BaseRows, read_base
from ray_pipeline.panel.cross_section.joining import SYMBOLS_KEY, TIME
from ray_pipeline.panel.cross_section.names import RANK_PREFIX, base_of
from ray_pipeline.panel.cross_section.reference import CrossSection
from ray_pipeline.panel.cross_section.values import (
    group_rows,
    mid_ranks,
    robust_deviations,
    z_scores,
)
from ray_pipeline.panel.quality import within_range
from ray_pipeline.storage import RunDirectory

__all__ = ["SpanBlock", "compared", "read_block", "write_block_tables"]

Columns: TypeAlias = Mapping[str, NDArray[np.float32] | NDArray[np.float64]]

_READS_AT_ONCE = 16
_SYMBOLS_PER_READ = 8
"""Files read at once, so that the data being decoded, at several times their size, are a small
part of the block."""


class SpanBlock:
    """The base rows of all symbols within a span, one symbol after the other.

    Parameters
    ----------
    symbols
        In code-point order.
    is_member
        Whether each belongs to the reference set.
    rows
        Base rows of each.
    """

    def __init__(
        self, symbols: Sequence[str], is_member: Sequence[bool], rows: Sequence[BaseRows]
    ) -> None:
        counts = [len(part.time_ns) for part in rows]
        ends = np.cumsum(counts)
        self.rows_of = {
            symbol: slice(int(end) - count, int(end))
            for symbol, count, end in zip(symbols, counts, ends, strict=True)
        }
        self.is_member = np.repeat(np.asarray(is_member, dtype=np.bool_), counts)
        self.time_ns = np.concatenate([part.time_ns for part in rows])
        self.features = _stacked([part.features for part in rows])
        self.labels = _stacked([part.labels for part in rows])
        self.ends_ns = _stacked([part.ends_ns for part in rows])
        groups = [part.groups for part in rows if part.groups is not None]
        self.groups = RowGroups.joined(groups).codes if groups else None

    def keys(self, *others: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Return the keys that compared rows must share: times, and groups if there are any."""
        groups = () if self.groups is None else (self.groups.astype(np.int64),)
        return (self.time_ns, *others, *groups)


def read_block(
    run: RunDirectory,
    symbols: Sequence[str],
    is_member: Sequence[bool],
    tables: Sequence[str],
    span: tuple[int, int],
) -> SpanBlock:
    """Read the base rows of all symbols within a span [start_ns, stop_ns), several at a time."""
    n_reads = min(_READS_AT_ONCE, -(-len(tables) // _SYMBOLS_PER_READ))
    with ThreadPoolExecutor(n_reads) as pool:
        rows = list(pool.map(lambda name: read_base(run, name, *span), tables))
    return SpanBlock(symbols, is_member, rows)


def compared(
    block: SpanBlock,
    cross_section: CrossSection,
    base_features: Sequence[str],
    labels: Sequence[str],
) -> Columns:
    """Compute the cross-sectional columns of a block.

    Values are compared if their timestamps are exactly equal. Forward returns are compared only if
    their horizons also end at the same time: at its close, a stock's hour ends in the next session
    and a coin's does not, and the purge of the coin's rows would not reach that far. On the clock,
    symbols of one market end together, whichever bars they lack. With groups, values are compared
    only within a group; a row without one has no base value and is not compared.

    Parameters
    ----------
    block
        All symbols' rows, (n_rows,).
    cross_section
        Columns to compute.
    base_features, labels
        Names of the block's columns.

    Returns
    -------
    dict
        Name to values: float32 (n_rows,) of a feature, float64 (n_rows,) of a target. Never
        infinite.
    """
    columns: dict[str, NDArray[np.float32] | NDArray[np.float64]] = {}
    groups, n_groups = group_rows(*block.keys())
    for name in cross_section.features:
        values = block.features[base_features.index(base_of(name))]
        compare = mid_ranks if name.startswith(RANK_PREFIX) else z_scores
        computed = compare(values, groups, block.is_member, n_groups)
        columns[name] = within_range(computed, np.float32)
    for name in cross_section.targets:
        j = labels.index(base_of(name))
        groups, n_groups = group_rows(*block.keys(block.ends_ns[j]))
        excess = robust_deviations(block.labels[j], groups, block.is_member, n_groups)
        columns[name] = within_range(excess, np.float64)
    return columns


def write_block_tables(
    run: RunDirectory, cross_section: CrossSection, number: int, block: SpanBlock, columns: Columns
) -> None:
    """Write a block, each symbol's rows as a row group of one of the block's files."""
    fields: list[tuple[str, pa.DataType]] = [(TIME, pa.int64())]
    fields += [(name, pa.float32()) for name in cross_section.features]
    fields += [(name, pa.float64()) for name in cross_section.targets]
    present = {symbol: rows for symbol, rows in block.rows_of.items() if rows.stop > rows.start}
    for group in range(cross_section.n_groups):
        symbols = [name for name in present if cross_section.group_of(name) == group]
        schema = pa.schema(fields, metadata={SYMBOLS_KEY: json.dumps(symbols)})

        def tables(symbols: Sequence[str] = symbols) -> Iterator[pa.Table]:
            for symbol in symbols:
                rows = present[symbol]
                cells = {name: column[rows] for name, column in columns.items()}
                yield pa.table({TIME: block.time_ns[rows], **cells})

        run.write_tables(cross_section.table_name(number, group), schema, tables())


def _stacked(parts: Sequence[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
