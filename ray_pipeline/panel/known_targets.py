"""Columns named like targets that earlier rows determine: not targets, but possibly features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ray_pipeline.panel.evidence import ColumnEvidence, InspectedColumns, Lag
from ray_pipeline.panel.roles import ColumnPatterns
from ray_pipeline.records import ColumnRoles, first_match

__all__ = ["KnownTarget", "find_known_targets", "without_known_targets"]

# Share of the symbols that must show it. Not all: one symbol may be short, or hold few values.
_MOST = 0.9
_LAG_WORDS = frozenset({"lag", "lagged", "prev", "previous", "past", "trailing"})


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """A column named like a target whose value is known at its row, wholly or in part.

    Attributes
    ----------
    reason
        What determines it.
    is_feature
        Whether it is certainly and completely known at its row.
    """

    name: str
    reason: str
    is_feature: bool


def find_known_targets(
    roles: ColumnRoles,
    inspections: Sequence[InspectedColumns],
    horizon_bars: Callable[[str], int | None],
) -> tuple[KnownTarget, ...]:
    """Find targets that rows up to their own determine, in nine of ten symbols.

    A target without a value in the last row of its symbols is never one: what is known at the time
    is known there too. Of the others those are found

    * that equal a feature, or another target, some rows earlier, and begin that much later or are
      called a lag: a label that was shifted back in time is not a label;
    * that the path of a column of returns up to each row explains, in level and in changes, while
      the path after it does not; see `ray_pipeline.panel.trailing`.

    Parameters
    ----------
    roles
        Of the union of all columns.
    inspections
        Of all symbols.
    horizon_bars
        Returns the horizon of a target in bars, None if unknown.

    Returns
    -------
    tuple of KnownTarget
        In the order of the names.
    """
    found = []
    for name in roles.targets:
        holders = [
            each.evidence for each in inspections if name in {column for column, _ in each.columns}
        ]
        least = _MOST * len(holders)
        if not holders or sum(name in each.ended for each in holders) < least:
            continue
        lag = _lag_of(name, holders, least, roles, horizon_bars)
        is_settled = lag is not None and lag.is_feature
        known = lag if is_settled else _path_of(name, holders, least) or lag
        found += [] if known is None else [known]
    return tuple(found)


def without_known_targets(
    roles: ColumnRoles, known: Sequence[KnownTarget], patterns: ColumnPatterns
) -> ColumnRoles:
    """Return the roles with such targets as features, or ignored with a reason.

    One that ``columns.targets`` names without a wildcard stays a target.
    """
    found = {each.name: each for each in known if each.name not in patterns.targets}
    features, ignored = list(roles.features), list(roles.ignored)
    for name, each in found.items():
        excluded = first_match(name, patterns.exclude_features)
        reason = f"no target, since {each.reason}"
        if not each.is_feature:
            ignored.append((name, reason))
        elif excluded:
            ignored.append((name, f"feature excluded by columns.exclude_features {excluded!r}"))
        elif not first_match(name, patterns.features):
            ignored.append((name, f"{reason}; matched by no pattern of columns.features"))
        else:
            features.append(name)
    return replace(
        roles,
        targets=tuple(name for name in roles.targets if name not in found),
        features=tuple(sorted(features)),
        ignored=tuple(ignored),
    )


def _path_of(name: str, holders: Sequence[ColumnEvidence], least: float) -> KnownTarget | None:
    counts = Counter(
        column for each in holders for target, column in each.past_paths if target == name
    )
    if not counts or counts.total() < least:
        return None
    column = min(counts, key=lambda each: (-counts[each], each))
    reason = f"the path of {column!r} up to its own row tells it, and later rows do not"
    return KnownTarget(name, reason, is_feature=True)


def _lag_of(
    name: str,
    holders: Sequence[ColumnEvidence],
    least: float,
    roles: ColumnRoles,
    horizon_bars: Callable[[str], int | None],
) -> KnownTarget | None:
    counts: Counter[tuple[str, int]] = Counter()
    shifted: Counter[tuple[str, int]] = Counter()
    for lag in (lag for each in holders for lag in each.lags if lag.target == name):
        counts[_key(lag)] += 1
        shifted[_key(lag)] += lag.was_shifted
    is_called_lag = bool(_LAG_WORDS & set(name.lower().split("_")))
    sources = [
        key
        for key, count in counts.items()
        if count >= least and (is_called_lag or shifted[key] >= least)
    ]
    # Prefer a feature to a target: it is known at its own row.
    sources.sort(key=lambda key: (key[0] not in roles.features, key[1], key[0]))
    partly: KnownTarget | None = None
    for source, n_rows in sources:
        reason = f"it is {source!r} of {_rows(n_rows)} earlier"
        if source in roles.features:
            return KnownTarget(name, reason, is_feature=True)
        horizon = horizon_bars(source)
        if horizon is not None and n_rows >= horizon:
            return KnownTarget(name, reason, is_feature=True)
        looks = "an unknown number of" if horizon is None else horizon
        reason += f", which looks {looks} bars ahead: part of it is known, part is not"
        partly = partly or KnownTarget(name, reason, is_feature=False)
    return partly


def _key(lag: Lag) -> tuple[str, int]:
    return lag.source, lag.n_rows


def _rows(n_rows: int) -> str:
    return "one row" if n_rows == 1 else f"{n_rows} rows"
