"""The features that a series gives; a feature's name is its specification.

A name is a kind and its numbers of rows, or its season, joined by underscores: ``lag_3``,
``mean_12``, ``season_lag_7d``, ``season_mean_12mo_3``. Sets of them follow the interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ray_pipeline.bars import function_paths
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval
from ray_pipeline.series.seasons import season_bars, season_seconds

__all__ = [
    "SERIES_SET",
    "SERIES_SETS",
    "SeriesFeature",
    "described_series_features",
    "find_feature",
    "series_feature_names",
    "series_set",
]

SERIES_SET = "series"
"""Name of the set; what ``standard`` stands for on a series."""

SERIES_SETS = (SERIES_SET, "standard")

_MAX_ROWS = 10_000
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is known of a kind of feature without its numbers.

    Attributes
    ----------
    group, formula
        For people; ``{n}`` and ``{s}`` stand for the rows and the season of the name. x is the
        value, ``x₋ₖ`` that of k rows ago, ``x(s)`` that of a season ago.
    least
        Smallest number of rows in the name; None: it has none.
    has_season
        Whether a season stands before that.
    n_before
        Rows before its own that it reads, for each row of its number.
    extra
        Further rows.
    """

    group: str
    formula: str
    least: int | None = None
    has_season: bool = False
    n_before: int = 1
    extra: int = 0


KINDS: Mapping[str, _Kind] = {
    "lag": _Kind("levels", "x₋{n}", 0, extra=1),
    "mean": _Kind("levels", "mean{n}(x)", 2),
    "std": _Kind("spread", "std{n}(x)", 2),
    "change": _Kind("changes", "x − x₋{n}", 1, extra=1),
    "mean_change": _Kind("changes", "mean{n}(x) − mean{n}(x)₋{n}", 2, n_before=2),
    "zscore": _Kind("changes", "(x − mean{n}(x)) / std{n}(x)", 2),
    "position": _Kind("changes", "(x − min{n}(x)) / (max{n}(x) − min{n}(x))", 2),
    "trend": _Kind("changes", "correlation of x with time over {n} rows", 3),
    "zero_share": _Kind("zeros", "share of zeros in {n} rows", 2),
    "since_nonzero": _Kind("zeros", "rows since x was not 0, at most {n}", 2),
    "nonzero_mean": _Kind(
        "zeros", "mean of the x of {n} rows that are not 0: Croston (1972), the size of a demand", 2
    ),
    "season_lag": _Kind("season", "x({s})", has_season=True),
    "season_next": _Kind("season", "x({s}) of the row to come", has_season=True),
    "season_change": _Kind("season", "x − x({s})", has_season=True),
    "season_mean": _Kind(
        "season",
        "mean of x({s}) of the row to come over the last {n} seasons, of which half are there",
        2,
        has_season=True,
    ),
    "season_ahead": _Kind(
        "season",
        "mean of the {n} rows after x({s}), less that of the {n} up to it",
        2,
        has_season=True,
    ),
    "hour_sin": _Kind("calendar", "sine of the time of the day"),
    "hour_cos": _Kind("calendar", "cosine of the time of the day"),
    "weekday_sin": _Kind("calendar", "sine of the day of the week"),
    "weekday_cos": _Kind("calendar", "cosine of the day of the week"),
    "month_sin": _Kind("calendar", "sine of the month of the year"),
    "month_cos": _Kind("calendar", "cosine of the month of the year"),
}
"""Kinds of features by the beginning of their names."""


@dataclass(frozen=True, slots=True)
class SeriesFeature:
    """A feature of a series, as its name says.

    Attributes
    ----------
    name, kind
        The name, and the key of `KINDS` that it begins with.
    n
        Its number of rows, or of seasons; 0 where it has none.
    season
        As written, such as ``7d``; empty where it has none.
    """

    name: str
    kind: str
    n: int = 0
    season: str = ""

    @property
    def group(self) -> str:
        """What kind of feature it is."""
        return KINDS[self.kind].group

    @property
    def formula(self) -> str:
        """One line."""
        if self.kind == "lag" and not self.n:
            return "x, the newest value"
        return KINDS[self.kind].formula.format(n=self.n, s=self.season)

    def lookback(self, interval: Interval) -> int:
        """Return the number of rows that it reads, its own included.

        Where no two rows are nearer to each other than a bar, a row with as many rows up to it has
        the same value, to the last bit, as one with all of the history.
        """
        known = KINDS[self.kind]
        if not self.season:
            return max(known.n_before * self.n + known.extra, 1)
        if self.kind == "season_mean":
            return self.n * season_bars(self.season, interval) + 1
        rows = self.n if self.kind == "season_ahead" else 0
        return season_bars(self.season, interval) + rows + 1

    def require_fit(self, interval: Interval) -> None:
        """Raise ConfigError where its season is none of bars of this length."""
        if not self.season:
            return
        n_ahead = self.n if self.kind == "season_ahead" else 1
        seconds = season_seconds(self.season) or 0
        if seconds < (n_ahead + 1) * interval.seconds:
            raise ConfigError(
                f"labeling.features: {self.name!r} looks back a season of {self.season}, which is "
                f"too short for bars of {interval.told}: {n_ahead + 1} of them are needed at "
                "least. Give a longer season."
            )


def find_feature(name: str) -> SeriesFeature | None:
    """Read a feature's name; None where it is none of a series.

    Examples
    --------
    >>> find_feature("season_mean_7d_4").n, find_feature("lag_x") is None
    (4, True)
    """
    if name in KINDS:
        known = KINDS[name]
        return SeriesFeature(name, name) if known.least is None and not known.has_season else None
    kind = max((each for each in KINDS if name.startswith(f"{each}_")), key=len, default=None)
    if kind is None:
        return None
    known, parts = KINDS[kind], name.removeprefix(f"{kind}_").split("_")
    season = parts.pop(0) if known.has_season else ""
    if known.has_season and season_seconds(season) is None:
        return None
    if known.least is None:
        return None if parts or not season else SeriesFeature(name, kind, 0, season)
    if len(parts) != 1 or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 6):
        return None
    n = int(parts[0])
    return SeriesFeature(name, kind, n, season) if known.least <= n <= _MAX_ROWS else None


def series_set(interval: Interval) -> tuple[str, ...]:
    """Return the names of the set ``series`` for bars of a length."""
    rhythm = _rhythm(interval)
    windows = rhythm.windows
    short, middle, *_ = windows
    names = [f"lag_{n}" for n in range(4)]
    names += [f"mean_{n}" for n in windows]
    names += [f"std_{n}" for n in windows[1:]]
    names += ["change_1", f"mean_change_{short}", f"mean_change_{middle}"]
    names += [f"{kind}_{n}" for kind in ("zscore", "position") for n in windows[1:]]
    names += [f"trend_{middle}"]
    zeros = ("zero_share", "since_nonzero", "nonzero_mean")
    names += [f"{kind}_{n}" for kind in zeros for n in windows[1:3]]
    for season, n_seasons, n_ahead in rhythm.seasons:
        names += [f"season_{kind}_{season}" for kind in ("lag", "next", "change")]
        names += [f"season_mean_{season}_{n_seasons}"] if n_seasons else []
        names += [f"season_ahead_{season}_{n}" for n in n_ahead]
    return (*names, *(f"{each}_{wave}" for each in rhythm.calendar for wave in ("sin", "cos")))


@dataclass(frozen=True, slots=True)
class _Rhythm:
    """What suits bars of a length.

    Attributes
    ----------
    windows
        Rows of rolling features, increasing.
    seasons
        Its length, how many of them make a mean (0: none), and how many rows after it tell what
        is to come.
    calendar
        Parts of the calendar that differ from row to row.
    """

    windows: tuple[int, ...]
    seasons: tuple[tuple[str, int, tuple[int, ...]], ...] = ()
    calendar: tuple[str, ...] = ()


_RHYTHMS: Mapping[Interval, _Rhythm] = {
    Interval(_DAY_S): _Rhythm(
        (7, 14, 28, 91), (("7d", 4, ()), ("364d", 0, (7, 28))), ("weekday", "month")
    ),
    Interval(7 * _DAY_S): _Rhythm((4, 13, 26, 52), (("52w", 0, (4,)),), ("month",)),
    Interval(1, "mo"): _Rhythm((3, 6, 12, 36), (("12mo", 3, (3,)),), ("month",)),
    Interval(3, "mo"): _Rhythm((2, 4, 8, 12), (("12mo", 3, ()),), ("month",)),
}
_INTRADAY = _Rhythm((6, 24, 96), (("1d", 5, ()), ("7d", 0, ())), ("hour", "weekday"))
_OTHER = _Rhythm((3, 5, 10))


def _rhythm(interval: Interval) -> _Rhythm:
    return _RHYTHMS.get(interval, _INTRADAY if interval.is_intraday else _OTHER)


def series_feature_names(
    features: str | Sequence[str],
    own: Mapping[str, Sequence[str]] | None,
    interval: Interval,
) -> tuple[str, ...]:
    """List the names that ``labeling.features`` stands for, in its order.

    Parameters
    ----------
    features
        The set ``series``, names of features, and paths of functions: one, or a list in which they
        may be mixed. ``standard`` stands for ``series``.
    own
        Names of the features that each function gives, by its path.
    interval
        Length of a bar.

    Raises
    ------
    ConfigError
        When a name is unknown, a feature is named twice, or its season does not fit the bars.
    """
    names: list[str] = []
    paths = function_paths(features)
    for item in (features,) if isinstance(features, str) else features:
        if item in paths:
            if own is None:
                raise ConfigError(
                    f"labeling.features: {item} is a function of your own; its features are known "
                    "where it runs."
                )
            names += own[item]
        elif item in SERIES_SETS:
            names += series_set(interval)
        else:
            names.append(_known(item, interval).name)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"labeling.features: {', '.join(repeated)} given more than once. Name each once; a "
            "set names all of its own."
        )
    return tuple(names)


def described_series_features() -> list[tuple[SeriesFeature, Interval]]:
    """Return the features of the set at all usual lengths of a bar, each with its shortest one."""
    of_seconds = (Interval(seconds) for seconds in (3_600, _DAY_S, 7 * _DAY_S))
    intervals = (*of_seconds, *(Interval(months, "mo") for months in (1, 3, 12)))
    found: dict[str, tuple[SeriesFeature, Interval]] = {}
    for interval in intervals:
        for name in series_set(interval):
            found.setdefault(name, (_known(name, interval), interval))
    in_order = [*KINDS]
    return sorted(found.values(), key=lambda pair: in_order.index(pair[0].kind))


def _known(name: str, interval: Interval) -> SeriesFeature:
    feature = find_feature(name)
    if feature is None:
        close = get_close_matches(name, [*series_set(interval), SERIES_SET], n=1)
        suggestion = f"Did you mean {close[0]!r}?" if close else "There is none like it."
        raise ConfigError(
            f"labeling.features: {name!r} is not a feature of a series. {suggestion} "
            f"`ray-pipeline features {SERIES_SET}` lists them; other windows and seasons have "
            "names like theirs (mean_30, season_lag_14d). The sets of bars are for bars alone."
        )
    feature.require_fit(interval)
    return feature
