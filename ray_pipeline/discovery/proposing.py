"""Suggest a path pattern from a folder's names, or that data must be imported. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ray_pipeline.discovery.bar_sizes import INTERVAL_KEYS, looks_like_interval

__all__ = ["CURRENT", "IMPORTABLE", "SYMBOL_KEYS", "propose_layout"]

CURRENT = ("interval={interval}/symbol={symbol}", "symbol={symbol}")
"""The layout that is read without a pattern."""

IMPORTABLE = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz", ".tsv.zst", ".txt")
"""Endings of files that ``ray-pipeline import`` reads besides Parquet."""

SYMBOL_KEYS = (
    *("symbol", "ticker", "sym", "instrument", "asset", "security", "code", "secid", "pair"),
    *("coin", "permno", "figi", "isin", "ric", "underlying", "item_id", "unique_id", "sid"),
)
"""Usual names for the symbol, of levels and of columns."""
_DATE_KEYS = ("date", "day", "dt", "year", "month", "week", "quarter", "trade_date", "trading_date")
_DATE = re.compile(r"(19|20)\d\d([-_.]?\d\d([-_.]?\d\d)?)?|\d{1,2}|(19|20)\d\d[-_.]?q[1-4]", re.I)
_NAMED_BY_A_WRITER = re.compile(
    r"(part|data|chunk|file|batch|shard|bars?|all|table)?[-_.]?\d*|.*[0-9a-f]{8}.*", re.I
)
_SUFFIX = ".parquet"
_GROUPS = ("exchange", "group", "part")


def propose_layout(levels: Sequence[Sequence[str]]) -> str | None:
    """Guess where paths contain the symbol.

    Parameters
    ----------
    levels
        Names at each level on one path down; those of folders end in a slash.

    Returns
    -------
    str or None
        A pattern for ``data.layout``; an empty text if there are files that only an import can
        read; None if nothing is known.

    Examples
    --------
    >>> propose_layout([["ticker=A/", "ticker=B/"], ["part-0.parquet"]])
    'ticker={symbol}'
    >>> propose_layout([["A.parquet", "B.parquet"]])
    '{symbol}.parquet'
    >>> propose_layout([["2024-01-02.parquet", "2024-01-03.parquet"]])
    ''
    """
    folders: list[str] = []
    groups = iter(_GROUPS)
    for names in levels:
        seen = [name for name in names if name[0] not in "._"]
        below = [name[:-1] for name in seen if name[-1] == "/"]
        files = [name for name in seen if name[-1] != "/"]
        if below:
            folders.append(_level(below, groups))
            continue
        stems = [name[: -len(_SUFFIX)] for name in files if name.lower().endswith(_SUFFIX)]
        if not stems:
            is_text = any(name.lower().endswith(IMPORTABLE) for name in files)
            return "" if is_text else None
        return _with_symbol(folders, stems)
    return None


def _level(names: Sequence[str], groups: Iterator[str]) -> str:
    """Return the pattern level that some folders match."""
    keys = {name.partition("=")[0] if "=" in name else "" for name in names}
    if len(keys) == 1 and keys != {""}:
        return _keyed_level(*keys)
    if all(map(looks_like_interval, names)):
        return "{interval}"
    if all(_DATE.fullmatch(name) for name in names):
        return "*"
    return f"{{{next(groups, 'level')}}}"


def _keyed_level(key: str) -> str:
    if key.lower() in SYMBOL_KEYS:
        return f"{key}={{symbol}}"
    if key.lower() in INTERVAL_KEYS:
        return f"{key}={{interval}}"
    if key.lower() in _DATE_KEYS or not key.isidentifier():
        return f"{key}=*"
    return f"{key}={{{key}}}"


def _with_symbol(folders: Sequence[str], stems: Sequence[str]) -> str:
    """Put the symbol in its place among the levels of folders above some files."""
    levels = list(folders)
    if not any("{symbol}" in level for level in levels):
        plain = [i for i, level in enumerate(levels) if re.fullmatch(r"\{(?!interval)\w+\}", level)]
        name = _file_level(stems)
        if name is not None:
            levels.append(name)
        elif plain:
            levels[plain[-1]] = "{symbol}"
        else:
            return ""
    last = max(i for i, level in enumerate(levels) if "{symbol}" in level or "{interval}" in level)
    return "/".join(levels[: last + 1])


def _file_level(stems: Sequence[str]) -> str | None:
    """Return the level of files named after symbols; None if they are not."""
    words = [re.split(r"([-_])", stem) for stem in stems]
    if len(stems) < 2 or any(
        _DATE.fullmatch(word) or _NAMED_BY_A_WRITER.fullmatch(stem)
        for stem, parts in zip(stems, words, strict=True)
        for word in (stem, parts[-1])
    ):
        return None
    if all(len(parts) > 1 and looks_like_interval(parts[-1]) for parts in words):
        return f"{{symbol}}{words[0][-2]}{{interval}}.parquet"
    return "{symbol}.parquet"
