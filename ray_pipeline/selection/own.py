"""Feature selection for a symbol's own models, and the skill it keeps (units)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader, SymbolRows
from ray_pipeline.ranking.own import OutOfSample, outcomes_of
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import block_sums
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.selection.choosing import Designs, SelectionSettings, agreed, choose_in
from ray_pipeline.selection.proof import on_proven_folds, predict_on_chosen, proven_folds
from ray_pipeline.statistics.skill import time_contributions

__all__ = ["SymbolProofSpec", "SymbolSelectionSpec", "prove_symbol", "select_symbol"]


@dataclass(frozen=True, slots=True)
class SymbolSelectionSpec:
    """Targets to select a symbol's features for; `importances` names ranking's."""

    partition: SymbolPartition
    frame: PanelFrame
    targets: tuple[str, ...]
    settings: SelectionSettings
    importances: str


@dataclass(frozen=True, slots=True)
class SymbolProofSpec:
    """What to fit: by target, each proven fold with the features that it chose.

    `predictions` names those of ranking's models, on all features.
    """

    partition: SymbolPartition
    frame: PanelFrame
    features: tuple[tuple[str, tuple[tuple[int, tuple[str, ...]], ...]], ...]
    settings: RankingSettings
    predictions: str


def select_symbol(reader: PanelReader, spec: SymbolSelectionSpec) -> dict[str, Any]:
    """Select features for a symbol's own models (unit function)."""
    frame, symbol = spec.frame, spec.partition.symbol
    rows = reader.rows(spec.partition, frame)
    asked = [target for target in frame.targets if target.name in spec.targets]
    designs = Designs(asked, [Design.of_symbol(rows, each, frame) for each in asked], frame)
    kept = own_importances(reader, spec.importances, frame)
    with FoldMemo.kept(reader.run, frame, __name__, "select_symbol", symbol) as memo:
        found = {
            fold.index: choose_in(
                fold, designs, frame, spec.settings, kept.get(fold.index, {}), symbol, memo
            )
            for fold in frame.folds
        }
    records = {}
    for target, design in designs:
        of_target = {
            index: by_target[target.name]
            for index, by_target in found.items()
            if target.name in by_target
        }
        records[target.name] = agreed(
            design.feature_names,
            {index: choice for index, (choice, _) in of_target.items()},
            {index: own for index, (_, own) in of_target.items()},
            designs.alike(target.name),
            spec.settings,
        )
    return {"targets": records}


def prove_symbol(reader: PanelReader, spec: SymbolProofSpec) -> dict[str, Any]:
    """Compare a symbol's own models on chosen features with those on all (unit function).

    Returns
    -------
    dict
        Name of a table with two series for each family and target, of blocks of the proven
        folds' time, and the rows in each block; and the rows that both are made of.
    """
    frame, rows = spec.frame, reader.rows(spec.partition, spec.frame)
    ranked = reader.run.read_table(spec.predictions)
    outcomes = outcomes_of(rows, frame)
    places, n_places = on_proven_folds(frame, rows.positions)
    is_proven = places >= 0
    n_before = int(np.searchsorted(rows.positions, frame.test_start))
    chosen = {target: dict(folds) for target, folds in spec.features}
    asked = [target for target in frame.targets if target.name in chosen]
    designs = Designs(asked, [Design.of_symbol(rows, each, frame) for each in asked], frame)
    series, n_rows = {}, {}
    with FoldMemo.kept(reader.run, frame, __name__, "prove_symbol", spec.partition.symbol) as memo:
        predicted = {
            family.name: _predict_by_chosen(designs, chosen, family, frame, rows, memo)
            for family in spec.settings.families
        }
    for family, percentiles in predicted.items():
        for index, target in enumerate(frame.targets):
            name = f"{family}_{index}"
            if target.name not in chosen or name not in ranked.column_names:
                continue
            of_all = np.full(len(places), np.nan)
            of_all[n_before:] = ranked.column(name).to_numpy()
            with_all, with_selected = (
                OutOfSample.where_known(
                    places[is_proven], found[is_proven], outcomes[target.name][is_proven]
                )
                # Bit-identical to the recorded ones.
                for found in (of_all, percentiles[target.name].astype(np.float32).astype(float))
            )
            # Only equal rows can be compared.
            if np.array_equal(with_all.positions, with_selected.positions):
                n_rows[name] = len(with_all.positions)
                places_of_rows = with_all.positions
                ones = np.ones(len(places_of_rows))
                counted, _ = block_sums(ones, places_of_rows, 0, n_places)
                series[f"{name}_rows"] = counted * max(len(places_of_rows), 1)
                for kind, sample in (("all", with_all), ("selected", with_selected)):
                    contributions = time_contributions(
                        sample.centred_percentile, sample.outcome, target.task
                    )
                    series[f"{name}_{kind}"], _ = block_sums(
                        contributions, sample.positions, 0, n_places
                    )
    name = table_name("series")
    reader.run.write_table(name, pa.table(series))
    return {"series": name, "n_rows": n_rows}


def _predict_by_chosen(
    designs: Designs,
    chosen: Mapping[str, Mapping[int, Sequence[str]]],
    family: FamilySettings,
    frame: PanelFrame,
    rows: SymbolRows,
    memo: FoldMemo,
) -> dict[str, NDArray[np.float64]]:
    """Return each target's centred percentiles of a symbol's rows, NaN outside the proven folds."""
    symbol = rows.table.symbol
    percentiles = {target.name: np.full(len(rows.positions), np.nan) for target, _ in designs}
    for fold in proven_folds(frame):
        asked = {name: folds[fold.index] for name, folds in chosen.items() if fold.index in folds}
        found = predict_on_chosen(designs, fold, asked, family, frame, memo, symbol)
        for name, centred in found.items():
            # A design only has the rows inside the universe.
            _, start, end = designs.of(name).split(fold)
            tested = np.searchsorted(rows.positions, designs.of(name).positions[start:end])
            percentiles[name][tested] = centred
    return percentiles


def own_importances(
    reader: PanelReader, name: str, frame: PanelFrame
) -> dict[int, dict[str, dict[str, Any]]]:
    """Read the importances of a symbol's models, by fold, target and family."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for column in (table := reader.run.read_table(name)).column_names:
        family, index, fold = column.rsplit("_", 2)
        of_fold = found.setdefault(int(fold), {})
        values = table.column(column).to_numpy()
        of_fold.setdefault(frame.targets[int(index)].name, {})[family] = values
    return found
