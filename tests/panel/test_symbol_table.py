from __future__ import annotations

import pickle

import numpy as np
import pytest

from ray_pipeline.errors import DataError
from ray_pipeline.panel import SymbolTable


def table(time_ns: list[int], n_features: int = 1, dtype: str = "float32") -> SymbolTable:
    n_rows = len(time_ns)
    return SymbolTable(
        symbol="A",
        time_ns=np.array(time_ns, dtype=np.int64),
        features=np.zeros((n_rows, n_features), dtype=dtype),
        feature_names=("f",),
        targets=np.zeros((n_rows, 0)),
        target_names=(),
    )


def test_a_table_survives_pickling() -> None:
    """A table travels between processes with its values and names."""
    copy = pickle.loads(pickle.dumps(table([1, 2, 5])))
    assert copy.n_rows == 3
    assert copy.time_ns.tolist() == [1, 2, 5]
    assert copy.feature_names == ("f",)


@pytest.mark.parametrize("time_ns", [[1, 1], [2, 1]])
def test_time_has_to_increase(time_ns: list[int]) -> None:
    """A repeated or falling timestamp is refused, with the symbol's name."""
    with pytest.raises(DataError, match=r"symbol A: the time axis is not strictly increasing\."):
        table(time_ns)


def test_shapes_have_to_agree_with_names() -> None:
    """One name for two columns is refused, saying what is there and what is needed."""
    message = r"symbol A: features is float32 \(2, 2\); float32 \(2, 1\) is needed\."
    with pytest.raises(DataError, match=message):
        table([1, 2], n_features=2)


def test_features_are_float32() -> None:
    """Features of another type are refused."""
    with pytest.raises(DataError, match=r"features is float64 \(1, 1\); float32"):
        table([1], dtype="float64")
