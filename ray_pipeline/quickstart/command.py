"""``ray-pipeline quickstart``: a sample panel, a config, a run, and a comparison with the truth."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import pyarrow as pa

from ray_pipeline.config import load_experiment_config
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.errors import ConfigError
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.quickstart.comparison import Comparison, Found, compare
from ray_pipeline.quickstart.sample import make_sample
from ray_pipeline.quickstart.table import comparison_lines
from ray_pipeline.quickstart.truth import PLANTED, Truth
from ray_pipeline.results import tables as results
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.storage import RunDirectory

__all__ = ["quickstart_config", "run_quickstart", "write_quickstart"]

CONFIG = "quickstart.yaml"
_DEST_IN_CONFIG = "quickstart"
_PLAIN = re.compile(r"[\w.=/-]*[A-Za-z][\w.=/-]*", re.ASCII)


def run_quickstart(
    dest: str,
    reporter: Reporter,
    say: Callable[[str], None],
    *,
    truth: Truth = PLANTED,
    sample: Mapping[str, pa.Table] | None = None,
    overrides: Sequence[str] = (),
) -> int:
    """Write the sample panel and its config, run the pipeline on them, and check the result.

    In the folder of an earlier quickstart, it continues from the finished work.

    Parameters
    ----------
    dest
        Local folder: new, empty, or from an earlier quickstart.
    reporter
        Receives events while it works.
    say
        Receives the lines of the result.
    truth, sample
        What was planted, and the panel; by default, `make_sample` builds it from `truth`.
    overrides
        Overrides of the config, as on the command line.

    Returns
    -------
    int
        Exit code: 0 if everything planted was found, and nothing else; 1 otherwise, because this is
        also a check of the installation.

    Raises
    ------
    ConfigError
        When `dest` contains something else.
    """
    tables = make_sample(truth=truth) if sample is None else sample
    path = write_quickstart(dest, tables)
    n_rows = sum(table.num_rows for table in tables.values())
    reporter.say(f"sample panel: {len(tables)} symbols, {n_rows:,} rows in {dest}/panel")
    config = load_experiment_config(path, overrides)
    result = run_pipeline(config, reporter)
    comparisons = compare(truth, _read_found(open_run(result.run_dir)))
    for line in comparison_lines(comparisons):
        say(line)
    say("")
    for line in result.lines:
        say(line)
    say(f"config: {path}, with comments; copy it and set data.data_dir for your own data")
    return 0 if _is_as_planted(comparisons) else 1


def write_quickstart(dest: str, tables: Mapping[str, pa.Table]) -> str:
    """Write config and panel, and return the config's path.

    Correct existing files are left alone, so that their age, on which finished work depends, does
    not change.

    Raises
    ------
    ConfigError
        When `dest` is not a local folder, or contains something other than an earlier quickstart.
    """
    _check_dest(dest)
    folder = RunDirectory(dest)
    text = quickstart_config(dest)
    if not folder.exists(CONFIG):
        # First, because it distinguishes an interrupted quickstart from someone's own folder.
        folder.write_text(CONFIG, text)
    for symbol, table in tables.items():
        name = f"panel/interval=1h/symbol={symbol}/{symbol}.parquet"
        if not (folder.exists(name) and folder.read_table(name).equals(table)):
            folder.write_table(name, table)
    return os.path.join(dest, CONFIG)


def quickstart_config(dest: str = _DEST_IN_CONFIG) -> str:
    """Return the commented config of a quickstart in the folder `dest`, as YAML."""
    text = files("ray_pipeline.quickstart").joinpath(CONFIG).read_text(encoding="utf-8")
    # The replacement is a function, because a backslash in a path is not an escape.
    return re.sub(
        rf"\b{_DEST_IN_CONFIG}/[\w=./]+",
        lambda match: _yaml(dest + match[0].removeprefix(_DEST_IN_CONFIG)),
        text,
    )


def _yaml(path: str) -> str:
    """Quote a path if YAML, or a shell in the comments, could misread it."""
    return path if _PLAIN.fullmatch(path) else json.dumps(path, ensure_ascii=False)


def _check_dest(dest: str) -> None:
    if "://" in dest:
        raise ConfigError(
            f"quickstart: {dest} is not a local folder; give one, such as quickstart."
        )
    if os.path.exists(dest) and not os.path.isdir(dest):
        raise ConfigError(f"quickstart: {dest} is a file; give a new or empty folder.")
    if not os.path.isdir(dest) or not os.listdir(dest):
        return
    folder = RunDirectory(dest)
    if not folder.exists(CONFIG):
        raise ConfigError(
            f"quickstart: the folder {dest} is not empty and not from an earlier quickstart (it "
            f"has no {CONFIG}). Give a new or empty folder."
        )
    if folder.read_text(CONFIG) != quickstart_config(dest):
        raise ConfigError(
            f"quickstart: {dest}/{CONFIG} differs from what this version writes: it was edited, or "
            f"comes from another version. Run it with `ray-pipeline run {dest}/{CONFIG}`, or give "
            "quickstart a new folder."
        )


def _read_found(run: Results) -> Found:
    def rows(name: str) -> list[dict[str, Any]]:
        table = run.table(name)
        return [] if table is None else list(table.to_pylist())

    return Found(
        targets=rows(results.RANKED_TARGETS),
        features=rows(results.FEATURES),
        routes=rows(results.ROUTES),
        leaks=rows(results.LEAKAGE),
    )


def _is_as_planted(comparisons: Sequence[Comparison]) -> bool:
    return not any(finding.verdict == "wrong" for each in comparisons for finding in each.findings)
