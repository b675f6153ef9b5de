"""The driver's conclusions from all inspections: roles, bar length, targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ray_pipeline.bars import function_paths
from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.intervals import Interval, parse_interval
from ray_pipeline.panel.batch_roles import (
    computed_roles,
    known_targets_of,
    require_columns,
    union_roles,
    with_own_columns,
    without_telltales,
)
from ray_pipeline.panel.cautions import (
    panel_warnings,
    targets_not_asked_for,
    unused_patterns,
)
from ray_pipeline.panel.clocks import PanelClocks, read_clocks
from ray_pipeline.panel.column_cautions import (
    column_warnings,
    foretold_targets,
    lacking_columns,
)
from ray_pipeline.panel.columns import merge_columns
from ray_pipeline.panel.cross_section import computed_task, named_features
from ray_pipeline.panel.inspection import SymbolInspection, TableKind
from ray_pipeline.panel.known_targets import KnownTarget, without_known_targets
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.outlines import Outlined, SymbolOutline
from ray_pipeline.panel.reading_rules import AS_THEY_ARE, ReadingRules
from ray_pipeline.panel.roles import ColumnPatterns
from ray_pipeline.panel.tasks import detect_task, resolve_task
from ray_pipeline.panel.telltales import Telltale
from ray_pipeline.panel.time_axis import step_counts
from ray_pipeline.records import (
    DEFAULT_LABELS,
    ColumnRoles,
    Horizon,
    TargetSpec,
    Task,
    first_match,
)
from ray_pipeline.series import default_series_targets
from ray_pipeline.user_code.features import FeatureFunction, find_feature_functions
from ray_pipeline.wording import some_of

__all__ = ["ColumnSettings", "PanelSummary", "summarise_panel", "table_request"]


_GUESSED: tuple[TableKind, ...] = ("labeled", "bars")  # a series is always declared

_FIXED_SHARE = 0.95  # of equal steps: months differ in length, four weeks do not


class ColumnSettings(ColumnPatterns, Protocol):
    """The config's ``columns`` section: role patterns; horizons and tasks by pattern."""

    @property
    def horizons(self) -> Mapping[str, str | int]: ...  # noqa: D102
    @property
    def tasks(self) -> Mapping[str, Task]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class PanelSummary:
    """The panel, as seen by the stages.

    Attributes
    ----------
    kind
        Whether the tables are labeled, bars or series; the same for all symbols.
    time_column
        The common time column of all symbols, or None if they name it differently.
    roles
        Roles of the union of all columns. For bars and series, the targets and features are the
        computed ones. Dropped features are in ``ignored``.
    interval
        Length of a bar.
    clocks
        Sessions of the symbols.
    targets
        Name, horizon and task of each target of `roles`, in the same order.
    lacking
        (column, symbols without it) for features and targets that only some symbols have. Such a
        feature is kept, and missing in every row of those symbols; those symbols are left out of
        such a target.
    known
        Columns named like targets that earlier rows determine. Those completely known at their row
        are features.
    dropped
        (feature, kind, reason) of columns that are not features unless named: see `find_telltales`.
    warnings
        Sentences for the user.
    functions
        User-defined functions that compute features of bars or series.
    own_columns
        The files' own columns that are features unchanged.
    rules
        How files are read.
    """

    kind: TableKind
    time_column: str | None
    roles: ColumnRoles
    interval: Interval
    clocks: PanelClocks
    targets: tuple[TargetSpec, ...]
    lacking: tuple[tuple[str, tuple[str, ...]], ...]
    known: tuple[KnownTarget, ...]
    dropped: tuple[tuple[str, Telltale, str], ...]
    warnings: tuple[str, ...]
    functions: tuple[FeatureFunction, ...] = ()
    own_columns: tuple[str, ...] = ()
    rules: ReadingRules = AS_THEY_ARE

    @property
    def bar_seconds(self) -> int:
        """Length of a bar in seconds; for months, the average."""
        return self.interval.seconds

    @property
    def session_bars(self) -> int:
        """Bars of a session of most symbols."""
        return self.clocks.session_bars


def summarise_panel(
    inspections: Sequence[SymbolInspection],
    columns_config: ColumnSettings,
    *,
    label_targets: Sequence[str],
    label_features: str | Sequence[str],
    interval: str | None,
    time_column: str | None,
    rules: ReadingRules = AS_THEY_ARE,
    outlines: Sequence[SymbolOutline] = (),
) -> PanelSummary:
    """Combine the inspections of all symbols, independently of their order.

    Parameters
    ----------
    inspections
        One per usable symbol, at least one.
    columns_config
        The config's ``columns``: patterns, horizons and tasks.
    label_targets, label_features
        The config's ``labeling.targets`` and ``labeling.features``; labeled tables do not use them.
        For a series, the default targets mean those that suit its interval.
    interval
        Bar interval from the config or the layout (``5m``), or None to take the most frequent
        step of the data.
    time_column
        Name of the time column in the config.
    rules
        How files are read.
    outlines
        Of further symbols, whose rows were not read: their kind and columns count.

    Raises
    ------
    ConfigError
        When labeled tables and bars are mixed, when `interval` contradicts the data or the bar
        length is unknown, when there is no target or feature, when a target's horizon is unknown,
        or when a target is declared binary and is not.
    DataError
        When `inspections` is empty.
    """
    if not inspections:
        raise DataError("no symbol is left to summarise: every one was rejected.")
    inspections = sorted(inspections, key=lambda inspection: inspection.symbol)
    outlined: list[Outlined] = [*inspections, *outlines]
    kind = _one_kind(outlined)
    bar = _bar_length(inspections, interval)
    merged = merge_columns({each.symbol: each.columns for each in outlined})
    roles = union_roles(merged, inspections, columns_config, time_column)
    dropped: tuple[tuple[str, Telltale, str], ...] = ()
    known: tuple[KnownTarget, ...] = ()
    functions: dict[str, FeatureFunction] = {}
    own_columns: tuple[str, ...] = ()
    if kind != "labeled":
        label_targets = _label_targets(kind, label_targets, inspections, bar)
        roles, own_columns, dropped = with_own_columns(kind, roles, inspections, columns_config)
        paths = function_paths(label_features)
        functions = find_feature_functions(paths, bar.seconds, label_targets, own_columns, kind)
        own = {path: function.names for path, function in functions.items()}
        series = bar if kind == "series" else None
        computed = named_features(label_features, own, bar.seconds, series)
        own_columns = tuple(name for name in own_columns if name not in computed)
        roles = computed_roles(kind, roles, label_targets, computed, own_columns)
        tasks = {name: computed_task(name, kind) for name in roles.targets}
    else:
        known = known_targets_of(roles, inspections, columns_config, bar)
        roles = without_known_targets(roles, known, columns_config)
        roles, dropped = without_telltales(roles, inspections, columns_config)
        tasks = _tasks(roles.targets, inspections)
    require_columns(kind, roles, known)
    horizons = {name: resolve_horizon(name, bar, columns_config.horizons) for name in roles.targets}
    computed_here = roles.targets if kind != "labeled" else ()
    of_labels = {name: resolve_horizon(name, bar, {}) for name in computed_here}
    clocks = read_clocks(inspections, bar, [*of_labels.values()])
    longest = clocks.longest_session
    _check_overrides(horizons, of_labels, longest)
    targets = tuple(
        TargetSpec(
            name,
            horizons[name].in_bars(longest),
            resolve_task(name, tasks[name], columns_config.tasks),
            _by_clock(name, of_labels, columns_config.horizons),
        )
        for name in roles.targets
    )
    lacking = tuple(
        (name, merged.lacking[name])
        for name in (own_columns if kind != "labeled" else (*roles.features, *roles.targets))
        if name in merged.lacking
    )
    time_columns = {inspection.time_column for inspection in inspections}
    return PanelSummary(
        kind=kind,
        time_column=time_columns.pop() if len(time_columns) == 1 else None,
        roles=roles,
        interval=bar,
        clocks=clocks,
        targets=targets,
        lacking=lacking,
        known=known,
        dropped=dropped,
        warnings=(
            *panel_warnings(inspections, roles, merged, bar, rules.time),
            *targets_not_asked_for(inspections[0].kind, columns_config.targets),
            *clocks.warnings(of_labels),
            *foretold_targets(targets, inspections),
            *column_warnings(known, dropped, columns_config.targets),
            *lacking_columns(lacking),
            *unused_patterns("columns.horizons", columns_config.horizons, roles.targets),
            *unused_patterns("columns.tasks", columns_config.tasks, roles.targets),
        ),
        functions=tuple(functions.values()),
        own_columns=own_columns,
        rules=rules,
    )


def table_request(
    summary: PanelSummary,
    *,
    max_rows: int | None,
    min_rows: int,
    features: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    group: str | None = None,
) -> TableRequest:
    """Build the request for the symbols' tables; None takes all features or targets."""
    return TableRequest(
        kind=summary.kind,
        time_column=summary.time_column,
        features=summary.roles.features if features is None else tuple(features),
        targets=summary.roles.targets if targets is None else tuple(targets),
        max_rows=max_rows,
        min_rows=min_rows,
        bar_seconds=summary.bar_seconds,
        session_bars=summary.session_bars,
        functions=summary.functions,
        rules=summary.rules,
        own_columns=summary.own_columns,
        bar_months=summary.interval.count if summary.interval.unit == "mo" else 0,
        group=group,
    )


def _label_targets(
    kind: TableKind,
    label_targets: Sequence[str],
    inspections: Sequence[SymbolInspection],
    bar: Interval,
) -> tuple[str, ...]:
    """Return the targets to compute; for a series, the default is translated."""
    if kind == "bars" or tuple(label_targets) != DEFAULT_LABELS:
        return tuple(label_targets)
    periods = read_clocks(inspections, bar, []).sessions[0][1]
    return default_series_targets(bar, periods)


def _check_overrides(
    horizons: Mapping[str, Horizon], of_labels: Mapping[str, Horizon], session_bars: int
) -> None:
    """Refuse a horizon shorter than a computed label's: it would purge too little."""
    for name, looks in of_labels.items():
        given, own = (each.in_bars(session_bars) for each in (horizons[name], looks))
        if given < own:
            raise ConfigError(
                f"columns.horizons gives {name!r} {given} bars, but the label looks {own} bars "
                "ahead and that many training rows must be purged. Remove the entry."
            )


def _by_clock(
    name: str, of_labels: Mapping[str, Horizon], overrides: Mapping[str, str | int]
) -> Horizon | None:
    """Return the clock horizon by which a computed label is purged, if any.

    A horizon from the config purges by rows, which reach at least as far.
    """
    own = of_labels.get(name)
    if own is None or own.unit == "rows" or first_match(name, overrides) is not None:
        return None
    return own


def _one_kind(symbols: Sequence[Outlined]) -> TableKind:
    by_kind: dict[TableKind, list[str]] = {}
    for each in symbols:
        by_kind.setdefault(each.kind, []).append(each.symbol)
    if len(by_kind) > 1:
        labeled, bars = (some_of(by_kind.get(kind, []), at_most=3) for kind in _GUESSED)
        raise ConfigError(
            f"labeled tables ({labeled}) and bars ({bars}) are mixed. Set data.kind to one of "
            "them, or name the symbols of one kind in data.symbols."
        )
    return symbols[0].kind


def _bar_length(inspections: Sequence[SymbolInspection], interval: str | None) -> Interval:
    counts: Counter[int] = Counter()
    for inspection in inspections:
        counts.update(step_counts(inspection.runs))
    if not counts:
        if interval is None:
            raise ConfigError("one row per symbol does not show the bar length: set data.interval.")
        return parse_interval(interval)
    step_ns = min(counts, key=lambda step: (-counts[step], step))
    share = counts[step_ns] / counts.total()
    if interval is None:
        return _found_length(counts, step_ns, share)
    length = parse_interval(interval)
    fitting = sum(n for step, n in counts.items() if length.has_step(step))
    if not length.has_step(step_ns) or (length.unit == "mo" and 2 * fitting < counts.total()):
        raise ConfigError(
            f"interval {interval} means {length.told} between bars, but the most frequent step "
            f"in the data is {step_ns / 10**9:g} s ({share:.0%} of the steps). Set data.interval "
            f"to the data's interval.{_which_m(interval, step_ns)}"
        )
    return length


def _found_length(counts: Counter[int], step_ns: int, share: float) -> Interval:
    """Infer the length of a bar from the steps between bars."""
    if share < _FIXED_SHARE:
        for months in (1, 3, 12):
            length = Interval(months, "mo")
            if 2 * sum(n for step, n in counts.items() if length.has_step(step)) > counts.total():
                return length
    if step_ns % 10**9:
        raise ConfigError(
            f"the most frequent step in the data is {step_ns / 10**9:g} s; bars of whole seconds "
            "are needed."
        )
    return Interval(step_ns // 10**9)


def _which_m(interval: str, step_ns: int) -> str:
    """Name the two units that a letter may mean, if the data are in the other one."""
    number, letter = interval[:-1], interval[-1:]
    other = {"m": "M", "M": "m"}.get(letter)
    if other is None or not parse_interval(number + other).has_step(step_ns):
        return ""
    return f" A large M is a month, a small m a minute: {number}{other} is meant."


def _tasks(targets: Sequence[str], inspections: Sequence[SymbolInspection]) -> dict[str, Task]:
    values = [dict(inspection.target_values) for inspection in inspections]
    return {
        name: detect_task([of_symbol[name] for of_symbol in values if name in of_symbol])
        for name in targets
    }
