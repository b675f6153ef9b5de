"""The frame of a run: how many panel positions a symbol's bars span."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from panels import quick_config

from ray_pipeline.inspecting.panel import Panel, build_panel, summarise
from ray_pipeline.panel import SymbolInspection, encode_runs
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.storage import RunDirectory

DAY_NS = 86_400 * 10**9


def _inspection(symbol: str, days: list[float]) -> SymbolInspection:
    times = (np.array(days) * DAY_NS).astype(np.int64)
    return SymbolInspection(
        symbol=symbol,
        kind="labeled",
        time_column="ts",
        columns=(("ts", "timestamp[ns, tz=UTC]"), ("f", "double"), ("fwd_ret_5d", "double")),
        n_rows=len(times),
        first_ts_ns=int(times[0]),
        last_ts_ns=int(times[-1]),
        runs=encode_runs(times),
        findings=(),
        target_values=(("fwd_ret_5d", None),),
        constant=(),
        n_missing=(),
    )


def _panel(tmp_path: Path, *inspections: SymbolInspection) -> Panel:
    config = quick_config(tmp_path, tmp_path / "run", validation={"embargo_bars": 3})
    by_symbol = {inspection.symbol: inspection for inspection in inspections}
    summary = summarise(by_symbol, config, "1d")
    return build_panel(RunDirectory(str(tmp_path / "run"), {}), by_symbol, summary, config)


def _frame(tmp_path: Path, *inspections: SymbolInspection) -> PanelFrame:
    return _panel(tmp_path, *inspections).frame


def test_symbols_at_each_timestamp_are_counted(tmp_path: Path) -> None:
    """Those that share all their timestamps count as many times as they are."""
    days = [float(day) for day in range(400)]
    panel = _panel(
        tmp_path, _inspection("A", days), _inspection("B", days), _inspection("late", days[390:])
    )
    assert panel.rows_per_position.tolist() == [2] * 390 + [3] * 10


def test_bars_of_a_shared_axis_are_its_positions(tmp_path: Path) -> None:
    """Gaps and late listings make no difference to how far a bar reaches."""
    days = [float(day) for day in range(400)]
    frame = _frame(
        tmp_path,
        _inspection("A", days),
        _inspection("gap", days[:100] + days[130:]),
        _inspection("late", days[390:]),
    )
    assert (frame.bar_positions, frame.embargo, frame.positions_of(5)) == (1.0, 3, 5)


@pytest.mark.parametrize("n_others", [1, 2])
def test_bars_between_those_of_other_symbols_span_more(n_others: int, tmp_path: Path) -> None:
    """Sensors that report at hours of their own: a label of five bars overlaps more timestamps.

    The purge knows the rows of each symbol; errors and the embargo count positions.
    """
    days = np.arange(400.0)
    inspections = [
        _inspection(f"S{i}", (days + i / (n_others + 1)).tolist()) for i in range(n_others + 1)
    ]
    frame = _frame(tmp_path, *inspections)
    step = n_others + 1
    assert frame.bar_positions == step
    assert (frame.embargo, frame.positions_of(5)) == (3 * step, 5 * step)
