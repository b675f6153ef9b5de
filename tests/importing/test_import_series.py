"""Long tables of series: symbols told by several columns, and a config that runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml
from import_data import import_all

from ray_pipeline.cli import main
from ray_pipeline.discovery import discover
from ray_pipeline.errors import DataError
from ray_pipeline.importing.outcome import outcome_lines
from ray_pipeline.importing.proposing import propose_import

pytestmark = pytest.mark.usefixtures("interrupt_after")

N_DAYS = 400
ITEMS, STORES = ("FOODS_1", "TOYS_2"), ("CA_1", "TX_1")


def _sales(path: Path, item: str = "FOODS_1") -> Path:
    rng = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + np.arange(N_DAYS)
    rows = [
        f"{day},{each},{store},{rng.poisson(2)},{rng.random():.2f}"
        for day in days
        for each in (item, ITEMS[1])
        for store in STORES
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["date,item_id,store_id,sold,price", *rows]), encoding="utf-8")
    return path


def test_columns_tell_a_symbol_together(tmp_path, capsys):
    """Items of two stores are four symbols, no row is dropped, and `check` takes the config."""
    source = _sales(tmp_path / "source" / "sales.csv").parent
    out = tmp_path / "panel"
    command = ["import", str(source), "--out", str(out), "--interval", "1d"]
    assert main([*command, "--columns", "symbol=item_id+store_id"]) == 0
    assert discover(out).symbols == [f"{item}+{store}" for item in ITEMS for store in STORES]
    told = capsys.readouterr().out
    assert f"read     {4 * N_DAYS:,} rows of 4 symbols" in told
    assert "dropped" not in told
    config = yaml.safe_load((tmp_path / "panel.yaml").read_text())
    assert config["data"]["columns"] == {"value": "sold"}
    assert main(["check", str(tmp_path / "panel.yaml"), "--json"]) == 0


def test_a_symbol_that_is_not_the_whole_of_it_is_told(tmp_path):
    """Where rows of several stores are one symbol's, many are repeated; the outcome says why."""
    source = _sales(tmp_path / "source" / "sales.csv").parent
    done = import_all(source, tmp_path / "panel")
    assert done.written.n_repeated == 2 * N_DAYS
    assert "store_id" in "\n".join(outcome_lines(done))


def test_parts_that_could_be_confused_are_refused(tmp_path):
    """A plus inside of a part could make one symbol of two; a part has to be a column."""
    source = _sales(tmp_path / "source" / "sales.csv", item="A+B").parent
    with pytest.raises(DataError, match="two symbols could become one"):
        import_all(source, tmp_path / "panel", columns={"symbol": "item_id+store_id"})
    with pytest.raises(DataError, match="shop: there is no such column"):
        import_all(source, tmp_path / "other", columns={"symbol": "item_id+shop"})


def test_the_proposed_import_finds_the_parts(tmp_path):
    """`init` sees that one column leaves rows of one symbol and time, and which tell them apart."""
    source = _sales(tmp_path / "source" / "sales.csv").parent
    proposal = propose_import(str(source))
    assert proposal is not None
    arguments = shlex.split(proposal.command)
    assert "symbol=item_id+store_id" in arguments
    assert arguments[-2:] == ["--interval", "1d"]
    assert any("item_id+store_id" in guess for guess in proposal.guesses)


def test_factors_by_month(tmp_path, capsys):
    """A long table of monthly returns becomes a panel whose config is of a series."""
    rng = np.random.default_rng(1)
    months = np.datetime64("1990-01", "M") + np.arange(330)
    names = ("SMB", "HML", "MOM")
    rows = [f"{month},{name},{rng.normal(0, 0.03):.6f}" for month in months for name in names]
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "f.csv").write_text("\n".join(["month,factor,ret", *rows]))
    command = ["import", str(tmp_path / "source"), "--out", str(tmp_path / "panel")]
    assert main([*command, "--interval", "1mo", "--columns", "symbol=factor"]) == 0
    config = yaml.safe_load((tmp_path / "panel.yaml").read_text())
    assert config["data"]["columns"] == {"value": "ret"}
    assert config["labeling"]["targets"] == ["fwd_mean_1mo", "fwd_mean_3mo"]
    assert main(["check", str(tmp_path / "panel.yaml")]) == 0
    assert "series, bars of 1 month" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_that_are_symbols(tmp_path, capsys, form):
    """A table with a column for each factor becomes a symbol each, without the cells it lacks."""
    rng = np.random.default_rng(2)
    months = [int(f"{1990 + i // 12}{i % 12 + 1:02d}") for i in range(330)]
    cells = {"": months, "SMB": rng.normal(0, 3, 330), " HML": rng.normal(0, 3, 330)}
    table = pa.table(cells | {"New": [None] * 300 + [1.5] * 30})
    (tmp_path / "source").mkdir()
    if form == "csv":
        pacsv.write_csv(table, tmp_path / "source" / "ff.csv")
    else:
        names = ["month", *table.column_names[1:]]
        pq.write_table(table.rename_columns(names), tmp_path / "source" / "ff.parquet")
    command = ["import", str(tmp_path / "source"), "--out", str(tmp_path / "panel")]
    assert main([*command, "--interval", "1mo", "--wide", "ret"]) == 0
    assert discover(tmp_path / "panel").symbols == ["HML", "New", "SMB"]
    of_symbol = sorted((tmp_path / "panel").rglob("symbol=SMB/**/*.parquet"))
    found = pa.concat_tables([pq.ParquetFile(path).read() for path in of_symbol])
    assert found.column_names == ["ts", "ret"]
    assert np.allclose(found["ret"].to_numpy(), table["SMB"].to_numpy())
    assert str(found["ts"][0].as_py())[:7] == "1990-01"
    newer = sorted((tmp_path / "panel").rglob("symbol=New/**/*.parquet"))
    assert sum(pq.ParquetFile(path).metadata.num_rows for path in newer) == 30
    config = yaml.safe_load((tmp_path / "panel.yaml").read_text())
    assert config["data"]["columns"] == {"value": "ret"}


def test_wide_columns_need_names_of_their_own(tmp_path):
    """Columns that are the same symbol but for spaces are told."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "w.csv").write_text("month,SMB, SMB\n2020-01,1.0,2.0\n")
    with pytest.raises(DataError, match="Give each its own name"):
        import_all(tmp_path / "source", tmp_path / "panel", interval="1mo", wide="ret")
