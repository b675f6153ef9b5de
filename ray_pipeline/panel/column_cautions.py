"""Warnings about columns whose role may surprise the user, one sentence per kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.known_targets import KnownTarget
from ray_pipeline.panel.telltales import Telltale
from ray_pipeline.records import TargetSpec
from ray_pipeline.series import find_series_label, foretold, order_lasts
from ray_pipeline.wording import some_of

__all__ = ["column_warnings", "foretold_targets", "lacking_columns"]

_MOST_NAMED = 8
_OF_LEVELS = ("fwd_value", "fwd_mean", "fwd_sum", "excess_mean")
_NOTABLE_FORETOLD = 0.3  # correlation; a tenth of it would be a discovery if levels said nothing


def column_warnings(
    known: Sequence[KnownTarget],
    dropped: Sequence[tuple[str, Telltale, str]],
    named_targets: Collection[str],
) -> Iterator[str]:
    """Yield a sentence for targets that are known at their row, and for each kind of telltale.

    Parameters
    ----------
    known
        See `find_known_targets`.
    dropped
        (column, kind, reason), see `find_telltales`.
    named_targets
        The patterns of ``columns.targets``: what one of them names without a wildcard stays.
    """
    kept = [each for each in known if each.name in named_targets]
    moved = [each for each in known if each.name not in named_targets]
    if kept:
        yield (
            f"columns.targets names {_reasons(kept)}. Rows up to its own determine such a target: "
            "predicting it predicts nothing"
        )
    for is_feature, becomes in ((True, "features"), (False, "neither targets nor features")):
        some = [each for each in moved if each.is_feature == is_feature]
        if some:
            yield (
                f"{len(some)} targets by their names are {becomes}, because earlier rows determine "
                f"them: {_reasons(some)}. To keep one a target, name it in columns.targets without "
                "a wildcard"
            )
    for kind in sorted({kind for _, kind, _ in dropped}):
        of_kind = [(name, reason) for name, each, reason in dropped if each == kind]
        same = {reason for _, reason in of_kind}
        if len(same) == 1:
            told = f"{some_of([name for name, _ in of_kind], _MOST_NAMED)}: {same.pop()}"
        else:
            told = some_of([f"{name} ({reason})" for name, reason in of_kind], _MOST_NAMED)
        way_out = "" if kind == "empty" else "; columns.features can name it"
        yield f"not used as {'a feature' if len(of_kind) == 1 else 'features'}: {told}{way_out}"


def lacking_columns(lacking: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """Yield one sentence about columns that some symbols lack, those lacked most first."""
    if not lacking:
        return
    ordered = sorted(lacking, key=lambda each: (-len(each[1]), each[0]))
    told = [f"{column} (not in {some_of(symbols, at_most=3)})" for column, symbols in ordered]
    yield f"treated as missing in symbols that lack them: {some_of(told, _MOST_NAMED)}"


def _reasons(some: Sequence[KnownTarget]) -> str:
    by_reason: dict[str, list[str]] = {}
    for each in some:
        by_reason.setdefault(each.reason, []).append(each.name)
    told = [f"{some_of(names, _MOST_NAMED)} ({reason})" for reason, names in by_reason.items()]
    return some_of(told, _MOST_NAMED)


def foretold_targets(
    targets: Sequence[TargetSpec], inspections: Sequence[SymbolInspection]
) -> Iterator[str]:
    """Yield a sentence about targets of series that their own past predicts in the simplest way."""
    lasts = [
        {span: (mean, change) for span, mean, change in each.lasting}
        for each in inspections
        if each.lasting
    ]
    told = []
    for target in targets:
        known = foretold(target.name, target.horizon_bars, lasts)
        if known is not None and known >= _NOTABLE_FORETOLD:
            told.append(f"{target.name} with a correlation of {known:.2f}")
    yield from _kept_order(targets, inspections)
    if told:
        yield (
            "the last value and the mean of as many rows as the horizon has tell by themselves "
            f"{some_of(told, at_most=_MOST_NAMED)}, over a symbol's own time in the median of the "
            "symbols: a skill of that size is not a discovery"
        )


def _kept_order(
    targets: Sequence[TargetSpec], inspections: Sequence[SymbolInspection]
) -> Iterator[str]:
    """Yield a sentence about targets that the symbols' levels predict across symbols."""
    order = order_lasts([each.levels for each in inspections if each.levels is not None])
    named = [each.name for each in targets if find_series_label(each.name) in _OF_LEVELS]
    if order is not None and order >= _NOTABLE_FORETOLD and named:
        yield (
            "symbols keep their levels: the order of their means in the first half of the rows "
            f"predicts that of the second with a rank correlation of {order:.2f}, and so by itself "
            f"{some_of(named, at_most=_MOST_NAMED)} across symbols: a skill of that size is not a "
            "discovery (fwd_change removes the level)"
        )
