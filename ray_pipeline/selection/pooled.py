"""Feature selection for pooled models: fold by fold, then the folds' consensus (units)."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import table_name, unit_folder
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import (
    PredictedRows,
    SkillSeries,
    paired_evidence,
    skill_series,
    time_evidence,
)
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.samples.pool import Pool
from ray_pipeline.selection.choosing import Designs, SelectionSettings, agreed, choose_in
from ray_pipeline.selection.consensus import FoldChoice
from ray_pipeline.selection.proof import predict_on_chosen

__all__ = [
    "PooledFoldChoiceSpec",
    "PooledProofFoldSpec",
    "PooledProofSpec",
    "PooledSelectionSpec",
    "prove_pooled",
    "prove_pooled_fold",
    "select_pooled",
    "select_pooled_fold",
]


@dataclass(frozen=True, slots=True)
class PooledFoldChoiceSpec:
    """One fold of the pooled models; `importances` names those of ranking's models."""

    frame: PanelFrame
    targets: tuple[str, ...]
    settings: SelectionSettings
    pool: tuple[str, ...]
    fold: int
    importances: str
    comparison: LabelComparison | None


@dataclass(frozen=True, slots=True)
class PooledSelectionSpec:
    """The folds' choices, joined; `choices` names one document a fold."""

    frame: PanelFrame
    targets: tuple[str, ...]
    settings: SelectionSettings
    pool: tuple[str, ...]
    choices: tuple[str, ...]
    comparison: LabelComparison | None


@dataclass(frozen=True, slots=True)
class PooledProofFoldSpec:
    """What to fit in one fold: the features that it chose, by target.

    `predictions` names those of ranking's models, on all features.
    """

    frame: PanelFrame
    features: tuple[tuple[str, tuple[str, ...]], ...]
    settings: RankingSettings
    pool: tuple[str, ...]
    fold: int
    predictions: str


@dataclass(frozen=True, slots=True)
class PooledProofSpec:
    """The folds' skills, joined; `series` names one table a fold."""

    frame: PanelFrame
    targets: tuple[str, ...]
    settings: RankingSettings
    spacing: float
    series: tuple[str, ...]


def select_pooled_fold(
    reader: PanelReader, spec: PooledFoldChoiceSpec, pool: Pool
) -> dict[str, Any]:
    """Choose a fold's features for all targets and record them (unit function)."""
    frame = spec.frame
    kept = FoldMemo.kept(reader.run, frame, __name__, "select_pooled_fold", str(spec.fold))
    with kept as memo:
        found = choose_in(
            frame.folds[spec.fold],
            _designs(pool, frame, spec.targets, spec.comparison),
            frame,
            spec.settings,
            pooled_importances(reader, spec.importances, frame),
            memo=memo,
        )
    name = f"{unit_folder()}/choices.json"
    document = {
        target: {
            "scores": {method: values.tolist() for method, values in choice.scores.items()},
            "consensus": choice.consensus.tolist(),
            "chosen": choice.chosen,
            "own": own,
        }
        for target, (choice, own) in found.items()
    }
    reader.run.write_json(name, {"fold": spec.fold, "targets": document})
    return {"choices": name}


def select_pooled(reader: PanelReader, spec: PooledSelectionSpec, pool: Pool) -> dict[str, Any]:
    """Join the folds' choices of every target (unit function)."""
    documents = [reader.run.read_json(name) for name in spec.choices]
    designs = _designs(pool, spec.frame, spec.targets, spec.comparison)
    records = {}
    for target, _ in designs:
        of_target = {
            int(document["fold"]): document["targets"][target.name]
            for document in documents
            if target.name in document["targets"]
        }
        folds = {index: _choice(found) for index, found in of_target.items()}
        own = {index: found["own"] for index, found in of_target.items()}
        alike = designs.alike(target.name)
        records[target.name] = agreed(pool.feature_names, folds, own, alike, spec.settings)
    return {"targets": records}


def _choice(found: Mapping[str, Any]) -> FoldChoice:
    return FoldChoice(
        scores={method: np.array(values) for method, values in found["scores"].items()},
        consensus=np.array(found["consensus"]),
        chosen=[int(j) for j in found["chosen"]],
    )


def _designs(
    pool: Pool,
    frame: PanelFrame,
    targets: Container[str],
    comparison: LabelComparison | None,
) -> Designs:
    asked = [target for target in frame.targets if target.name in targets]
    designs = [Design.of_pool(pool, target, frame) for target in asked]
    return Designs(asked, designs, frame, comparison)


def prove_pooled_fold(reader: PanelReader, spec: PooledProofFoldSpec, pool: Pool) -> dict[str, Any]:
    """Compare a fold's models on chosen features with those on all (unit function).

    Returns
    -------
    dict
        Name of a table: target, family, and the skill of both at each timestamp, in their order.
    """
    frame, fold = spec.frame, spec.frame.folds[spec.fold]
    ranked = reader.run.read_table(spec.predictions)
    chosen = dict(spec.features)
    designs = _designs(pool, frame, chosen, spec.settings.comparison)
    place = {target.name: index for index, target in enumerate(frame.targets)}
    pieces = []
    kept = FoldMemo.kept(reader.run, frame, __name__, "prove_pooled_fold", str(spec.fold))
    with kept as memo:
        predicted = {
            family.name: predict_on_chosen(designs, fold, chosen, family, frame, memo)
            for family in spec.settings.families
        }
    for family, by_target in predicted.items():
        for target, of_selected in by_target.items():
            design = designs.of(target)
            measure = design.measure(designs.targets[target].task, spec.settings.min_cs)
            _, start, end = design.split(fold)
            of_all = ranked.column(f"{family}_{place[target]}").to_numpy().astype(np.float64)
            both = [
                skill_series(
                    measure,
                    PredictedRows(
                        prediction,
                        design.y[start:end],
                        design.positions[start:end],
                        design.cells[start:end],
                    ),
                ).contributions
                # To the bits of those that were written down.
                for prediction in (of_all, of_selected.astype(np.float32).astype(float))
            ]
            n = len(both[0])
            pieces.append(
                pa.table(
                    {
                        "target": pa.repeat(pa.scalar(target), n),
                        "family": pa.repeat(pa.scalar(family), n),
                        "all": pa.array(both[0]),
                        "selected": pa.array(both[1]),
                    }
                )
            )
    name = table_name("skills")
    reader.run.write_table(name, pa.concat_tables(pieces) if pieces else _NO_SKILLS)
    return {"table": name}


_NO_SKILLS = pa.table(
    {
        "target": pa.array([], pa.string()),
        "family": pa.array([], pa.string()),
        "all": pa.array([], pa.float64()),
        "selected": pa.array([], pa.float64()),
    }
)


def prove_pooled(reader: PanelReader, spec: PooledProofSpec) -> dict[str, Any]:
    """Measure how much skill each family keeps, over all folds (unit function).

    Of a panel that grows by whole folds also over the first of the proven folds alone, the first
    two, and so on, as far as labels were known when the next fold began: ``earlier``.
    """
    tables = list(reader.run.read_tables(spec.series))
    n_earlier = len(tables) if spec.frame.grows else 0
    records: dict[str, Any] = {}
    for target in spec.frame.targets:
        if target.name not in spec.targets:
            continue
        span = spec.frame.span_of(target, "cross_sectional")
        records[target.name] = by_family = {}
        for family in spec.settings.family_names:
            found = [_skills_of(table, target.name, family) for table in tables]
            unknown = math.ceil(span / spec.spacing)
            earlier = [
                [*found[:n], found[n][:, : max(found[n].shape[1] - unknown, 0)]]
                for n in range(n_earlier)
            ]
            by_family[family] = _kept_record(found, span, spec.spacing) | {
                "earlier": [_kept_record(each, span, spec.spacing) for each in earlier]
            }
    return {"targets": records}


def _skills_of(table: pa.Table, target: str, family: str) -> NDArray[np.float64]:
    """Return the skills of a fold with all features and with those chosen, (2, n_timestamps)."""
    names, families = table.column("target").to_numpy(), table.column("family").to_numpy()
    both = np.stack([table.column(name).to_numpy() for name in ("all", "selected")])
    found: NDArray[np.float64] = both[:, (names == target) & (families == family)]
    return found


def _kept_record(folds: Sequence[NDArray[np.float64]], span: int, spacing: float) -> dict[str, Any]:
    of_all, selected = (
        SkillSeries.of_timestamps(skills) for skills in np.concatenate(folds, axis=1)
    )
    return {
        "all": time_evidence(of_all, span, spacing).to_record(),
        "selected": time_evidence(selected, span, spacing).to_record(),
        "difference": paired_evidence(selected, of_all, span, spacing).to_record(),
    }


def pooled_importances(
    reader: PanelReader, name: str, frame: PanelFrame
) -> dict[str, dict[str, Any]]:
    """Read the importances of a fold's models, by target and family."""
    found: dict[str, dict[str, Any]] = {}
    for column in (table := reader.run.read_table(name)).column_names:
        family, index = column.rsplit("_", 1)
        values = table.column(column).to_numpy()
        found.setdefault(frame.targets[int(index)].name, {})[family] = values
    return found
