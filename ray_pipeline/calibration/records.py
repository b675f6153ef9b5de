"""How far calibrated numbers can be trusted, as rows of a table (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CalibratedFigure", "CalibrationPart", "CalibrationRow"]

CalibratedFigure = Literal["probability", "expected", "interval"]
"""What is judged: the columns ``__prob``, ``__expected``, or ``__low`` and ``__high``."""

CalibrationPart = Literal["all", "tenth", "eighth", "symbol"]


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One row of ``evaluation/calibration.parquet``: a figure of a target, on a part of its rows.

    Rows are those of the walk-forward that have the figure and a label, of the symbols that models
    of the target serve.

    Attributes
    ----------
    part, number
        ``all`` rows; the n-th ``tenth`` of them by what was predicted, from 1 (equal predictions
        are of one tenth); the n-th ``eighth`` of their timestamps; or one ``symbol``: 1 is the
        one whose interval holds the fewest labels, 2 the one in the middle, 3 the one whose holds
        the most.
    symbol
        Of the last; None elsewhere.
    first_ts, last_ts
        Of the rows, as ISO 8601.
    n_rows, n_times, n_symbols
        Rows, and their timestamps and symbols; for a ``symbol`` the symbols that it was picked of.
    predicted, observed
        Mean probability, and share of labels that are 1; mean expected label, and mean label; or
        the share of labels that the interval is to hold, and that it held.
    std_error
        Of observed less predicted, honest about overlapping labels and common timestamps; NaN
        where there are too few timestamps for it.
    p_value
        Two-sided, for a true difference of 0, by itself; NaN where the error is.
    width
        Mean width of the interval; NaN of other figures.
    naive_width, naive_observed
        Width of the one interval that holds as many of all labels in hindsight, between two
        quantiles of them, and the share that it holds of the labels of this part.
    """

    target: str
    figure: CalibratedFigure
    part: CalibrationPart
    number: int
    symbol: str | None
    first_ts: str
    last_ts: str
    n_rows: int
    n_times: int
    n_symbols: int
    predicted: float
    observed: float
    std_error: float
    p_value: float
    width: float
    naive_width: float
    naive_observed: float
