"""The result of selection: features of each model, and whether models use them (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ray_pipeline.records import View
from ray_pipeline.selection.kept import KeptRow
from ray_pipeline.statistics.stability import selection_stability

__all__ = ["AcceptedFolds", "ModelFeatures", "SelectedFeatures", "Selection"]


AcceptedFolds = Mapping[tuple[str, View, str], Mapping[int, bool]]
"""By target, view, family and fold, whether the model uses the selected features."""


@dataclass(frozen=True, slots=True)
class SelectedFeatures:
    """The choice for one (target, view, symbol).

    Attributes
    ----------
    rows
        Records of `FeatureRow`, best first.
    folds
        Features that each fold chose, by fold.
    set_stability
        How much the folds' choices agree beyond chance; see `selection_stability`. None if there is
        nothing to compare.
    """

    rows: tuple[Mapping[str, Any], ...]
    folds: Mapping[int, tuple[str, ...]]
    set_stability: float | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> SelectedFeatures:
        """Rebuild from a unit's record of a target."""
        return cls(
            rows=tuple(record["features"]),
            folds={int(index): tuple(names) for index, names in record["folds"].items()},
            set_stability=record["set_stability"],
        )

    @property
    def final(self) -> tuple[str, ...]:
        """Selected features, best first."""
        return tuple(row["feature"] for row in self.rows if row["selected"])

    @property
    def n_in_folds(self) -> float:
        """Features that the folds chose, on average; NaN without a fold."""
        sizes = [len(names) for names in self.folds.values()]
        return float(np.mean(sizes)) if sizes else math.nan


@dataclass(frozen=True, slots=True)
class ModelFeatures:
    """The features on which a model is trained.

    Attributes
    ----------
    final
        Features of the final model.
    folds
        Those of each fold's model, by fold.
    are_selected
        Whether these are the features selected, or all.
    n_sets
        2 where that was decided on the rows that the skill of the model is measured on: what is
        reported afterwards is the skill of the winner. The own models of a target share one
        decision, made on some of their symbols, that no single one of them has a say in to speak
        of: there is nothing to pay for.
    """

    final: tuple[str, ...]
    folds: Mapping[int, tuple[str, ...]]
    are_selected: bool
    n_sets: int = 1


@dataclass(frozen=True, slots=True)
class Selection:
    """Choices by (target, symbol), the symbol None for the pooled models; and their cost.

    Attributes
    ----------
    kept
        What the choices keep of the skill of all features, by target, view and family.
    every
        All features, in the order of the panel.
    accepted
        By target, view and family, of each fold whether its model uses the features selected, as
        the folds before it say. None where all folds and the final model share one decision.
    """

    choices: Mapping[tuple[str, str | None], SelectedFeatures]
    kept: Sequence[KeptRow] = ()
    every: tuple[str, ...] = ()
    accepted: AcceptedFolds | None = None

    def features(self, target: str, symbol: str | None, family: str) -> ModelFeatures | None:
        """Return the features of a model; None if nothing was selected for it.

        A family that ranking did not fit uses the features selected where every family that it
        did fit may.
        """
        choice = self.choices.get((target, symbol))
        if choice is None or not choice.final:
            return None
        view: View = "cross_sectional" if symbol is None else "symbol_specific"
        rows = [row for row in self.kept if (row.target, row.view) == (target, view)]
        of_family = [row for row in rows if row.family == family] or rows
        is_decided = any(row.verdict in ("no worse", "worse") for row in of_family)
        if self.accepted is not None:
            return self._by_fold(choice, of_family)
        n_sets = 2 if is_decided and symbol is None else 1
        if of_family and all(row.accepted for row in of_family):
            return ModelFeatures(choice.final, choice.folds, True, n_sets)
        every = dict.fromkeys(choice.folds, self.every)
        return ModelFeatures(self.every, every, False, n_sets)

    def _by_fold(self, choice: SelectedFeatures, rows: Sequence[KeptRow]) -> ModelFeatures:
        """Return the features of a model of which each fold decides by those before it.

        No decision is made on the rows that the skill is measured on: there is nothing to pay for.
        """
        accepted = self.accepted or {}
        by_fold = [accepted.get((row.target, row.view, row.family), {}) for row in rows]
        folds = {
            index: names if by_fold and all(each.get(index) for each in by_fold) else self.every
            for index, names in choice.folds.items()
        }
        are_selected = bool(rows) and all(row.accepted for row in rows)
        return ModelFeatures(choice.final if are_selected else self.every, folds, are_selected)

    def table_rows(self) -> list[dict[str, Any]]:
        """Rows of ``feature_selection/features.parquet``."""
        across = {target: self._across_symbols(target) for target, _ in self.choices}
        rows = []
        for (target, symbol), choice in self.choices.items():
            frequency, agreement = across[target] if symbol is not None else ({}, None)
            view: View = "cross_sectional" if symbol is None else "symbol_specific"
            for row in choice.rows:
                plain = {key: value for key, value in row.items() if key != "methods"}
                key = {"target": target, "view": view, "symbol": symbol}
                stability = {
                    "set_stability": choice.set_stability,
                    "symbol_frequency": frequency.get(row["feature"]),
                    "symbols_stability": agreement,
                }
                rows.append(key | plain | dict(row["methods"]) | stability)
        return rows

    def _across_symbols(self, target: str) -> tuple[dict[str, float], float | None]:
        """Share of a target's own models that use each feature, and how much they agree."""
        own = [c for (name, symbol), c in self.choices.items() if name == target and symbol]
        own = [choice for choice in own if choice.rows]
        if not own:
            return {}, None
        names = sorted(row["feature"] for row in own[0].rows)
        place = {name: j for j, name in enumerate(names)}
        chosen = np.zeros((len(own), len(names)), dtype=bool)
        for i, choice in enumerate(own):
            chosen[i, [place[name] for name in choice.final]] = True
        agreement = selection_stability(chosen)
        frequency = dict(zip(names, chosen.mean(axis=0).tolist(), strict=True))
        return frequency, None if math.isnan(agreement) else agreement
