"""Whether a target can be predicted, in one sentence."""

from __future__ import annotations

import math

import pytest
from ranked_rows import ranked_row

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.ranking.doubt import DoubtedFigure
from ray_pipeline.results.verdicts import target_verdict

WEAK = ranked_row(view="symbol_specific", skill=-0.01, p_value=0.8, q_value=0.9, predictable=False)
UNMEASURED = ranked_row(view="symbol_specific", q_value=math.nan, predictable=False)


@pytest.mark.parametrize(
    ("rows", "chosen", "sentence"),
    [
        (
            [ranked_row(), WEAK],
            ["a", "fwd_ret_5d"],
            "fwd_ret_5d is predictable in the cross-sectional view (skill +0.043 ± 0.010, q 0.012) "
            "but not in the symbol-specific view (skill −0.010 ± 0.010, q 0.900); it was chosen "
            "as 2nd of 2.",
        ),
        (
            [ranked_row(), ranked_row(view="symbol_specific")],
            ["a", "b"],
            "fwd_ret_5d is predictable in the cross-sectional view (skill +0.043 ± 0.010, q 0.012) "
            "and in the symbol-specific view (skill +0.043 ± 0.010, q 0.012); it was not "
            "chosen: only the top_n_targets=2 strongest are.",
        ),
        (
            [ranked_row(q_value=0.2, predictable=False), UNMEASURED],
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
    assert target_verdict("fwd_ret_5d", rows, chosen) == sentence


def test_doubtful_targets_are_never_called_predictable() -> None:
    """By the skill of the ranking, or by a figure of their trained models."""
    beyond = ranked_row(
        skill=0.52, max_skill=0.2, predictable=False, doubtful=True, verdict="doubtful"
    )
    figure = DoubtedFigure("fwd_ret_5d", "skill", 0.52, 0.2)
    told = "skill +0.52 on fwd_ret_5d is beyond what is believed of such a target (0.2)"
    assert target_verdict("fwd_ret_5d", [beyond], [], figure) == (
        f"fwd_ret_5d is doubtful, and nothing is trained for it: {told}."
    )
    worth = DoubtedFigure("fwd_ret_5d", "Sharpe ratio", 73.4, 7.0)
    assert target_verdict("fwd_ret_5d", [ranked_row()], ["fwd_ret_5d"], worth).startswith(
        "fwd_ret_5d is doubtful, and its trained models showed it: Sharpe ratio +73.40 on "
    )
