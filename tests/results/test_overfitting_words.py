"""The trials of a run and its overfitting, in words."""

from __future__ import annotations

from dataclasses import asdict, replace

from ray_pipeline.evaluating.comparison import OverfittingRow
from ray_pipeline.results.overfitting import overfitting_of, overfitting_sentence, trials_of

RUN = OverfittingRow(None, 1200, 3, 240, 16, 0.42, 0.25, -0.1, "")
TARGET = replace(RUN, target="fwd_ret_5d", n_models=4, probability=0.03)


def test_a_probability_is_told_with_what_it_is_of() -> None:
    """All models of the run, or those of a target; what chance shows stands beside it."""
    told = overfitting_sentence(asdict(RUN))
    assert told.startswith("Probability of backtest overfitting 42%: ")
    assert "the one of 1,200 models with the best net Sharpe ratio" in told
    assert "50% where none is truly better" in told
    assert "in 25% it lost money" in told
    assert "4 models of fwd_ret_5d" in overfitting_sentence(asdict(TARGET))


def test_what_was_not_measured_says_why() -> None:
    """The reason of the row, in full; tables hold null for NaN."""
    row = asdict(replace(RUN, probability=float("nan"), reason="one model has no rival"))
    expected = "The probability of backtest overfitting could not be measured: one model has no"
    assert overfitting_sentence(row).startswith(expected)
    assert overfitting_sentence(row | {"probability": None}).startswith(expected)


def test_rows_are_found_by_target() -> None:
    """None is that of the run; a target with one model has none."""
    rows = [asdict(RUN), asdict(TARGET)]
    assert overfitting_of(rows) == rows[0]
    assert overfitting_of(rows, "fwd_ret_5d") == rows[1]
    assert overfitting_of(rows, "other") is None


def test_trials_of_before_are_only_counted() -> None:
    """Version 0.2.0 knew no independent ones: its tables lack the column."""
    assert trials_of({"n_trials": 1234}) == "1,234 trials"
    expected = "70 trials, which are worth 31.2 independent ones"
    assert trials_of({"n_trials": 70, "n_effective_trials": 31.24}) == expected
