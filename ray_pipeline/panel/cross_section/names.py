"""Names of cross-sectional columns; a name is a full specification.

With ``columns.group``, all of them compare a symbol only with those of its group.

``cs_rank_{feature}``
    Rank of the symbol's value among those of the batch at the same timestamp: 0 is the lowest, 1
    the highest, ½ the middle.
``cs_zscore_{feature}``
    The same in standard deviations from the batch's mean.
``excess_ret_{h}``, of a series ``excess_mean_{h}``
    The forward return ``fwd_ret_{h}``, or mean ``fwd_mean_{h}``, minus the batch's robust mean of
    it over the same time.

`ray_pipeline.panel.cross_section.values` has the formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from ray_pipeline.bars import CATALOGUE, Feature, feature_names, target_task
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval, read_duration
from ray_pipeline.records import Task
from ray_pipeline.series import (
    series_feature_names,
    series_set,
    series_target_task,
)

__all__ = [
    "CROSS_SECTIONAL_FEATURES",
    "CROSS_SECTIONAL_SET",
    "RANK_PREFIX",
    "ZSCORE_PREFIX",
    "base_of",
    "computed_task",
    "described_features",
    "is_cross_sectional",
    "named_features",
]

ComputedKind: TypeAlias = Literal["bars", "series"]
"""Kinds of tables whose features and targets are computed."""

_OwnNames: TypeAlias = Mapping[str, Sequence[str]] | None

RANK_PREFIX = "cs_rank_"
ZSCORE_PREFIX = "cs_zscore_"
_EXCESSES: Mapping[ComputedKind, tuple[str, str]] = {
    "bars": ("excess_ret_", "fwd_ret_"),
    "series": ("excess_mean_", "fwd_mean_"),
}
"""Prefixes of labels minus the batch's mean, and of the labels they are computed from."""

CROSS_SECTIONAL_SET = "cross_sectional"
"""Name of the set of features across symbols."""

CROSS_SECTIONAL_FEATURES: tuple[str, ...] = (
    *(f"{RANK_PREFIX}log_return_{bars}" for bars in (1, 5, 20, 60)),
    f"{RANK_PREFIX}momentum_60_5",
    f"{RANK_PREFIX}sma_distance_20",
    f"{RANK_PREFIX}drawdown_60",
    f"{RANK_PREFIX}volatility_20",
    f"{RANK_PREFIX}volatility_ratio_5_20",
    f"{RANK_PREFIX}volume_relative_20",
    f"{RANK_PREFIX}amihud_5_60",
    *(f"{ZSCORE_PREFIX}log_return_{bars}" for bars in (1, 5, 20)),
    f"{ZSCORE_PREFIX}volatility_20",
    f"{ZSCORE_PREFIX}volume_zscore_20",
)
"""The set ``cross_sectional``: short-term reversal (returns of 1, 5 and 20 bars), momentum,
distance from trend and high, volatility and its change, volume, illiquidity. Ranks throughout,
because bad ticks cannot move them; also z-scores where the distance of a symbol may say more
than its rank."""


def series_cross_sectional(interval: Interval) -> tuple[str, ...]:
    """Return the set ``cross_sectional`` of a series: ranks of its levels and changes."""
    of_symbol = series_set(interval)
    kinds = ("lag_0", "mean_", "std_", "mean_change_", "zscore_", "season_change_")
    return tuple(f"{RANK_PREFIX}{name}" for name in of_symbol if name.startswith(kinds))


def is_cross_sectional(name: str) -> bool:
    """Tell whether a computed column of this name needs the whole batch."""
    excesses = (prefix for prefix, _ in _EXCESSES.values())
    return name.startswith((RANK_PREFIX, ZSCORE_PREFIX, *excesses))


def base_of(name: str) -> str:
    """Return the single-symbol feature or label from which a cross-sectional column is computed.

    Examples
    --------
    >>> base_of("cs_rank_log_return_5"), base_of("excess_ret_5d")
    ('log_return_5', 'fwd_ret_5d')
    """
    for excess, plain in _EXCESSES.values():
        if name.startswith(excess):
            return plain + name.removeprefix(excess)
    return name.removeprefix(RANK_PREFIX).removeprefix(ZSCORE_PREFIX)


def named_features(
    features: str | Sequence[str],
    own: Mapping[str, Sequence[str]] | None = None,
    bar_seconds: int | None = None,
    series: Interval | None = None,
) -> tuple[str, ...]:
    """List the columns that ``labeling.features`` means, cross-sectional ones last.

    Parameters
    ----------
    features
        The set ``"cross_sectional"``, what `ray_pipeline.bars.feature_names` takes, or a
        list in which that set, cross-sectional names and what `feature_names` takes are mixed.
    own, bar_seconds
        As for `feature_names`: features of user-defined functions by path; length of a bar.
    series
        For a series, the length of a bar; None for bars.

    Raises
    ------
    ConfigError
        When a set or name is unknown, or a name is given twice.
    """
    of_set = CROSS_SECTIONAL_FEATURES if series is None else series_cross_sectional(series)

    def names_of(items: str | Sequence[str], given: _OwnNames = None) -> tuple[str, ...]:
        if series is None:
            return feature_names(items, given, bar_seconds)
        return series_feature_names(items, given, series)

    if features == CROSS_SECTIONAL_SET:
        return of_set
    if isinstance(features, str):
        return names_of(features, own)
    of_batch: list[str] = []
    of_symbol: list[str] = []
    for name in features:
        if name == CROSS_SECTIONAL_SET or is_cross_sectional(name):
            of_batch.append(name)
        else:
            of_symbol.append(name)
    if not of_batch:
        return names_of(features, own)
    repeated = sorted({name for name in of_batch if of_batch.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"labeling.features: {', '.join(repeated)} given more than once. Name each once."
        )
    of_functions = {name for names in (own or {}).values() for name in names}
    columns: dict[str, None] = {}
    for name in of_batch:
        if name == CROSS_SECTIONAL_SET:
            columns.update(dict.fromkeys(of_set))
        else:
            _check_feature(name, of_functions, names_of)
            columns[name] = None
    return (*(names_of(of_symbol, own) if of_symbol else ()), *columns)


def computed_task(target: str, kind: ComputedKind = "bars") -> Task:
    """Return the task of a target computed from bars or a series, of one symbol or of the batch.

    Raises
    ------
    ConfigError
        When the name is not the name of a target.
    """
    excess, _ = _EXCESSES[kind]
    if not target.startswith(excess):
        return target_task(target) if kind == "bars" else series_target_task(target)
    if read_duration(target.removeprefix(excess)) is None:
        what = "an excess return" if kind == "bars" else "a mean minus that of the symbols"
        raise ConfigError(
            f"labeling.targets: {target!r} is not {what}. Write {excess}{{h}}, where h "
            f"is a horizon such as 60m, 4h, 5d (sessions), 3mo or 12b (bars): {excess}5d."
        )
    return "regression"


def _check_feature(
    name: str, of_functions: Container[str], names_of: Callable[[Sequence[str]], tuple[str, ...]]
) -> None:
    base = base_of(name)
    what = f"labeling.features: {name!r} has to name a feature of one symbol after its prefix"
    if is_cross_sectional(base) or not base:
        raise ConfigError(f"{what}, not {base!r}: {RANK_PREFIX}log_return_5.")
    if base not in of_functions and names_of((base,)) != (base,):
        raise ConfigError(f"{what}; {base!r} stands for several.")


def described_features(which: str | None) -> list[Feature]:
    """Return the features of a set for bars, None meaning all, for a catalogue.

    A cross-sectional feature has the lookback of the feature it compares.

    Raises
    ------
    ConfigError
        When there is no such set.
    """
    names = (*CATALOGUE, *CROSS_SECTIONAL_FEATURES) if which is None else named_features(which)
    return [_described(name) for name in names]


def _described(name: str) -> Feature:
    if not is_cross_sectional(name):
        return CATALOGUE[name]
    base = CATALOGUE[base_of(name)]
    what = "place (0 to 1)" if name.startswith(RANK_PREFIX) else "deviations from the mean"
    formula = f"{what} of {base.name} among the batch, or its columns.group, at the timestamp"
    return replace(base, name=name, group=CROSS_SECTIONAL_SET, formula=formula)
