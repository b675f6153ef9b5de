"""The outcome of a run, in one sentence, for every possible outcome."""

from __future__ import annotations

import math
import shlex
from typing import Any

import pytest

from ray_pipeline.driving.verdict import next_commands, predictable_targets, verdict
from ray_pipeline.errors import ExecutionError
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.ranking.doubt import DoubtedFigure
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import View
from ray_pipeline.routing.jobs import Job, LeftOutModel, TrainingPlan


def _row(target: str, view: View, predictable: bool, **more: Any) -> TargetRow:
    figures: dict[str, Any] = dict.fromkeys(
        ("skill", "std_error", "t_stat", "p_value", "q_value"), math.nan
    )
    counts: dict[str, Any] = {"n_symbols": 3, "n_rows": 100, "rank": 1, "horizon_bars": 1}
    return TargetRow(
        target=target,
        view=view,
        family="ridge",
        task="regression",
        predictable=predictable,
        reason="",
        **{**figures, **counts, **more},
    )


def _ranking(**predictable: bool) -> Ranking:
    """Rank targets in both views; the second view never shows anything."""
    rows = [_row(name, "cross_sectional", value) for name, value in predictable.items()]
    rows += [_row(name, "symbol_specific", predictable=False) for name in predictable]
    return Ranking(rows, [], [name for name, value in predictable.items() if value], {})


def _plan(n_jobs: int, n_left_out: int = 0) -> TrainingPlan:
    job = Job("cs_a__ridge", "a", "cross_sectional", (), (), "ridge", (), (), (), 1, "")
    left_out = LeftOutModel("a", "S", None, "no features")
    return TrainingPlan((job,) * n_jobs, (left_out,) * n_left_out)


@pytest.mark.parametrize(
    ("ranking", "plan", "n_models", "n_failed", "sentence"),
    [
        (
            _ranking(a=False, b=False),
            _plan(0),
            0,
            0,
            "none of 2 targets is predictable at a false-discovery rate of 0.05; nothing was "
            "trained",
        ),
        (
            _ranking(a=False),
            _plan(0),
            0,
            2,
            "the only target is not predictable at a false-discovery rate of 0.05; nothing was "
            "trained; 2 units failed, see failures.parquet",
        ),
        (
            _ranking(a=True, b=False),
            _plan(0),
            0,
            0,
            "1 of 2 targets predictable (a), but no route leads to a model; nothing was trained",
        ),
        (
            _ranking(a=True),
            _plan(4),
            4,
            0,
            "1 of 1 target predictable (a), 4 of 4 models trained",
        ),
        (
            _ranking(a=True),
            _plan(3, 1),
            2,
            1,
            "1 of 1 target predictable (a), 2 of 4 models trained; 1 unit failed, see "
            "failures.parquet",
        ),
    ],
)
def test_sentence(
    ranking: Ranking, plan: TrainingPlan, n_models: int, n_failed: int, sentence: str
) -> None:
    """A target counts once, whatever its views; wanted models are those left out as well."""
    assert verdict(ranking, plan, n_models, n_failed, alpha=0.05) == sentence


@pytest.mark.parametrize("plan", [_plan(2), _plan(0, 2)])
def test_wanted_and_not_trained_is_a_failure(plan: TrainingPlan) -> None:
    """Models that were wanted and are not there: an error, never a sentence."""
    with pytest.raises(
        ExecutionError,
        match=r"1 of 1 target predictable \(a\), but not one of 2 models could be trained; "
        r"failures\.parquet and training_plan\.json say why\.",
    ):
        verdict(_ranking(a=True), plan, 0, 2, alpha=0.05)


SKILL = {"skill": 0.52, "max_skill": 0.25, "doubtful": True, "verdict": "doubtful"}


def _in_doubt(*doubtful: str, predictable: tuple[str, ...] = ()) -> Ranking:
    rows = [_row(name, "cross_sectional", False, **SKILL) for name in doubtful]
    rows += [_row(name, "cross_sectional", True) for name in predictable]
    return Ranking(rows, [], list(predictable), {})


def test_doubtful_targets_are_counted_apart_and_the_first_is_told() -> None:
    """With its figure and limit; none of them counts as predictable."""
    beyond = "skill +0.52 on a is beyond what is believed of such a target (0.25)"
    assert verdict(_in_doubt("a", predictable=("b",)), _plan(2), 2, 0, 0.05) == (
        f"1 of 2 targets predictable (b), 2 of 2 models trained; 1 is doubtful: {beyond}"
    )
    assert verdict(_in_doubt("a", "b"), _plan(0), 0, 1, 0.05) == (
        "none of 2 targets is predictable at a false-discovery rate of 0.05; nothing was trained; "
        f"2 are doubtful: {beyond}, and 1 more; 1 unit failed, see failures.parquet"
    )


def test_a_target_that_its_trained_models_make_doubtful() -> None:
    """It was ranked as predictable and trained, and is counted as doubtful all the same."""
    worth = DoubtedFigure("b", "Sharpe ratio", 73.4, 12.0)
    told = "Sharpe ratio +73.40 on b is beyond what is believed of such a target (12)"
    assert verdict(_ranking(a=True, b=True), _plan(2), 2, 0, 0.05, [worth]) == (
        f"1 of 2 targets predictable (a), 2 of 2 models trained; 1 is doubtful: {told}"
    )
    assert verdict(_ranking(b=True), _plan(2), 2, 0, 0.05, [worth]) == (
        "the only target is not predictable at a false-discovery rate of 0.05; 2 models "
        "trained; "
        f"1 is doubtful: {told}"
    )


def test_symbols_left_out_are_no_failed_units() -> None:
    """Where the data of a symbol cannot be used the last line says so by itself."""
    sentence = verdict(_ranking(a=True), _plan(4), 4, 1, alpha=0.05, n_left_out=2)
    assert sentence == (
        "1 of 1 target predictable (a), 4 of 4 models trained; 2 symbols left out, see "
        "symbols.json; 1 unit failed, see failures.parquet"
    )


def test_predictable_targets_are_named_strongest_first_and_not_without_end() -> None:
    """In the order in which they were chosen; those in doubt are none of them."""
    names = [f"t{i}" for i in range(8)]
    rows = [_row(name, "cross_sectional", predictable=True) for name in names]
    ranking = Ranking(rows, [], ["t3", "t1"], {})
    in_doubt = [DoubtedFigure("t1", "Sharpe ratio", 73.4, 12.0)]
    found = predictable_targets(ranking, in_doubt)
    assert found == ["t3", "t0", "t2", "t4", "t5", "t6", "t7"]
    sentence = verdict(ranking, _plan(2), 2, 0, 0.05, in_doubt)
    assert "7 of 8 targets predictable (t3, t0, t2, t4, t5 and 2 more), 2 of 2" in sentence


def test_what_comes_next_is_a_command_that_a_shell_takes() -> None:
    """The strongest target is explained, else the closest; models are there to predict with."""
    rows = [
        _row("far", "cross_sectional", predictable=False, q_value=0.9),
        _row("close", "cross_sectional", predictable=False, q_value=0.1),
        _row("unknown", "cross_sectional", predictable=False),
    ]
    ranking = Ranking(rows, [], [], {})
    (explain,) = next_commands("runs/my run", ranking, [], 0)
    assert shlex.split(explain) == [
        *("ray-pipeline", "explain", "runs/my run", "--target", "close")
    ]
    explain, predict = next_commands("s3://b/run", ranking, ["far"], 3)
    assert explain.endswith("s3://b/run --target far")
    assert predict.startswith("ray-pipeline predict s3://b/run ")
    assert next_commands("run", Ranking([], [], [], {}), [], 0) == []
