"""Files of a run directory that hold something else than runs write, and every reading command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from finished_run import FinishedRun
from mutations import (
    RUBBISH,
    broken_documents,
    broken_files,
    broken_tables,
    changed_keys,
)
from panels import TARGET

from ray_pipeline import load_run
from ray_pipeline.errors import RayPipelineError

POOLED = f"models/cs_{TARGET}__ridge"
OWN = f"models/sym_{TARGET}__S00__ridge"
COMMANDS = ("status", "report", "explain", "predict", "compare")
ALL = frozenset(COMMANDS)

READERS: dict[str, frozenset[str]] = {
    "run.json": ALL,
    "config.yaml": frozenset({"explain", "predict", "compare"}),
    "driver.json": frozenset(),
    "report.html": frozenset(),
    "symbols.json": frozenset({"report", "explain", "predict"}),
    "training_plan.json": ALL - {"status"},
    "failures.parquet": frozenset({"status", "report", "explain"}),
    "leakage.parquet": frozenset({"report", "explain", "compare"}),
    "target_ranking/targets.parquet": ALL - {"status"},
    "target_ranking/symbols.parquet": frozenset({"report", "explain", "compare"}),
    "feature_selection/features.parquet": frozenset({"report", "explain", "compare"}),
    "feature_selection/kept.parquet": frozenset({"report", "explain", "compare"}),
    "routing/routes.parquet": ALL - {"status"},
    "training/effects.parquet": frozenset({"report", "explain", "compare"}),
    "predictions/out_of_sample.parquet": ALL - {"status"},
    "evaluation/calibration.parquet": frozenset({"report", "explain", "compare"}),
    "evaluation/jobs.parquet": ALL - {"status"},
    "evaluation/quantiles.parquet": frozenset({"report", "compare"}),
    "evaluation/decay.parquet": frozenset({"report", "compare"}),
    "evaluation/overfitting.parquet": frozenset({"report", "explain", "compare"}),
    "evaluation/equity.parquet": frozenset({"report", "compare"}),
    f"{POOLED}/metadata.json": frozenset({"report", "explain", "predict"}),
    f"{POOLED}/model.json": frozenset({"predict", "compare"}),
    f"{OWN}/metadata.json": frozenset({"report", "explain"}),
    f"{OWN}/model.json": frozenset({"compare"}),
}
"""Commands that cannot do without each file. Predicting reads own models symbol by symbol: one
that cannot be used costs its symbol, and the others are scored."""

COLUMNS = {
    "failures.parquet": ("attempts", "unit"),
    "leakage.parquet": ("target", "feature"),
    "target_ranking/targets.parquet": ("rank", "reason"),
    "target_ranking/symbols.parquet": ("predictable", "target"),
    "feature_selection/features.parquet": ("rank", "feature"),
    "feature_selection/kept.parquet": ("family", "verdict"),
    "routing/routes.parquet": ("route", "target"),
    "training/effects.parquet": ("shape", "feature"),
    "evaluation/calibration.parquet": ("n_rows", "figure"),
    "evaluation/jobs.parquet": ("job_id", "target"),
    "evaluation/quantiles.parquet": ("quantile", "job_id"),
    "evaluation/decay.parquet": ("lag_bars", "job_id"),
    "evaluation/overfitting.parquet": ("n_models", "probability"),
    "evaluation/equity.parquet": ("ts", "job_id"),
}
KEYS = {
    "run.json": ("status", "name"),
    "symbols.json": ("selected", "quarantined", "symbols"),
    "training_plan.json": ("jobs", "left_out", "jobs.0.job_id", "jobs.0.symbols", "jobs.0.view"),
}


def mutations_of(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Damage a file in every way that its kind can be."""
    if name == f"{OWN}/metadata.json" or name.endswith("model.json"):
        yield from broken_files(content)
    elif name.endswith("metadata.json"):
        # Whatever people read of a model may be missing: see the next test.
        yield from ((how, bad) for how, bad in broken_documents(content) if how != "mapping")
    elif name.endswith(".json"):
        yield from broken_documents(content)
        yield from changed_keys(content, *KEYS[name])
    elif name in COLUMNS:
        yield from broken_tables(content, *COLUMNS[name])
    elif name == "config.yaml":
        yield "empty", b""
        yield "binary rubbish", RUBBISH
        yield "an open bracket", content + b"added: [1\n"
        yield "null", b"null"
        yield "list", b"[]"
    else:
        yield from broken_files(content)


@pytest.mark.parametrize("name", [name for name, readers in READERS.items() if readers])
def test_what_cannot_be_used_is_refused_in_a_sentence(
    run: FinishedRun, damage: Callable[[str, bytes], None], name: str
) -> None:
    """Exit code 2, nothing on standard output, and a line that names the file."""
    given = (run.folder / name).read_bytes()
    assert all(run.call(command).code == 0 for command in READERS[name])
    n_mutations = 0
    for how, content in mutations_of(name, given):
        damage(name, content)
        n_mutations += 1
        for command in sorted(READERS[name]):
            code, out, err = run.call(command)
            place = f"{command}, {name}: {how}: {err[-1000:]}"
            if command == "compare" and code == 1:
                # It can be read, and is not what it was.
                assert f'"name": "{name}",\n      "state": "different"' in out, place
                continue
            assert (code, out) == (2, ""), place
            lines = err.splitlines()
            assert (len(lines), "Traceback" in err) == (1, False), place
            assert name.rpartition("/")[-1] in err, place
            assert len(err) < 1500, place
    assert n_mutations >= 3


@pytest.mark.parametrize("name", READERS)
def test_what_a_command_does_not_read_changes_nothing(
    run: FinishedRun, damage: Callable[[str, bytes], None], name: str
) -> None:
    """Its result is the same to the last byte."""
    others = sorted(ALL - READERS[name])
    if name.startswith(OWN):
        others.remove("predict")
    before = {command: run.call(command) for command in others}
    assert {answer.code for answer in before.values()} <= {0}
    damage(name, RUBBISH)
    for command in others:
        assert run.call(command) == before[command], f"{command}, {name}"


def test_a_record_of_the_first_moment_is_enough_to_read_a_run(
    run: FinishedRun, damage: Callable[[str, bytes], None]
) -> None:
    """Whatever else `run.json` and `symbols.json` lack has a default; models need more of them."""
    bare = {"discovered": ["S00"], "selected": ["S00"], "rejected": [], "quarantined": []}
    damage("run.json", b'{"name": "planted", "status": "done"}')
    damage("symbols.json", json.dumps(bare | {"symbols": {"S00": {}}}).encode())
    folder = str(run.folder)
    explain = ("explain", folder, "--target", TARGET)
    assert run.main("status", folder).out.startswith("planted: done\nstarted -, finished -\n")
    assert {run.main(*explain).code, run.main(*explain, "--symbol", "S00").code} == {0}
    assert (run.call("report").code, run.call("compare").code) == (0, 0)
    # It names no content, so that the version that serves is read, whose record is the same file.
    refused = run.call("predict").err
    assert "/run.json has 37 bytes, and had " in refused
    assert "give the command that made it again" in refused


@pytest.mark.parametrize("name", ["run.json", "symbols.json", "training_plan.json", "config.yaml"])
def test_a_run_is_loaded_whole_or_not_at_all(
    run: FinishedRun, damage: Callable[[str, bytes], None], name: str
) -> None:
    """In Python it is one of our errors, whatever the file holds."""
    for how, content in mutations_of(name, (run.folder / name).read_bytes()):
        damage(name, content)
        with pytest.raises(RayPipelineError, match=re.escape(name)):
            pytest.fail(f"{how}: {load_run(str(run.folder)).targets}")
