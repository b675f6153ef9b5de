"""Rows from a stream in LightGBM's binned form: one byte a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.streaming import RowStream

__all__ = ["binned_stream"]


class _Block(lgb.Sequence):
    """A block of the stream as LightGBM asks for it: once, whole."""

    def __init__(self, rows: RowStream, index: int) -> None:
        self._rows = rows
        self._index = index
        self.batch_size = rows.block_rows[index]

    def __len__(self) -> int:
        return self.batch_size

    def __getitem__(self, rows: int | slice | list[int]) -> NDArray[np.float32]:
        return self._rows.block(self._index)[rows]


def binned_stream(
    sample: NDArray[np.float32], rows: RowStream, binning: Mapping[str, Any]
) -> lgb.Dataset:
    """Learn bins from a sample and put every streamed row into them.

    Parameters
    ----------
    sample
        Shape (n_sample, n_features), NaN = missing.
    binning
        Parameters of the data set. Rows are kept by column only (``force_col_wise``): by row
        LightGBM would keep a second copy.
    """
    columns = [f"f{j}" for j in range(sample.shape[1])]
    reference = lgb.Dataset(sample, feature_name=columns, params=dict(binning)).construct()
    blocks = [_Block(rows, index) for index in range(len(rows.block_rows))]
    data = lgb.Dataset(blocks, reference=reference, feature_name=columns, params=dict(binning))
    return data.construct()
