"""The outcome of a run, in one sentence, and what to do next (pure)."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from ray_pipeline.errors import ExecutionError
from ray_pipeline.ranking.doubt import DoubtedFigure, doubt_sentence
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.routing.jobs import TrainingPlan
from ray_pipeline.wording import plural, some_of

__all__ = ["next_commands", "predictable_targets", "verdict"]

_N_NAMED = 5


def verdict(
    ranking: Ranking,
    plan: TrainingPlan,
    n_models: int,
    n_failed: int,
    alpha: float,
    doubted: Sequence[DoubtedFigure] = (),
    n_left_out: int = 0,
) -> str:
    """Say what was found, trained and doubted.

    "Nothing can be predicted" is a result. "Nothing could be trained although something can be
    predicted" is a failure, and is always called that.

    Parameters
    ----------
    doubted
        Targets made doubtful by their trained models, in addition to those that ranking doubts.
    n_left_out
        Symbols with unusable data.

    Raises
    ------
    ExecutionError
        When models were planned and none was trained.
    """
    n_targets = len({row.target for row in ranking.targets})
    every = [*ranking.doubted, *doubted]
    predictable = predictable_targets(ranking, doubted)
    n_predictable = len(predictable)
    in_doubt = f"; {doubt_sentence(every)}" if every else ""
    failed = f"; {plural(n_left_out, 'symbol')} left out, see symbols.json" if n_left_out else ""
    failed += f"; {plural(n_failed, 'unit')} failed, see failures.parquet" if n_failed else ""
    if n_predictable == 0:
        trained = f"{plural(n_models, 'model')} trained" if n_models else "nothing was trained"
        none_is = "the only target is not" if n_targets == 1 else f"none of {n_targets} targets is"
        return (
            f"{none_is} predictable at a false-discovery rate of {alpha:g}; "
            f"{trained}{in_doubt}{failed}"
        )
    named = some_of(predictable, at_most=_N_NAMED)
    found = f"{n_predictable} of {plural(n_targets, 'target')} predictable ({named})"
    n_wanted = len(plan.jobs) + len(plan.left_out)
    if n_wanted == 0:
        return f"{found}, but no route leads to a model; nothing was trained{in_doubt}{failed}"
    if n_models == 0:
        raise ExecutionError(
            f"{found}, but not one of {plural(n_wanted, 'model')} could be trained; "
            "failures.parquet and training_plan.json say why."
        )
    return f"{found}, {n_models} of {plural(n_wanted, 'model')} trained{in_doubt}{failed}"


def predictable_targets(ranking: Ranking, doubted: Sequence[DoubtedFigure] = ()) -> list[str]:
    """Name the targets that can be predicted and are not doubtful, strongest first.

    Parameters
    ----------
    doubted
        As for `verdict`.
    """
    doubtful = {each.target for each in (*ranking.doubted, *doubted)}
    found = [row.target for row in ranking.targets if row.predictable]
    # Those that continue are in the order of their evidence; the others in the ranking's order.
    names = dict.fromkeys([*(name for name in ranking.chosen if name in found), *found])
    return [name for name in names if name not in doubtful]


def next_commands(run_dir: str, ranking: Ranking, names: Sequence[str], n_models: int) -> list[str]:
    """Return the commands to run next: one that explains, and one that uses the models.

    Parameters
    ----------
    names
        Targets that can be predicted, strongest first. Without any, the target that came closest is
        explained.
    """
    closest = sorted(ranking.targets, key=lambda row: (math.isnan(row.q_value), row.q_value))
    told = [*names, *(row.target for row in closest)]
    run = shlex.quote(run_dir)
    commands = [f"ray-pipeline explain {run} --target {shlex.quote(told[0])}"] if told else []
    if n_models:
        commands.append(f"ray-pipeline predict {run} --data-dir NEW_DATA --out SCORES")
    return commands
