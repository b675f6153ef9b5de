"""Doubt as a stage: what carries the skill of every doubtful target."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.doubt.carriers import Carriers, DoubtRow, doubt_rows
from ray_pipeline.doubt.units import (
    DoubtSpec,
    LateSliceSpec,
    PooledLateSpec,
    SymbolDoubtSpec,
    doubt_late,
    doubt_pooled,
    doubt_slice,
    doubt_symbol,
)
from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.ranking.doubt import surely
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.wording import agreeing, plural, some_of

__all__ = [
    "DOUBT",
    "DOUBT_TABLE",
    "MAX_SYMBOLS",
    "Doubts",
    "carry_pooled",
    "carry_symbols",
    "named",
    "shared_carriers",
]

DOUBT_TABLE = "doubt.parquet"

MAX_SYMBOLS = 5
"""Maximum symbols of a target whose own models are examined: those furthest beyond the limit."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Rows of the table: the features behind the skills that ranking doubts."""

    rows: tuple[DoubtRow, ...]


def carry_pooled(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: PooledPanel,
    partitions: Mapping[str, SymbolPartition],
    rows: Sequence[TargetRow],
    settings: RankingSettings,
) -> list[DoubtRow]:
    """Find what carries the pooled skill of doubtful targets.

    Parameters
    ----------
    rows
        Doubtful ones of the cross-sectional view; without a limit of skill if another figure is in
        doubt.
    """
    families = {family.name: family for family in settings.families}
    specs = {
        row.target: DoubtSpec(
            frame,
            row.target,
            families[row.family],
            settings.min_cs,
            settings.comparison,
            pool.tables,
        )
        for row in rows
        if row.family is not None
    }
    units = [Unit("doubt_pooled", name, doubt_pooled, spec) for name, spec in specs.items()]
    found = runner.run_required(units, [pool.value])
    carriers = {name: Carriers.from_record(record) for name, record in found.items()}
    tables = _late_slices(runner, frame, pool, partitions, carriers)
    units = [
        Unit(
            "doubt_late",
            name,
            doubt_late,
            PooledLateSpec(spec, carriers[name].names, tables),
        )
        for name, spec in specs.items()
    ]
    measured = runner.run_required(units, [pool.value])
    return [
        each
        for row in rows
        if row.family is not None
        for each in doubt_rows(
            row.target,
            row.view,
            None,
            row.family,
            row.horizon_bars,
            row.max_skill,
            carriers[row.target],
            measured[row.target],
        )
    ]


def _late_slices(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: PooledPanel,
    partitions: Mapping[str, SymbolPartition],
    carriers: Mapping[str, Carriers],
) -> tuple[str, ...]:
    """Let every symbol of the pool write the earlier values of all targets' carriers."""
    horizons = {target.name: target.horizon_bars for target in frame.targets}
    late = sorted(
        {
            (feature, bars)
            for name, each in carriers.items()
            for feature in each.names
            for bars in (1, horizons[name])
        }
    )
    slices = runner.run(
        [
            Unit(
                "doubt_slice",
                symbol,
                doubt_slice,
                LateSliceSpec(frame, partitions[symbol], table, tuple(late)),
            )
            for symbol, table in zip(pool.symbols, pool.tables, strict=True)
            if late and symbol in partitions
        ]
    )
    return tuple(slices[symbol]["table"] if symbol in slices else "" for symbol in pool.symbols)


def carry_symbols(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    rows: Sequence[SymbolRow],
    settings: RankingSettings,
) -> list[DoubtRow]:
    """Find what carries the skill of symbols' own models.

    Parameters
    ----------
    rows
        Of the symbol-specific view, in the order of the table.
    """
    families: dict[str, FamilySettings] = {family.name: family for family in settings.families}
    by_symbol: dict[str, list[SymbolRow]] = {}
    for row in rows:
        if row.family is not None and row.symbol in partitions:
            by_symbol.setdefault(row.symbol, []).append(row)
    units = [
        Unit(
            "doubt_symbol",
            symbol,
            doubt_symbol,
            SymbolDoubtSpec(
                frame,
                partitions[symbol],
                tuple((row.target, families[str(row.family)]) for row in members),
                settings.min_cs,
            ),
        )
        for symbol, members in sorted(by_symbol.items())
    ]
    records = runner.run(units)
    found: list[DoubtRow] = []
    for row in rows:
        if row.symbol not in records or row.family is None:
            continue
        record = records[row.symbol]["targets"][row.target]
        found += doubt_rows(
            row.target,
            row.view,
            row.symbol,
            row.family,
            row.horizon_bars,
            row.max_skill,
            Carriers.from_record(record),
            record,
        )
    return found


def symbols_to_look_at(ranking: Ranking) -> list[SymbolRow]:
    """Choose the own models to examine: for each target, those furthest beyond the limit.

    Doubtful symbols, or, if a target is only doubtful in the mean over symbols, those with the
    strongest evidence.
    """
    in_mean = {
        row.target for row in ranking.targets if row.doubtful and row.view == "symbol_specific"
    }
    chosen: list[SymbolRow] = []
    for target in sorted({row.target for row in ranking.symbols}):
        own = [
            row
            for row in ranking.symbols
            if row.target == target and row.view == "symbol_specific" and row.t_stat > 0
        ]
        members = [row for row in own if row.doubtful] or (own if target in in_mean else [])
        members.sort(key=lambda row: (-surely(row), row.symbol))
        chosen += members[:MAX_SYMBOLS]
    return chosen


def _carry(context: StageContext) -> None:
    """Find what carries the doubtful skills, report it, and end the run if the policy is to fail.

    Raises
    ------
    ExecutionError
        When a target is doubtful and ``leakage.policy`` is ``fail``.
    """
    ranking = context.get(Ranking)
    rows = _rows(context, ranking)
    context.put(Doubts(tuple(rows)))
    context.write.rows(DOUBT_TABLE, DoubtRow, rows)
    doubted = ranking.doubted
    doubtful = {each.target for each in doubted}
    predictable = sorted({row.target for row in ranking.targets if row.predictable} - doubtful)
    elsewhere = shared_carriers(doubtful, predictable, rows)
    context.account.warn([*_warnings(ranking, rows), *elsewhere])
    if doubted and context.config.leakage.policy == "fail":
        first = doubted[0]
        told = [f" {row.reason}." for row in rows if row.target == first.target and row.reason]
        n_targets = len({row.target for row in ranking.targets})
        raise ExecutionError(
            f"{len(doubted)} of {plural(n_targets, 'target')} "
            f"{agreeing(len(doubted), 'is', 'are')} doubtful, and leakage.policy is 'fail'. "
            f"The first: {first}.{''.join(told[:1])} Leave out by "
            "columns.exclude_features what knows the future; or raise doubt.max_skill for "
            f"{first.target}, if you know why its skill is so high; or set leakage.policy to "
            "'drop', to go on without the doubtful targets."
        )


def _rows(context: StageContext, ranking: Ranking) -> list[DoubtRow]:
    subject, pool = current_subject(context), context.find(PooledPanel)
    settings = RankingSettings.from_config(context.config)
    runner, partitions = context.runner, subject.partitions
    pooled = [row for row in ranking.targets if row.doubtful and row.view == "cross_sectional"]
    rows: list[DoubtRow] = []
    if pooled and pool is not None:
        rows += carry_pooled(runner, subject.frame, pool, partitions, pooled, settings)
    own = symbols_to_look_at(ranking)
    if own:
        rows += carry_symbols(runner, subject.frame, partitions, own, settings)
    order = {each.target: place for place, each in enumerate(ranking.doubted)}
    # Targets with only single doubtful symbols come last.
    return sorted(rows, key=lambda row: (order.get(row.target, len(order)), row.target))


def _warnings(ranking: Ranking, rows: Sequence[DoubtRow]) -> Iterator[str]:
    for each in ranking.doubted:
        told = [row for row in rows if row.target == each.target and row.reason]
        carried = f". {named(told[0])}" if told else ""
        yield f"doubtful: {each}{carried}"
    doubtful = {each.target for each in ranking.doubted}
    for target in sorted({row.target for row in ranking.symbols} - doubtful):
        found = [row for row in ranking.symbols if row.target == target and row.doubtful]
        symbols = sorted({row.symbol for row in found})
        if symbols:
            told = [row for row in rows if row.target == target and row.reason]
            carried = f". {named(told[0])}" if told else ""
            yield (
                f"doubtful: {target} on {some_of(symbols, 5)}: a skill of "
                f"{max(row.skill for row in found):+.2f} is beyond what is believed of "
                f"such a target ({found[0].max_skill:g}), and no model serves them{carried}"
            )


def shared_carriers(
    doubtful: Collection[str], predictable: Sequence[str], rows: Sequence[DoubtRow]
) -> Iterator[str]:
    """Say which predictable targets have models with the same features.

    A look-ahead helps a target of another horizon less, so its skill may stay below its limit.

    Parameters
    ----------
    doubtful, predictable
        Targets; none is both.
    """
    features = sorted({row.feature for row in rows if row.feature and row.carries})
    if doubtful and features and predictable:
        they, are, them = ("they", "are", "them") if len(features) > 1 else ("it", "is", "it")
        yield (
            f"doubtful: what is in doubt is carried by {some_of(features, 5)}, which the models of "
            f"{some_of(predictable, 5)} have as well. If {they} {are} found to know the future, "
            f"leave {them} out and run again before you believe these"
        )


def named(row: DoubtRow) -> str:
    """Say to which models a reason applies, and the reason."""
    whose = "Pooled" if row.symbol is None else f"{row.symbol}'s own models"
    return f"{whose}: {row.reason}"


DOUBT = Stage(
    name="doubt",
    run=_carry,
    units=(
        UnitKind("doubt_pooled", "doubting, pooled"),
        UnitKind("doubt_slice", "doubting, features late"),
        UnitKind("doubt_late", "doubting, pooled and late"),
        UnitKind("doubt_symbol", "doubting, per symbol"),
    ),
    sections=("doubt", "leakage", "target_ranking"),
    tables=(DOUBT_TABLE,),
    needs=("inspect", "target_ranking"),
)
