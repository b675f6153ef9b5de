"""Feature selection for a symbol's own models, and what it keeps of their skill (units)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.ranking.own import OutOfSample, outcomes_of
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import block_sums
from ray_pipeline.selection.choosing import Designs, SelectionSettings, agreed, choose_in
from ray_pipeline.selection.proof import predict_by_chosen
from ray_pipeline.statistics.skill import centred_percentile

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
    """What to fit: by target, each fold with the features that it chose for itself."""

    partition: SymbolPartition
    frame: PanelFrame
    features: tuple[tuple[str, tuple[tuple[int, tuple[str, ...]], ...]], ...]
    settings: RankingSettings


def select_symbol(reader: PanelReader, spec: SymbolSelectionSpec) -> dict[str, Any]:
    """Select features for a symbol's own models (unit function)."""
    frame, symbol = spec.frame, spec.partition.symbol
    rows = reader.rows(spec.partition, frame)
    asked = [target for target in frame.targets if target.name in spec.targets]
    designs = Designs(asked, [Design.of_symbol(rows, each, frame) for each in asked], frame)
    kept = own_importances(reader, spec.importances, frame)
    found = {
        fold.index: choose_in(fold, designs, frame, spec.settings, kept.get(fold.index, {}), symbol)
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
    """Measure a symbol's own models on the features that their folds chose (unit function).

    Returns
    -------
    dict
        Name of a table with a series for each family and target, like that of
        `ray_pipeline.ranking.own.rank_symbol`, and the rows that each series is made of.
    """
    frame, symbol = spec.frame, spec.partition.symbol
    rows = reader.rows(spec.partition, frame)
    outcomes = outcomes_of(rows, frame)
    n_positions = frame.folds[-1].test_end - frame.test_start
    chosen = dict(spec.features)
    asked = [target for target in frame.targets if target.name in chosen]
    designs = Designs(asked, [Design.of_symbol(rows, each, frame) for each in asked], frame)
    series, n_rows = {}, {}
    for index, target in enumerate(frame.targets):
        if target.name not in chosen:
            continue
        for family in spec.settings.families:
            percentiles = np.full(len(rows.positions), np.nan)
            for place, features in chosen[target.name]:
                fold = frame.folds[place]
                found = predict_by_chosen(
                    designs, target.name, fold, features, family, frame, symbol
                )
                if found is not None:
                    start, end = designs.of(target.name).split(fold)
                    percentiles[start:end] = centred_percentile(*found)
            sample = OutOfSample.where_known(rows.positions, percentiles, outcomes[target.name])
            name = f"{family.name}_{index}"
            n_rows[name] = len(sample.positions)
            series[name], _ = block_sums(
                sample.series(target).contributions, sample.positions, frame.test_start, n_positions
            )
    name = table_name("series")
    reader.run.write_table(name, pa.table(series))
    return {"series": name, "n_rows": n_rows}


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
