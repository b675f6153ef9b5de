"""The catalogue of features that bars give, and their computation.

Nearly every feature is scale-free (no price or volume level enters), so that symbols can be
pooled, and each reads a finite, stated number of bars or sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np

from ray_pipeline.bars.alpha158_features import ALPHA158_FEATURES
from ray_pipeline.bars.bars import Bars, FloatArray
from ray_pipeline.bars.kept_memory import kept_memory
from ray_pipeline.bars.oscillator_features import OSCILLATOR_FEATURES
from ray_pipeline.bars.price_features import PRICE_FEATURES
from ray_pipeline.bars.series import BarSeries, Feature
from ray_pipeline.bars.session_features import SESSION_FEATURES
from ray_pipeline.bars.sessions import MAX_SESSION_SECONDS
from ray_pipeline.bars.volatility_features import VOLATILITY_FEATURES
from ray_pipeline.bars.volume_features import VOLUME_FEATURES
from ray_pipeline.errors import ConfigError

__all__ = [
    "CATALOGUE",
    "FEATURE_SETS",
    "STANDARD_FEATURES",
    "compute_features",
    "feature_lookback",
    "feature_names",
    "function_paths",
]

_BLOCK_ROWS = 8192
"""Rows computed at a time: intermediate results stay in the cache of a core, and are small."""

_ARRAYS_OF_A_BLOCK = 400  # that `alpha158`, the largest set, has of a block at a time

_SECONDS_PER_DAY = 86_400

_SETS: dict[str, tuple[Feature, ...]] = {
    "standard": (
        *PRICE_FEATURES,
        *VOLATILITY_FEATURES,
        *OSCILLATOR_FEATURES,
        *VOLUME_FEATURES,
    ),
    "alpha158": ALPHA158_FEATURES,
    "intraday": SESSION_FEATURES,
}

FEATURE_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(feature.name for feature in features) for name, features in _SETS.items()}
)
"""Names of the features of each set."""

CATALOGUE: Mapping[str, Feature] = MappingProxyType(
    {feature.name: feature for features in _SETS.values() for feature in features}
)
"""Every feature by its name: group, formula, lookback."""

STANDARD_FEATURES: Mapping[str, Feature] = MappingProxyType(
    {name: CATALOGUE[name] for name in FEATURE_SETS["standard"]}
)


def function_paths(features: str | Sequence[str]) -> tuple[str, ...]:
    """List the user-defined functions among what ``labeling.features`` names.

    They are told by the ``:`` or ``.`` of their path, which no set or feature has in its name.
    """
    return tuple(item for item in _items(features) if _is_path(item))


def feature_names(
    features: str | Sequence[str],
    own: Mapping[str, Sequence[str]] | None = None,
    bar_seconds: int | None = None,
) -> tuple[str, ...]:
    """List the names that ``labeling.features`` stands for, in its order.

    Parameters
    ----------
    features
        Sets (``standard``, ``alpha158``, ``intraday``), names of features, and paths of
        functions: one, or a list in which they may be mixed.
    own
        Names of the features that each function gives, by its path.
    bar_seconds
        Length of a bar, where it is known.

    Raises
    ------
    ConfigError
        When a set or a name is unknown, a feature is named twice, none is given, or features of
        sessions are wanted of bars that are a day or longer.
    """
    names: list[str] = []
    for item in _items(features):
        if _is_path(item):
            if own is None:
                raise ConfigError(
                    f"labeling.features: {item} is a function of your own; its features are known "
                    "where it runs."
                )
            names += own[item]
        elif item in FEATURE_SETS:
            names += FEATURE_SETS[item]
        else:
            if isinstance(features, str):
                hint = f" For this one feature write [{item}]." if item in CATALOGUE else ""
                raise ConfigError(
                    f"labeling.features: unknown set {item!r}. The sets are "
                    f"{', '.join(FEATURE_SETS)}, cross_sectional; a list of sets, "
                    f"feature names and functions is "
                    f"accepted too.{hint}"
                )
            names.append(_known_feature(item).name)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"labeling.features: {', '.join(repeated)} given more than once. Name each once; a "
            "set names all of its own."
        )
    if not names:
        raise ConfigError(
            "labeling.features: the list is empty. Name at least one feature, or set 'standard'."
        )
    of_sessions = [name for name in names if name in CATALOGUE and CATALOGUE[name].n_sessions]
    if of_sessions and bar_seconds is not None and bar_seconds >= _SECONDS_PER_DAY:
        raise ConfigError(
            f"labeling.features: {of_sessions[0]} tells of a bar within its session, but bars of "
            f"{bar_seconds} s are whole sessions. Leave out 'intraday' and its features."
        )
    return tuple(names)


def feature_lookback(names: Sequence[str], bar_seconds: int | None = None) -> int:
    """Return how many bars the features of the catalogue read at most, the row's own included.

    A row with as many bars up to it has the same values, to the last bit, as one with all of
    the history; a feature of sessions often needs fewer, since a session is counted as two days
    without a gap.

    Parameters
    ----------
    names
        Names from the catalogue.
    bar_seconds
        Length of a bar, which features of sessions need.

    Raises
    ------
    ConfigError
        When a name is not in the catalogue, or `bar_seconds` is missing.
    """
    features = [_known_feature(name) for name in names]
    lookback = max((feature.lookback for feature in features), default=1)
    n_sessions = max((feature.n_sessions for feature in features), default=0)
    if not n_sessions:
        return lookback
    if bar_seconds is None:
        raise ConfigError(
            "feature_lookback: features of sessions need bar_seconds, the length of a bar."
        )
    # One session more, from which it is seen where the first of them begins.
    session_bars = -(-MAX_SESSION_SECONDS // bar_seconds)
    return max(lookback, (n_sessions + 1) * session_bars)


def compute_features(
    bars: Bars, names: Sequence[str], bar_seconds: int | None = None
) -> FloatArray:
    """Compute features of one symbol.

    The value at row t depends on the last ``lookback`` rows up to t alone, to the last bit:
    neither the rows after t nor the ones before change it.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    names
        Names from the catalogue.
    bar_seconds
        Length of a bar, which features of sessions need.

    Returns
    -------
    float64 (n_rows, n_names)
        In column-major order; NaN where undefined (too few rows, a missing cell in the window,
        a division by zero), never infinite.

    Raises
    ------
    ConfigError
        When a name is not in the catalogue, or `bar_seconds` is missing.
    """
    features = [_known_feature(name) for name in names]
    values = np.empty((len(bars), len(features)), order="F")
    of_sessions = [(i, each) for i, each in enumerate(features) if each.n_sessions]
    windowed = [(i, each) for i, each in enumerate(features) if not each.n_sessions]
    earlier = max((each.lookback for _, each in windowed), default=1) - 1
    n_block = min(len(bars), _BLOCK_ROWS)
    with np.errstate(all="ignore"), kept_memory(_ARRAYS_OF_A_BLOCK, n_block):
        for start in range(0, len(bars) if windowed else 0, _BLOCK_ROWS):
            stop = min(start + _BLOCK_ROWS, len(bars))
            first = max(start - earlier, 0)
            series = BarSeries(bars.rows(first, stop))
            for column, feature in windowed:
                values[start:stop, column] = _finite(feature.compute(series)[start - first :])
        if of_sessions and len(bars):
            series = BarSeries(bars, bar_seconds)
            for column, feature in of_sessions:
                values[:, column] = _finite(feature.compute(series))
    return values


def _finite(values: FloatArray) -> FloatArray:
    """Return NaN for what is not finite, NaN itself too: its sign comes from the instruction."""
    is_finite = np.isfinite(values)
    return values if is_finite.all() else np.where(is_finite, values, np.nan)


def _items(features: str | Sequence[str]) -> tuple[str, ...]:
    return (features,) if isinstance(features, str) else tuple(features)


def _is_path(item: str) -> bool:
    return ":" in item or "." in item


def _known_feature(name: str) -> Feature:
    if name not in CATALOGUE:
        close = get_close_matches(name, [*CATALOGUE, *FEATURE_SETS], n=1)
        suggestion = f"Did you mean {close[0]!r}?" if close else "There is none like it."
        raise ConfigError(
            f"labeling.features: unknown feature {name!r}. {suggestion} "
            "`ray-pipeline features` lists them all."
        )
    return CATALOGUE[name]
