"""What may be why two runs differ: config, seed, input, lost units, versions (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ray_pipeline.comparing.files import json_text
from ray_pipeline.config.document import dotted
from ray_pipeline.results.documents import RunRecord

__all__ = ["compare_configs", "compare_records"]

_COUNTS = ("selected", "quarantined", "failed_units")
_WITHOUT_EFFECT = ("execution", "experiment.name", "output", "tracking", "training.promote")
"""Sections and keys that say where, by whom and under which name the work is done."""

Differences = list[dict[str, str | None]]


def compare_records(a: RunRecord, b: RunRecord) -> Differences:
    """List what differs in two ``run.json`` and may change a result, as ``key``, ``a`` and ``b``.

    Values are JSON, None where a run has no such key.
    """
    return _differing(_facts(a), _facts(b))


def _facts(record: RunRecord) -> dict[str, Any]:
    return {
        "seed": record.seed,
        "input_fingerprint": record.input_fingerprint,
        "versions": record.versions,
        "counts": {name: record.counts[name] for name in _COUNTS if name in record.counts},
    }


def compare_configs(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Differences]:
    """List the keys that differ in two configs; those that change no result apart.

    Returns
    -------
    dict
        ``config`` and ``config_without_effect``, each as in `compare_records`.
    """
    found: dict[str, Differences] = {"config": [], "config_without_effect": []}
    for difference in _differing(a, b):
        key = f"{difference['key']}."
        idle = any(key.startswith(f"{name}.") for name in _WITHOUT_EFFECT)
        found["config_without_effect" if idle else "config"].append(difference)
    return found


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Differences:
    keys_a, keys_b = dict(_leaves(a, ())), dict(_leaves(b, ()))
    return [
        {"key": key, "a": keys_a.get(key), "b": keys_b.get(key)}
        for key in dict.fromkeys((*keys_a, *keys_b))
        if keys_a.get(key) != keys_b.get(key)
    ]


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield dotted(path), json_text(value)
