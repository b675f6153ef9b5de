"""A row of the target ranking, for tests of the words that are made of it."""

from __future__ import annotations

from typing import Any

from ray_pipeline.ranking.decide import TargetRow

__all__ = ["ranked_row"]


def ranked_row(**figures: Any) -> TargetRow:
    """Return a predictable row of the pooled view, with some figures replaced."""
    values: dict[str, Any] = {
        "target": "fwd_ret_5d",
        "view": "cross_sectional",
        "family": "ridge",
        "task": "regression",
        "horizon_bars": 5,
        "skill": 0.0432,
        "std_error": 0.01,
        "t_stat": 4.32,
        "p_value": 0.001,
        "q_value": 0.012,
        "n_symbols": 12,
        "n_rows": 1000,
        "predictable": True,
        "rank": 1,
        "reason": "too little data: 3 out-of-sample rows",
    }
    return TargetRow(**(values | figures))
