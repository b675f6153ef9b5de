"""Trained models whose figures are beyond what such targets have ever shown."""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

import pytest

from ray_pipeline.bars.plausible import Plausible
from ray_pipeline.evaluating.doubt import doubt_worth, doubted_worth
from ray_pipeline.evaluating.records import DecayRow, EvaluatedRow
from ray_pipeline.ranking.doubt import TargetLimits

LIMITS = {
    "fwd_ret_1d": TargetLimits(
        "the direction of prices", Plausible(skill=0.2, hit_rate=0.6, sharpe=5.0)
    ),
    "y_sensor": TargetLimits("", Plausible()),
}


def row(job_id: str = "cs_1", symbol: str | None = None, **figures: Any) -> EvaluatedRow:
    """Return a model without a figure, but for those given."""
    values: dict[str, Any] = {
        each.name: math.nan for each in fields(EvaluatedRow) if each.default is MISSING
    }
    values |= {"target": "fwd_ret_1d", "view": "cross_sectional", "family": "ridge"}
    values |= {"task": "regression", "horizon_bars": 1, "n_rows": 1000, "n_timestamps": 500}
    values |= {"n_trials": 4, "reason": "", "job_id": job_id, "symbol": symbol}
    return EvaluatedRow(**(values | figures))


def decay(job_id: str, lag_bars: int, skill: float) -> DecayRow:
    return DecayRow(
        job_id=job_id,
        target="fwd_ret_1d",
        view="cross_sectional",
        symbol=None,
        family="ridge",
        lag_bars=lag_bars,
        rank_ic=skill,
        std_error=0.01,
        rank_autocorrelation=0.5,
        n=500,
    )


@pytest.mark.parametrize(
    ("figures", "doubted", "value"),
    [
        ({"sharpe": 73.0, "sharpe_std_error": 4.0}, "Sharpe ratio", 73.0),
        ({"sharpe": 7.0, "sharpe_std_error": 1.5}, "", math.nan),  # a lucky year
        ({"sharpe": 2.45, "sharpe_std_error": 0.2}, "", math.nan),
        (
            {"hit_rate": 0.7, "hit_rate_std_error": 0.01, "hit_rate_by_chance": 0.5},
            "hit rate",
            0.7,
        ),
        # Prices rose in two thirds of these periods, and always saying so takes no skill.
        (
            {"hit_rate": 0.7, "hit_rate_std_error": 0.01, "hit_rate_by_chance": 0.66},
            "",
            math.nan,
        ),
        ({}, "", math.nan),
    ],
)
def test_figures_beyond_their_limits(figures: dict[str, float], doubted: str, value: float) -> None:
    """The figure, its size and its limit; a sentence; nothing where all is well."""
    (found,) = doubt_worth([row(**figures)], [], LIMITS, 2.0)
    assert (found.doubtful, found.doubted) == (doubted != "", doubted)
    assert found.doubted_value == pytest.approx(value, nan_ok=True)
    if doubted:
        limit = {"Sharpe ratio": 5.0, "hit rate": 0.6}[doubted]
        assert found.doubted_limit == limit
        told = f"{doubted} {value:.4g} ± "
        if figures.get("hit_rate_by_chance", 0.5) != 0.5:
            rates = figures["hit_rate"], figures["hit_rate_by_chance"]
            told = (
                f"hit rate {rates[0]:.4g} where {rates[1]:.4g} is chance, as good as {value:.4g} ±"
            )
        assert found.doubt.startswith(told)
        assert found.doubt.endswith(
            f"is beyond {limit:g}, more than is known of the direction of prices"
        )
    else:
        assert found == row(**figures) or found.doubt == ""


def test_the_skill_of_a_trained_model_is_that_of_no_lag() -> None:
    """Later labels are another question."""
    rows = [row("a"), row("b")]
    lags = [decay("a", 0, 0.4), decay("a", 1, 0.1), decay("b", 0, 0.1), decay("b", 1, 0.4)]
    first, second = doubt_worth(rows, lags, LIMITS, 2.0)
    assert (first.doubted, first.doubted_value, first.doubted_limit) == ("skill", 0.4, 0.2)
    assert not second.doubtful


def test_targets_of_ones_own_are_not_doubted() -> None:
    """Without a limit there is nothing to be beyond."""
    good = row(target="y_sensor", sharpe=99.0, sharpe_std_error=1.0)
    (found,) = doubt_worth([good], [], LIMITS, 2.0)
    assert not found.doubtful


def test_a_pooled_model_makes_its_target_doubtful_and_one_symbol_does_not() -> None:
    """At least half of the symbols' own models do."""
    high: dict[str, Any] = {"sharpe": 30.0, "sharpe_std_error": 1.0}

    def doubted(*rows: EvaluatedRow) -> list[str]:
        found = doubt_worth(rows, [], LIMITS, 2.0)
        return [str(each) for each in doubted_worth(map(asdict, found))]

    sentence = "Sharpe ratio +30.00 on fwd_ret_1d is beyond what is believed of such a target (5)"
    assert doubted(row(**high), row("cs_2")) == [sentence]
    own = [row(f"sym_{name}", name) for name in "ABC"]
    assert doubted(replace(own[0], **high), *own[1:]) == []
    assert doubted(*(replace(each, **high) for each in own[:2]), own[2]) == [sentence]
    assert doubted(row(), *own) == []
