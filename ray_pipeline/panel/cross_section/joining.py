"""A symbol's cross-sectional columns, read back and merged with its other columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.cross_section.reference import CrossSection
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import plural

__all__ = ["SYMBOLS_KEY", "TIME", "joined", "read_columns_of"]

SYMBOLS_KEY = b"symbols"
"""Key of a table's metadata under which the symbols of its row groups are listed."""

TIME = "time_ns"

_BLOCKS_AT_ONCE = 8

Real = TypeVar("Real", np.float32, np.float64)


def read_columns_of(
    symbol: str,
    time_ns: NDArray[np.int64],
    names: Sequence[str],
    cross_section: CrossSection,
    run: RunDirectory,
) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
    """Read some cross-sectional columns of a symbol: one row group of a file per block.

    Parameters
    ----------
    symbol, time_ns
        The symbol and its time axis, (n_rows,).
    names
        Columns.
    cross_section, run
        Where they are stored.

    Returns
    -------
    dict
        Name to values, float32 (n_rows,) of a feature and float64 (n_rows,) of a target.

    Raises
    ------
    DataError
        When the columns were computed for other rows than those of `time_ns`.
    StorageError
        When the storage fails.
    """
    wanted = [TIME, *names]

    def read(block: int) -> pa.Table | None:
        with run.open_table(cross_section.table_of(symbol, block)) as file:
            symbols = json.loads(file.schema_arrow.metadata[SYMBOLS_KEY])
            if symbol not in symbols:
                return None
            return file.read_row_group(symbols.index(symbol), wanted, use_threads=False)

    with ThreadPoolExecutor(_BLOCKS_AT_ONCE) as pool:
        found = pool.map(read, range(cross_section.n_blocks))
        parts = [part for part in found if part is not None]
    n_rows = sum(part.num_rows for part in parts)
    table = pa.concat_tables(parts) if parts else None
    if table is None or not np.array_equal(table.column(TIME).to_numpy(), time_ns):
        raise DataError(
            f"symbol {symbol}: its cross-sectional columns were computed for "
            f"{plural(n_rows, 'row')}, and it has {plural(len(time_ns), 'row')} now or other "
            "timestamps. Run again on data that no longer change."
        )
    return {name: table.column(name).to_numpy() for name in names}


def joined(
    names: Sequence[str],
    own_names: Sequence[str],
    own: NDArray[Real],
    others: Mapping[str, NDArray[np.float32] | NDArray[np.float64]],
) -> NDArray[Real]:
    """Combine a symbol's own columns and its cross-sectional ones in one matrix.

    Parameters
    ----------
    names
        Columns of the result.
    own_names, own
        Names and values of the symbol's own columns, (n_rows, n_own).
    others
        Values of the other columns by name, (n_rows,) each.

    Returns
    -------
    ndarray
        (n_rows, n_names), C-contiguous, of the type of `own`.
    """
    matrix = np.empty((len(own), len(names)), dtype=own.dtype)
    places = {name: j for j, name in enumerate(own_names)}
    for j, name in enumerate(names):
        matrix[:, j] = others[name] if name in others else own[:, places[name]]
    return matrix
