"""What schedules of retraining would have earned, in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.results.capping import capped
from ray_pipeline.results.figures import count, probability, with_error
from ray_pipeline.results.policies import by_job, policies_sentence, policy_name
from ray_pipeline.results.tables import POLICIES

__all__ = ["policy_lines"]

MAX_JOBS = 4


def policy_lines(found: Mapping[str, Any]) -> list[str]:
    """List the policies of each job, beginning with the chosen line."""
    return list(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield "policies of retraining"
    jobs = by_job(found["models"]["policies"])
    shown = capped(list(jobs.items()), MAX_JOBS, "most important first", POLICIES)
    for job_id, (chosen, policies) in shown.rows:
        yield from wrapped(f"{job_id}: {policies_sentence(chosen, policies)}")
        header = ["retrained", "skill", "p", "minus the chosen", "followed", "models"]
        rows = [
            [
                policy_name(row),
                with_error(row["skill"], row["std_error"]),
                probability(row["p_value"]),
                with_error(row["excess"], row["excess_std_error"]),
                count(row["n_followed"]),
                count(row["n_trained"]),
            ]
            for row in (chosen, *policies)
        ]
        yield from aligned(header, rows)
    if shown.note:
        yield from wrapped(shown.note)
