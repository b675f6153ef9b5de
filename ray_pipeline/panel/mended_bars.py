"""Apply the config's rules for ticks and splits to the bars of one symbol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.bar_flaws import BarFlaws, Split, find_bar_flaws, is_split_column
from ray_pipeline.panel.columns import column_kind
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.reading_rules import ReadingRules
from ray_pipeline.wording import iso_time, some_of

__all__ = ["MENDABLE", "mend_bars", "split_column"]

MENDABLE = ("ticks", "unadjusted_splits", "stuck_prices")
"""Rules of findings about faulty bars."""

_Floats = NDArray[np.float64]
_MOST_TOLD = 3
_FIELDS = ("open", "high", "low", "close")
_DONE = {
    "keep": "kept unchanged; data.ticks: mask or drop removes them",
    "mask": "set missing (data.ticks: mask)",
    "drop": "dropped (data.ticks: drop)",
}


def split_column(columns: Sequence[tuple[str, str]]) -> str | None:
    """Return the column of split ratios, by its name and type, if there is one.

    Parameters
    ----------
    columns
        (name, Arrow type string). Of several the first by code point counts.
    """
    names = [
        name
        for name, arrow_type in columns
        if is_split_column(name) and column_kind(arrow_type) == "numeric"
    ]
    return min(names, default=None)


def mend_bars(
    time_ns: NDArray[np.int64], bars: _Floats, stated: _Floats | None, rules: ReadingRules
) -> tuple[NDArray[np.bool_], list[QualityFinding]]:
    """Find ticks, splits and stuck prices, and treat them as the config says.

    Splits come first: with ``splits: adjust`` prices before a split that a column states are
    divided by its ratio and the volume is multiplied, as vendors do. This changes levels by a
    factor that was not known at the time, but nothing that compares bars with each other. With
    ``ticks: mask`` all fields of a tick become missing, with ``drop`` its row is taken out.

    Parameters
    ----------
    time_ns
        (n_rows,).
    bars
        (n_rows, 5): open, high, low, close, volume. Changed in place.
    stated
        (n_rows,) of the split column, None if there is none.

    Returns
    -------
    is_kept
        (n_rows,): which rows remain.
    findings
        With the symbol's times and what was done.
    """
    flaws = find_bar_flaws(bars, stated)
    findings = [
        *_tick_findings(time_ns, bars, flaws, rules),
        *_split_findings(time_ns, flaws.splits, rules),
        *_stuck_findings(time_ns, bars, flaws),
    ]
    if rules.splits == "adjust":
        for split in (each for each in flaws.splits if each.is_stated):
            bars[: split.row, :4] /= split.ratio
            bars[: split.row, 4] *= split.ratio
    is_kept = np.ones(len(time_ns), dtype=bool)
    if rules.ticks == "mask":
        bars[flaws.ticks] = np.nan
    elif rules.ticks == "drop":
        is_kept[flaws.ticks] = False
    return is_kept, findings


def _tick_findings(
    time_ns: NDArray[np.int64], bars: _Floats, flaws: BarFlaws, rules: ReadingRules
) -> list[QualityFinding]:
    n_ticks = len(flaws.ticks)
    if not n_ticks:
        return []
    told = [f"{iso_time(int(time_ns[row]))} ({_worst(bars, row)})" for row in flaws.ticks]
    one = "1 bar is" if n_ticks == 1 else f"{n_ticks} bars are"
    message = (
        f"{one} far outside the range of the bars around: {some_of(told, _MOST_TOLD)}; "
        f"{_DONE[rules.ticks]}"
    )
    return [QualityFinding("ticks", None, n_ticks, message)]


def _worst(bars: _Floats, row: int) -> str:
    """Name the price of a row that is farthest from the neighbouring closes."""
    beside = [row - 1, row + 1] if 0 < row < len(bars) - 1 else [row]
    usual = float(np.nanmedian(bars[beside, 3]))
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.abs(np.log(np.maximum(bars[row, :4], 0.0) / usual))
    field = int(np.argmax(distances))
    return f"{_FIELDS[field]} {bars[row, field]:g} beside {usual:g}"


def _split_findings(
    time_ns: NDArray[np.int64], splits: Sequence[Split], rules: ReadingRules
) -> list[QualityFinding]:
    findings = []
    for is_stated in (True, False):
        some = [each for each in splits if each.is_stated == is_stated]
        if not some:
            continue
        told = [f"{split_ratio(each.ratio)} at {iso_time(int(time_ns[each.row]))}" for each in some]
        way_out = "data.splits: adjust adjusts them"
        if rules.splits == "adjust":
            way_out = "they were adjusted (data.splits: adjust)"
        if not is_stated:
            way_out = "no column states it, so adjust the files if it is one"
        known_by = "a split column" if is_stated else "the jump's ratio"
        message = (
            f"prices before a split, by {known_by}, are not adjusted: "
            f"{some_of(told, _MOST_TOLD)}; {way_out}"
        )
        findings.append(QualityFinding("unadjusted_splits", None, len(some), message))
    return findings


def split_ratio(ratio: float) -> str:
    """Write a split in the usual form: 3:2, 20:1, 1:10."""
    if ratio == 1.5:
        return "3:2"
    return f"{ratio:g}:1" if ratio >= 1 else f"1:{1 / ratio:g}"


def _stuck_findings(
    time_ns: NDArray[np.int64], bars: _Floats, flaws: BarFlaws
) -> list[QualityFinding]:
    if not flaws.stuck:
        return []
    told = []
    for first, n_bars in sorted(flaws.stuck, key=lambda run: (-run[1], run[0])):
        traded = bool((bars[first : first + n_bars, 4] > 0).any())
        told.append(
            f"{n_bars} bars at {bars[first, 3]:g} from {iso_time(int(time_ns[first]))}, "
            f"{'with' if traded else 'without'} volume"
        )
    n_stuck = sum(n_bars for _, n_bars in flaws.stuck)
    message = f"prices are stuck: {some_of(told, _MOST_TOLD)}; kept as they are"
    return [QualityFinding("stuck_prices", None, n_stuck, message)]
