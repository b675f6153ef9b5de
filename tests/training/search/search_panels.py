"""Searches on small panels: a family that needs no fit, and a runner without workers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from training_designs import FEATURES, SETTINGS, training_frame

from ray_pipeline.families import Problem, SearchDimension
from ray_pipeline.records import Horizon, SymbolPartition, View
from ray_pipeline.routing.jobs import Job, TrainingPlan
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.training.search.choices import Accept
from ray_pipeline.training.search.inner import TrialSettings
from ray_pipeline.training.search.searching import Searches, SearchSettings, search_hyperparameters
from ray_pipeline.training.search.space import search_spaces

N_HOURS, N_SYMBOLS = 300, 8
HANDLE: Any = "the pool"
POOL_HANDLE = PooledPanel(HANDLE, ("slice-a",))
FRAME = training_frame()
SPLITS = TrialSettings(n_splits=2, min_train_fraction=0.6, training=SETTINGS)


@dataclass(frozen=True)
class Mixed:
    """Predicts the columns at an angle: cos for the first, sin for the second."""

    angle: float

    @property
    def importances(self) -> NDArray[np.float64]:
        return np.ones(2)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        first, second = X[:, 0].astype(np.float64), X[:, 1].astype(np.float64)
        return np.cos(self.angle) * first + np.sin(self.angle) * second

    def to_files(self) -> dict[str, bytes]:
        return {"angle.txt": str(self.angle).encode()}


@dataclass
class MixFamily:
    """Fits nothing: which direction of two columns it predicts is its hyperparameter.

    With a label in the direction of one column the skill is smooth in the angle and highest at
    one; with a label in neither direction all angles are equally good, and the best is luck.
    """

    name: str = "mix"
    libraries: tuple[str, ...] = ()
    fits: list[tuple[NDArray[np.float32], Problem, dict[str, Any]]] = field(default_factory=list)

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Mixed]:
        (problem,) = problems
        self.fits.append((X, problem, dict(hyperparameters)))
        return [Mixed(float(hyperparameters.get("angle", 0.0)))]

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        pass

    def search_space(self) -> dict[str, SearchDimension]:
        return {"angle": SearchDimension("float", -np.pi, np.pi, default=0.0)}


def pool_of(strength: float, seed: int = 0) -> Pool:
    """Return a pool whose label is the second column (b) times the strength, and noise."""
    random = np.random.default_rng(seed)
    n_rows = N_HOURS * N_SYMBOLS
    X = random.standard_normal((n_rows, len(FEATURES))).astype(np.float32)
    y = strength * X[:, 1] + random.standard_normal(n_rows)
    positions = np.repeat(np.arange(N_HOURS), N_SYMBOLS)
    return Pool(
        symbols=tuple(f"S{i}" for i in range(N_SYMBOLS)),
        feature_names=FEATURES,
        target_names=("y",),
        horizons=(Horizon(5),),
        positions=positions,
        cells=positions,
        symbol_index=np.tile(np.arange(N_SYMBOLS, dtype=np.int32), N_HOURS),
        X=X,
        Y=y[:, np.newaxis],
        label_ends=(positions + 5)[:, np.newaxis],
        spacing=1.0,
    )


def job(
    job_id: str = "cs_y__mix",
    view: View = "cross_sectional",
    symbols: tuple[str, ...] = ("S0",),
    family: str = "mix",
    **hyperparameters: Any,
) -> Job:
    """Return a job on a and b, in each of three folds and in the end."""
    return Job(
        job_id=job_id,
        target="y",
        view=view,
        symbols=symbols,
        serves=symbols,
        family=family,
        features=("a", "b"),
        fold_features=tuple((index, ("a", "b")) for index in range(3)),
        hyperparameters=tuple(sorted(hyperparameters.items())),
        priority=1,
        why="because",
    )


def settings(
    n_trials: int = 12,
    batch_size: int = 4,
    max_trials: int | None = None,
    accept: Accept = "if_better",
    trials: TrialSettings = SPLITS,
    families: Sequence[str] = ("mix",),
) -> SearchSettings:
    """Return settings of a small search."""
    return SearchSettings(
        n_trials, batch_size, max_trials, accept, trials, search_spaces(families, {})
    )


class Runner:
    """Runs units in this process, keeps their records, and may be stopped on the way.

    Parameters
    ----------
    records
        Of earlier runners, by digest: these units are not run again.
    backwards
        Run the last unit of a round first.
    stop_after
        Units after which Ctrl-C is pressed.
    failing
        Units whose key starts so have no record.
    """

    def __init__(
        self,
        pool: Pool | None = None,
        reader: Any = None,
        records: dict[str, Any] | None = None,
        backwards: bool = False,
        stop_after: int | None = None,
        failing: str = "nothing fails",
    ) -> None:
        self.records = {} if records is None else records
        self.executed: list[str] = []
        self.rounds: list[list[str]] = []
        self.units: list[Any] = []
        self._pool, self._reader, self._failing = pool, reader, failing
        self._step, self._stop_after = -1 if backwards else 1, stop_after

    def run(self, units: Sequence[Any], shared: Sequence[Any] = ()) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.units += units
        if units:
            self.rounds.append([unit.key for unit in units])
        for unit in units[:: self._step]:
            if unit.key.startswith(self._failing):
                continue
            if unit.digest not in self.records:
                if len(self.executed) == self._stop_after:
                    raise KeyboardInterrupt
                assert list(shared) == ([HANDLE] if any(u.spec.pool for u in units) else [])
                values = [self._pool] if shared else []
                record = unit.function(self._reader, unit.spec, *values)
                self.records[unit.digest] = json.loads(json.dumps(record, allow_nan=False))
                self.executed.append(unit.key)
            found[unit.key] = self.records[unit.digest]
        return found


def search(
    runner: Runner,
    given: SearchSettings,
    *jobs: Job,
    partitions: Mapping[str, SymbolPartition] | None = None,
    pool: PooledPanel | None = POOL_HANDLE,
) -> Searches:
    """Search the jobs of a plan."""
    plan, any_runner = TrainingPlan(jobs or (job(),), ()), runner
    as_runner: Any = any_runner
    return search_hyperparameters(as_runner, FRAME, partitions or {}, pool, plan, given)
