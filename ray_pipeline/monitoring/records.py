"""The findings of monitoring: rows of its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.calibration.records import CalibratedFigure
from ray_pipeline.records import Question, Task, View

__all__ = [
    "DriftRow",
    "LiveFigure",
    "ModelSeries",
    "Monitoring",
    "Notice",
    "NoticeKind",
    "SkillPoint",
    "SkillVerdict",
    "WatchedRow",
]

SkillVerdict = Literal["holds", "too early", "below promise", "no skill left"]
NoticeKind = Literal[
    "missing symbols",
    "stopped symbols",
    "stuck inputs",
    "missing columns",
    "drift",
    "not looked at",
]


@dataclass(frozen=True, slots=True)
class ModelSeries:
    """Skills of the models of a target and view, measured in the same way before and since.

    Attributes
    ----------
    models
        Their families, joined by ``+`` if a score is the mean of several.
    before_ns, before
        Times and skills of the walk-forward with labels known when the first live prediction was
        made.
    live_ns, live
        The same for live predictions with known labels.
    spacing
        Timestamps from one element to the next; above 1 where those before were sampled.
    old_ns, old_standings, new_ns, new_standings
        Time and standing of each prediction, before and since, with a label or without.
    """

    target: str
    view: View
    models: str
    task: Task
    horizon_bars: int
    before_ns: NDArray[np.int64]
    before: NDArray[np.float64]
    live_ns: NDArray[np.int64]
    live: NDArray[np.float64]
    spacing: float
    old_ns: NDArray[np.int64]
    old_standings: NDArray[np.float64]
    new_ns: NDArray[np.int64]
    new_standings: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WatchedRow:
    """One row of ``monitoring/skill.parquet``.

    Attributes
    ----------
    estimated, std_error
        Skill before, with its HAC error.
    promised
        The same, minus the bias of having been chosen for it.
    first_ts, last_ts, n_live
        Live timestamps whose labels are known.
    n_blocks, block
        Number of whole blocks, which the test uses, and timestamps per block.
    skill, lately
        Mean over the whole blocks, and over the last three of them.
    low, high
        Its confidence sequence, at 95 %.
    p_value, p_adjusted
        For the hypothesis that the skill is as promised, valid at every look; and adjusted for all
        models (Holm).
    since
        When it fell below, as far as is known.
    noticed
        Last timestamp of the block that made this certain.
    to_do
        What to do about it.
    """

    target: str
    view: View
    models: str
    task: Task
    horizon_bars: int
    estimated: float
    std_error: float
    promised: float
    first_ts: str | None
    last_ts: str | None
    n_live: int
    n_blocks: int
    block: int
    skill: float
    lately: float
    low: float
    high: float
    p_value: float
    p_adjusted: float
    verdict: SkillVerdict
    since: str | None
    noticed: str | None
    reason: str
    to_do: str
    question: Question = ""

    @property
    def is_alarm(self) -> bool:
        """Whether the models do not perform as promised."""
        return self.verdict in ("below promise", "no skill left")


@dataclass(frozen=True, slots=True)
class SkillPoint:
    """One row of ``monitoring/history.parquet``: the state of a skill after a whole block."""

    target: str
    view: View
    models: str
    ts: str
    n_timestamps: int
    skill: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One row of ``monitoring/drift.parquet``; figures are NaN where nothing was measured.

    Attributes
    ----------
    kind
        ``feature``, ``prediction``, or ``rows``: all features at once, told apart by a classifier.
    name
        Feature, or target and view.
    stability_index, largest_difference
        Population stability index and Kolmogorov–Smirnov's distance; of rows NaN.
    separation
        Of rows: 2·AUC − 1 of a classifier of new against old ones.
    p_value, q_value
        Of the likelier measure, by what stretches of the rows before differ; over all that was
        tested (Benjamini–Hochberg).
    drifted
        Whether q is at most 0.05.
    detail
        The features that distinguish the rows.
    """

    kind: Literal["feature", "prediction", "rows"]
    name: str
    stability_index: float = math.nan
    largest_difference: float = math.nan
    separation: float = math.nan
    p_value: float = math.nan
    q_value: float = math.nan
    drifted: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LiveFigure:
    """One row of ``monitoring/calibration.parquet``: live forecasts and their outcomes.

    Figures are as in ``evaluation/calibration.parquet``, over all live rows with known labels.

    Attributes
    ----------
    before_predicted, before_observed, before_std_error, before_width
        The same for the walk-forward; NaN if the run did not measure it.
    sentence
        Whether the live ones can be believed. It is valid for this look only, and raises no alarm.
    """

    target: str
    figure: CalibratedFigure
    n_rows: int
    n_times: int
    predicted: float
    observed: float
    std_error: float
    width: float
    before_predicted: float
    before_observed: float
    before_std_error: float
    before_width: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One row of ``monitoring/notices.parquet``.

    Attributes
    ----------
    is_alarm
        Whether the command exits with 3 because of it: data that the models need are missing.
    since
        Its first time, if known.
    """

    kind: NoticeKind
    subject: str
    since: str | None
    text: str
    to_do: str
    is_alarm: bool = False


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The outcome of a run's live predictions.

    Attributes
    ----------
    run, name
        Its address and name.
    last_ts
        Newest live prediction; None where there is none.
    figures
        What live scores were said to mean, and the outcomes; none if nothing is calibrated.
    """

    run: str
    name: str
    last_ts: str | None
    skills: Sequence[WatchedRow]
    history: Sequence[SkillPoint]
    drift: Sequence[DriftRow]
    notices: Sequence[Notice]
    figures: Sequence[LiveFigure] = ()

    @property
    def alarms(self) -> list[str]:
        """The problems, one sentence each."""
        skills = [row.reason for row in self.skills if row.is_alarm]
        return [*skills, *(each.text for each in self.notices if each.is_alarm)]
