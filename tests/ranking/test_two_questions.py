"""Who beats whom at a timestamp, and what a symbol does over its own time: two models of a fold.

The panels have what real ones have: features and labels much of whose variance all symbols share.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from frames import MemoryReader, make_frame, make_table, pool_of
from numpy.typing import NDArray
from recording import recorded
from scipy import signal
from unit_calls import call

from ray_pipeline.families import LabelForm, load_family
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.ranking.pooled import (
    PooledFoldSpec,
    PooledSpec,
    rank_pooled_fold,
    summarise_pooled,
)
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import Horizon, TargetSpec
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.walk import FamilySettings, fold_problem
from ray_pipeline.statistics.skill import grouped_skill

Floats = NDArray[np.float64]

TARGETS = (
    TargetSpec("value", 1, "regression"),
    TargetSpec("flag", 1, "binary"),
    TargetSpec("grade", 1, "ordinal"),
)
N_TIMESTAMPS, N_SYMBOLS, N_FEATURES, N_CARRYING = 500, 40, 30, 8
Z_SCORE, RANK = LabelComparison("z_score", 3), LabelComparison("rank", 3)
RIDGE = FamilySettings("ridge")
FEW_TREES = FamilySettings("lightgbm", (("n_estimators", 3),))
LIGHTGBM = FamilySettings(
    "lightgbm", (("feature_fraction", 0.5), ("learning_rate", 0.1), ("n_estimators", 50))
)


def _half_common(noise: Floats, common: float) -> Floats:
    """Mix what all symbols share into each; the last column of the symbols is what they share."""
    mixed: Floats = np.sqrt(1 - common) * noise[:, :-1] + np.sqrt(common) * noise[:, -1:]
    return mixed


@cache
def _panel(strength: float = 0.2, seed: int = 0) -> tuple[MemoryReader, PanelFrame, Floats]:
    """Return a panel with ragged membership, and what an oracle would say of its own part.

    A `strength` of 0 plants nothing; otherwise it is the correlation of the label's own part with
    the own part of the features that carry it.
    """
    random = np.random.default_rng(seed)
    noise = random.standard_normal((N_FEATURES, N_TIMESTAMPS, N_SYMBOLS + 1))
    persistent = signal.lfilter([np.sqrt(1 - 0.95**2)], [1.0, -0.95], noise, axis=1)
    features = np.stack([_half_common(each, 0.5) for each in persistent], axis=2)
    own = np.moveaxis(persistent[:N_CARRYING, :, :-1], 0, 2)
    known = (own @ random.choice([-1.0, 1.0], N_CARRYING)) / np.sqrt(N_CARRYING)
    rest = random.standard_normal((N_TIMESTAMPS, N_SYMBOLS))
    own_part = strength * known + np.sqrt(1 - strength**2) * rest
    market = random.standard_normal((N_TIMESTAMPS, 1)) * 1.5
    labels = own_part + market
    labels[-1] = np.nan
    tables = []
    for i in range(N_SYMBOLS):
        listed = np.arange(0 if i % 2 else 8 * i, N_TIMESTAMPS)  # every other symbol comes later
        y = labels[listed, i]
        targets = {
            "value": y,
            "flag": np.where(np.isnan(y), np.nan, y > 1.0),
            "grade": np.clip(np.round(y), -2, 2),
        }
        tables.append(make_table(f"S{i:02d}", features[listed, i], targets, listed))
    names = tuple(f"x{j}" for j in range(N_FEATURES))
    return MemoryReader(tables), make_frame(N_TIMESTAMPS, TARGETS, names), known


def _fold_tables(
    reader: Any,
    frame: PanelFrame,
    family: FamilySettings,
    comparison: LabelComparison | None,
    over_time: bool = True,
) -> tuple[Pool, tuple[str, ...]]:
    pool, slices = pool_of(reader, frame)
    specs = [
        PooledFoldSpec(frame, slices, fold.index, (family,), comparison, over_time)
        for fold in frame.folds
    ]
    return pool, tuple(call(rank_pooled_fold, reader, spec, pool)["table"] for spec in specs)


def _evidence(
    family: FamilySettings, comparison: LabelComparison | None, strength: float, seed: int = 0
) -> dict[str, Evidence]:
    reader, frame, _ = _panel(strength, seed)
    state: Any = reader
    pool, tables = _fold_tables(state, frame, family, comparison, over_time=comparison is None)
    spec = PooledSpec(frame, (), tables, RankingSettings((family,), 3, comparison))
    summary = summarise_pooled(state, spec, pool)["targets"]
    return {
        name: Evidence.from_record(item["families"][family.name]) for name, item in summary.items()
    }


def _oracle(target: TargetSpec, strength: float) -> float:
    """Skill of a model that knows the symbol's own part of the features."""
    reader, frame, known = _panel(strength)
    pool, _ = pool_of(reader, frame)
    tested = (pool.positions >= frame.test_start) & np.isfinite(pool.target(target.name))
    said = known[pool.positions, pool.symbol_index]
    found = grouped_skill(
        said[tested], pool.target(target.name)[tested], pool.positions[tested], target.task
    )
    return float(found.skills.mean())


@pytest.mark.parametrize("comparison", [Z_SCORE, RANK])
def test_compared_labels_find_what_labels_as_they_are_hide(comparison: LabelComparison) -> None:
    """Of what an oracle finds across symbols, ridge finds most where raw labels give half."""
    strength = 0.25
    raw, compared = (_evidence(RIDGE, how, strength) for how in (None, comparison))
    for target in TARGETS:
        oracle = _oracle(target, strength)
        assert raw[target.name].skill < 0.5 * oracle
        assert compared[target.name].skill > 0.85 * oracle


def test_trees_find_it_too() -> None:
    """Binary labels on top of their timestamp's base rate, by the logarithmic loss."""
    raw, compared = (_evidence(LIGHTGBM, how, 0.25) for how in (None, Z_SCORE))
    for target in TARGETS:
        assert compared[target.name].skill > 1.5 * raw[target.name].skill
        assert compared[target.name].skill > 0.4 * _oracle(target, 0.25)


@pytest.mark.parametrize("family", [RIDGE, LIGHTGBM])
@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_is_found_where_nothing_is_planted(family: FamilySettings, seed: int) -> None:
    """The null twin: the same features and the same market, and labels that know none of them."""
    for comparison in (Z_SCORE, RANK):
        for evidence in _evidence(family, comparison, 0.0, seed).values():
            assert abs(evidence.t_stat) < 3.0
            assert abs(evidence.skill) < 0.04


def test_the_model_of_each_symbols_own_time_is_that_of_labels_as_they_are() -> None:
    """Whatever is compared, the percentiles over time are the same bits, and answer `raw` alone."""
    reader, frame, _ = _panel()
    state: Any = reader
    tables = {}
    for name, how in (("raw", None), ("z_score", Z_SCORE)):
        _, names = _fold_tables(state, frame, FEW_TREES, how)
        tables[name] = pa.concat_tables(list(reader.run.read_tables(names)))
    for index in range(len(TARGETS)):
        column = f"lightgbm_{index}_percentile"
        assert np.isfinite(tables["raw"][column].to_numpy()).all()
        assert tables["raw"][column].equals(tables["z_score"][column])
        assert not tables["raw"][f"lightgbm_{index}"].equals(tables["z_score"][f"lightgbm_{index}"])


@pytest.mark.parametrize("settings", [RIDGE, FEW_TREES])
def test_raw_is_one_model_of_the_labels_as_they_are(settings: FamilySettings) -> None:
    """The predictions are, to the bit, those of one fit of all targets on the purged rows."""
    reader, frame, _ = _panel()
    state: Any = reader
    pool, names = _fold_tables(state, frame, settings, None)
    family = load_family(settings.name)
    for fold, table in zip(frame.folds, reader.run.read_tables(names), strict=True):
        start, end = np.searchsorted(pool.positions, [fold.test_start, fold.test_end])
        problems = [
            fold_problem(
                pool.target(target.name)[:start],
                pool.ends(Horizon(1))[:start],
                target.task,
                fold,
                0,
                derive_seed(7, "target_ranking", settings.name, target.name, f"fold {fold.index}"),
            )
            for target in TARGETS
        ]
        models = family.fit(
            pool.X[:start],
            pool.feature_names,
            [problem for problem in problems if problem is not None],
            dict(settings.hyperparameters),
        )
        for index, model in enumerate(models):
            found = table[f"{settings.name}_{index}"].to_numpy()
            assert np.array_equal(found, model.predict(pool.X[start:end]).astype(np.float32))


@pytest.mark.parametrize(
    ("form", "comparison", "over_time", "tasks"),
    [
        ("residuals", Z_SCORE, True, ["regression"] * 4 + ["binary", "ordinal"]),
        ("offsets", Z_SCORE, True, ["regression", "binary", "regression"] + ["*"] * 3),
        ("offsets", Z_SCORE, False, ["regression", "binary", "regression"]),
        ("as_they_are", Z_SCORE, True, ["*"] * 3),
        ("as_they_are", Z_SCORE, False, ["*"] * 3),
        ("residuals", None, True, ["*"] * 3),
    ],
)
def test_nothing_is_fitted_that_nobody_reads(
    form: LabelForm, comparison: LabelComparison | None, over_time: bool, tasks: list[str]
) -> None:
    """Both kinds of model share one fit, and where one answers both questions there is one."""
    reader, frame, _ = _panel()
    state: Any = reader
    raw = [target.task for target in TARGETS]
    with recorded(form) as family:
        _, names = _fold_tables(state, frame, FamilySettings("ridge"), comparison, over_time)
    expected = [raw[place % 3] if task == "*" else task for place, task in enumerate(tasks)]
    assert [[problem[2] for problem in problems] for _, problems in family.fits] == [expected] * 3
    percentiles = next(reader.run.read_tables(names))["ridge_0_percentile"].to_numpy()
    assert np.isfinite(percentiles).all() == over_time
    assert np.isnan(percentiles).all() != over_time


def test_a_pool_of_two_symbols_teaches_nothing_across_them() -> None:
    """No timestamp has the labels to compare; over time there is a model all the same."""
    reader, frame, _ = _panel()
    state: Any = MemoryReader([reader.tables["S01"], reader.tables["S03"]])
    _, names = _fold_tables(state, frame, RIDGE, Z_SCORE)
    table = next(state.run.read_tables(names))
    assert np.isnan(table["ridge_0"].to_numpy()).all()
    assert np.isfinite(table["ridge_0_percentile"].to_numpy()).all()
