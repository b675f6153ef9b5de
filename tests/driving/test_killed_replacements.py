"""Killed at any moment of a run with --replace, the directory answers with one whole result."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from panels import read_json, write_config

from ray_pipeline.cli import main

N_KILLS = 20
FAMILIES = (["ridge"], ["lightgbm"])


def _models(run_dir: Path, data: Path, out: Path) -> Mapping[str, Any]:
    """Predict with the run's models, and tell which these were, by their checksums."""
    assert main(["predict", str(run_dir), "--data-dir", str(data), "--out", str(out)]) == 0
    models: Mapping[str, Any] = read_json(out / "predictions.json")["models"]
    return models


def _killed(config: Path, n_lines: int, seconds: float) -> bool:
    """Kill a run so long after so many lines of its log; False where it ended before."""
    command = [sys.executable, "-m", "ray_pipeline", "run", str(config), "--replace"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process, process.stderr as log:
        for _ in range(n_lines):
            if not log.readline():
                break
        time.sleep(seconds)
        process.kill()
    return process.returncode < 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_moment(data_dir: Path, tmp_path: Path) -> None:
    """`predict` works with the old models or the new ones, all of them, and the end is the same."""
    run_dir = tmp_path / "run"
    configs = [
        write_config(
            tmp_path / f"{families[0]}.yaml", data_dir, run_dir, training={"families": families}
        )
        for families in FAMILIES
    ]
    wholes = []
    for number, config in enumerate(configs):
        assert main(["run", str(config), "--replace"]) == 0
        whole = read_json(run_dir / "run.json")["content_sha256"]
        wholes.append((whole, _models(run_dir, data_dir, tmp_path / f"whole-{number}")))
    assert wholes[0][1] != wholes[1][1]
    known = [models for _, models in wholes]
    chance = random.Random(14)
    current, kills, seen = 1, 0, []
    for number in range(N_KILLS):
        wanted = 1 - current
        # Lines of a log come fast at the end, where files are put in place: half of the kills.
        n_lines = chance.randrange(1, 14) if number % 2 else chance.randrange(14, 19)
        kills += _killed(configs[wanted], n_lines, chance.uniform(0, 0.25))
        found = _models(run_dir, data_dir, tmp_path / f"killed-{number}")
        assert found in known
        seen.append(known.index(found) == wanted)
        if number % 5 == 4:
            assert main(["run", str(configs[wanted]), "--replace"]) == 0
            assert read_json(run_dir / "run.json")["content_sha256"] == wholes[wanted][0]
            current = wanted
        else:
            current = known.index(found)
    assert kills >= N_KILLS // 2
    assert not all(seen)
