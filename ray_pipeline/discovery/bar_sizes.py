"""Bar sizes in paths: which levels name one, and which symbols have two. No I/O."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

__all__ = ["INTERVAL_KEYS", "looks_like_interval", "several_sizes"]

INTERVAL_KEYS = (
    *("interval", "timeframe", "tf", "freq", "frequency", "resolution", "granularity"),
    *("bar", "bars", "bar_size", "barsize", "candle", "timespan", "period"),
)
"""Usual names of path levels for the bar size."""

# Not 0d or 01d, which number files, and not months or quarters alone: 1q may be the folder of a
# first quarter.
_BARE = re.compile(
    r"[1-9]\d{0,3}[-_ ]?(s|sec|secs|second|seconds|m|min|mins|minute|minutes|t|h|hr|hour|hours"
    r"|d|day|days|w|wk|week|weeks|mo|month|months)"
    r"|minute|minutely|hour|hourly|daily|weekly|monthly|quarterly|yearly|annual",
    re.IGNORECASE,
)
_KEYED = re.compile(
    _BARE.pattern + r"|[1-9]\d{0,3}[-_ ]?(q|y|yr|a|me|qe|ye)|[dwmqyhb]", re.IGNORECASE
)


def looks_like_interval(text: str, *, keyed: bool = False) -> bool:
    """Whether a text is a bar size, as a whole level or after ``key=``.

    >>> [looks_like_interval(text) for text in ("5min", "1d", "daily", "2024", "AAPL", "1q")]
    [True, True, True, False, False, False]
    """
    return (_KEYED if keyed else _BARE).fullmatch(text) is not None


def several_sizes(paths: Iterable[str]) -> tuple[tuple[str, ...], str] | None:
    """Find two bar sizes among the files of one symbol.

    Parameters
    ----------
    paths
        The files, relative to the symbol's folder or level, without the levels that a pattern's
        fields have matched.

    Returns
    -------
    tuple, or None
        The levels that name the sizes (``timeframe=1d``, ``timeframe=1h``), sorted, and the level
        of a pattern that would tell them apart (``timeframe={interval}``). None if there is at most
        one size.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        *folders, file = path.split("/")
        for depth, level in enumerate(folders):
            key, mark, value = level.partition("=")
            below = "**/" if depth else ""
            if mark and _names_size(key, value):
                found[f"{below}{key}={{interval}}"].add(level)
            elif not mark and looks_like_interval(level):
                found[f"{below}{{interval}}"].add(level)
        head, size = _last_word(file.rpartition(".")[0])
        if looks_like_interval(size):
            name = f"*{head[-1]}{{interval}}" if head else "{interval}"
            found[f"{'**/' if folders else ''}{name}.parquet"].add(size)
    for level, sizes in found.items():
        if len(sizes) > 1:
            return tuple(sorted(sizes)), level
    return None


def _names_size(key: str, value: str) -> bool:
    return key == "interval" or (
        key.lower() in INTERVAL_KEYS and looks_like_interval(value, keyed=True)
    )


def _last_word(stem: str) -> tuple[str, str]:
    """Split a file's name before its last word: ``AAPL_`` and ``1d``."""
    words: Sequence[str] = re.split(r"(?<=[-_. ])", stem)
    return "".join(words[:-1]), words[-1]
