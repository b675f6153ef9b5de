"""A run that leaves no kind of unit out, and the units that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from panels import quick_config, symbol_names, write_panel
from reverting import reverting_bars

import ray_pipeline.driving.workers
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome, SerialExecutor, Shared, Unit
from ray_pipeline.pipeline import run_pipeline

__all__ = ["OWN_STAGE", "EveryKind", "run_every_kind"]

OWN_STAGE = "def shape(table):\n    return {'rows': table.num_rows, 'name': 'é'}\n"

_SECTIONS: dict[str, Any] = {
    "labeling": {
        "features": ["gap", "log_return_1", "cs_rank_log_return_1"],
        "targets": ["excess_ret_1d", "fwd_ret_1d"],
    },
    # One of the two, which are alike, is in doubt.
    "doubt": {"max_skill": {"excess_ret_*": None, "fwd_ret_*": 0.05}},
    "target_ranking": {
        "families": ["ridge"],
        "max_cs_rows": 800,
        "null": "circular_shift",
        "n_shifts": 19,
    },
    "training": {
        "families": ["ridge", "lightgbm", "rank_average"],
        "hyperparameters": {"lightgbm": {"n_estimators": 5}},
        "max_cs_rows": 100_000,
        "search": {"n_trials": 2, "n_splits": 2, "spaces": {"ridge": {"penalty": [1, 9]}}},
    },
    "stages": {"shape": {"function": "stage_of_every_kind:shape"}},
}


@dataclass(frozen=True)
class EveryKind:
    """The run, where its bars are, and its units in the order in which they were given out."""

    bars_dir: Path
    run_dir: Path
    units: list[Unit] = field(default_factory=list)

    def config(self, run_dir: Path) -> ExperimentConfig:
        """Return the same config for another run directory."""
        return quick_config(self.bars_dir, run_dir, **_SECTIONS)


def run_every_kind(root: Path) -> EveryKind:
    """Run once, serially; `OWN_STAGE` has to be importable as ``stage_of_every_kind``."""
    symbols = symbol_names(4)
    bars_dir = write_panel(root / "bars", {symbol: reverting_bars(symbol) for symbol in symbols})
    made = EveryKind(bars_dir, root / "run")

    class Recording(SerialExecutor[Any]):
        def run(self, given: Sequence[Unit]) -> Iterator[Outcome]:
            made.units.extend(given)
            return super().run(given)

        def share(self, unit: Unit) -> Shared:
            made.units.append(unit)
            return super().share(unit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_pipeline.driving.workers, "SerialExecutor", Recording)
        run_pipeline(made.config(made.run_dir), Silent())
    return made
