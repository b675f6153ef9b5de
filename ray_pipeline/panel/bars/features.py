"""The catalogue of features that bars give, and their computation.

Every feature is scale-free (no price or volume level enters), so that symbols can be pooled,
and reads a finite, stated number of bars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np

from ray_pipeline.errors import ConfigError
from ray_pipeline.panel.bars.bars import Bars, FloatArray
from ray_pipeline.panel.bars.oscillator_features import OSCILLATOR_FEATURES
from ray_pipeline.panel.bars.price_features import PRICE_FEATURES
from ray_pipeline.panel.bars.series import BarSeries, Feature
from ray_pipeline.panel.bars.volatility_features import VOLATILITY_FEATURES
from ray_pipeline.panel.bars.volume_features import VOLUME_FEATURES

__all__ = ["STANDARD_FEATURES", "compute_features", "feature_names"]

STANDARD_FEATURES: Mapping[str, Feature] = MappingProxyType(
    {
        feature.name: feature
        for feature in (
            *PRICE_FEATURES,
            *VOLATILITY_FEATURES,
            *OSCILLATOR_FEATURES,
            *VOLUME_FEATURES,
        )
    }
)


def feature_names(features: str | Sequence[str]) -> tuple[str, ...]:
    """List the names that ``labeling.features`` stands for.

    Parameters
    ----------
    features
        ``"standard"`` for the whole catalogue, or feature names.

    Raises
    ------
    ConfigError
        When the set or a name is unknown, a name is given twice, or none is given.
    """
    if isinstance(features, str):
        if features != "standard":
            hint = f" For this one feature write [{features}]." if _is_known(features) else ""
            raise ConfigError(
                f"labeling.features: unknown set {features!r}. The one set is 'standard'; "
                f"a list of feature names is accepted too.{hint}"
            )
        return tuple(STANDARD_FEATURES)
    names = tuple(features)
    _known_features(names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"labeling.features: {', '.join(repeated)} given more than once. Name each once."
        )
    if not names:
        raise ConfigError(
            "labeling.features: the list is empty. Name at least one feature, or set 'standard'."
        )
    return names


def compute_features(bars: Bars, names: Sequence[str]) -> FloatArray:
    """Compute features of one symbol.

    The value at row t depends on the last ``lookback`` rows up to t alone, to the last bit:
    neither the rows after t nor the ones before change it.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    names
        Names from the catalogue.

    Returns
    -------
    float64 (n_rows, n_names)
        In column-major order; NaN where undefined (too few rows, a missing cell in the window,
        a division by zero), never infinite.

    Raises
    ------
    ConfigError
        When a name is not in the catalogue.
    """
    features = _known_features(names)
    values = np.empty((len(bars), len(features)), order="F")
    with np.errstate(all="ignore"):
        series = BarSeries(bars)
        for column, feature in enumerate(features):
            values[:, column] = feature.compute(series)
    # NaN too, so that there is one NaN: its sign bit comes from whichever instruction made it.
    values[~np.isfinite(values)] = np.nan
    return values


def _known_features(names: Sequence[str]) -> list[Feature]:
    for name in names:
        if not _is_known(name):
            close = get_close_matches(name, STANDARD_FEATURES, n=1)
            suggestion = f"Did you mean {close[0]!r}?" if close else "There is none like it."
            raise ConfigError(
                f"labeling.features: unknown feature {name!r}. {suggestion} "
                f"ray_pipeline.panel.bars.STANDARD_FEATURES lists all {len(STANDARD_FEATURES)}."
            )
    return [STANDARD_FEATURES[name] for name in names]


def _is_known(name: str) -> bool:
    return name in STANDARD_FEATURES
