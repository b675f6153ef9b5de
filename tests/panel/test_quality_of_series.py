"""What is found in a series: zeros before it begins."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.panel.quality import series_findings


def _value(n_leading: int, *, longest_gap: int) -> np.ndarray:
    value = np.ones(400)
    value[:n_leading] = 0.0
    value[300 : 300 + longest_gap] = 0.0
    return value


@pytest.mark.parametrize(
    ("n_leading", "longest_gap", "is_found"),
    [(100, 3, True), (100, 60, False), (19, 0, False), (0, 50, False), (20, 9, True)],
)
def test_zeros_before_the_first_value(n_leading, longest_gap, is_found):
    """A stretch that no later one is like; where a series often stands at 0, none is."""
    found = series_findings(_value(n_leading, longest_gap=longest_gap))
    assert [finding.count for finding in found] == [n_leading] * is_found


def test_zeros_throughout_and_missing_values():
    """A series of zeros has no beginning; missing rows before it are counted with them."""
    assert series_findings(np.zeros(400)) == []
    value = _value(100, longest_gap=0)
    value[10:20] = np.nan
    assert series_findings(value)[0].count == 100
