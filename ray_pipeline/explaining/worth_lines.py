"""What the predictions of the models would have been worth, in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.results.capping import capped
from ray_pipeline.results.figures import (
    is_measured,
    probability,
    ratio_with_error,
    significant,
    unsigned,
)
from ray_pipeline.results.overfitting import overfitting_sentence, trials_of
from ray_pipeline.results.tables import EVALUATED_JOBS

__all__ = ["MAX_EVALUATED", "worth_lines"]

Row = Mapping[str, Any]

MAX_EVALUATED = 10


def worth_lines(found: Mapping[str, Any]) -> list[str]:
    """List what the planned models' out-of-sample predictions would have been worth."""
    rows = [job["evaluation"] for job in found["models"]["jobs"] if job["evaluation"]]
    return list(_lines(rows, found["models"]["overfitting"]))


def _lines(rows: Sequence[Row], overfitting: Row | None) -> Iterator[str]:
    yield "worth of the predictions"
    if not rows:
        yield from wrapped("No model's predictions were evaluated.")
        return
    shown = capped(rows, MAX_EVALUATED, "most important first", EVALUATED_JOBS)
    yield from aligned(
        ["job", "spread", "hit rate", "by chance", "net", "Sharpe a year", "deflated", "p"],
        [_row(row) for row in shown.rows],
    )
    yield from wrapped(
        "spread: mean label of the top quantile of predictions minus that of the bottom one"
    )
    if any(is_measured(row["net"]) for row in shown.rows):
        yield from wrapped(
            f"net: a holding period's return after {rows[0]['cost_bps']:g} basis points of the "
            "traded amount; deflated: probability that the true Sharpe ratio is above 0 for the "
            "best of "
            f"{trials_of(rows[0])}; p: probability that the best of as many worthless ones shows "
            "such a ratio; "
            "market impact and capacity are not considered"
        )
    for row in shown.rows:
        if row["doubtful"]:
            yield from wrapped(f"doubtful: {row['job_id']}: {row['doubt']}")
    if overfitting is not None:
        yield from wrapped(overfitting_sentence(overfitting))
    for reason in dict.fromkeys(row["reason"] for row in shown.rows if row["reason"]):
        yield from wrapped(reason)
    if shown.note:
        yield from wrapped(shown.note)


def _row(row: Row) -> list[str]:
    return [
        row["job_id"],
        significant(row["spread"]),
        unsigned(row["hit_rate"]),
        unsigned(row["hit_rate_by_chance"]),
        significant(row["net"]),
        ratio_with_error(row["sharpe"], row["sharpe_std_error"]),
        probability(row["deflated_sharpe"]),
        probability(row.get("sharpe_p_value")),
    ]
