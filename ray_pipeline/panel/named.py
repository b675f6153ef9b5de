"""Columns that become features only because the user names them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ray_pipeline.records import first_match

__all__ = ["named_columns"]


def named_columns(
    patterns: Iterable[str], columns: Collection[str], unusual: Collection[str]
) -> frozenset[str]:
    """Return those of `unusual` that an entry of ``columns.features`` names.

    An entry names the column of exactly that name. A pattern names its matches if all of them are
    unusual: ``ret_zscore_*`` names trailing scores, while ``*`` and ``f*`` are meant for other
    columns and name neither ``close`` nor ``fwd_ret_5d``.

    Parameters
    ----------
    patterns
        Entries of ``columns.features``.
    columns
        All columns that could be features.
    unusual
        Those of `columns` that are not features unless named.

    Examples
    --------
    >>> sorted(named_columns(["*", "vol*", "open"], ["f", "open", "volume"], ["open", "volume"]))
    ['open', 'volume']
    """
    named: set[str] = set()
    for pattern in patterns:
        matched = [name for name in columns if first_match(name, [pattern])]
        if pattern in matched:
            named.add(pattern)
        elif set(pattern) != {"*"} and all(name in unusual for name in matched):
            named.update(matched)
    return frozenset(named & set(unusual))
