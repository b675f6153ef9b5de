"""A new stage is a folder of its own and one entry in the list: everything else follows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from panels import planted_panel, symbol_names, write_config, write_panel

PACKAGE = Path(__file__).resolve().parents[2] / "ray_pipeline"

UNITS = '''"""Counting a symbol's rows (unit function)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition


@dataclass(frozen=True, slots=True)
class CensusSpec:
    partition: SymbolPartition
    frame: PanelFrame


def count_rows(reader: PanelReader, spec: CensusSpec) -> dict[str, Any]:
    return {"n_rows": len(reader.rows(spec.partition, spec.frame).positions)}
'''
STAGE = '''"""A stage that counts rows."""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.census.units import CensusSpec, count_rows
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind


@dataclass(frozen=True, slots=True)
class CensusRow:
    symbol: str
    n_rows: int


def _run(context: StageContext) -> None:
    subject = current_subject(context)
    units = [
        Unit("census", symbol, count_rows, CensusSpec(partition, subject.frame))
        for symbol, partition in subject.partitions.items()
    ]
    found = context.runner.run(units)
    rows = [CensusRow(symbol, record["n_rows"]) for symbol, record in found.items()]
    context.write.rows("census/rows.parquet", CensusRow, rows)


CENSUS = Stage(
    name="census",
    run=_run,
    units=(UnitKind("census", "taking the census"),),
    tables=("census/rows.parquet",),
    needs=("inspect",),
)
'''


def _with_census(folder: Path) -> Path:
    """Copy the package, and add a stage: its own folder, and one entry in the list of stages."""
    root = folder / "code"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, root / "ray_pipeline", ignore=ignored)
    room = root / "ray_pipeline" / "census"
    room.mkdir()
    (room / "__init__.py").write_text('"""A census of the rows."""\n')
    (room / "units.py").write_text(UNITS)
    (room / "stage.py").write_text(STAGE)
    listed = root / "ray_pipeline" / "results" / "stages.py"
    text = listed.read_text(encoding="utf-8")
    text = text.replace(
        "\nfrom ray_pipeline",
        "\nfrom ray_pipeline.census.stage import CENSUS\nfrom ray_pipeline",
        1,
    )
    text = text.replace(
        "    USER_STAGES,\n    POOL,\n", "    USER_STAGES,\n    CENSUS,\n    POOL,\n"
    )
    assert text.count("CENSUS") == 2
    listed.write_text(text, encoding="utf-8")
    return root


def _command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ray_pipeline", *arguments],
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.mark.slow
def test_a_stage_is_its_own_folder_and_one_entry(tmp_path: Path) -> None:
    """Progress, status, account, results, hash, resuming and clearing know it by its entry."""
    root = _with_census(tmp_path)
    data = write_panel(tmp_path / "data", planted_panel(symbol_names(4)))
    config = write_config(tmp_path / "run.yaml", data, tmp_path / "run")
    first = _command(root, "run", str(config))
    assert first.returncode == 0, first.stderr
    assert "taking the census: 4/4" in first.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["timings_s"]["census"] >= 0
    status = _command(root, "status", str(tmp_path / "run")).stdout
    stages = re.findall(r"^  (\w+): [\d.]+ s$", status, re.MULTILINE)
    assert stages[stages.index("leakage") : stages.index("target_ranking")] == [
        "leakage",
        "census",
        "pool",
    ]
    assert re.search(r"find_leaks 4, census 4, pool_slice 4", status)
    assert "census" in (tmp_path / "run" / "report.html").read_text()
    compared = json.loads(_command(root, "compare", *[str(tmp_path / "run")] * 2, "--json").stdout)
    assert "census/rows.parquet" in [file["name"] for file in compared["files"]]
    # Finished work of it is read back.
    second = _command(root, "run", str(config))
    assert "taking the census: 4/4, from before" in second.stderr
    # Its name is taken, and its table is not a foreign file but goes with the result.
    taken = config.read_text() + "stages: {census: {function: 'm:f'}}\n"
    (tmp_path / "taken.yaml").write_text(taken)
    refused = _command(root, "run", str(tmp_path / "taken.yaml"))
    assert refused.returncode == 2
    assert "stages.census" in refused.stderr
    (tmp_path / "run" / "run.json").unlink()
    foreign = _command(root, "run", str(config))
    assert foreign.returncode == 2
    assert "census/rows.parquet" in foreign.stderr
