"""The existing result in a run directory, and whether a run may replace it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.comparing.settings import compare_configs
from ray_pipeline.config import (
    ExperimentConfig,
    dump_config,
    parse_experiment_config,
    read_config_values,
)
from ray_pipeline.errors import ConfigError, StorageError
from ray_pipeline.results.reading import refuse_later_format
from ray_pipeline.results.tables import CONFIG, RECORD
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.replacing import NEXT, result_place

__all__ = ["earlier_record", "require_same_config", "stands"]

_AT_MOST = 3
_NOT_WHOLE = ("running", "failed", "interrupted")
_WAY_ON = (
    "Give this run its own directory (--run-dir, run_dir= in Python, output.run_dir or "
    "experiment.name), or add --replace (replace=True in Python) to replace that result once this "
    "one is complete."
)


def stands(run: RunDirectory) -> bool:
    """Whether the directory holds a complete result, or may hold one: its record does not say."""
    place = result_place(run)
    if not place.exists(RECORD):
        return False
    record = _record(place)
    return record is None or record.get("status") not in _NOT_WHOLE


def require_same_config(run: RunDirectory, config: ExperimentConfig) -> None:
    """Raise ConfigError when the existing result was computed from another config.

    The same goes for a format of a later version that this one cannot read. Keys that only say
    where and under which name the work is done may differ.
    """
    place = result_place(run)
    refuse_later_format(_record(place), place.uri)
    try:
        theirs = _resolved(place.read_text(CONFIG), f"{place.uri}/{CONFIG}")
    except (ConfigError, StorageError) as error:
        raise ConfigError(
            f"output.run_dir: {run.uri} holds a result, and it is unclear whether this config "
            f"produced it: {error} {_WAY_ON}"
        ) from error
    ours = read_config_values(dump_config(config), CONFIG)
    differing = compare_configs(theirs, ours)["config"]
    if not differing:
        return
    named = "; ".join(
        f"{each['key']} is {each['a'] or 'missing'} there and {each['b'] or 'missing'} here"
        for each in differing[:_AT_MOST]
    )
    more = f", and {len(differing) - _AT_MOST} more keys differ" if differing[_AT_MOST:] else ""
    raise ConfigError(
        f"output.run_dir: {run.uri} holds the result of another config: {named}{more}. {_WAY_ON}"
    )


def earlier_record(run: RunDirectory, facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the record of the work that a run continues: same config, same data.

    The latest attempt comes first, then the existing result.
    """
    for place in (run.below(NEXT), run):
        record = _record(place) if place.exists(RECORD) else None
        if record is not None and all(record.get(key) == facts[key] for key in facts):
            timings = record.get("timings_s")
            return record if isinstance(timings, dict) else None
    return None


def _record(place: RunDirectory) -> dict[str, Any] | None:
    try:
        record = place.read_json(RECORD)
    except (StorageError, RecursionError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _resolved(text: str, source: str) -> dict[str, Any]:
    """Resolve a config with the current version: newer keys have their defaults."""
    return read_config_values(dump_config(parse_experiment_config(text, source)), source)
