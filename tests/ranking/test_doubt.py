"""Skills beyond what such targets have ever shown: which rows are doubtful, and what they say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.ranking.decide import SymbolRow, TargetRow, choose_targets, with_verdicts
from ray_pipeline.ranking.doubt import (
    DoubtedFigure,
    DoubtLimits,
    beyond,
    doubt_sentence,
    doubted_skills,
    unused_limits,
    with_doubt,
)
from ray_pipeline.records import TargetSpec, View


def limits(bar_seconds: int = 300, session_bars: int = 78, **doubt: Any) -> DoubtLimits:
    """Return the limits of a config."""
    config = ExperimentConfig.model_validate({"data": {"data_dir": "nowhere"}, "doubt": doubt})
    return DoubtLimits.from_config(config, bar_seconds, session_bars)


def figures(skill: float, std_error: float = 0.01) -> dict[str, Any]:
    t_stat = skill / std_error
    return {
        "family": "ridge",
        "task": "regression",
        "horizon_bars": 3,
        "skill": skill,
        "std_error": std_error,
        "t_stat": t_stat,
        "p_value": 0.5 * math.erfc(t_stat / math.sqrt(2)),
        "q_value": math.nan,
        "n_rows": 2000,
        "predictable": False,
        "rank": 0,
        "reason": "",
        "degrees_of_freedom": math.inf,
    }


def target_row(target: str, view: View, skill: float, std_error: float = 0.01) -> TargetRow:
    return TargetRow(target=target, view=view, n_symbols=6, **figures(skill, std_error))


def judged(*rows: TargetRow, **doubt: Any) -> dict[tuple[str, str], TargetRow]:
    """Give rows their verdicts as a run does, at five-minute bars; by target and view."""
    of = limits(**doubt)
    known = {row.target: of.of(TargetSpec(row.target, 3, "regression")) for row in rows}
    found = with_doubt(with_verdicts(rows, 0.05, "bh"), known, of.std_errors)
    return {(row.target, row.view): row for row in found}


# limits


def test_limits_of_a_kind() -> None:
    """By name, and by how far the target looks ahead on these bars."""
    of = limits()
    day = of.of(TargetSpec("fwd_ret_1d", 78, "regression"))
    assert (day.limits.skill, day.limits.hit_rate, day.limits.sharpe) == (0.2, 0.6, 7.0)
    hour = of.of(TargetSpec("fwd_ret_60m", 12, "regression"))
    assert (hour.limits.skill, hour.limits.hit_rate, hour.limits.sharpe) == (0.25, 0.62, 12.0)
    peak = of.of(TargetSpec("y_will_peak_60m_1.0", 12, "binary"))
    assert (peak.limits.skill, peak.limits.hit_rate, peak.limits.sharpe) == (0.8, None, None)


def test_a_target_of_ones_own_has_no_limit() -> None:
    """A sensor may honestly have 0.95; a target named as a return is compared with returns."""
    sensor = TargetSpec("y_sensor", 3, "regression")
    assert limits().of(sensor).limits.skill is None
    config = ExperimentConfig.model_validate(
        {"data": {"data_dir": "nowhere"}, "evaluation": {"return_targets": ["y_sensor"]}}
    )
    assert DoubtLimits.from_config(config, 300, 78).of(sensor).limits.skill == 0.25


def test_the_first_pattern_that_matches_gives_the_limit() -> None:
    """A number raises it, null takes it away, and other figures keep theirs."""
    of = limits(max_skill={"fwd_ret_1*": 0.5, "fwd_ret_*": None, "y_sensor": 0.99})
    fifteen = of.of(TargetSpec("fwd_ret_15m", 3, "regression"))
    assert (fifteen.limits.skill, fifteen.limits.sharpe) == (0.5, 12.0)
    assert fifteen.described("skill") == "0.5, the limit that doubt.max_skill gives it"
    assert fifteen.described("Sharpe ratio") == (
        "12, more than is known of the direction of prices less than a session ahead"
    )
    assert of.of(TargetSpec("fwd_ret_60m", 12, "regression")).limits.skill is None
    assert of.of(TargetSpec("y_sensor", 3, "regression")).limits.skill == 0.99


def test_a_pattern_without_a_target_is_told() -> None:
    """It does nothing, which nobody means."""
    config = ExperimentConfig.model_validate(
        {"data": {"data_dir": "nowhere"}, "doubt": {"max_sharpe": {"fwd_rat_*": 3.0}}}
    )
    assert list(unused_limits(config, ["fwd_ret_15m"])) == [
        "doubt.max_sharpe: no target is called 'fwd_rat_*', so that entry does nothing"
    ]


@pytest.mark.parametrize(
    ("figure", "error", "limit", "is_beyond"),
    [
        (0.30, 0.01, 0.25, True),
        (0.30, 0.03, 0.25, False),  # luck could do it
        (0.25, 0.0, 0.25, False),
        (0.30, math.nan, 0.25, False),
        (math.nan, 0.01, 0.25, False),
        (-0.9, 0.01, 0.25, False),
        (0.99, 0.001, None, False),
    ],
)
def test_beyond(figure: float, error: float, limit: float | None, is_beyond: bool) -> None:
    """By two standard errors; what was not measured is not doubted."""
    assert beyond(figure, error, limit, 2.0) == is_beyond


# rows


def test_a_row_beyond_is_doubtful_and_never_predictable() -> None:
    """With the figure, the limit, whose limit it is, and what to do."""
    found = judged(
        target_row("fwd_ret_15m", "cross_sectional", 0.52),
        target_row("fwd_ret_60m", "cross_sectional", 0.05),
    )
    row = found["fwd_ret_15m", "cross_sectional"]
    assert (row.doubtful, row.predictable, row.verdict, row.max_skill) == (
        True,
        False,
        "doubtful",
        0.25,
    )
    assert row.reason.startswith(
        "doubtful: skill +0.5200 ± 0.0100 is beyond 0.25, more than is known of the direction of "
        "prices less than a session ahead. "
    )
    assert "columns.exclude_features" in row.reason
    assert "raise doubt.max_skill for fwd_ret_15m" in row.reason
    honest = found["fwd_ret_60m", "cross_sectional"]
    assert (honest.doubtful, honest.predictable, honest.max_skill) == (False, True, 0.25)
    # What can be believed comes first, however strong the other looks.
    assert (honest.rank, row.rank) == (1, 2)
    assert choose_targets(list(found.values()), 10) == ["fwd_ret_60m"]


def test_the_other_view_of_a_doubtful_target_is_not_believed_either() -> None:
    """The same features are at work there; a view that showed nothing keeps its verdict."""
    found = judged(
        target_row("fwd_ret_15m", "cross_sectional", 0.52),
        target_row("fwd_ret_15m", "symbol_specific", 0.2),
        target_row("fwd_ret_60m", "cross_sectional", 0.4),
        target_row("fwd_ret_60m", "symbol_specific", 0.001),
    )
    other = found["fwd_ret_15m", "symbol_specific"]
    assert (other.doubtful, other.predictable, other.verdict) == (True, False, "doubtful")
    assert other.reason.startswith("doubtful: its skill in the cross-sectional view is beyond")
    weak = found["fwd_ret_60m", "symbol_specific"]
    assert (weak.doubtful, weak.predictable, weak.verdict) == (False, False, "no evidence")
    assert choose_targets(list(found.values()), 10) == []


def test_a_lucky_sample_is_not_doubted() -> None:
    """Beyond the limit, but not by two of its errors: it is what the test says of it."""
    row = judged(target_row("fwd_ret_15m", "cross_sectional", 0.3, 0.05))[
        "fwd_ret_15m", "cross_sectional"
    ]
    assert (row.doubtful, row.predictable, row.max_skill) == (False, True, 0.25)


def test_limits_of_the_config_are_the_ones_that_count() -> None:
    """Raised, switched off by null, or with another number of errors."""
    row = target_row("fwd_ret_15m", "cross_sectional", 0.3, 0.02)
    key = ("fwd_ret_15m", "cross_sectional")
    assert judged(row)[key].doubtful
    assert judged(row, max_skill={"fwd_ret_*": 0.35})[key].predictable
    off = judged(row, max_skill={"*": None})[key]
    assert (off.doubtful, off.predictable) == (False, True)
    assert math.isnan(off.max_skill)
    assert not judged(row, std_errors=3.0)[key].doubtful


def test_a_symbol_is_judged_by_itself() -> None:
    """One symbol's table may be at fault: the others keep their verdicts."""
    of = limits()
    known = {"fwd_ret_15m": of.of(TargetSpec("fwd_ret_15m", 3, "regression"))}
    rows = [
        SymbolRow(target="fwd_ret_15m", symbol=name, view="symbol_specific", **figures(skill))
        for name, skill in (("A", 0.6), ("B", 0.1))
    ]
    found = {row.symbol: row for row in with_doubt(with_verdicts(rows, 0.05, "bh"), known, 2.0)}
    assert (found["A"].doubtful, found["A"].predictable) == (True, False)
    assert " of A is beyond 0.25" in found["A"].reason
    assert (found["B"].doubtful, found["B"].predictable) == (False, True)


def test_doubted_figures() -> None:
    """One per target, the larger of its views, and the target furthest beyond first."""
    found = judged(
        target_row("fwd_ret_15m", "cross_sectional", 0.40),
        target_row("fwd_ret_15m", "symbol_specific", 0.45),
        target_row("fwd_ret_60m", "cross_sectional", 0.52),
        target_row("fwd_ret_5m", "cross_sectional", 0.1),
    )
    doubted = doubted_skills(found.values())
    assert [(each.target, each.value) for each in doubted] == [
        ("fwd_ret_60m", 0.52),
        ("fwd_ret_15m", 0.45),
    ]
    assert str(doubted[0]) == (
        "skill +0.52 on fwd_ret_60m is beyond what is believed of such a target (0.25)"
    )
    assert doubt_sentence(doubted) == f"2 are doubtful: {doubted[0]}, and 1 more"
    assert doubt_sentence(doubted[:1]) == f"1 is doubtful: {doubted[0]}"


def test_what_is_held_against_the_limit_is_the_views_own_figure() -> None:
    """A target doubtful in its own view alone shows that figure, not the pooled one."""
    rows = judged(
        target_row("fwd_ret_15m", "cross_sectional", 0.2),
        target_row("fwd_ret_15m", "symbol_specific", 0.6),
    )
    (each,) = doubted_skills(rows.values())
    assert each == DoubtedFigure("fwd_ret_15m", "skill", 0.6, 0.25)


def test_rows_without_a_limit_are_what_they_were() -> None:
    """Targets of one's own go through untouched."""
    rows = with_verdicts([target_row("y_sensor", "cross_sectional", 0.95)], 0.05, "bh")
    known = {"y_sensor": limits().of(TargetSpec("y_sensor", 3, "regression"))}
    (row,) = with_doubt(rows, known, 2.0)
    assert replace(row, max_skill=0.0) == replace(rows[0], max_skill=0.0)
    assert row.predictable
