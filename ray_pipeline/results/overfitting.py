"""The trials of a run, and the probability of backtest overfitting, in words (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ray_pipeline.results.figures import is_measured, percentage
from ray_pipeline.wording import plural

__all__ = ["overfitting_of", "overfitting_sentence", "trials_of"]

Row = Mapping[str, Any]


def overfitting_of(rows: Iterable[Row], target: str | None = None) -> Row | None:
    """Return the row of all models of the run, or that of one target; None where there is none."""
    return next((row for row in rows if row["target"] == target), None)


def trials_of(row: Row) -> str:
    """Write how many trials a Sharpe ratio was the best of."""
    counted = plural(row["n_trials"], "trial")
    effective = row.get("n_effective_trials")
    if not is_measured(effective):  # written by version 0.2.0 or before
        return counted
    return f"{counted}, which are worth {effective:.3g} independent ones"


def overfitting_sentence(row: Row) -> str:
    """Say how often the best model of one half of the time disappointed in the other."""
    if not is_measured(row["probability"]):
        return f"The probability of backtest overfitting could not be measured: {row['reason']}."
    models = plural(row["n_models"], "model")
    if row["target"] is not None:
        models += f" of {row['target']}"
    return (
        f"Probability of backtest overfitting {percentage(row['probability'])}: in so many of the "
        f"ways to halve the tested time, the one of {models} with the best net Sharpe ratio in "
        "one half was below their median in the other (50% where none is truly better), and in "
        f"{percentage(row['loss_probability'])} it lost money there."
    )
