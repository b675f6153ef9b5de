"""From out-of-sample predictions to figures with errors (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import Task, View
from ray_pipeline.statistics.hac import MeanEstimate, best_of, overlapping_mean
from ray_pipeline.statistics.skill import even_bets, time_contributions, timestamp_skills
from ray_pipeline.statistics.tails import normal_upper_quantile, t_upper_tail

__all__ = [
    "MAX_BLOCKS",
    "Evidence",
    "PredictedRows",
    "SkillMeasure",
    "SkillSeries",
    "best_family",
    "block_sums",
    "evidence_of",
    "largest_z_score",
    "paired_evidence",
    "series_evidence",
    "skill_series",
    "strongest_family",
    "time_evidence",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_BLOCKS = 1024
"""Elements of the series that a symbol contributes to its target's figure."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A skill with its HAC standard error; `p_value` is one-sided for ``skill > 0``.

    `n_rows` counts the predictions (rows or timestamps) that the skill is the mean over. Over a
    symbol's own time `t_stat` and `p_value` are those of even bets (see `SkillSeries`), so that
    `t_stat` is close to ``skill / std_error`` but not equal to it.
    """

    skill: float
    std_error: float
    t_stat: float
    p_value: float
    n_rows: int
    degrees_of_freedom: float

    @property
    def z_score(self) -> float:
        """Standard normal value of the same p-value: comparable between degrees of freedom."""
        return float(normal_upper_quantile(self.p_value))

    @classmethod
    def none(cls) -> Evidence:
        """Return the evidence of nothing measured."""
        return cls(math.nan, math.nan, math.nan, math.nan, 0, math.nan)

    @classmethod
    def from_estimate(cls, estimate: MeanEstimate, largest: float = 1.0) -> Evidence:
        """Keep what tables show of an estimate; its mean is at most `largest` in size."""
        return cls(
            skill=min(largest, max(-largest, estimate.mean)),
            std_error=estimate.std_error,
            t_stat=estimate.t_stat,
            p_value=estimate.p_value,
            n_rows=estimate.n,
            degrees_of_freedom=estimate.degrees_of_freedom,
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Evidence:
        """Rebuild from `to_record`."""
        return cls(**record)

    def to_record(self) -> dict[str, Any]:
        """Plain values for a unit's record."""
        return asdict(self)

    def paid(self, n_tries: int) -> Evidence:
        """Let the winner of some tries, chosen on these rows, pay for all of them (Bonferroni)."""
        if math.isnan(self.p_value):
            return self
        return replace(self, p_value=min(1.0, n_tries * self.p_value))


@dataclass(frozen=True, slots=True)
class SkillMeasure:
    """How the skill of a model is measured: what it is the mean of, and what its error knows.

    Attributes
    ----------
    view
        Across the symbols of a timestamp, or over a symbol's own time.
    span
        What a label spans: panel positions across symbols, the symbol's rows over its own time.
    spacing
        Of these from one timestamp to the next; above 1 when timestamps were sampled.
    min_cs
        Symbols that a timestamp needs to count across symbols, or a group of it.
    """

    view: View
    task: Task
    span: int
    spacing: float
    min_cs: int


@dataclass(frozen=True, slots=True)
class PredictedRows:
    """Predictions of test rows in time order, all of shape (n_rows,).

    Attributes
    ----------
    actual
        Labels, NaN where unknown.
    positions
        On the panel's time axis.
    cells
        What each row is compared within across symbols; see `Design`.
    centred_percentile, outcome
        Of each prediction and each label; see `ray_pipeline.statistics.skill`. None where nobody
        measures the skill over time.
    """

    prediction: Floats
    actual: Floats
    positions: Ints
    cells: Ints
    centred_percentile: Floats | None = None
    outcome: Floats | None = None


@dataclass(frozen=True, slots=True)
class SkillSeries:
    """What a skill is the mean of, and what tells whether it is luck, in time order.

    Attributes
    ----------
    contributions
        One figure per timestamp, or per row of a symbol, shape (n,).
    tested
        The same but for the size of bets, which is even, shape (n,); see
        `ray_pipeline.statistics.skill.even_bets`. Across symbols there is nothing to even out.
    """

    contributions: Floats
    tested: Floats

    @classmethod
    def of_timestamps(cls, skills: Floats) -> SkillSeries:
        """Take skills across symbols, shape (n_timestamps,)."""
        return cls(skills, skills)

    @classmethod
    def over_time(cls, predicted: Floats, outcomes: Floats, task: Task) -> SkillSeries:
        """Take a symbol's rows; see `ray_pipeline.statistics.skill.time_contributions`."""
        return cls(
            time_contributions(predicted, outcomes, task),
            time_contributions(even_bets(predicted), outcomes, task),
        )


def skill_series(measure: SkillMeasure, rows: PredictedRows) -> SkillSeries:
    """Return what the skill is the mean of: one figure per timestamp, or per labelled row.

    Raises
    ------
    ValueError
        When the skill over time is asked of rows without centred percentiles and outcomes.
    """
    labelled = np.isfinite(rows.actual)
    match measure.view:
        case "cross_sectional":
            found = timestamp_skills(
                rows.prediction[labelled],
                rows.actual[labelled],
                rows.positions[labelled],
                rows.cells[labelled],
                measure.task,
                min_rows=measure.min_cs,
            )
            return SkillSeries.of_timestamps(found)
        case "symbol_specific":
            if rows.centred_percentile is None or rows.outcome is None:
                raise ValueError(
                    "skill over time needs the centred percentiles and outcomes of the rows."
                )
            return SkillSeries.over_time(
                rows.centred_percentile[labelled], rows.outcome[labelled], measure.task
            )
        case _:
            assert_never(measure.view)


def evidence_of(measure: SkillMeasure, rows: PredictedRows) -> Evidence:
    """Return the skill of predictions with its HAC error, measured as their view measures it."""
    return time_evidence(skill_series(measure, rows), measure.span, measure.spacing)


def time_evidence(series: SkillSeries, span: int, spacing: float = 1.0) -> Evidence:
    """Return the mean of a series in time order with its HAC error.

    Parameters
    ----------
    span, spacing
        As of `SkillMeasure`.
    """
    return _evidence(series, span, spacing, largest=1.0)


def _evidence(series: SkillSeries, span: int, spacing: float, largest: float) -> Evidence:
    if len(series.contributions) == 0:
        return Evidence.none()
    evidence = Evidence.from_estimate(
        overlapping_mean(series.contributions, span, spacing), largest
    )
    if series.tested is series.contributions:
        return evidence
    tested = overlapping_mean(series.tested, span, spacing)
    return replace(evidence, t_stat=tested.t_stat, p_value=tested.p_value)


def paired_evidence(own: SkillSeries, pooled: SkillSeries, span: int, spacing: float) -> Evidence:
    """Difference own − pooled on the same rows: a Diebold–Mariano test on rank skill.

    Source: Diebold & Mariano (1995), with the HAC variance of `hac_mean`; `p_value` is
    one-sided for own > pooled. `skill` is the difference of two skills, in [-2, 2].
    """
    contributions = own.contributions - pooled.contributions
    tested = own.tested - pooled.tested
    return _evidence(SkillSeries(contributions, tested), span, spacing, largest=2.0)


def block_sums(
    contributions: Floats, positions: Ints, first: int, n_positions: int
) -> tuple[Floats, float]:
    """Sum a symbol's contributions over blocks of the panel's test range.

    The sums of several symbols add up to the series of their mean skill, so that its error
    knows of their cross-correlation although no process holds all rows.

    Parameters
    ----------
    contributions, positions
        Row products and panel positions, shape (n_rows,).
    first, n_positions
        The test range is ``[first, first + n_positions)``.

    Returns
    -------
    tuple
        Sums per block divided by n_rows, shape (n_blocks,), and positions per block.
    """
    n_blocks = min(MAX_BLOCKS, n_positions)
    block = (positions - first) * n_blocks // n_positions
    sums = np.bincount(block, weights=contributions, minlength=n_blocks)
    return sums / max(len(contributions), 1), n_positions / n_blocks


def series_evidence(
    mean_of_symbols: Floats,
    horizon: int,
    positions_per_block: float,
    n_rows: int,
    own_errors: Sequence[float] = (),
) -> Evidence:
    """Mean skill over symbols from the block series summed over them.

    Symbols that err together make the error larger, as they should. Symbols that happen to err
    in opposite ways would make it smaller than that of independent ones; such luck is not
    believed, and the error of independence is the least that is used.

    Parameters
    ----------
    mean_of_symbols
        Sum over symbols of `block_sums`, divided by the number of symbols, shape (n_blocks,).
    horizon
        Panel positions that a label spans.
    n_rows
        Predictions behind it, for the table.
    own_errors
        Standard error of each symbol's skill; NaN where it could not be told.
    """
    n_blocks = len(mean_of_symbols)
    estimate = overlapping_mean(mean_of_symbols * n_blocks, horizon, positions_per_block)
    evidence = Evidence.from_estimate(estimate)
    least = math.sqrt(float(np.nansum(np.square(own_errors)))) / max(len(own_errors), 1)
    if evidence.std_error < least:
        t_stat = evidence.skill / least
        p_value = float(t_upper_tail(t_stat, evidence.degrees_of_freedom))
        evidence = replace(evidence, std_error=least, t_stat=t_stat, p_value=p_value)
    return replace(evidence, n_rows=n_rows)


def best_family(evidence: Mapping[str, Evidence]) -> tuple[str, Evidence] | None:
    """Pick the family with the strongest evidence; its p-value pays for the number of tries.

    Families are compared in name order, so equals resolve the same way everywhere.
    """
    measured: Sequence[str] = sorted(
        name for name, item in evidence.items() if not math.isnan(item.p_value)
    )
    if not measured:
        return None
    index, p_value = best_of(np.array([evidence[name].p_value for name in measured]))
    return measured[index], replace(evidence[measured[index]], p_value=p_value)


def strongest_family(evidence: Mapping[str, Evidence]) -> tuple[str, Evidence] | None:
    """Pick the family with the largest z-score: what a null by simulation is a null of.

    The first in name order of equals; families without a standard error are passed over.
    """
    measured = sorted(name for name, item in evidence.items() if not math.isnan(item.std_error))
    if not measured:
        return None
    name = max(measured, key=lambda name: evidence[name].z_score)
    return name, evidence[name]


def largest_z_score(evidence: Iterable[Evidence]) -> float:
    """Return the z-score of `strongest_family`, NaN without one."""
    found = [item.z_score for item in evidence if not math.isnan(item.std_error)]
    return max(found, default=math.nan)
