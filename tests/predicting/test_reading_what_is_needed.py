"""Scoring a labeled panel reads the rows that it needs, and gives the very same scores."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import labeled_table, read_json, symbol_folder, write_panel
from trained_runs import Trained, arguments, predict

from ray_pipeline.cli import main

N_ROWS = 3_000
"""Of which the first 320 are those of the training."""


@pytest.fixture(scope="module")
def grown(labeled: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the run's panel with many more rows, each symbol one row group."""
    tables = {}
    for symbol, table in labeled.tables.items():
        new = labeled_table(symbol, N_ROWS, seed=1)
        tables[symbol] = pa.concat_tables([table, new.slice(len(table))])
    return write_panel(tmp_path_factory.mktemp("grown"), tables)


def in_pieces(grown: Path, root: Path, *, by_files: bool) -> Path:
    """Copy a panel: in row groups of 20 rows, or in files of 100, the last rows in the first."""
    for path in grown.rglob("*.parquet"):
        table = pq.ParquetFile(path).read()
        folder = root / path.parent.relative_to(grown)
        folder.mkdir(parents=True)
        if not by_files:
            pq.write_table(table, folder / path.name, row_group_size=20)
            continue
        for start in range(0, len(table), 100):
            pq.write_table(table.slice(start, 100), folder / f"{N_ROWS - start:05d}.parquet")
    return root


def cut(data_dir: Path, root: Path, n_rows: int) -> Path:
    """Copy a panel's first rows."""
    for path in data_dir.rglob("*.parquet"):
        target = root / path.relative_to(data_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pq.ParquetFile(path).read().slice(0, n_rows), target, row_group_size=20)
    return root


@pytest.mark.parametrize("by_files", [False, True])
def test_scores_are_the_same_of_fewer_rows_read(
    labeled: Trained, grown: Path, tmp_path: Path, by_files: bool
) -> None:
    """Those of the training are left out, whatever the order of the files."""
    pieces = in_pieces(grown, tmp_path / "pieces", by_files=by_files)
    whole = predict(labeled, tmp_path / "whole", grown, in_sample=False)
    found = predict(labeled, tmp_path / "found", pieces, in_sample=False)
    for symbol in labeled.tables:
        name = symbol_folder(Path(), symbol) / f"{symbol}.parquet"
        one, other = (pq.ParquetFile(tmp_path / out / name).read() for out in ("whole", "found"))
        assert one.num_rows == N_ROWS - 320 + 1
        assert one.equals(other)
    assert found["replay"] == whole["replay"]
    assert found["replay"]["n_compared"] > 0


def test_a_new_row_costs_a_few_row_groups(
    labeled: Trained, grown: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was read is told, beside what there is; models of long ago are what makes it more."""
    pieces = cut(in_pieces(grown, tmp_path / "pieces", by_files=False), tmp_path / "cut", 321)
    for data_dir, options, least, most in (
        (pieces, [], 0.02, 0.25),
        (pieces, ["--in-sample"], 0.3, 1.0),
    ):
        out = tmp_path / "-".join(["out", *options])
        code = main([*arguments(labeled, out, data_dir), "--n-workers", "0", *options])
        assert code == 0
        read = read_json(out / "predictions.json")["read"]
        files = sum(path.stat().st_size for path in data_dir.rglob("*.parquet"))
        assert read["n_bytes_of_files"] == files
        assert least < read["n_bytes"] / files < most
        assert f"read of {files / 1024:.1f} KiB of their files" in capsys.readouterr().out
