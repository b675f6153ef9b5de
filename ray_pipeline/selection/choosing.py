"""The choice of each training fold, and the folds' consensus, for targets of one design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import LabelForm, Problem
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.samples.memo import FoldMemo, digest_of
from ray_pipeline.samples.thinning import thinned
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.selection.consensus import (
    FoldChoice,
    choose_in_fold,
    chosen_kinds,
    consensus_of_folds,
    find_twins,
    own_features,
)
from ray_pipeline.selection.methods import TargetRows, families_of, score_features
from ray_pipeline.selection.sample import (
    TWIN_ROWS,
    ColumnOrders,
    FoldSample,
    as_compared,
    cells_compared,
    likeness,
    likeness_of_ranks,
    rows_before,
)
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.stability import selection_stability

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["Designs", "Importances", "SelectionSettings", "agreed", "choose_in"]

INNER_FRACTION = 0.75
"""Share of a training range that fits the model whose permutation importance the rest measures."""

Floats = NDArray[np.float64]
Importances = Mapping[str, Mapping[str, Floats]]
"""By target and family, of the models that ranking fitted to a fold, shape (n_features,)."""


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """The config's section, with the hyperparameters of the families used by the methods."""

    methods: tuple[str, ...]
    top_m: int | None
    min_stability: float
    redundancy: float
    families: tuple[FamilySettings, ...]

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> SelectionSettings:
        """Take the settings from the config; families of the methods are fitted as in ranking."""
        section = config.feature_selection
        return cls(
            methods=section.methods,
            top_m=section.top_m_features,
            min_stability=section.min_stability,
            redundancy=section.redundancy,
            families=FamilySettings.from_config(
                families_of(section.methods), config.target_ranking.hyperparameters
            ),
        )


class Designs:
    """Targets of one table of rows, which share its features and their measurements.

    Parameters
    ----------
    comparison
        How labels are compared within their timestamp, as ranking's models for the question of the
        view learn them; None: as they are.
    """

    def __init__(
        self,
        targets: Sequence[TargetSpec],
        designs: Sequence[Design],
        frame: PanelFrame,
        comparison: LabelComparison | None = None,
    ) -> None:
        self.targets = {target.name: target for target in targets}
        self._designs = dict(zip(self.targets, designs, strict=True))
        self._frame = frame
        self._comparison = comparison
        self._told_by: dict[str, Fold] = {}
        self._alike: dict[tuple[int, int], Floats] = {}
        self._digests: dict[tuple[int, int], str] = {}
        self._orders: ColumnOrders | None = None

    def __iter__(self) -> Iterator[tuple[TargetSpec, Design]]:
        """Iterate over the targets in order."""
        for name, target in self.targets.items():
            yield target, self._designs[name]

    def of(self, target: str) -> Design:
        """Return a target's design."""
        return self._designs[target]

    def learned(
        self, target: str, rows: NDArray[np.int64] | slice, form: LabelForm = "residuals"
    ) -> LearnedLabels:
        """Return a target's labels for learning, for some rows by whole timestamps."""
        design, task = self._designs[target], self.targets[target].task
        y, label_ends = design.y[rows], design.label_ends[rows]
        if self._comparison is None:
            return LearnedLabels.as_they_are(y, label_ends, task)
        return LearnedLabels.compared(
            y,
            design.positions[rows],
            design.cells[rows],
            label_ends,
            task,
            self._comparison,
            form,
        )

    def problem(
        self, target: str, fold: Fold, form: LabelForm = "residuals", seed: int = 0
    ) -> Problem | None:
        """Return the problem of ranking's model in a fold, None if there are too few rows."""
        first, start, _ = self._designs[target].split(fold)
        before = self.learned(target, slice(first, start), form)
        return before.fold_problem(fold, self._frame.embargo, seed)

    def rows(self, fold: Fold) -> NDArray[np.int64]:
        """Return the rows that a fold's features are scored on, shape (n_rows,)."""
        first, start, _ = self._any.split(fold)
        return rows_before(self._any, first, start)

    def sample(self, rows: NDArray[np.int64]) -> FoldSample:
        """Return some rows in the form for scoring features."""
        return FoldSample.of(self._any, rows, self._shared_orders(self._any))

    def seen(self, rows: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        """Describe everything on which a sample of these rows depends."""
        cells = cells_compared(self._any, rows)
        yield from (self._any.X[rows], self._any.symbol_index[rows])
        yield from () if cells is None else (cells,)

    @property
    def _any(self) -> Design:
        return next(iter(self._designs.values()))

    def _shared_orders(self, design: Design) -> ColumnOrders | None:
        """Return the order of all rows, which a symbol's unit needs in every fold."""
        if design.view == "symbol_specific" and self._orders is None:
            self._orders = ColumnOrders.of(design.X)
        return self._orders

    def alike(self, target: str, fold: Fold | None = None) -> Floats:
        """Return the |rank correlations| of a target's features, (n_features, n_features).

        They are a property of the features alone. They are measured before the first test row of
        the first fold that can be trained, so that all folds know the same twins and none has seen
        its test. In a rolling window, a fold only knows those of its own rows.

        Parameters
        ----------
        fold
            The one that asks; None: what the folds agree on, for which in a rolling window the
            last one that can be trained says it.
        """
        design, (first, start) = self._designs[target], self._told_in(target, fold)
        if (first, start) not in self._alike:
            rows = first + thinned(design.positions[first:start], TWIN_ROWS)
            orders = self._shared_orders(design)
            self._alike[first, start] = (
                likeness(as_compared(design, rows))
                if orders is None
                else likeness_of_ranks(orders.ranks(rows))
            )
        return self._alike[first, start]

    def digest_of_alike(self, target: str, fold: Fold) -> str:
        """Return a digest of the inputs of `alike`, which is cheaper than measuring it."""
        design, (first, start) = self._designs[target], self._told_in(target, fold)
        if (first, start) not in self._digests:
            rows = first + thinned(design.positions[first:start], TWIN_ROWS)
            self._digests[first, start] = digest_of(*self.seen(rows))
        return self._digests[first, start]

    def _told_in(self, target: str, fold: Fold | None) -> tuple[int, int]:
        """Return the range of rows from which a fold measures likeness."""
        if fold is None or not self._frame.is_rolling:
            fold = self._telling_fold(target)
        first, start, _ = self._designs[target].split(fold)
        return first, start

    def _telling_fold(self, target: str) -> Fold:
        """Return the fold whose training rows define likeness for all folds."""
        if target not in self._told_by:
            folds = self._frame.folds
            ordered = folds[::-1] if self._frame.is_rolling else folds
            trained = (fold for fold in ordered if self.problem(target, fold) is not None)
            self._told_by[target] = next(trained, ordered[0])
        return self._told_by[target]


def choose_in(
    fold: Fold,
    designs: Designs,
    frame: PanelFrame,
    settings: SelectionSettings,
    importances: Importances,
    symbol: str = "",
    memo: FoldMemo | None = None,
) -> dict[str, tuple[FoldChoice, list[int]]]:
    """Choose a fold's features for each target that has rows to train on.

    Parameters
    ----------
    memo
        Where the choice may be cached from an earlier panel.

    Returns
    -------
    dict
        By target: the fold's choice, and the features of its own model, best first.
    """
    some = next(iter(designs), None)
    if some is None:
        return {}
    first, start, _ = some[1].split(fold)
    if first == start:
        return {}
    sampled = designs.rows(fold)
    rows: dict[str, TargetRows] = {}
    for target, design in designs:
        seed = derive_seed(
            frame.seed, "feature_selection", target.name, symbol, f"fold {fold.index}"
        )
        given = _target_rows(
            designs.learned(target.name, sampled),
            design.positions[sampled],
            frame.embargo,
            fold,
            seed,
            importances.get(target.name, {}),
        )
        if given is not None and ("permutation" not in settings.methods or len(given.inner)):
            rows[target.name] = given
    if not rows:
        return {}
    compute = partial(_choose, fold, sampled, rows, designs, settings)
    if memo is None or memo.code is None:
        return compute()
    parts = (settings, *designs.seen(sampled), *_parts_of(fold, rows, designs))
    kept = memo.recall(parts, lambda: _as_arrays(compute()))
    return {
        name: (
            FoldChoice(
                scores={method: kept[f"{place}_{method}"] for method in settings.methods},
                consensus=kept[f"{place}|consensus"],
                chosen=kept[f"{place}|chosen"].tolist(),
            ),
            kept[f"{place}|own"].tolist(),
        )
        for place, name in enumerate(rows)
    }


def _choose(
    fold: Fold,
    sampled: NDArray[np.int64],
    rows: Mapping[str, TargetRows],
    designs: Designs,
    settings: SelectionSettings,
) -> dict[str, tuple[FoldChoice, list[int]]]:
    hyperparameters = {f.name: dict(f.hyperparameters) for f in settings.families}
    scores = score_features(designs.sample(sampled), rows, settings.methods, hyperparameters)
    found = {}
    for name, scored in scores.items():
        alike = designs.alike(name, fold)
        choice = choose_in_fold(scored, settings.top_m, alike, settings.redundancy)
        own = own_features(choice, alike, settings.redundancy, settings.top_m)
        found[name] = choice, own
    return found


def _parts_of(fold: Fold, rows: Mapping[str, TargetRows], designs: Designs) -> Iterator[object]:
    """Describe what the choice for some targets depends on, apart from the sample."""
    for name, each in rows.items():
        carried = dict(sorted(each.importances.items()))
        yield from (name, each.task, each.seed, each.y, each.rows, each.inner)
        yield from (each.validation, each.weights, designs.digest_of_alike(name, fold))
        yield from (list(carried), *carried.values())


def _as_arrays(found: Mapping[str, tuple[FoldChoice, list[int]]]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for place, (choice, own) in enumerate(found.values()):
        arrays |= {f"{place}_{method}": values for method, values in choice.scores.items()}
        arrays[f"{place}|consensus"] = choice.consensus
        arrays[f"{place}|chosen"] = np.array(choice.chosen, dtype=np.int64)
        arrays[f"{place}|own"] = np.array(own, dtype=np.int64)
    return arrays


def _target_rows(
    labels: LearnedLabels,
    positions: NDArray[np.int64],
    embargo: int,
    fold: Fold,
    seed: int,
    importances: Mapping[str, Floats],
) -> TargetRows | None:
    """Return what the fold may learn about a target; `inner` is empty if there are too few rows."""
    whole = labels.fold_problem(fold, embargo, seed)
    if whole is None:
        return None
    cut = int(positions[whole.rows[int(len(whole.rows) * INNER_FRACTION)]])
    inner = labels.fold_problem(Fold(0, cut, cut), embargo, seed)
    return TargetRows(
        y=labels.y,
        rows=whole.rows,
        inner=np.empty(0, dtype=np.int64) if inner is None else inner.rows,
        validation=whole.rows[positions[whole.rows] >= cut],
        task=labels.task,
        seed=seed,
        importances=importances,
        weights=whole.weights,
    )


def agreed(
    names: Sequence[str],
    folds: Mapping[int, FoldChoice],
    own: Mapping[int, Sequence[int]],
    alike: Floats,
    settings: SelectionSettings,
) -> dict[str, Any]:
    """Combine the folds' choices in the record of a target.

    Parameters
    ----------
    own
        Features of each fold's own model, best first.
    """
    if not folds:
        return {"features": [], "folds": {}, "set_stability": None}
    choices = [folds[index] for index in sorted(folds)]
    score = np.mean([choice.consensus for choice in choices], axis=0)
    by_consensus = np.argsort(-score, kind="stable").tolist()
    twins = find_twins(by_consensus, alike, settings.redundancy)
    rows = consensus_of_folds(names, choices, twins, settings.top_m, settings.min_stability)
    agreement = selection_stability(chosen_kinds(choices, twins, len(names)))
    return {
        "features": [row.to_record() for row in rows],
        "folds": {str(index): [names[j] for j in own[index]] for index in sorted(own)},
        "set_stability": None if np.isnan(agreement) else agreement,
    }
