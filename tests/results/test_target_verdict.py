"""Whether a target can be predicted, in one sentence."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.ranking.doubt import DoubtedFigure
from ray_pipeline.results.verdicts import target_verdict


def row(**figures: Any) -> TargetRow:
    """Return a predictable row of the pooled view, with some figures replaced."""
    values: dict[str, Any] = {
        "target": "fwd_ret_5d",
        "view": "cross_sectional",
        "family": "ridge",
        "task": "regression",
        "horizon_bars": 5,
        "skill": 0.0432,
        "std_error": 0.01,
        "t_stat": 4.32,
        "p_value": 0.001,
        "q_value": 0.012,
        "n_symbols": 12,
        "n_rows": 1000,
        "predictable": True,
        "rank": 1,
        "reason": "",
    }
    return TargetRow(**(values | figures))


WEAK = row(view="symbol_specific", skill=-0.01, p_value=0.8, q_value=0.9, predictable=False)
UNMEASURED = row(view="symbol_specific", q_value=math.nan, predictable=False)


@pytest.mark.parametrize(
    ("rows", "chosen", "sentence"),
    [
        (
            [row(), WEAK],
            ["a", "fwd_ret_5d"],
            "fwd_ret_5d is predictable in the cross-sectional view (skill +0.043 ± 0.010, q 0.012) "
            "but not in the symbol-specific view (skill −0.010 ± 0.010, q 0.900); it was chosen "
            "as 2nd of 2.",
        ),
        (
            [row(), row(view="symbol_specific")],
            ["a", "b"],
            "fwd_ret_5d is predictable in the cross-sectional view (skill +0.043 ± 0.010, q 0.012) "
            "and in the symbol-specific view (skill +0.043 ± 0.010, q 0.012); it was not "
            "chosen: only the top_n_targets=2 strongest are.",
        ),
        (
            [row(q_value=0.2, predictable=False), UNMEASURED],
            [],
            "fwd_ret_5d is not predictable in the cross-sectional view (skill +0.043 ± 0.010, q "
            "0.200) nor in the symbol-specific view (too little data): nothing is trained for it.",
        ),
    ],
)
def test_a_verdict_names_views_and_figures(
    rows: list[TargetRow], chosen: list[str], sentence: str
) -> None:
    """One sentence: in which views it is predictable, by which figures, and what followed."""
    assert target_verdict("fwd_ret_5d", rows, chosen, 2) == sentence


def test_doubtful_targets_are_never_called_predictable() -> None:
    """By the skill of the ranking, or by a figure of their trained models."""
    beyond = row(skill=0.52, max_skill=0.2, predictable=False, doubtful=True, verdict="doubtful")
    figure = DoubtedFigure("fwd_ret_5d", "skill", 0.52, 0.2)
    told = "skill +0.52 on fwd_ret_5d is beyond what is believed of such a target (0.2)"
    assert target_verdict("fwd_ret_5d", [beyond], [], 2, figure) == (
        f"fwd_ret_5d is doubtful, and nothing is trained for it: {told}."
    )
    worth = DoubtedFigure("fwd_ret_5d", "Sharpe ratio", 73.4, 7.0)
    assert target_verdict("fwd_ret_5d", [row()], ["fwd_ret_5d"], 2, worth).startswith(
        "fwd_ret_5d is doubtful, and its trained models showed it: Sharpe ratio +73.40 on "
    )
