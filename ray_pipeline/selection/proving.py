"""The proof of a selection: the models fitted for it, and its outcome."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import SymbolPartition, TargetSpec, View
from ray_pipeline.samples.evidence import MAX_BLOCKS, Evidence, series_evidence
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.selection.kept import MIN_DROPPED, KeptRow, judge_kept
from ray_pipeline.selection.own import SymbolProofSpec, prove_symbol
from ray_pipeline.selection.pooled import (
    PooledProofFoldSpec,
    PooledProofSpec,
    prove_pooled,
    prove_pooled_fold,
)
from ray_pipeline.selection.proof import on_proven_folds, proven_folds
from ray_pipeline.selection.selected import AcceptedFolds, SelectedFeatures
from ray_pipeline.statistics.hac import overlapping_mean
from ray_pipeline.storage import RunDirectory

__all__ = ["Proofs", "prove_own_models", "prove_pooled_models"]

MIN_PROVEN, MAX_PROVEN = 6, 64
"""Symbols whose own models of a target are fitted again, drawn by the seed. One verdict serves all
own models of a target, since that of a single symbol would be noise."""

SHARE_PROVEN = 0.05
"""Of the own models that ranking fitted: what the proof may cost beside it, within these bounds."""

Choices = Mapping[tuple[str, str | None], SelectedFeatures]


@dataclass(frozen=True, slots=True)
class Proofs:
    """The outcome of a proof.

    Attributes
    ----------
    accepted
        Of each fold what the folds before it say; None where all share the verdict of `rows`.
    """

    rows: list[KeptRow]
    accepted: AcceptedFolds | None


def prove_pooled_models(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: PooledPanel,
    ranking: Ranking,
    choices: Mapping[str, SelectedFeatures],
    config: ExperimentConfig,
) -> Proofs:
    """Measure what the pooled models keep, of the targets whose selection leaves enough out."""
    settings = RankingSettings.from_config(config)
    accept, n_all = config.feature_selection.accept, len(frame.request.features)
    measured = {
        target: choice
        for target, choice in choices.items()
        if choice.final and _is_worth_it(choice.n_in_folds, n_all, config)
    }
    records = _prove_pooled(runner, frame, pool, ranking, measured, settings) if measured else {}
    rows = []
    accepted: dict[tuple[str, View, str], Mapping[int, bool]] = {}
    for target, choice in choices.items():
        for family in settings.family_names:
            if not choice.final:
                continue
            of_family = records.get(target, {}).get(family)
            key: tuple[str, View, str] = (target, "cross_sectional", family)
            sizes = n_all, float(len(choice.final))

            def judged(
                record: Mapping[str, Any] | None,
                key: tuple[str, View, str] = key,
                sizes: tuple[int, float] = sizes,
            ) -> KeptRow:
                skills, difference = _figures(record)
                return judge_kept(key, sizes, len(pool.symbols), skills, difference, accept)

            rows.append(judged(of_family))
            earlier = [] if of_family is None else of_family["earlier"]
            accepted[key] = _by_fold(
                frame, [judged(each).accepted for each in earlier], judged(None).accepted
            )
    return Proofs(rows, accepted if frame.grows else None)


def _figures(record: Mapping[str, Any] | None) -> tuple[tuple[float, float] | None, Evidence]:
    if record is None:
        return None, Evidence.none()
    skills = record["all"]["skill"], record["selected"]["skill"]
    return skills, Evidence.from_record(record["difference"])


def _by_fold(frame: PanelFrame, earlier: Sequence[bool], before: bool) -> dict[int, bool]:
    """Say of each fold what the proven folds before it say.

    Parameters
    ----------
    earlier
        What the first of the proven folds says, what the first two do, and so on.
    before
        What is done while none is proven.
    """
    proven = [fold.index for fold in proven_folds(frame)]
    verdicts = [before, *earlier]
    return {
        fold.index: verdicts[min(sum(index < fold.index for index in proven), len(earlier))]
        for fold in frame.folds
    }


def _is_worth_it(n_selected: float, n_all: int, config: ExperimentConfig) -> bool:
    accept = config.feature_selection.accept
    return accept == "always" or (
        accept == "if_no_worse" and n_all - n_selected >= MIN_DROPPED * n_all
    )


def _prove_pooled(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: PooledPanel,
    ranking: Ranking,
    choices: Mapping[str, SelectedFeatures],
    settings: RankingSettings,
) -> Mapping[str, Mapping[str, Any]]:
    """Fit the folds' models again, and return evidence by target and family."""
    units = [
        Unit(
            "prove_pooled_fold",
            f"fold {fold.index}",
            prove_pooled_fold,
            PooledProofFoldSpec(
                frame=frame,
                features=tuple(
                    (target, choice.folds[fold.index])
                    for target, choice in sorted(choices.items())
                    if fold.index in choice.folds
                ),
                settings=settings,
                pool=pool.tables,
                fold=fold.index,
                predictions=record["table"],
            ),
        )
        for fold, record in zip(frame.folds, ranking.pooled_folds, strict=True)
        if fold in proven_folds(frame)
    ]
    records = runner.run_required(units, [pool.value])
    series = tuple(records[unit.key]["table"] for unit in units)
    spec = PooledProofSpec(frame, tuple(sorted(choices)), settings, pool.spacing, series)
    unit = Unit("prove_pooled", "all folds", prove_pooled, spec)
    found: Mapping[str, Any] = runner.run_required([unit])[unit.key]["targets"]
    return found


def prove_own_models(
    runner: UnitRunner,
    run: RunDirectory,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    ranking: Ranking,
    choices: Choices,
    config: ExperimentConfig,
) -> Proofs:
    """Measure what own models keep, by target and family, on some of the symbols."""
    settings = RankingSettings.from_config(config)
    by_target = _symbols_of(choices)
    n_all = len(frame.request.features)
    worth = {
        target: symbols
        for target, symbols in by_target.items()
        if _is_worth_it(_mean_size(choices, target, symbols), n_all, config)
    }
    n_ranked = len(ranking.records) * len(frame.targets) * len(frame.folds)
    n_asked = max(len(worth), 1) * len(proven_folds(frame))
    n_proven = int(SHARE_PROVEN * n_ranked / n_asked)
    n_proven = min(max(n_proven, MIN_PROVEN), MAX_PROVEN)
    asked = _drawn(worth, n_proven, frame.seed)
    measured = _prove_symbols(runner, run, frame, partitions, ranking, choices, asked, settings)
    rows = []
    accepted: dict[tuple[str, View, str], Mapping[int, bool]] = {}
    n_proven_folds = len(proven_folds(frame)) if frame.grows else 0
    accept = config.feature_selection.accept
    for target in frame.targets:
        for family in settings.family_names if target.name in by_target else ():
            key: tuple[str, View, str] = (target.name, "symbol_specific", family)
            symbols = by_target[target.name]
            final = [len(choices[target.name, symbol].final) for symbol in symbols]
            sizes = len(frame.request.features), float(np.mean(final))

            def judged(
                n_folds: int | None,
                target: TargetSpec = target,
                key: tuple[str, View, str] = key,
                sizes: tuple[int, float] = sizes,
                n_symbols: int = len(symbols),
            ) -> KeptRow:
                pairs = measured.get((target.name, key[2], n_folds), [])
                skills, difference = _mean_over_symbols(pairs, target, frame)
                n_symbols = len(pairs) or n_symbols
                return judge_kept(key, sizes, n_symbols, skills, difference, accept)

            rows.append(judged(None))
            earlier = [judged(n).accepted for n in range(1, n_proven_folds + 1)]
            accepted[key] = _by_fold(frame, earlier, judged(0).accepted)
    return Proofs(rows, accepted if frame.grows else None)


def _symbols_of(choices: Choices) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for (target, symbol), choice in sorted(choices.items(), key=lambda item: item[0][1] or ""):
        if symbol is not None and choice.final:
            found.setdefault(target, []).append(symbol)
    return found


def _drawn(by_target: Mapping[str, Sequence[str]], n_drawn: int, seed: int) -> dict[str, list[str]]:
    """Draw the symbols of a proof: by the set of symbols and the seed alone.

    The first of one order that all targets share, so that what is read and binned of a symbol
    serves as many of them as can be.
    """
    every = sorted({symbol for symbols in by_target.values() for symbol in symbols})
    random.Random(derive_seed(seed, "feature_selection", "proof")).shuffle(every)
    return {
        target: sorted([symbol for symbol in every if symbol in asked][:n_drawn])
        for target, asked in ((name, frozenset(found)) for name, found in by_target.items())
    }


def _mean_size(choices: Choices, target: str, symbols: Sequence[str]) -> float:
    return float(np.mean([choices[target, symbol].n_in_folds for symbol in symbols]))


Pairs = list[tuple[NDArray[np.float64], NDArray[np.float64], int]]
"""Of each symbol: its series of skill with all features, with those selected, and its rows."""


def _prove_symbols(
    runner: UnitRunner,
    run: RunDirectory,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    ranking: Ranking,
    choices: Choices,
    asked: Mapping[str, Sequence[str]],
    settings: RankingSettings,
) -> dict[tuple[str, str, int | None], Pairs]:
    """Fit the symbols' models again, and pair their series with those of ranking's.

    Returns
    -------
    dict
        By target, family, and how many of the proven folds they are of; None: of all.
    """
    proven = [fold.index for fold in proven_folds(frame)]
    by_symbol: dict[str, list[str]] = {}
    for target, symbols in asked.items():
        for symbol in symbols:
            by_symbol.setdefault(symbol, []).append(target)
    units = [
        Unit(
            "prove_symbol",
            symbol,
            prove_symbol,
            SymbolProofSpec(
                partitions[symbol],
                frame,
                tuple(
                    (target, tuple((k, of_folds[k]) for k in proven if k in of_folds))
                    for target in sorted(targets)
                    for of_folds in [choices[target, symbol].folds]
                ),
                settings,
                ranking.records[symbol]["predictions"],
            ),
        )
        for symbol, targets in sorted(by_symbol.items())
    ]
    found: dict[tuple[str, str, int | None], Pairs] = {}
    for _, record in sorted(runner.run(units).items()):
        series = run.read_table(record["series"])
        for column, n_rows in record["n_rows"].items():
            family, index = column.rsplit("_", 1)
            told = frame.targets[int(index)]
            of_all, selected, counts = (
                series.column(f"{column}_{kind}").to_numpy() for kind in ("all", "selected", "rows")
            )
            key = told.name, family
            if n_rows > 0:
                found.setdefault((*key, None), []).append((of_all, selected, n_rows))
            for n_folds, n_blocks in _earlier_blocks(frame, told, len(of_all)):
                n_known = round(counts[:n_blocks].sum())
                if n_known > 0:
                    pair = (each[:n_blocks] * (n_rows / n_known) for each in (of_all, selected))
                    found.setdefault((*key, n_folds), []).append((*pair, n_known))
    return found


def _earlier_blocks(
    frame: PanelFrame, target: TargetSpec, n_blocks: int
) -> Iterator[tuple[int, int]]:
    """Say how many blocks the first proven folds have whose labels are known after them.

    Nothing of a panel that does not grow by whole folds.
    """
    proven = proven_folds(frame) if frame.grows else ()
    n_places = sum(fold.test_end - fold.test_start for fold in proven)
    span, n_before = frame.span_of(target, "cross_sectional"), 0
    for number, fold in enumerate(proven, 1):
        n_before += fold.test_end - fold.test_start
        yield number, max(n_before - span, 0) * n_blocks // n_places


def _mean_over_symbols(
    pairs: Pairs, target: TargetSpec, frame: PanelFrame
) -> tuple[tuple[float, float] | None, Evidence]:
    """Return the mean skills of both and their difference, with the error of a mean over symbols.

    As for the mean skill in the ranking, the error comes from the symbols' summed series.
    """
    if not pairs:
        return None, Evidence.none()
    n_blocks = len(pairs[0][0])
    _, n_places = on_proven_folds(frame, np.empty(0, dtype=np.int64))
    per_block = n_places / min(MAX_BLOCKS, n_places)
    horizon = frame.span_of(target, "cross_sectional")
    differences = [with_selected - with_all for with_all, with_selected, _ in pairs]
    errors = [
        overlapping_mean(each * n_blocks, horizon, per_block).std_error for each in differences
    ]
    n_rows = sum(n for _, _, n in pairs)
    mean = np.mean(differences, axis=0)
    evidence = series_evidence(mean, horizon, per_block, n_rows, errors)
    of_all = float(np.mean([each.sum() for each, _, _ in pairs]))
    return (of_all, float(np.mean([each.sum() for _, each, _ in pairs]))), evidence
