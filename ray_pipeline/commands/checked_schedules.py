"""What a check says about retraining dates: up to which date a run would use rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch
from ray_pipeline.inspecting.folds import date_ns
from ray_pipeline.inspecting.glimpse import Glimpse, glimpse_batch
from ray_pipeline.inspecting.schedule import PanelTimes, dates_on, last_date
from ray_pipeline.panel.time_axis import decode_runs, merge_axes
from ray_pipeline.wording import iso_time

__all__ = ["glimpse_until", "schedule_lines", "schedule_record"]


def glimpse_until(batch: Batch, config: ExperimentConfig) -> tuple[Glimpse, int | None]:
    """Read a part of a batch, up to the last date that a run would use, as far as that part shows.

    Raises
    ------
    ConfigError
        When no retraining date has been reached.
    """
    until = None if config.data.until is None else date_ns(config.data.until)
    if config.training.retrain_every is not None:
        seen = glimpse_batch(batch.partitions, config, batch.interval)
        axis = merge_axes(each.runs for each in seen.inspections.values())
        n_symbols = np.zeros(len(axis), dtype=np.int64)
        for each in seen.inspections.values():
            n_symbols[np.searchsorted(axis, decode_runs(each.runs))] += 1
        until = last_date(dates_on(PanelTimes(axis, n_symbols), config), config)
    return glimpse_batch(batch.partitions, config, batch.interval, until), until


def schedule_record(until_ns: int | None, config: ExperimentConfig) -> dict[str, Any]:
    """Return up to which date rows are used, and how often models are retrained."""
    return {
        "until": None if until_ns is None else iso_time(until_ns),
        "retrain_every": config.training.retrain_every,
    }


def schedule_lines(found: Mapping[str, Any]) -> list[str]:
    """Format it for a person; nothing if all rows are used."""
    if found["until"] is None:
        return []
    if found["retrain_every"] is None:
        return [f"rows      those before {found['until'][:16]}: data.until"]
    return [
        f"rows      those before {found['until'][:16]}, the last date of training.retrain_every="
        f"{found['retrain_every']}; later ones are for predict and update"
    ]
