"""What it costs to hand out a unit of work, beside the other ways to do it on the same two cores.

The same function for the same symbols by each way. Overhead is by how much the wall clock exceeds
the ideal, the sum of the time inside the function over the workers; it is given per unit, and as
the share of the ideal in the wall clock. Workers run, with the code imported, before the clock
starts.

    python benchmarks/fan_out.py
    python benchmarks/fan_out.py --units 200 --unit-ms 100

The units of `ray_pipeline` leave a record each, which a later run continues from; those of no other
way do. "records kept nowhere" shows what that costs.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import ray
from joblib import Parallel, delayed
from ray.util import ActorPool

from ray_pipeline.execution import RayExecutor, RaySettings, Unit, UnitStore, run_stage
from ray_pipeline.records import FinishedUnit, UnfitUnit, WrittenFile
from ray_pipeline.storage import RunDirectory

N_WORKERS = 2

OPEN: list[RayExecutor[None]] = []
"""What is to be closed, and its workers ended, before the next way has its turn."""

Seconds = Iterable[float]


def spin(_: object, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a core busy for so long, and tell how long that was (unit function)."""
    start = time.perf_counter()
    while time.perf_counter() - start < spec["seconds"]:
        pass
    return {"symbol": spec["symbol"], "seconds": time.perf_counter() - start}


def seconds_of(spec: Mapping[str, Any]) -> float:
    """Call the function as a user would without units."""
    return float(spin(None, spec)["seconds"])


class NoStore:
    """Keeps no record."""

    def recall(
        self, stage: str, digests: Sequence[str]
    ) -> Iterator[tuple[str, FinishedUnit | UnfitUnit]]:
        """Nothing is finished."""
        return iter(())

    def collecting(self) -> AbstractContextManager[Mapping[str, WrittenFile]]:
        """Nobody will ask for what was written."""
        return nullcontext({})

    def write(
        self, stage: str, digest: str, unit: FinishedUnit, files: Mapping[str, WrittenFile]
    ) -> None:
        """Forget it."""


class Spinner:
    """An actor as one would write it for `ray.util.ActorPool`."""

    def seconds_of(self, spec: Mapping[str, Any]) -> float:
        """Do one unit."""
        return seconds_of(spec)


def no_state() -> None:
    """Nothing is kept from unit to unit."""


def ours(store: UnitStore, specs: list[dict[str, Any]]) -> Callable[[], Seconds]:
    """Units of one stage by our executor."""
    executor = RayExecutor(no_state, store, RaySettings(n_workers=N_WORKERS))
    OPEN.append(executor)
    warm = [Unit("warm", str(i), spin, {"symbol": str(i), "seconds": 0.2}) for i in range(4)]
    run_stage(executor, store, warm)
    units = [Unit("spin", spec["symbol"], spin, spec) for spec in specs]

    def work() -> Seconds:
        return [record["seconds"] for record in run_stage(executor, store, units).records.values()]

    return work


def ray_tasks(specs: list[dict[str, Any]]) -> Callable[[], Seconds]:
    """One task per symbol, all at once."""
    task = ray.remote(num_cpus=1)(seconds_of)
    ray.get([task.remote({"symbol": "warm", "seconds": 0.2}) for _ in range(4)])
    return lambda: ray.get([task.remote(spec) for spec in specs])


def actor_pool(specs: list[dict[str, Any]]) -> Callable[[], Seconds]:
    """Ray's pool of actors."""
    actor = ray.remote(num_cpus=1)(Spinner)
    pool = ActorPool([actor.remote() for _ in range(N_WORKERS)])
    call: Any = lambda spinner, spec: spinner.seconds_of.remote(spec)  # noqa: E731
    list(pool.map_unordered(call, [{"symbol": "warm", "seconds": 0.2}] * 4))
    return lambda: list(pool.map_unordered(call, specs))


def ray_data(specs: list[dict[str, Any]]) -> Callable[[], Seconds]:
    """Ray Data's groups, one per symbol."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    ray.data.from_items([{"symbol": "warm", "seconds": 0.1}]).take_all()
    rows = ray.data.from_items(specs)

    def of_group(group: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"seconds": [seconds_of(group.iloc[0].to_dict())]})

    def work() -> Seconds:
        groups = rows.groupby("symbol").map_groups(of_group, batch_format="pandas")
        return [row["seconds"] for row in groups.take_all()]

    return work


def processes(specs: list[dict[str, Any]]) -> Callable[[], Seconds]:
    """Give them to processes of this machine, by joblib."""
    parallel = Parallel(N_WORKERS)
    parallel(delayed(seconds_of)({"symbol": "warm", "seconds": 0.2}) for _ in range(4))
    return lambda: parallel(delayed(seconds_of)(spec) for spec in specs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--units", type=int, default=5000)
    parser.add_argument("--unit-ms", type=float, default=0.0)
    options = parser.parse_args()
    specs = [
        {"symbol": f"S{i:05d}", "seconds": options.unit_ms / 1000} for i in range(options.units)
    ]
    ray.init(
        address="local",
        num_cpus=N_WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[list[dict[str, Any]]], Callable[[], Seconds]]] = {
            "ray_pipeline, a record per unit": partial(ours, RunDirectory(Path(folder)).units),
            "ray_pipeline, records kept nowhere": partial(ours, NoStore()),
            "plain Ray tasks": ray_tasks,
            "ray.util.ActorPool": actor_pool,
            "Ray Data, map_groups": ray_data,
            "joblib": processes,
        }
        print(f"{options.units} units of {options.unit_ms:g} ms on {N_WORKERS} workers")
        for name, prepare in ways.items():
            work = prepare(specs)
            start = time.perf_counter()
            seconds = list(work())
            wall = time.perf_counter() - start
            while OPEN:
                OPEN.pop().close()
            ideal = sum(seconds) / N_WORKERS
            overhead_ms = 1000 * (wall - ideal) / len(specs)
            if len(seconds) != len(specs):
                raise SystemExit(f"{name}: {len(seconds)} of {len(specs)} units came back")
            share = f"{100 * ideal / wall:5.1f} % of ideal" if options.unit_ms else ""
            print(f"{name:36} {wall:7.2f} s  {overhead_ms:6.2f} ms per unit  {share}", flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
