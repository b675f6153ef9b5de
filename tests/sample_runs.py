"""Synthetic run directories, built through the functions that real runs write them with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from ray_pipeline.calibration.meanings import Meaning
from ray_pipeline.calibration.measuring import ToldRows
from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.calibration.units import measured
from ray_pipeline.doubt.carriers import DoubtRow
from ray_pipeline.evaluating.comparison import OverfittingRow
from ray_pipeline.evaluating.policy_judging import Served, judge_job
from ray_pipeline.evaluating.policy_records import Policy, PolicyFoldRow, PolicyRow, Variant
from ray_pipeline.evaluating.records import DecayRow, EvaluatedRow, QuantileRow
from ray_pipeline.evaluating.units import curves_schema
from ray_pipeline.execution.protocol import Failed, FailureKind, Unit
from ray_pipeline.leakage.screening import leakage_table
from ray_pipeline.ranking.decide import SymbolRow, TargetRow, choose_targets, with_verdicts
from ray_pipeline.records import Task, View
from ray_pipeline.results import tables as results
from ray_pipeline.routing.assigning import plan_document
from ray_pipeline.routing.comparison import RoutingThresholds
from ray_pipeline.routing.decide import Obstacle, RouteRow, RouteVerdict, decide_routes
from ray_pipeline.routing.jobs import LeftOutModel, TrainingPlan
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.selection.kept import KeptRow, judge_kept
from ray_pipeline.selection.selecting import features_table
from ray_pipeline.stages.writing import rows_table
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.local_effects import effect_shape
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.effects import EffectRow
from ray_pipeline.training.job_spec import JobSpec

ALPHA = 0.05
VIEWS: tuple[View, ...] = ("cross_sectional", "symbol_specific")
CONFIG = """
data: {data_dir: s3://bucket/panel}
feature_selection: {methods: [gain, linear]}
routing: {min_difference: 0.005}
"""
TARGET_NAMES = (
    "fwd_ret_5d",
    "fwd_ret_20d",
    "y_will_peak_60m_0.8",
    "excess_ret_10d",
    "ret_ord_5d",
    "mfe_20d",
    "mdd_20d",
    "ret_zscore_60m",
)


@dataclass
class SampleRun:
    """What a synthetic run looks like.

    Attributes
    ----------
    strength
        Planted t-statistic of the strongest target; they fade over the targets. 0: noise.
    """

    symbols: Sequence[str] = tuple(f"SYM{i:02d}" for i in range(15))
    targets: Sequence[str] = TARGET_NAMES
    strength: float = 6.0
    n_features: int = 30
    status: str = "done"
    error: str | None = None
    record: dict[str, Any] = field(default_factory=dict)
    findings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rejected: Sequence[Mapping[str, str]] = ()
    quarantined: Sequence[Mapping[str, str]] = ()
    warnings: Sequence[str] = ()
    failures: Sequence[Failed] = ()
    leaks: Sequence[Mapping[str, Any]] = ()
    doubts: Sequence[DoubtRow] = ()
    feature_prefix: str = "momentum"
    trains: bool = True

    def write(self, folder: Path | str) -> RunDirectory:
        """Write every file of the run."""
        run = RunDirectory(folder)
        targets = target_rows(self)
        symbols = symbol_rows(self)
        chosen = choose_targets(targets, 10)
        routes = route_rows(self, targets, symbols)
        jobs = plan_jobs(self, chosen, routes)
        run.write_table(results.RANKED_TARGETS, rows_table(TargetRow, targets))
        run.write_table(results.RANKED_SYMBOLS, rows_table(SymbolRow, symbols))
        run.write_table(results.ROUTES, rows_table(RouteRow, routes))
        features = feature_rows(self, chosen, routes)
        run.write_table(results.FEATURES, features_table(features, ["gain", "linear"]))
        run.write_table(results.DOUBT, rows_table(DoubtRow, self.doubts))
        run.write_table(results.KEPT, rows_table(KeptRow, kept_rows(self, features)))
        run.write_table(results.LEAKAGE, leakage_table(self.leaks))
        run.write_table(results.FAILURES, results.failures_table(self.failures, self.symbols))
        why = "feature selection gave no features"
        lost = (LeftOutModel("mfe_20d", "SYM03", None, why),) if jobs else ()
        plan = plan_document(TrainingPlan((), lost)) | {"jobs": jobs}
        run.write_json(results.PLAN, plan)
        for job in jobs if self.trains else []:
            run.write_json(f"models/{job['job_id']}/metadata.json", metadata(self, job))
        write_evaluation(run, jobs if self.trains else [])
        effects = effect_rows(jobs if self.trains else [])
        run.write_table(results.EFFECTS, rows_table(EffectRow, effects))
        run.write_text("config.yaml", CONFIG)
        run.write_json("symbols.json", self.symbols_document())
        run.write_json("run.json", self.document(targets, chosen, jobs) | self.record)
        return run

    def symbols_document(self) -> dict[str, Any]:
        """``symbols.json``."""
        rejected = [row["symbol"] for row in self.rejected]
        return {
            "data_dir": "s3://bucket/panel",
            "interval": "1d",
            "layout": "current",
            "discovered": [*self.symbols, *rejected],
            "selected": list(self.symbols),
            "seed": 7,
            "rejected": list(self.rejected),
            "quarantined": list(self.quarantined),
            "symbols": {
                symbol: {
                    "n_files": 1 + i % 3,
                    "size_bytes": 1_234_567 + i,
                    "n_rows": 2500 + i,
                    "first_ts": "2014-01-02T00:00:00+00:00",
                    "last_ts": "2023-12-29T00:00:00+00:00",
                    "findings": list(self.findings.get(symbol, [])),
                }
                for i, symbol in enumerate(self.symbols)
            },
        }

    def document(
        self, targets: Sequence[TargetRow], chosen: Sequence[str], jobs: Sequence[Any]
    ) -> dict[str, Any]:
        """``run.json``."""
        n_symbols = len(self.symbols)
        return {
            "status": self.status,
            "name": "us_equities_daily",
            "seed": 7,
            "message": "4 of 8 targets are predictable; 6 models trained",
            "error": self.error,
            "config_sha256": "c0ffee" * 10,
            "input_fingerprint": "1dea" * 16,
            "content_sha256": "5eed" * 16,
            "started_at": "2024-03-01T10:00:00+00:00",
            "finished_at": "2024-03-01T10:07:12+00:00",
            "timings_s": {
                "discover": 0.4,
                "rank_symbol": 141.0,
                "rank_pooled": 96.5,
                "select": 88.1,
                "train": 60.0,
            },
            "counts": {
                "discovered": n_symbols + len(self.rejected),
                "rejected": len(self.rejected),
                "selected": n_symbols,
                "quarantined": len(self.quarantined),
                "used": n_symbols - len(self.quarantined),
                "features": self.n_features,
                "targets": len(self.targets),
                "leaks": len(self.leaks),
                "predictable_targets": len({row.target for row in targets if row.predictable}),
                "chosen_targets": len(chosen),
                "jobs": len(jobs),
                "models": len(jobs),
                "failed_units": len(self.failures),
            },
            "warnings": list(self.warnings),
            "versions": {"ray_pipeline": "0.1.0", "python": "3.12.1", "lightgbm": "4.7.0"},
            "data": {
                "data_dir": "s3://bucket/panel",
                "interval": "1d",
                "layout": "current",
                "kind": "labeled",
                "bar_seconds": 86400,
                "n_timestamps": 2500,
                "n_rows": 2500 * n_symbols,
                "first_ts": "2014-01-02T00:00:00+00:00",
                "last_ts": "2023-12-29T00:00:00+00:00",
            },
            "folds": [
                {
                    "index": i,
                    "test_start": f"{2018 + i}-01-02T00:00:00+00:00",
                    "test_end": f"{2019 + i}-01-02T00:00:00+00:00",
                }
                for i in range(5)
            ],
        }


def target_rows(sample: SampleRun) -> list[TargetRow]:
    """Rank the targets on planted evidence; the last one was never measured."""
    rng = np.random.default_rng(1)
    rows = []
    for i, target in enumerate(sample.targets):
        for view in VIEWS:
            fade = sample.strength * max(0.0, 1 - i / (len(sample.targets) / 2))
            error = 0.006 * (1 + 0.4 * (i % 4)) * (12 if i == len(sample.targets) - 2 else 1)
            t = fade * (1.0 if view == VIEWS[0] else 0.7) + float(rng.normal() * 0.7)
            measured = i < len(sample.targets) - 1 or len(sample.targets) == 1
            nan = math.nan
            rows.append(
                TargetRow(
                    target=target,
                    view=view,
                    family=("ridge", "lightgbm")[i % 2] if measured else None,
                    task="binary" if target.startswith("y_") else "regression",
                    horizon_bars=5 * (i + 1),
                    skill=t * error if measured else nan,
                    std_error=error if measured else nan,
                    t_stat=t if measured else nan,
                    p_value=_p_value(t) if measured else nan,
                    q_value=nan,
                    n_symbols=len(sample.symbols),
                    n_rows=1500 if measured else 0,
                    predictable=False,
                    rank=0,
                    reason="",
                )
            )
    return with_verdicts(rows, ALPHA, "bh")


def symbol_rows(sample: SampleRun) -> list[SymbolRow]:
    """Give each symbol its own evidence in both views; every ninth has too little data."""
    rng = np.random.default_rng(2)
    rows = []
    for view in VIEWS:
        members = []
        for i, target in enumerate(sample.targets):
            fade = sample.strength * max(0.0, 1 - i / (len(sample.targets) / 2)) * 0.5
            for k, symbol in enumerate(sample.symbols):
                t = fade + float(rng.normal() * 1.4)
                enough = k % 9 != 8
                members.append(
                    SymbolRow(
                        target=target,
                        symbol=symbol,
                        view=view,
                        family="ridge",
                        task="regression",
                        horizon_bars=5 * (i + 1),
                        skill=0.02 * t,
                        std_error=0.02 if enough else math.nan,
                        t_stat=t if enough else math.nan,
                        p_value=_p_value(t) if enough else math.nan,
                        q_value=math.nan,
                        n_rows=1500 if enough else 40,
                        predictable=False,
                        rank=0,
                        reason="",
                    )
                )
        rows.extend(with_verdicts(members, ALPHA, "bh"))
    return rows


def route_rows(
    sample: SampleRun, targets: Sequence[TargetRow], symbols: Sequence[SymbolRow]
) -> list[RouteRow]:
    """Route by the real rules."""
    rng = np.random.default_rng(3)
    records: dict[str, Any] = {
        symbol: {"own_families": ["ridge"], "targets": {}} for symbol in sample.symbols
    }
    for symbol in sample.symbols:
        for target in sample.targets:
            evidence = Evidence(float(rng.normal() * 0.05), 0.012, 0.0, 0.5, 1400, 60.0).to_record()
            pair = {"ridge": evidence}
            records[symbol]["targets"][target] = {"paired": {"ridge": pair, "lightgbm": pair}}
    thresholds = RoutingThresholds(ALPHA, 0.005, "bh")
    by_target: dict[str, dict[tuple[str, str], SymbolRow]] = {}
    for row in symbols:
        by_target.setdefault(row.target, {})[row.symbol, row.view] = row
    routes = []
    for target in sorted(sample.targets):
        by_view = {row.view: row for row in targets if row.target == target}
        served = any(row.predictable for row in by_view.values())
        not_predictable: RouteVerdict = "the target is not predictable over the batch"
        obstacle = None if served else Obstacle(not_predictable, not_predictable)
        routes.extend(
            decide_routes(
                target, sample.symbols, by_view, by_target[target], records, thresholds, obstacle
            )
        )
    return routes


def feature_rows(
    sample: SampleRun, chosen: Sequence[str], routes: Sequence[RouteRow]
) -> list[dict[str, Any]]:
    """Select features for every chosen target, pooled and for the symbols with own models."""
    rng = np.random.default_rng(4)
    rows: list[dict[str, Any]] = []
    for target in chosen:
        own = [row.symbol for row in routes if row.target == target and row.own_predictable]
        for symbol in [None, *own]:
            scores = np.sort(rng.random(sample.n_features))[::-1]
            names = (
                range(sample.n_features) if symbol is None else rng.permutation(sample.n_features)
            )
            for place, score in enumerate(scores.tolist()):
                selected = place < 8
                stability = 1.0 if place < 4 else 0.8 if selected else 0.2
                kept = f"chosen in {stability:.0%} of 5 folds"
                rows.append(
                    {
                        "target": target,
                        "view": VIEWS[0] if symbol is None else VIEWS[1],
                        "symbol": symbol,
                        "feature": f"{sample.feature_prefix}_{names[place]:02d}",
                        "score": score,
                        "gain": score * 10,
                        "linear": score,
                        "stability": stability,
                        "set_stability": 0.75,
                        "symbol_frequency": None if symbol is None else stability,
                        "symbols_stability": None if symbol is None else 0.25,
                        "rank": place + 1,
                        "selected": selected,
                        "reason": kept if selected else f"unstable: {kept}, min_stability is 60%",
                        "verdict": "stable" if selected else "unstable",
                    }
                )
    return rows


def kept_rows(sample: SampleRun, features: Sequence[Mapping[str, Any]]) -> list[KeptRow]:
    """Prove each selection: ridge loses nothing by it, trees a third, own trees were not tried."""
    symbols: dict[tuple[Any, Any], set[Any]] = {}
    for row in features:
        symbols.setdefault((row["target"], row["view"]), set()).add(row["symbol"])
    rows = []
    for (target, view), of in symbols.items():
        n_symbols = len(sample.symbols) if None in of else len(of)
        for family, skills in (("ridge", (0.06, 0.061)), ("lightgbm", (0.06, 0.04))):
            tried = None if (view, family) == (VIEWS[1], "lightgbm") else skills
            difference = Evidence(skills[1] - skills[0], 0.004, 0.0, 0.5, 900, 40.0)
            rows.append(
                judge_kept(
                    (target, view, family),
                    (sample.n_features, 8.0),
                    n_symbols,
                    tried,
                    Evidence.none() if tried is None else difference,
                    "if_no_worse",
                )
            )
    return rows


def plan_jobs(
    sample: SampleRun, chosen: Sequence[str], routes: Sequence[RouteRow]
) -> list[dict[str, Any]]:
    """One pooled job per chosen target and family, and one per symbol of its own."""
    jobs: list[dict[str, Any]] = []

    def add(
        target: str, symbol: str | None, family: str, serves: list[str], verdict: str, why: str
    ) -> None:
        parts = [target, family] if symbol is None else [target, symbol, family]
        prefix = "cs_" if symbol is None else "sym_"
        jobs.append(
            {
                "job_id": prefix + "__".join(quote(part, safe=" ") for part in parts),
                "target": target,
                "view": VIEWS[0] if symbol is None else VIEWS[1],
                "symbols": list(sample.symbols) if symbol is None else [symbol],
                "serves": serves,
                "family": family,
                "features": [f"{sample.feature_prefix}_{i:02d}" for i in range(8)],
                "hyperparameters": {},
                "priority": len(jobs) + 1,
                "why": why,
                "verdict": verdict,
            }
        )

    for target in chosen:
        rows = [row for row in routes if row.target == target]
        pooled = [row.symbol for row in rows if row.route in ("CROSS_SECTIONAL", "BOTH")]
        for family in ("lightgbm", "ridge"):
            if pooled:
                verdict = "predictable across symbols"
                add(target, None, family, pooled, verdict, f"{verdict}; serves {len(pooled)}")
            for row in rows:
                if row.route in ("SYMBOL_SPECIFIC", "BOTH"):
                    why = f"{row.route}: {row.reason}"
                    add(target, row.symbol, family, [row.symbol], row.route, why)
    return jobs


def effect_rows(jobs: Sequence[Mapping[str, Any]]) -> list[EffectRow]:
    """Give the best features of each model a line, a U and nothing, in turn; noise in the folds."""
    shapes = (lambda q: 2 * q - 1, lambda q: 4 * (2 * q - 1) ** 2 - 1, lambda q: 0.0 * q)
    rows = []
    for job in jobs:
        for place, feature in enumerate(job["features"][:3]):
            quantiles = np.linspace(0.0, 1.0, 9)
            noise = np.random.default_rng(place).normal(0.0, 0.02, (5, 9))
            found = effect_shape(shapes[place](quantiles) + noise)
            assert found is not None
            rows += [
                EffectRow(
                    job_id=job["job_id"],
                    target=job["target"],
                    view=job["view"],
                    symbol=None if job["view"] == VIEWS[0] else job["symbols"][0],
                    family=job["family"],
                    feature=feature,
                    rank=place + 1,
                    shape=found.shape,
                    strength=found.strength,
                    n_folds=found.n_folds,
                    n_agree=found.n_agree,
                    quantile=quantile,
                    value=10.0 * quantile,
                    effect=effect,
                    std_error=error,
                )
                for quantile, effect, error in zip(
                    quantiles.tolist(),
                    found.effect.tolist(),
                    found.std_error.tolist(),
                    strict=True,
                )
            ]
    return rows


def metadata(sample: SampleRun, job: Mapping[str, Any]) -> dict[str, Any]:
    """``models/<job_id>/metadata.json``, as far as the page reads it."""
    skill = 0.03 + 0.002 * (job["priority"] % 7)
    return {
        "job_id": job["job_id"],
        "trained_on": {
            "symbols": job["symbols"],
            "n_rows": 2400 * len(job["symbols"]),
            "first_ts": "2014-01-02T00:00:00+00:00",
            "last_ts": "2023-12-01T00:00:00+00:00",
        },
        "out_of_sample": {
            "skill": skill,
            "std_error": 0.011,
            "t_stat": skill / 0.011,
            "p_value": 0.003,
            "n_rows": 1400,
            "degrees_of_freedom": 50.0,
        },
    }


def write_evaluation(run: RunDirectory, jobs: Sequence[Mapping[str, Any]]) -> None:
    """Write ``evaluation/``: targets that are returns have a portfolio."""
    rows, quantiles, decay = [], [], []
    curves = [curves_schema().empty_table()]
    for job in jobs:
        known = {name: job[name] for name in ("job_id", "target", "view", "family")}
        known["symbol"] = None if job["view"] == VIEWS[0] else job["symbols"][0]
        is_return = job["target"].startswith("fwd_ret_")
        rows.append(evaluated_row(known, job["priority"], is_return=is_return))
        for q in range(1, 6):
            mean = 0.01 * (q - 3)
            quantiles.append(
                QuantileRow(
                    **known,
                    quantile=q,
                    mean_actual=mean + 0.002,
                    excess=mean,
                    std_error=0.004,
                    lift=math.nan,
                    n_rows=1500,
                )
            )
        for lag in (0, 1, 2, 5, 10, 25):
            skill = 0.05 * 0.9**lag
            decay.append(
                DecayRow(
                    **known,
                    lag_bars=lag,
                    rank_ic=skill,
                    std_error=0.012,
                    rank_autocorrelation=0.95**lag,
                    n=1400,
                )
            )
        if is_return:
            curves.append(_curve(job["job_id"]))
    run.write_table(results.EVALUATED_JOBS, rows_table(EvaluatedRow, rows))
    run.write_table(results.QUANTILES, rows_table(QuantileRow, quantiles))
    run.write_table(results.DECAY, rows_table(DecayRow, decay))
    run.write_table(results.CALIBRATION, rows_table(CalibrationRow, _calibration(rows)))
    run.write_table(results.OVERFITTING, rows_table(OverfittingRow, _overfitting(rows)))
    run.write_table(results.EQUITY, pa.concat_tables(curves))
    if rows:
        _write_policies(run, rows[0])


def _write_policies(run: RunDirectory, job: EvaluatedRow) -> None:
    """Write what two schedules would have earned with one job's models, in four folds."""
    asked = Policy(1, 0), Policy(None, 0)
    variants = [Variant("expanding", "none", ())]
    random = np.random.default_rng(0)
    folds = [Fold(i, 100 + 50 * i, 150 + 50 * i) for i in range(4)]
    served = {
        0: Served(np.repeat(np.arange(4), 50), np.arange(101, 301), None, np.empty((1, 200))),
        **{
            i: Served(
                np.full(50, i), folds[i].test_start + np.arange(1, 51), None, np.empty((1, 50))
            )
            for i in range(1, 4)
        },
    }
    for each in served.values():
        each.values[:] = 0.05 + 0.2 * random.standard_normal(each.values.shape)
    spec = JobSpec(job.job_id, job.target, "cross_sectional", "ridge", (), (), ())
    found = judge_job(spec, None, variants, asked, folds, served, "regression", 1, 1.0, 0)
    for name, kind, own in zip(
        (results.POLICIES, results.POLICY_FOLDS), (PolicyRow, PolicyFoldRow), found, strict=True
    ):
        run.write_table(name, rows_table(kind, [kind(**row) for row in own]))


def _calibration(rows: Sequence[EvaluatedRow]) -> list[CalibrationRow]:
    """Make probabilities that are right, and intervals that hold a little less than they should."""
    found: list[CalibrationRow] = []
    for place, target in enumerate(dict.fromkeys(row.target for row in rows)):
        random = np.random.default_rng(place)
        n_times, n_symbols = 310, 4
        times = np.repeat(np.arange(n_times), n_symbols)
        n = len(times)
        is_binary = target.startswith("y_")
        said = random.uniform(0.3, 0.7, n) if is_binary else random.normal(0.0, 0.01, n)
        noise = random.normal(0.0, 0.02, n)
        came = (random.uniform(size=n) < said).astype(np.float64) if is_binary else said + noise
        given = said[:, None] if is_binary else np.column_stack([said, said - 0.025, said + 0.025])
        told = ToldRows(
            target,
            tuple(f"SYM{i:02d}" for i in range(n_symbols)),
            86_400 * 10**9 * (15_000 + times),
            np.tile(np.arange(n_symbols), n_times),
            came,
            given,
            5.0,
        )
        task: Task = "binary" if is_binary else "regression"
        found += measured(told, Meaning(target, task, 5, 0.8))
    return found


def _overfitting(rows: Sequence[EvaluatedRow]) -> list[OverfittingRow]:
    """All models together, and those of each target that has several."""
    priced = [row.target for row in rows if not math.isnan(row.sharpe)]
    several = [name for name in dict.fromkeys(priced) if priced.count(name) > 1]
    return [
        OverfittingRow(
            target=target,
            n_models=len(priced) if target is None else priced.count(target),
            n_left_out=0,
            n_slices=240,
            n_blocks=16,
            probability=0.12 if target is None else 0.31,
            loss_probability=0.03,
            degradation=-0.2,
            reason="",
        )
        for target in (None, *several)
    ]


def evaluated_row(known: Mapping[str, Any], priority: int, *, is_return: bool) -> EvaluatedRow:
    """Give a job its figures; those of a portfolio for returns alone."""
    values: dict[str, Any] = {
        each.name: math.nan for each in fields(EvaluatedRow) if each.default is MISSING
    }
    values |= {"task": "regression", "horizon_bars": 5, "n_rows": 7500, "n_timestamps": 1500}
    values |= {"spread": 0.04, "spread_std_error": 0.006, "spread_p_value": 1e-9}
    values |= {"monotonicity": 1.0, "hit_rate": 0.527, "hit_rate_by_chance": 0.5}
    values |= {"turnover_top": 0.41, "turnover_bottom": 0.38, "cost_bps": 5.0, "n_trials": 70}
    values |= {"n_effective_trials": 31.25}
    if is_return:
        values |= {"gross": 0.004, "net": 0.003, "net_std_error": 0.0008, "break_even_bps": 21.3}
        values |= {"sharpe": 1.9, "sharpe_std_error": 0.4, "max_drawdown": 0.12}
        values |= {"deflated_sharpe": 0.97 if priority == 1 else 0.64}
        values |= {"sharpe_p_value": 0.004 if priority == 1 else 0.12}
    pooled = known["symbol"] is None
    for name in () if pooled else ("turnover_top", "turnover_bottom"):
        values[name] = math.nan
    values["question"] = "across symbols" if pooled else "over time"
    verdict = "" if is_return else "no portfolio"
    reason = "" if is_return else "no portfolio: the target is not among evaluation.return_targets"
    return EvaluatedRow(**{**values, **known, "reason": reason, "verdict": verdict})


def _curve(job_id: str) -> pa.Table:
    days = np.arange(40) * 86_400 * 10**9 + 1_514_764_800 * 10**9
    columns = [
        pa.repeat(job_id, 40),
        pa.array(days, pa.timestamp("ns", tz="UTC")),
        pa.array(np.linspace(0, 0.4, 40)),
        pa.array(np.linspace(0, 0.3, 40)),
    ]
    return pa.table(columns, schema=curves_schema())


def failed_unit(
    symbol: str,
    error: str,
    traceback: str = "Traceback: …",
    kind: FailureKind = "application",
) -> Failed:
    """Build a unit of one symbol that failed."""
    unit = Unit("rank_symbol", symbol, target_rows, {"symbol": symbol})
    error_type, _, message = error.partition(": ")
    return Failed(unit, error_type, message, kind, traceback, attempts=1)


def _p_value(t: float) -> float:
    return 0.5 * math.erfc(t / math.sqrt(2))
