"""``ray-pipeline status``: how a run stands, read from its directory."""

from __future__ import annotations

from typing import Any

from ray_pipeline.errors import DiscoveryError
from ray_pipeline.results import FAILURES
from ray_pipeline.storage import RunDirectory

__all__ = ["open_run", "run_status", "status_lines"]


def open_run(uri: str) -> RunDirectory:
    """Open a run directory.

    Raises
    ------
    DiscoveryError
        When there is no ``run.json``.
    """
    run = RunDirectory(uri)
    if not run.exists("run.json"):
        raise DiscoveryError(
            f"{uri} is no run directory: it has no run.json. Give the folder that "
            "output.run_dir names."
        )
    return run


def run_status(uri: str) -> dict[str, Any]:
    """Return the run's record, its finished units per stage and its failures."""
    run = open_run(uri)
    units: dict[str, int] = {}
    for name in run.list("units"):
        parts = name.split("/")
        if len(parts) == 3 and name.endswith(".json"):
            units[parts[1]] = units.get(parts[1], 0) + 1
    failures = run.read_table(FAILURES).to_pylist() if run.exists(FAILURES) else []
    for failure in failures:
        del failure["traceback"]
    return {"run": run.read_json("run.json"), "units": units, "failures": failures}


def status_lines(found: dict[str, Any]) -> list[str]:
    """Format what `run_status` found for a person."""
    record = found["run"]
    lines = [f"{record['name']}: {record['status']}"]
    if record["message"]:
        lines.append(record["message"])
    if record["error"]:
        lines.append(f"error: {record['error']}")
    lines.append(f"started {record['started_at']}, finished {record['finished_at'] or '-'}")
    lines.extend(f"  {name}: {seconds:.1f} s" for name, seconds in record["timings_s"].items())
    lines.extend(f"  {stage}: {n} units finished" for stage, n in found["units"].items())
    lines.extend(f"failed {item['unit']}: {item['error']}" for item in found["failures"])
    return lines
