"""Portfolios of trained models over time: returns and drawdowns (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.report.timelines import MAX_POINTS, DrawnLine, LivePlot, TimeFigure, compared
from ray_pipeline.results.cumulated import drawdowns, thinned
from ray_pipeline.results.figures import signed

__all__ = ["WorthCurve", "compared_worth", "worth_curve", "worth_timeline"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WorthCurve:
    """Summed returns of a portfolio at each time in seconds since 1970, all of shape (n,)."""

    seconds: Floats
    gross: Floats
    net: Floats


def worth_curve(rows: Sequence[Mapping[str, Any]]) -> WorthCurve:
    """Take the curve out of rows of ``evaluation/equity.parquet``, at least one, in time order."""
    seconds, gross, net = (
        np.array(values, dtype=np.float64)
        for values in (
            [row["ts"].timestamp() for row in rows],
            [row["gross"] for row in rows],
            [row["net"] for row in rows],
        )
    )
    return WorthCurve(seconds, gross, net)


def worth_timeline(job_id: str, curve: WorthCurve) -> TimeFigure:
    """Draw a portfolio's returns before and after costs, and its drawdowns below."""
    fallen = drawdowns(curve.net)
    kept = np.union1d(thinned(curve.net, MAX_POINTS // 2), thinned(fallen, MAX_POINTS // 2))
    seconds = curve.seconds[kept]
    returns = (
        DrawnLine("Gross", "no", curve.gross[kept]),
        DrawnLine("Net", "yes", curve.net[kept]),
    )
    none = np.empty(0)
    ends = curve.net[-1], curve.gross[-1], fallen.min()
    net, gross, worst = (signed(float(each)) for each in ends)
    label = (
        f"Portfolio of {job_id} over time: {net} net and {gross} gross in the end, at worst "
        f"{worst} below the best so far"
    )
    plots = (
        LivePlot("Summed returns: net, and gross dotted", seconds, returns, none, height=150),
        LivePlot(
            "Drawdown, net: below the best so far",
            seconds,
            (DrawnLine("Drawdown", "yes", fallen[kept]),),
            none,
            height=110,
        ),
    )
    return TimeFigure(label, plots)


def compared_worth(curves: Mapping[str, WorthCurve]) -> TimeFigure | None:
    """Draw the returns of several portfolios together; None where there are no two."""
    if len(curves) < 2:
        return None
    name = "Summed returns after costs, all portfolios drawn below"
    lines = [(job_id, each.seconds, each.net) for job_id, each in curves.items()]
    return TimeFigure(f"{name}: {', '.join(curves)}", (compared(name, lines),))
