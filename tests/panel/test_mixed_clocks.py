"""Coins beside stocks, thin symbols beside liquid ones: sessions, horizons, purge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.config import load_experiment_config
from ray_pipeline.execution import SerialExecutor
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.cross_section import compute_cross_section
from ray_pipeline.inspecting.panel import build_panel, request_of, summarise
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.inspection import inspect_symbol
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import Horizon, PartitionFile, SymbolPartition
from ray_pipeline.storage import RunDirectory, open_filesystem

MINUTE = 60 * 10**9
DAY = 1_440 * MINUTE
N_DAYS = 40
MONDAY = 19_723 * DAY  # 2024-01-01


def _stock(share: float, seed: int) -> np.ndarray:
    days = np.array([day for day in range(N_DAYS) if day % 7 < 5])
    times = (MONDAY + days[:, np.newaxis] * DAY + 870 * MINUTE + np.arange(78) * 5 * MINUTE).ravel()
    return times[np.random.default_rng(seed).random(len(times)) < share]


def _coin(seed: int) -> np.ndarray:
    del seed
    return MONDAY + np.arange(N_DAYS * 288) * 5 * MINUTE


def _write(folder: Path, symbol: str, times: np.ndarray) -> None:
    random = np.random.default_rng(len(symbol) + ord(symbol[-1]))
    close = 100 * np.exp(random.normal(0, 0.001, len(times)).cumsum())
    table = pa.table(
        {
            "ts": pa.array(times, pa.timestamp("ns", "UTC")),
            **dict.fromkeys(("open", "high", "low", "close"), close),
            "volume": np.ones(len(times)),
        }
    )
    path = folder / "interval=5m" / f"symbol={symbol}" / "part.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)


class Panel:
    """A panel on disk, summarised as a run does."""

    def __init__(self, folder: Path, times: dict[str, np.ndarray], targets: list[str]) -> None:
        for symbol, axis in times.items():
            _write(folder / "data", symbol, axis)
        config = folder / "run.yaml"
        config.write_text(
            f"data: {{data_dir: {folder / 'data'}, min_rows_per_symbol: 100}}\n"
            f"labeling: {{targets: {targets}, features: [log_return_5]}}\n"
            f"output: {{run_dir: {folder / 'run'}}}\n"
        )
        self.config = load_experiment_config(config)
        self.run = RunDirectory(folder / "run")
        fs, _ = open_filesystem(str(folder / "data"), {})
        self.partitions = {
            path.parent.name.removeprefix("symbol="): SymbolPartition(
                path.parent.name.removeprefix("symbol="),
                (PartitionFile(str(path), path.stat().st_size, str(path.stat().st_mtime_ns)),),
            )
            for path in sorted((folder / "data").glob("*/*/*.parquet"))
        }
        request = request_of(self.config, "5m")
        self.inspections = {
            symbol: inspect_symbol(partition, fs, request)
            for symbol, partition in self.partitions.items()
        }
        self.summary = summarise(self.inspections, self.config, "5m")
        frame = build_panel(self.run, self.inspections, self.summary, self.config).frame
        self.reader = PanelReader(str(folder / "data"), {}, self.run)
        runner = UnitRunner(
            SerialExecutor(lambda: self.reader, self.run.units),
            self.run.units,
            lambda *_: None,
            lambda _: None,
            lambda _: None,
        )
        request = compute_cross_section(
            runner, self.run, self.partitions, frame.request, list(self.partitions)
        )
        self.frame: PanelFrame = replace(frame, request=request)

    def rows(self, symbol: str) -> Any:
        return self.reader.rows(self.partitions[symbol], self.frame)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """Three coins, three liquid stocks and one thin one."""
    times = {f"COIN{i}": _coin(i) for i in range(3)}
    times |= {f"LIQUID{i}": _stock(1.0, i) for i in range(3)} | {"THIN": _stock(0.4, 9)}
    return Panel(
        tmp_path_factory.mktemp("mixed"),
        times,
        ["fwd_ret_1d", "fwd_ret_60m", "fwd_ret_12b", "excess_ret_60m"],
    )


def test_sessions_are_each_symbols_own(mixed: Panel) -> None:
    """78 bars on 252 days beside 288 on 365; the commonest first, the longest where shared."""
    stocks = ("LIQUID0", "LIQUID1", "LIQUID2", "THIN")
    coins = ("COIN0", "COIN1", "COIN2")
    assert mixed.summary.clocks.sessions == ((78, 78 * 252, stocks), (288, 288 * 365, coins))
    assert mixed.summary.session_bars == 78
    assert {t.name: t.horizon_bars for t in mixed.summary.targets}["fwd_ret_1d"] == 288
    (told,) = [text for text in mixed.summary.warnings if "sessions differ" in text]
    assert "78 in LIQUID0, LIQUID1, LIQUID2 and 1 more; 288 in COIN0" in told


def test_missing_labels_are_one_line_per_horizon(mixed: Panel) -> None:
    """The thin symbol is named with its share, and a horizon in bars wants nothing."""
    told = [text for text in mixed.summary.warnings if "there is no bar" in text]
    assert "excess_ret_60m, fwd_ret_60m" in [text.partition(":")[0] for text in told]
    assert all("most in THIN (" in text and "12b" in text for text in told)


def test_check_and_run_say_the_same(mixed: Panel) -> None:
    """Of the same symbols they have the same sessions, and a symbol alone has its own."""
    found = check_config(mixed.config)
    (line,) = [text for text in check_lines(found) if text.startswith("looked at")]
    assert line.endswith(
        "bars of 300 s: 78 a day, 19,656 a year in 4 symbols; "
        "288 a day, 105,120 a year in 3 symbols"
    )
    assert found["session_bars"] == mixed.summary.session_bars
    assert found["periods_per_year"] == mixed.summary.clocks.sessions[0][1]
    own = {s: bars for bars, _, symbols in mixed.summary.clocks.sessions for s in symbols}
    alone = {
        symbol: summarise({symbol: inspection}, mixed.config, "5m").session_bars
        for symbol, inspection in mixed.inspections.items()
    }
    assert alone == own


def test_labels_do_not_depend_on_who_else_is_there(mixed: Panel) -> None:
    """A day of a liquid stock is 78 rows, of a coin 288, together or alone."""
    for symbol, bars in (("LIQUID0", 78), ("COIN0", 288)):
        table = mixed.rows(symbol).table
        label = table.targets[:, table.target_names.index("fwd_ret_1d")]
        assert np.isfinite(label[:-bars]).all()
        assert np.isnan(label[-bars:]).all()


def test_label_ends_are_what_labels_really_span(mixed: Panel) -> None:
    """By the clock at the place that the horizon leads to; in bars at the twelfth own row."""
    axis = mixed.reader.axis(mixed.frame.axis)
    rows = mixed.rows("THIN")
    times, positions = rows.table.time_ns, rows.positions
    label = rows.target("fwd_ret_60m")
    by_clock = axis[rows.label_ends(Horizon(12, "bars"))]
    own_day = times // DAY == (times + 60 * MINUTE) // DAY
    same_session = own_day & (times % DAY + 60 * MINUTE <= 870 * MINUTE + 77 * 5 * MINUTE)
    inside = np.isfinite(label) & same_session
    assert inside.sum() > 200
    np.testing.assert_array_equal(by_clock[inside], times[inside] + 60 * MINUTE)
    across = np.isfinite(label) & ~same_session
    assert across.sum() > 20
    # 55 minutes to the close at 20:55 UTC, the rest from 14:30 of the next session on.
    assert ((by_clock[across] - times[across]) > 17 * 60 * MINUTE).all()
    assert (by_clock[across] % DAY < 870 * MINUTE + 60 * MINUTE).all()
    in_rows = rows.label_ends(Horizon(12))
    np.testing.assert_array_equal(in_rows[:-12], positions[12:])


def test_labels_of_others_may_count_rows_or_time(mixed: Panel) -> None:
    """Nobody says whether 60m of a labeled table is twelve rows or an hour: the later one ends."""
    rows = replace(mixed.rows("THIN"), is_ours=False)
    times, positions = rows.table.time_ns, rows.positions
    axis = mixed.reader.axis(mixed.frame.axis)
    ends = rows.label_ends(Horizon(12, "bars"))
    # Two bars in five are there: twelve of them take two and a half hours.
    assert (ends[:-12] >= positions[12:]).all()
    by_clock = replace(rows, is_ours=True).label_ends(Horizon(12, "bars"))
    assert (ends >= by_clock).all()
    assert np.mean(ends > by_clock) > 0.5  # without a label it is by rows anyway
    # By rows of a file that has them all, both are the same.
    whole = mixed.rows("LIQUID0")
    others = replace(whole, is_ours=False)
    np.testing.assert_array_equal(
        whole.label_ends(Horizon(12, "bars")), others.label_ends(Horizon(12, "bars"))
    )
    assert axis[ends[0]] > times[0] + 60 * MINUTE


def test_no_training_label_sees_a_test_row(mixed: Panel) -> None:
    """Of every kind and symbol: the last bar that a kept label sees lies before the fold."""
    axis = mixed.reader.axis(mixed.frame.axis)
    for symbol in mixed.partitions:
        rows = mixed.rows(symbol)
        times = rows.table.time_ns
        for target in mixed.frame.targets:
            ends = rows.label_ends(target.horizon)
            label = rows.target(target.name)
            for fold in mixed.frame.folds:
                kept = np.isfinite(label) & (ends < fold.test_start)
                if target.clock is not None and symbol.startswith("COIN"):
                    bars = target.clock.in_bars(288)
                    seen = times[kept] + bars * 5 * MINUTE
                    assert (seen < axis[fold.test_start]).all()
                assert kept.any()
                assert (ends[kept] >= rows.positions[kept]).all()


def test_spans_are_those_of_the_view(mixed: Panel) -> None:
    """A day spans 288 positions of the panel, and of a stock's own time 78 rows."""
    day = next(t for t in mixed.frame.targets if t.name == "fwd_ret_1d")
    hour = next(t for t in mixed.frame.targets if t.name == "fwd_ret_60m")
    assert mixed.frame.span_of(day, "cross_sectional") == 288
    assert mixed.frame.span_of(day, "symbol_specific", "LIQUID0") == 78
    assert mixed.frame.span_of(day, "symbol_specific", "COIN0") == 288
    assert mixed.frame.span_of(hour, "cross_sectional") == 12
