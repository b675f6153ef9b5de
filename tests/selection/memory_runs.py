"""Ranking and selection on a panel in memory, as a run would do them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from frames import MemoryReader, make_frame, make_table, partition_of
from numpy.typing import NDArray
from panels import UNDOUBTED

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.artifacts import working_in
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import SharedValue
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.doubt import DoubtLimits
from ray_pipeline.ranking.ranking import Ranking, rank_targets
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.shared_pool import PooledPanel, build_pool
from ray_pipeline.selection.selected import Selection
from ray_pipeline.selection.selecting import select_features

__all__ = ["MemoryPanel", "drawn_panel"]


@dataclass
class _Runner:
    """Performs units where they are asked for, and writes down which."""

    state: Any
    performed: list[Unit] = field(default_factory=list)
    shared: dict[int, Any] = field(default_factory=dict)

    def run(
        self, units: Sequence[Unit], shared: Sequence[SharedValue] = ()
    ) -> dict[str, dict[str, Any]]:
        values = [self._value(value) for value in shared] if units else []
        self.performed += units
        return {unit.key: self._perform(unit, values) for unit in units}

    run_required = run

    def _value(self, value: SharedValue) -> Any:
        if id(value) not in self.shared:
            needed = [self._value(each) for each in value.needs]
            self.shared[id(value)] = self._perform(value.unit, needed)
        return self.shared[id(value)]

    def _perform(self, unit: Unit, values: Sequence[Any]) -> Any:
        with working_in(unit.folder):
            return unit.function(self.state, unit.spec, *values)


@dataclass
class MemoryPanel:
    """A panel whose targets were ranked; `select` selects features for them."""

    runner: Any
    frame: PanelFrame
    pool: PooledPanel
    ranking: Ranking
    config: ExperimentConfig

    @property
    def partitions(self) -> dict[str, Any]:
        return {symbol: partition_of(symbol) for symbol in self.runner.state.tables}

    def with_settings(self, **section: Any) -> ExperimentConfig:
        """Return the config with other settings of selection."""
        document = self.config.model_dump() | {"feature_selection": section}
        return ExperimentConfig.model_validate(document)

    def select(self, **section: Any) -> Selection:
        run: Any = self.runner.state.run
        return select_features(
            self.runner,
            run,
            self.frame,
            self.partitions,
            self.pool,
            self.ranking,
            self.with_settings(**section),
        )


def drawn_panel(
    weights: NDArray[np.float64],
    n_symbols: int = 8,
    n_timestamps: int = 400,
    seed: int = 0,
    families: tuple[str, ...] = ("ridge",),
    own: Mapping[str, float] | None = None,
) -> MemoryPanel:
    """Draw independent features whose weighted sum is in the label, and rank it.

    Parameters
    ----------
    weights
        In units of the label's noise, shape (n_features,).
    own
        Sign of the weights by symbol; 1 where nothing is said.
    """
    random = np.random.default_rng(seed)
    tables = []
    for i in range(n_symbols):
        X = random.standard_normal((n_timestamps, len(weights)))
        sign = (own or {}).get(f"S{i}", 1.0)
        label = sign * (X @ weights) + random.standard_normal(n_timestamps)
        label[-1] = np.nan
        tables.append(make_table(f"S{i}", X, {"y": label}))
    frame = make_frame(
        n_timestamps,
        [TargetSpec("y", 1, "regression")],
        [f"x{j}" for j in range(len(weights))],
    )
    config = ExperimentConfig.model_validate(
        {
            "data": {"data_dir": "nowhere"},
            "target_ranking": {
                "families": list(families),
                "hyperparameters": {"lightgbm": {"n_estimators": 10}},
            },
            "routing": {"min_oos_rows": 50},
            "doubt": UNDOUBTED,
        }
    )
    reader = MemoryReader(tables)
    runner: Any = _Runner(reader)
    partitions = {table.symbol: partition_of(table.symbol) for table in tables}
    pool = build_pool(runner, frame, partitions, np.full(n_timestamps, n_symbols), 10**9)
    run: Any = reader.run
    limits = DoubtLimits.from_config(config, 86_400, 1)
    ranking = rank_targets(runner, run, frame, partitions, pool, config, limits)
    return MemoryPanel(runner, frame, pool, ranking, config)
