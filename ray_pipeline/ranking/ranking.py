"""Target ranking: both views, fanned out, joined into two tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import SharedValue, UnitRunner
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.decide import (
    SymbolRow,
    TargetRow,
    choose_targets,
    symbol_rows,
    target_row,
    with_verdicts,
)
from ray_pipeline.ranking.doubt import (
    DoubtedFigure,
    DoubtLimits,
    doubted_skills,
    unused_limits,
    with_doubt,
)
from ray_pipeline.ranking.null import OwnNull, Statistics, draw_null, own_null, pooled_null
from ray_pipeline.ranking.own import SymbolRankingSpec, rank_symbol
from ray_pipeline.ranking.pooled import (
    PooledFoldSpec,
    PooledSpec,
    assemble_predictions,
    rank_pooled_fold,
    summarise_pooled,
)
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.evidence import Evidence, series_evidence
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import plural

__all__ = ["RANKED_SYMBOLS", "RANKED_TARGETS", "RANKING", "Ranking", "rank_targets"]

RANKED_TARGETS = "target_ranking/targets.parquet"
RANKED_SYMBOLS = "target_ranking/symbols.parquet"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The result of ranking.

    Attributes
    ----------
    targets, symbols
        Rows of the two tables.
    chosen
        Targets to continue with, strongest first.
    records
        Results of `rank_symbol` by symbol, for routing.
    pooled_folds
        Results of `rank_pooled_fold` by fold; empty if nothing pooled was ranked.
    """

    targets: list[TargetRow]
    symbols: list[SymbolRow]
    chosen: list[str]
    records: Mapping[str, Mapping[str, Any]]
    pooled_folds: Sequence[Mapping[str, Any]] = ()

    @property
    def doubted(self) -> list[DoubtedFigure]:
        """The figure that makes each doubtful target doubtful, most doubtful first."""
        return doubted_skills(self.targets)


def rank_targets(
    runner: UnitRunner,
    run: RunDirectory,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    pool: PooledPanel | None,
    config: ExperimentConfig,
    doubt: DoubtLimits,
) -> Ranking:
    """Rank the targets in every view that the config asks for.

    Parameters
    ----------
    pool
        None if the cross-sectional view is not requested.
    doubt
        The limits beyond which no skill is believed.
    """
    section, settings = config.target_ranking, RankingSettings.from_config(config)
    rows: list[TargetRow] = []
    pooled_spec, predictions = None, None
    pooled_folds: Sequence[Mapping[str, Any]] = ()
    shifts = draw_null(config, frame, 1.0 if pool is None else pool.spacing)
    pooled_shifted: Statistics = {}
    own_shifted = OwnNull({}, {})
    own = settings.families if "symbol_specific" in section.views else ()
    # A model of raw labels, for each symbol's own time, is useful next to own models; if it also
    # answers the question across symbols, it costs nothing.
    over_time = bool(own) or settings.comparison is None
    if pool is not None:
        pooled_folds = _rank_pooled_folds(runner, frame, pool, settings, over_time)
        tables = tuple(record["table"] for record in pooled_folds)
        pooled_spec = PooledSpec(frame, pool.tables, tables, settings)
        predictions = SharedValue(
            Unit("pooled_predictions", "pooled", assemble_predictions, pooled_spec), [pool.value]
        )
        if shifts:
            pooled_shifted = pooled_null(runner, frame, pool.value, pool.tables, settings, shifts)
        rows.extend(_pooled_rows(runner, frame, pool, pooled_spec, pooled_shifted))
    records: dict[str, dict[str, Any]] = {}
    if over_time:
        records = _rank_symbols(runner, frame, partitions, own, pooled_spec, predictions)
    if own and shifts:
        ranked = {symbol: partitions[symbol] for symbol in records}
        own_shifted = own_null(runner, frame, ranked, own, config.routing.min_oos_rows, shifts)
        # The mean is over the same symbols, rolled or not.
        records = {symbol: records[symbol] for symbol in own_shifted.symbols}
    if own:
        names = [family.name for family in own]
        rows.extend(_mean_over_symbols(run, frame, records, names, own_shifted.mean))
    by_view = {"cross_sectional": pooled_shifted, "symbol_specific": own_shifted.mean}
    rows = with_verdicts(
        rows, section.alpha, section.correction, lambda row: by_view[row.view][row.target]
    )
    limits = {target.name: doubt.of(target) for target in frame.targets}
    rows = with_doubt(rows, limits, doubt.std_errors)
    pooled_family = {
        row.target: row.family
        for row in rows
        if row.view == "cross_sectional" and row.family is not None
    }
    per_symbol = symbol_rows(
        frame.targets,
        records,
        pooled_family,
        config.routing.min_oos_rows,
        own_shifted.symbols or None,
    )
    return Ranking(
        targets=rows,
        symbols=with_doubt(
            _judged_by_view(per_symbol, config, own_shifted), limits, doubt.std_errors
        ),
        chosen=choose_targets(rows, section.top_n_targets),
        records=records,
        pooled_folds=pooled_folds,
    )


def _judged_by_view(
    rows: Sequence[SymbolRow], config: ExperimentConfig, null: OwnNull
) -> list[SymbolRow]:
    """Each view's symbols are one family of tests: they answer different questions."""
    judged: list[SymbolRow] = []
    for view in ("cross_sectional", "symbol_specific"):
        members = [row for row in rows if row.view == view]
        judged.extend(
            with_verdicts(
                members,
                config.symbol_alpha,
                config.target_ranking.correction,
                lambda row: null.symbols[row.symbol][row.target],
            )
        )
    return judged


def _rank_pooled_folds(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: PooledPanel,
    settings: RankingSettings,
    over_time: bool,
) -> list[dict[str, Any]]:
    units = [
        Unit(
            "rank_pooled_fold",
            f"fold {fold.index}",
            rank_pooled_fold,
            PooledFoldSpec(
                frame, pool.tables, fold.index, settings.families, settings.comparison, over_time
            ),
        )
        for fold in frame.folds
    ]
    records = runner.run_required(units, [pool.value])
    return [records[unit.key] for unit in units]


def _pooled_rows(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: PooledPanel,
    spec: PooledSpec,
    shifted: Statistics,
) -> list[TargetRow]:
    unit = Unit("rank_pooled", "summary", summarise_pooled, spec)
    summary = runner.run_required([unit], [pool.value])["summary"]["targets"]
    return [
        target_row(
            target,
            "cross_sectional",
            _evidence(summary[target.name]["families"]),
            summary[target.name]["n_symbols"],
            shifted.get(target.name),
        )
        for target in frame.targets
    ]


def _rank_symbols(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    families: tuple[FamilySettings, ...],
    pooled: PooledSpec | None,
    predictions: SharedValue | None,
) -> dict[str, dict[str, Any]]:
    units = [
        Unit(
            "rank_symbol",
            symbol,
            rank_symbol,
            SymbolRankingSpec(
                partition=partition,
                frame=frame,
                families=families,
                pooled=pooled.tables if pooled else (),
                pooled_families=pooled.settings.family_names if pooled else (),
            ),
        )
        for symbol, partition in partitions.items()
    ]
    return runner.run(units, [predictions] if predictions else [])


def _evidence(families: Mapping[str, Mapping[str, Any]]) -> dict[str, Evidence]:
    return {name: Evidence.from_record(record) for name, record in families.items()}


def _mean_over_symbols(
    run: RunDirectory,
    frame: PanelFrame,
    records: Mapping[str, Mapping[str, Any]],
    families: Sequence[str],
    shifted: Statistics,
) -> list[TargetRow]:
    """Average the symbols' skills; the error comes from their summed series."""
    n_positions = frame.folds[-1].test_end - frame.test_start
    sums: dict[str, NDArray[np.float64]] = {}
    n_symbols: dict[str, int] = {}
    n_rows: dict[str, int] = {}
    errors: dict[str, list[float]] = {}
    ordered = [records[symbol] for symbol in sorted(records)]
    tables = run.read_tables(str(record["series"]) for record in ordered)
    for record, series in zip(ordered, tables, strict=True):
        for name in series.column_names:
            values = series.column(name).to_numpy()
            sums[name] = sums[name] + values if name in sums else values.copy()
            n_symbols[name] = n_symbols.get(name, 0) + 1
            family, index = name.rsplit("_", 1)
            own = record["targets"][frame.targets[int(index)].name]["own"][family]
            n_rows[name] = n_rows.get(name, 0) + own["n_rows"]
            errors.setdefault(name, []).append(own["std_error"])
    rows = []
    for index, target in enumerate(frame.targets):
        evidence: dict[str, Evidence] = {}
        for family in families:
            name = f"{family}_{index}"
            if name in sums:
                mean = sums[name] / n_symbols[name]
                per_block = n_positions / len(mean)
                horizon = frame.span_of(target, "cross_sectional")
                evidence[family] = series_evidence(
                    mean, horizon, per_block, n_rows[name], errors[name]
                )
        most = max((n_symbols.get(f"{family}_{index}", 0) for family in families), default=0)
        null = shifted.get(target.name)
        rows.append(target_row(target, "symbol_specific", evidence, most, null))
    return rows


def _rank(context: StageContext) -> None:
    """Rank targets in both views, and publish the tables."""
    subject, pool = current_subject(context), context.find(PooledPanel)
    names = [target.name for target in subject.frame.targets]
    context.account.warn(list(unused_limits(context.config, names)))
    ranking = rank_targets(
        context.runner,
        context.run,
        subject.frame,
        subject.partitions,
        pool,
        context.config,
        DoubtLimits.from_config(context.config, subject.bar_seconds, subject.session_bars),
    )
    context.healthy(subject.partitions)  # raises when none is left, before anything is published
    context.put(ranking)
    context.write.rows(RANKED_TARGETS, TargetRow, ranking.targets)
    context.write.rows(RANKED_SYMBOLS, SymbolRow, ranking.symbols)
    predictable = {row.target for row in ranking.targets if row.predictable}
    doubted = ranking.doubted
    context.account.count(
        predictable_targets=len(predictable),
        doubtful_targets=len(doubted),
        chosen_targets=len(ranking.chosen),
    )
    context.account.note(compare=context.config.target_ranking.compare)
    n_targets = len(subject.frame.targets)
    doubtful = f", {len(doubted)} doubtful: {doubted[0]}" if doubted else ""
    context.account.say(
        f"{len(predictable)} of {plural(n_targets, 'target')} predictable{doubtful}"
    )


RANKING = Stage(
    name="target_ranking",
    run=_rank,
    units=(
        UnitKind("rank_pooled_fold", "ranking, pooled"),
        UnitKind("rank_pooled", "ranking, pooled"),
        UnitKind("rank_pool_shifted", "ranking shifted labels, pooled"),
        UnitKind("rank_symbol", "ranking, per symbol"),
        UnitKind("rank_symbol_shifted", "ranking shifted labels, per symbol"),
        UnitKind("rank_symbols_shifted", "ranking shifted labels, per symbol"),
    ),
    sections=("target_ranking", "routing", "doubt", "evaluation"),
    tables=(RANKED_TARGETS, RANKED_SYMBOLS),
    needs=("inspect", "leakage", "pool"),
)
