"""The content of ``metadata.json``, so that a model can be used years later (pure)."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.bars import CATALOGUE, feature_lookback
from ray_pipeline.families import QuantileModel
from ray_pipeline.panel.cross_section import base_of, is_cross_sectional
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.roles import fields_of
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.series import find_feature, series_lookback
from ray_pipeline.statistics.familiar import feature_range
from ray_pipeline.statistics.percentile_scale import percentile_scale
from ray_pipeline.training.job_fit import FittedJob
from ray_pipeline.version import __version__
from ray_pipeline.wording import iso_time

__all__ = [
    "REPLAY_ROWS",
    "feature_facts",
    "fitted_facts",
    "library_versions",
    "request_facts",
]

REPLAY_ROWS = 32
"""Last training rows whose predictions are kept: scoring them again gives the same bits."""

_ALWAYS = ("numpy", "pyarrow")


def request_facts(target: TargetSpec, request: TableRequest) -> dict[str, Any]:
    """Describe the tables that a model needs: their kind, interval and target."""
    return {
        "target": target.name,
        "task": target.task,
        "horizon_bars": target.horizon_bars,
        "bar_seconds": request.bar_seconds,
        "session_bars": request.session_bars,
        "kind": request.kind,
        "time_column": request.time_column,
        "feature_functions": [asdict(function) for function in request.functions],
        "own_columns": list(request.own_columns),
        **({} if request.group is None else {"group": request.group}),
    }


def feature_facts(features: Sequence[str], request: TableRequest) -> dict[str, Any]:
    """Describe the features' inputs, and from which row on they are available.

    ``first_predictable_row`` counts from 0: the first row at which every feature has its full
    lookback. Features that are columns of the table count as available, and seasonal features of a
    series are not waited for: models are also trained on rows without them.
    """
    is_labeled = request.kind == "labeled"
    lookbacks = {name: None if is_labeled else _lookback(name, request) for name in features}
    awaited = (n or 1 for name, n in lookbacks.items() if not _is_seasonal(name, request))
    fields = fields_of(request.kind)
    return {
        "features": list(features),
        "feature_dtype": "float32",
        "feature_lookback_bars": lookbacks,
        "first_predictable_row": max(awaited, default=1) - 1,
        "input_columns": list(features) if is_labeled else [*fields, *_own(features, request)],
    }


def fitted_facts(
    design: Design, features: Sequence[str], fitted: FittedJob, axis: NDArray[np.int64]
) -> dict[str, Any]:
    """Describe the results of the fit other than the model's files.

    ``percentile_scale`` gives a prediction its percentile among those of the training rows;
    ``replay`` has the last of these; ``absent_features`` names, by feature, the symbols without a
    single value of it; ``feature_ranges`` has low, high (None where there is no value) and the
    share missing of each feature in these rows.
    """
    last = fitted.rows[-REPLAY_ROWS:]
    model = fitted.model
    return {
        "trained_on": {
            "symbols": list(design.symbols),
            "n_rows": fitted.n_rows,
            "first_ts": iso_time(int(axis[fitted.first])),
            "last_ts": iso_time(int(axis[fitted.last])),
            # From here on, the model predicts what it cannot have learned.
            "known_ts": iso_time(int(axis[fitted.known])),
        },
        "absent_features": _absent(design.since(fitted.window), features),
        "feature_ranges": _ranges(design, features, fitted.rows),
        "quantiles": list(model.quantiles) if isinstance(model, QuantileModel) else None,
        "percentile_scale": percentile_scale(fitted.predictions).tolist(),
        "replay": [
            {
                "time_ns": int(axis[design.positions[row]]),
                "symbol": design.symbols[design.symbol_index[row]],
                "prediction": float(prediction),
            }
            for row, prediction in zip(last, fitted.predictions[-REPLAY_ROWS:], strict=True)
        ],
    }


def library_versions(libraries: Sequence[str]) -> Mapping[str, str]:
    """Return the versions of the code that computes and writes a model.

    Parameters
    ----------
    libraries
        Distributions that the model's family names.
    """
    names = sorted({*libraries, *_ALWAYS})
    return {
        "ray_pipeline": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def _own(features: Sequence[str], request: TableRequest) -> tuple[str, ...]:
    """Return the extra columns from which features, or functions, are computed."""
    if any(set(function.names) & set(features) for function in request.functions):
        return request.own_columns
    return tuple(name for name in request.own_columns if name in features)


def _is_seasonal(name: str, request: TableRequest) -> bool:
    feature = find_feature(base_of(name)) if request.kind == "series" else None
    return feature is not None and bool(feature.season)


def _lookback(name: str, request: TableRequest) -> int | None:
    """Return how many bars a computed feature reads, including its own; None if unknown."""
    base = base_of(name) if is_cross_sectional(name) else name
    for function in request.functions:
        if base in function.names:
            return function.lookback
    if request.kind == "series":
        return series_lookback(base, request.interval)
    return feature_lookback([base], request.bar_seconds) if base in CATALOGUE else None


def _ranges(
    design: Design, features: Sequence[str], rows: NDArray[np.int64]
) -> dict[str, list[float | None]]:
    place = {name: j for j, name in enumerate(design.feature_names)}
    found: dict[str, list[float | None]] = {}
    for name in features:
        seen = feature_range(design.X[rows, place[name]])
        bounds = (seen.low, seen.high)
        found[name] = [*(None if np.isnan(each) else each for each in bounds), seen.missing]
    return found


def _absent(design: Design, features: Sequence[str]) -> dict[str, list[str]]:
    place = {name: j for j, name in enumerate(design.feature_names)}
    found: dict[str, list[str]] = {}
    for name in features:
        there = design.symbol_index[~np.isnan(design.X[:, place[name]])]
        if len(symbols := np.setdiff1d(np.arange(len(design.symbols)), there)):
            found[name] = [design.symbols[i] for i in symbols]
    return found
