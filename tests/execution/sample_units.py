"""Unit functions, a state and a store that worker processes can import."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ray_pipeline.errors import DataError, StorageError
from ray_pipeline.execution import Outcome, Unit
from ray_pipeline.records import FinishedUnit, UnfitUnit, WrittenFile
from ray_pipeline.traffic import one_request


@dataclass(frozen=True)
class FolderStore:
    """The least that a unit store can be, visible to every process of the machine."""

    folder: str

    def finished(self, stage: str) -> frozenset[str]:
        return frozenset(path.stem for path in Path(self.folder, stage).glob("*.json"))

    def read(self, stage: str, digest: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(Path(self.folder, stage, f"{digest}.json").read_text())
        return record

    def recall(
        self, stage: str, digests: Sequence[str]
    ) -> Iterator[tuple[str, FinishedUnit | UnfitUnit]]:
        there = self.finished(stage)
        for digest in digests:
            if digest in there:
                yield digest, FinishedUnit("", self.read(stage, digest), 0.5, {})

    def collecting(self) -> AbstractContextManager[Mapping[str, WrittenFile]]:
        return nullcontext({})

    def write(
        self, stage: str, digest: str, unit: FinishedUnit, files: Mapping[str, WrittenFile]
    ) -> None:
        folder = Path(self.folder, stage)
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{digest}.{uuid.uuid4().hex}"
        beside.write_text(json.dumps(unit.record))
        beside.replace(folder / f"{digest}.json")


@dataclass(frozen=True)
class MakeState:
    """Leaves a file for each state that it builds."""

    folder: str

    def __call__(self) -> str:
        name = uuid.uuid4().hex
        Path(self.folder, f"{name}.state").touch()
        return name


def no_state() -> None:
    """For units that need none."""


def broken_state() -> None:
    raise LookupError("no credentials here")


def dying_state() -> None:
    os._exit(7)


@dataclass(frozen=True)
class Interval:
    start: int
    stop: int


def by_key(outcomes: Iterable[Outcome]) -> dict[str, Outcome]:
    return {outcome.unit.key: outcome for outcome in outcomes}


def unit(function: Any, key: str = "AAPL", spec: Any = None, **more: Any) -> Unit:
    return Unit("rank", key, function, spec, **more)


def double(_: object, spec: dict[str, int]) -> dict[str, int]:
    return {"value": 2 * spec["x"]}


def slow_double(_: object, spec: dict[str, Any]) -> dict[str, Any]:
    time.sleep(spec["seconds"])
    return {"value": 2 * spec["x"]}


def name_state(state: str, _: object) -> dict[str, Any]:
    time.sleep(0.02)
    return {"state": state, "pid": os.getpid()}


def fail_by_number(_: object, spec: dict[str, int]) -> dict[str, int]:
    if spec["x"] % 3 == 1:
        raise DataError(f"{spec['x']} rows are too few.")
    if spec["x"] % 3 == 2:
        raise KeyError("close")
    return {"value": spec["x"]}


def leave_the_process(_: object, spec: int) -> dict[str, Any]:
    sys.exit(spec)


def odd_but_legal(_: object, spec: object) -> dict[Any, Any]:
    return {"pair": (1, 2), 3: None, "nan": float("nan"), "score": np.float64(0.1), "spec": spec}


def not_a_dict(_: object, spec: object) -> list[object]:
    return [spec]


def numpy_record(_: object, __: object) -> dict[str, Any]:
    return {"folds": [{"skill": 0.1}, {"skill": np.float32(0.5)}]}


def tuple_key_record(_: object, __: object) -> dict[Any, Any]:
    return {"by": {("a", "b"): 1}}


def huge_record(_: object, __: object) -> dict[str, Any]:
    return {"text": "x" * (5 * 2**20)}


def ones(_: object, spec: dict[str, int]) -> dict[str, Any]:
    return {"matrix": np.ones((spec["n"], 2)), "names": ["a", "b"]}


def sum_shared(_: object, spec: float, panel: dict[str, Any]) -> dict[str, Any]:
    return {
        "sum": float(panel["matrix"].sum()) * spec,
        "writeable": panel["matrix"].flags.writeable,
    }


def write_into_shared(_: object, __: object, panel: dict[str, Any]) -> dict[str, Any]:
    panel["matrix"][0, 0] = 5.0
    return {}


def ask_a_store(_: object, spec: dict[str, int]) -> dict[str, int]:
    for _ in range(spec["n_requests"]):
        with one_request():
            pass
    return {"process": os.getpid()}


def scaled(_: object, spec: float, panel: dict[str, Any]) -> dict[str, Any]:
    return {"matrix": panel["matrix"] * spec}


def unpicklable(_: object, __: object) -> object:
    return (i for i in range(3))


def thread_counts(_: object, __: object) -> dict[str, Any]:
    import lightgbm  # noqa: F401  # its OpenMP is loaded inside the unit, after the limits were set
    import pyarrow as pa
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    counts: dict[str, list[int]] = {}
    for pool in threadpool_info():
        counts.setdefault(pool["user_api"], []).append(pool["num_threads"])
    return {"counts": counts, "arrow": pa.cpu_count(), "omp": os.environ["OMP_NUM_THREADS"]}


def die(_: object, __: object) -> dict[str, Any]:
    os._exit(3)


def die_at_first(_: object, spec: dict[str, str]) -> dict[str, Any]:
    """Die in the first attempt, and leave a file to tell the second by."""
    marker = Path(spec["marker"])
    if marker.exists():
        return {"value": spec["x"]}
    marker.touch()
    os._exit(3)


def meet_a_mood_at_first(_: object, spec: dict[str, Any]) -> dict[str, Any]:
    """Meet a store that fails so often, and leave a file for each time."""
    marker = Path(spec["marker"])
    n_times = len(list(marker.parent.glob(f"{marker.name}-*")))
    if n_times < spec["n_times"]:
        (marker.parent / f"{marker.name}-{n_times}").touch()
        raise StorageError("Please reduce your request rate.")
    return {"value": spec["n_times"]}


def stall_at_first(_: object, spec: dict[str, str]) -> dict[str, Any]:
    marker = Path(spec["marker"])
    if not marker.exists():
        marker.touch()
        time.sleep(3600)
    return {"value": spec["x"]}


def stall(_: object, __: object) -> dict[str, Any]:
    time.sleep(3600)
    return {}


def where(_: object, __: object) -> dict[str, Any]:
    time.sleep(0.05)
    return {"pid": os.getpid()}


def hold_memory(_: object, spec: dict[str, int]) -> dict[str, Any]:
    """Keep what was allocated, as a library with a leak does."""
    HELD.append(np.ones(spec["bytes"], dtype=np.uint8))
    return {"pid": os.getpid()}


HELD: list[Any] = []


def hog(_: object, spec: dict[str, Any]) -> dict[str, Any]:
    """Take more and more memory; in the first attempt alone where a marker is given."""
    if "marker" in spec:
        if Path(spec["marker"]).exists():
            return {"value": spec["x"]}
        Path(spec["marker"]).touch()
    for _ in range(spec["n_blocks"]):
        HELD.append(np.ones(2**27, dtype=np.uint8))
        time.sleep(0.05)
    return {"value": None}
