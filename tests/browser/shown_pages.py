"""Pages that the browser is shown: of runs that were computed, and of runs made up for an end."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from panels import TARGET, bars_table, labeled_table, quick_config, symbol_names, times, write_panel
from sample_runs import SampleRun, failed_unit

from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.monitoring.page import render_monitoring
from ray_pipeline.monitoring.records import (
    DriftRow,
    LiveFigure,
    Monitoring,
    Notice,
    SkillPoint,
    SkillVerdict,
    WatchedRow,
)
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.quickstart import make_sample
from ray_pipeline.quickstart.command import write_quickstart
from ray_pipeline.report import write_report

__all__ = ["PAGES", "make_page"]

ODD = "<img src=x onerror=alert(1)>\"&'_" + "long" * 20
"""A name that is markup, has both quotes, and is longer than a phone is wide."""


def make_page(kind: str, folder: Path) -> Path:
    """Write the page of a kind below a folder, and return its place."""
    path = PAGES[kind](folder)
    assert path.stat().st_size > 0
    return path


def _quickstart(folder: Path) -> Path:
    """Run what the README does, with fewer symbols and hours: in one process it takes seconds."""
    with contextlib.chdir(folder), contextlib.redirect_stderr(io.StringIO()) as said:
        config = write_quickstart("quickstart", make_sample(n_symbols=6, n_bars=600))
        code = main(["run", config, "--set", "execution.executor=serial"])
        assert code == 0, said.getvalue()
    return folder / "quickstart/run/report.html"


def _bars(folder: Path) -> Path:
    """Bars of random walks, in groups: labels and features are computed, and little is found."""
    tables = {
        symbol: bars_table(symbol).append_column("sector", pa.array([f"sector {i % 2}"] * 320))
        for i, symbol in enumerate(symbol_names(6))
    }
    labeling = {
        "features": ["log_return_5", "volatility_20", "cs_rank_log_return_5"],
        "targets": ["fwd_ret_5d", "excess_ret_5d"],
    }
    return _computed(folder, tables, labeling=labeling, columns={"group": "sector"})


def _groups(folder: Path) -> Path:
    """Labels that a feature tells, of symbols that are compared within their sectors."""
    tables = {
        symbol: labeled_table(symbol).append_column("sector", pa.array([f"sector {i % 3}"] * 320))
        for i, symbol in enumerate(symbol_names(12))
    }
    return _computed(folder, tables, columns={"group": "sector"})


def _nothing(folder: Path) -> Path:
    """Labels that nothing tells."""
    tables = {symbol: labeled_table(symbol, strength=0.0) for symbol in symbol_names(5)}
    return _computed(folder, tables)


def _series(folder: Path) -> Path:
    """Daily values, of which the mean of twelve foretells the next."""
    random = np.random.default_rng(1)
    tables = {}
    for symbol in symbol_names(6):
        values = random.normal(0.0, 0.03, 400)
        for t in range(12, 400):
            values[t] += 0.6 * values[t - 12 : t].mean()
        tables[symbol] = pa.table({"ts": times(400), "value": values})
    return _computed(folder, tables, data={"columns": {"time": "ts", "value": "value"}})


def _computed(folder: Path, tables: dict[str, pa.Table], **sections: object) -> Path:
    data_dir = write_panel(folder / "data", tables)
    run_pipeline(quick_config(data_dir, folder / "run", **sections), Silent())
    return folder / "run/report.html"


def _failed(folder: Path) -> Path:
    """End a run early, with symbols that failed, were rejected or left out."""
    symbols = [f"SYM{i:02d}" for i in range(20)]
    traceback = "Traceback (most recent call last):\n" + "  File a_file.py, line 3\n" * 30
    return _written(
        SampleRun(
            symbols=symbols,
            status="failed",
            error="TooManyFailures: 7 of 20 symbols failed, execution.max_failed_symbols is 25%",
            findings={symbol: [f"{i + 1} rows were bad"] for i, symbol in enumerate(symbols)},
            rejected=[{"symbol": "EMPTY", "reason": "no Parquet file below symbol=EMPTY"}],
            quarantined=[{"symbol": "SYM03", "stage": "inspect", "reason": "120 rows"}],
            warnings=["SYM07 lacks 310 of the panel's 2500 timestamps"],
            failures=[failed_unit(symbol, "ValueError: odd", traceback) for symbol in symbols[:7]],
            trains=False,
        ),
        folder,
    )


def _odd(folder: Path) -> Path:
    """Markup, quotes and great length in the names of symbols, targets and features."""
    symbols = [*(f"SYM{i:02d}" for i in range(16)), ODD, "BRK/B", "日本"]
    return _written(
        SampleRun(
            symbols=symbols,
            targets=(f"fwd_ret_5d_{ODD}", "y_up_5d", ODD, "fwd_ret_20d"),
            feature_prefix=ODD,
            record={"name": ODD},
            warnings=[ODD],
            failures=[failed_unit(ODD, f"ValueError: {ODD}", ODD)],
        ),
        folder,
    )


def _large(folder: Path) -> Path:
    """More symbols and targets than the page lists."""
    targets = tuple(f"fwd_ret_{n}d" for n in range(1, 13))
    return _written(SampleRun([f"S{i:03d}" for i in range(300)], targets), folder)


def _written(sample: SampleRun, folder: Path) -> Path:
    write_report(sample.write(folder / "run"))
    return folder / "run/report.html"


def _live(folder: Path) -> Path:
    """Skills of each verdict, with their courses, drift and notices."""
    verdicts: list[SkillVerdict] = ["no skill left", "below promise", "too early", "holds"]
    skills = [_watched(verdict, i) for i, verdict in enumerate(verdicts)]
    history = [
        SkillPoint(
            row.target, row.view, row.models, _day(20 * k), 20 * k, row.skill + 0.2 / k,
            row.skill - 1.0 / k, row.skill + 1.0 / k, 0.2,
        )
        for row in skills
        for k in range(1, 15)
    ]  # fmt: skip
    drift = [
        DriftRow("rows", "all features", separation=0.4, p_value=0.01, q_value=0.02, drifted=True,
                 detail="momentum_01 (0.31), momentum_02"),
        *(DriftRow("feature", f"momentum_{i:02d}", 0.02 * i, 0.03, p_value=0.5, q_value=0.7)
          for i in range(30)),
    ]  # fmt: skip
    notices = [
        Notice("missing symbols", "A", _day(3), "S03 has no rows since", "Look at its files", True),
        Notice("drift", "rows", None, "Rows differ from those before", "Retrain"),
    ]
    figures = [
        LiveFigure(
            "y_up_5d", figure, 900, 90, 0.6, 0.5, 0.03, 0.1, 0.6, 0.59, 0.01, 0.1, "It holds."
        )
        for figure in ("probability", "interval")
    ]
    found = Monitoring("run", "us daily", _day(280), skills, history, drift, notices, figures)  # type: ignore[arg-type]
    return _rendered(found, folder)


def _not_yet_live(folder: Path) -> Path:
    """No update has been made."""
    return _rendered(Monitoring("run", "us daily", None, [], [], [], []), folder)


def _rendered(found: Monitoring, folder: Path) -> Path:
    path = folder / "monitor.html"
    path.write_text(render_monitoring(found), "utf-8")
    return path


def _day(number: int) -> str:
    return f"{np.datetime64('2024-01-01') + number}T00:00:00+00:00"


def _watched(verdict: SkillVerdict, place: int) -> WatchedRow:
    is_alarm = verdict in ("no skill left", "below promise")
    skill = 0.01 * place
    return WatchedRow(
        target=f"fwd_ret_{place + 1}d",
        view="cross_sectional",
        models="lightgbm+ridge",
        task="regression",
        horizon_bars=1,
        estimated=0.06,
        std_error=0.01,
        promised=0.05,
        first_ts=_day(0),
        last_ts=_day(280),
        n_live=280,
        n_blocks=14,
        block=20,
        skill=skill,
        lately=skill,
        low=skill - 0.02,
        high=skill + 0.02,
        p_value=0.01,
        p_adjusted=0.02,
        verdict=verdict,
        since=_day(100) if is_alarm else None,
        noticed=_day(160) if is_alarm else None,
        reason=f"{TARGET}: skill {skill:+.3f} live, where +0.050 was promised",
        to_do="Retrain it, or stop trading on it." if is_alarm else "",
    )


PAGES: dict[str, Callable[[Path], Path]] = {
    "quickstart": _quickstart,
    "bars": _bars,
    "groups": _groups,
    "nothing": _nothing,
    "series": _series,
    "failed": _failed,
    "odd": _odd,
    "large": _large,
    "live": _live,
    "not yet live": _not_yet_live,
}
