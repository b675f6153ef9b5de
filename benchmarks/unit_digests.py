"""What naming a unit costs the driver, with a wide panel in every spec.

    python benchmarks/unit_digests.py [--units 2000]

Each spec names the frame of the run: here 300 features and 24 targets. Compared in one run: the
digest as it is, and the spec written out in full as JSON for every unit, once and as often as was
done before (for the digest, again where shared values came with it, and in the worker for the names
of its files).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from ray_pipeline.execution.protocol import Shared, Unit
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.ranking.own import SymbolRankingSpec, rank_symbol
from ray_pipeline.records import PartitionFile, SymbolPartition, TargetSpec
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.statistics.folds import walk_forward_folds

N_FEATURES, N_TARGETS, N_TIMESTAMPS = 300, 24, 5_000


def frame() -> PanelFrame:
    """Return a frame as a run would lay it."""
    targets = tuple(TargetSpec(f"fwd_ret_{j + 1}d", j + 1, "regression") for j in range(N_TARGETS))
    request = TableRequest(
        kind="labeled",
        time_column="ts",
        features=tuple(f"a_feature_of_some_length_{j:03d}" for j in range(N_FEATURES)),
        targets=tuple(target.name for target in targets),
        max_rows=None,
        min_rows=300,
        bar_seconds=86_400,
        session_bars=1,
    )
    folds = walk_forward_folds(N_TIMESTAMPS, 5, 0.4, N_TARGETS, 0)
    return PanelFrame("units/axis/0.parquet", N_TIMESTAMPS, folds, 0, request, targets, 7)


def units_of(n_units: int) -> list[Unit]:
    """Return the units of one stage, which share the frame."""
    shared_frame = frame()
    families = (FamilySettings("ridge"), FamilySettings("lightgbm"))
    pooled = tuple(f"units/rank_pooled_fold/{k:032x}/predictions.parquet" for k in range(5))
    specs = {
        f"S{i:05d}": SymbolRankingSpec(
            SymbolPartition(
                f"S{i:05d}", (PartitionFile(f"/data/symbol=S{i:05d}/a.parquet", 10**6 + i, str(i)),)
            ),
            shared_frame,
            families,
            pooled,
            ("ridge", "lightgbm"),
        )
        for i in range(n_units)
    }
    return [Unit("rank_symbol", key, rank_symbol, spec) for key, spec in specs.items()]


def digests(units: Sequence[Unit]) -> None:
    """Name units, and give them a shared value, as a stage does."""
    handles = (Shared(units[0]),)
    for unit in units:
        assert unit.with_shared(handles).folder.endswith(unit.digest)


def in_full(units: Sequence[Unit], times: int) -> None:
    """Write every spec out as JSON."""
    for unit in units:
        for _ in range(times):
            text = json.dumps([unit.stage, unit.key, asdict(unit.spec)], sort_keys=True)
            hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    """Print milliseconds a unit, and how many times the first that is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=2_000)
    n_units = parser.parse_args().units
    units_of(1)[0].digest  # noqa: B018  # the code's identity, once a process
    ways: dict[str, Callable[[Sequence[Unit]], None]] = {
        "digest and folder": digests,
        "JSON in full, once": lambda units: in_full(units, 1),
        "JSON in full, three times": lambda units: in_full(units, 3),
    }
    print(f"{n_units} units, {N_FEATURES} features, {N_TARGETS} targets in each spec")
    first = 0.0
    for name, work in ways.items():
        units = units_of(n_units)
        start = time.perf_counter()
        work(units)
        per_unit_ms = (time.perf_counter() - start) / n_units * 1000
        first = first or per_unit_ms
        print(f"{name:28} {per_unit_ms:7.3f} ms a unit {per_unit_ms / first:7.1f} x")


if __name__ == "__main__":
    main()
