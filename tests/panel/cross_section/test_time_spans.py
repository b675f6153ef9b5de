"""Blocks of time over the rows of all symbols."""

from __future__ import annotations

import numpy as np

from ray_pipeline.panel.cross_section.spans import time_spans
from ray_pipeline.panel.time_axis import encode_runs
from ray_pipeline.records import TimeRun


def test_spans_hold_as_many_rows_as_fit() -> None:
    """Two symbols of 6 bars at 10 bytes a row: 40 bytes are two timestamps, the last span less."""
    axes = {(TimeRun(100, 10, 6),): 2}
    assert time_spans(axes, 10, 40) == [(100, 120), (120, 140), (140, 151)]
    assert time_spans(axes, 10, 1_000) == [(100, 151)]


def test_no_span_is_empty() -> None:
    """A timestamp with more rows than fit is a span of its own, and nothing stands for it twice."""
    axes = {(TimeRun(7, 0, 1), TimeRun(90, 0, 1)): 5}
    assert time_spans(axes, 10, 20) == [(7, 90), (90, 91)]


def test_no_symbol_no_span() -> None:
    """Where every symbol failed there is nothing to cut."""
    assert time_spans({}, 10, 20) == []


def test_every_row_lies_in_one_span_of_bounded_size() -> None:
    """On random axes no span holds more than fits and one timestamp, whatever their order."""
    random = np.random.default_rng(5)
    times = [np.sort(random.choice(300, size, replace=False)) for size in (200, 90, 40, 120)]
    axes = {encode_runs(axis): 1 for axis in times}
    spans = time_spans(axes, 8, 400)
    rows = np.concatenate(times)
    sizes = [8 * np.sum((rows >= start) & (rows < stop)) for start, stop in spans]
    assert sum(sizes) == 8 * 450
    assert len(spans) > 5
    assert max(sizes) <= 400 + 8 * 4
    assert [start for start, _ in spans[1:]] == [stop for _, stop in spans[:-1]]
    assert time_spans(dict(reversed(axes.items())), 8, 400) == spans
