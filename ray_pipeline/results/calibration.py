"""How far calibrated numbers can be trusted, in words (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ray_pipeline.results.figures import DASH, count, is_measured, share
from ray_pipeline.statistics.family_wise import holm
from ray_pipeline.wording import agreeing, plural

__all__ = [
    "beyond_luck",
    "by_figure",
    "calibration_sentences",
    "calibration_verdicts",
    "figure_name",
    "figure_of",
]

Row = Mapping[str, Any]

ALPHA = 0.05
"""Chance that a figure whose numbers are right is said to be off."""

_SLIGHT = 0.02
"""Of a probability or a coverage: what is off by no more is nearly right."""

_LUCK = math.sqrt(2.0 / math.pi)
"""Mean absolute value of a normal error, in standard errors."""

_NAMES = {"probability": "probabilities", "expected": "expected labels", "interval": "intervals"}


def figure_name(figure: str) -> str:
    """Name what is judged, in the plural."""
    return _NAMES[figure]


def figure_of(figure: str) -> Callable[[float | None], str]:
    """Return how values of a figure are written: as shares, or as labels."""
    return _label if figure == "expected" else share


def by_figure(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Sort rows that have a figure by target and what that is, in their order."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if not (is_measured(row["predicted"]) and is_measured(row["observed"])):
            continue
        found.setdefault((row["target"], row["figure"]), []).append(row)
    return found


def calibration_sentences(rows: Iterable[Row], of: str = "the walk-forward") -> list[str]:
    """Say of each figure of a target whether it can be believed, and how it has been in numbers.

    Parameters
    ----------
    rows
        Of one target.
    of
        What the rows are of.
    """
    told = (_judged(figure, its, of) for (_, figure), its in by_figure(rows).items())
    return [f"{judged[0]}: {judged[1]}" for judged in told if judged is not None]


def calibration_verdicts(rows: Iterable[Row]) -> list[str]:
    """Say of each figure of a target whether it can be believed, without the numbers.

    Parameters
    ----------
    rows
        Of one target.
    """
    told = (_judged(figure, its, "") for (_, figure), its in by_figure(rows).items())
    return [judged[0] for judged in told if judged is not None]


def beyond_luck(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a figure that are off by more than luck, all of these counted (Holm)."""
    p_values = [row["p_value"] if is_measured(row["p_value"]) else math.nan for row in rows]
    adjusted = holm(np.array(p_values, dtype=np.float64))
    return [row for row, p in zip(rows, adjusted, strict=True) if p <= ALPHA]


def _judged(figure: str, rows: Sequence[Row], of: str) -> tuple[str, str] | None:
    """Return the verdict on a figure and what it rests on; None where too little was measured."""
    parts = {
        part: [row for row in rows if row["part"] == part]
        for part in ("all", "tenth", "eighth", "symbol")
    }
    if not (parts["all"] and parts["eighth" if figure == "interval" else "tenth"]):
        return None
    whole = parts["all"][0]
    judged = parts["eighth" if figure == "interval" else "tenth"]
    off = beyond_luck([whole, *judged])
    verdict = _verdict(figure, whole, judged, off)
    if figure == "interval":
        return verdict, _of_interval(whole, parts["eighth"], parts["symbol"], off, of)
    return verdict, _of_predicted(figure, whole, parts["tenth"], off, of)


def _verdict(figure: str, whole: Row, parts: Sequence[Row], off: Sequence[Row]) -> str:
    name = _NAMES[figure].capitalize()
    if not any(is_measured(row["p_value"]) for row in (whole, *parts)):
        return f"{name}, too early to tell"
    if figure != "interval" and parts[-1]["observed"] <= parts[0]["observed"] and not off:
        return f"{name} are within luck of what came, and tell no rows apart"
    if not off:
        return f"{name} can be believed"
    if figure == "interval" and whole not in off:
        return f"{name} hold on the whole, and not at all times"
    slight = max(abs(_gap(row)) for row in off) <= _SLIGHT
    if figure != "expected" and slight:
        return f"{name} can nearly be believed"
    return f"{name} are off"


def _gap(row: Row) -> float:
    return float(row["observed"] - row["predicted"])


def _of_predicted(
    figure: str, whole: Row, tenths: Sequence[Row], off: Sequence[Row], of: str
) -> str:
    told = figure_of(figure)
    what = "the share that came true" if figure == "probability" else "the mean label"
    weights = [row["n_rows"] for row in tenths]
    mean = _weighted([abs(_gap(row)) for row in tenths], weights)
    errors = [row["std_error"] for row in tenths]
    luck = ""
    if all(map(is_measured, errors)):
        luck = f" (luck alone makes {_points(figure, _LUCK * _weighted(errors, weights))})"
    lowest, highest = tenths[0], tenths[-1]
    text = (
        f"over {count(whole['n_rows'])} rows of {of} {what} is "
        f"{_points(figure, mean)} from what was said, in the mean over tenths of the rows{luck}. "
        f"In the lowest tenth {told(lowest['predicted'])} was said and "
        f"{told(lowest['observed'])} came, in the highest {told(highest['predicted'])} and "
        f"{told(highest['observed'])}."
    )
    tenths_off = [row for row in off if row["part"] == "tenth"]
    if tenths_off:
        worst = max(tenths_off, key=lambda row: abs(_gap(row)))
        text += (
            f" {plural(len(tenths_off), 'tenth')} {agreeing(len(tenths_off), 'is', 'are')} off by "
            f"more than luck, most where {told(worst['predicted'])} was said and "
            f"{told(worst['observed'])} ± {_error(figure, worst)} came."
        )
    elif off:
        text += (
            f" Over all rows {told(whole['predicted'])} was said and {told(whole['observed'])} ± "
            f"{_error(figure, whole)} came, which is more than luck."
        )
    return text


def _of_interval(
    whole: Row, eighths: Sequence[Row], symbols: Sequence[Row], off: Sequence[Row], of: str
) -> str:
    came = [row["observed"] for row in eighths]
    lowest, highest = min(came), max(came)
    text = (
        f"they held {_held(whole)} of {count(whole['n_rows'])} labels of {of}, "
        f"where {share(whole['predicted'])} was asked for; by eighths of the time "
        f"{share(lowest)} to {share(highest)}"
    )
    n_off = sum(row["part"] == "eighth" for row in off)
    if n_off:
        text += f", {n_off} of them off by more than luck"
    if len(symbols) == 3:
        low, middle, high = symbols
        text += (
            f"; by symbol {_held(low)} ({low['symbol']}) to {_held(high)} ({high['symbol']}), "
            f"{share(middle['observed'])} in the middle of "
            f"{low['n_symbols']}"
        )
    held = [row["naive_observed"] for row in eighths if is_measured(row["naive_observed"])]
    if not (held and is_measured(whole["width"]) and whole["naive_width"]):
        return f"{text}."
    ratio = whole["width"] / whole["naive_width"] - 1.0
    width = f"{abs(ratio):.0%} {'wider' if ratio > 0 else 'narrower'} than"
    if abs(ratio) < 0.005:
        width = "as wide as"
    return (
        f"{text}. They are {width} the one interval that holds as many of all labels in "
        f"hindsight, which held {share(min(held))} to {share(max(held))} in these eighths."
    )


def _held(row: Row) -> str:
    error = f" ± {share(row['std_error'])}" if is_measured(row["std_error"]) else ""
    return f"{share(row['observed'])}{error}"


def _weighted(values: Sequence[float], weights: Sequence[float]) -> float:
    return float(np.average(values, weights=weights))


def _points(figure: str, value: float) -> str:
    """Write a difference in the unit of its figure."""
    return f"{100.0 * value:.1f} points" if figure == "probability" else _label(value)


def _label(value: float | None) -> str:
    """Write a label of any size to two digits: its errors are not finer."""
    return f"{value:.2g}".replace("-", "−") if is_measured(value) else DASH


def _error(figure: str, row: Row) -> str:
    return share(row["std_error"]) if figure == "probability" else _label(row["std_error"])
