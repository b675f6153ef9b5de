"""Groups and bars: features and labels across symbols, and what check says of groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import bars_table, quick_config, symbol_names, write_config, write_panel

from ray_pipeline import cli
from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, DiscoveryError
from ray_pipeline.panel.cross_section.values import robust_deviations
from ray_pipeline.pipeline import run_pipeline

SYMBOLS = symbol_names(8)
SECTORS = ["banks"] * 4 + ["energy"] * 3 + [None]
CHANGE = 200
"""Row from which the fourth symbol, a bank until then, is in energy."""

LABELING = {
    "features": ["log_return_5", "volatility_20", "cs_rank_log_return_5", "cs_zscore_log_return_5"],
    "targets": ["fwd_ret_5d", "excess_ret_5d"],
}


def _tables(n_bars: int = 320) -> dict[str, pa.Table]:
    tables = {}
    for symbol, sector in zip(SYMBOLS, SECTORS, strict=True):
        sectors = [sector] * n_bars
        if symbol == "S03":
            sectors[CHANGE:] = ["energy"] * (n_bars - CHANGE)
        column = pa.array(sectors, pa.string()).dictionary_encode()
        tables[symbol] = bars_table(symbol, n_bars).append_column("sector", column)
    return tables


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """Label the bars once."""
    folder = tmp_path_factory.mktemp("bars")
    data_dir = write_panel(folder / "data", _tables())
    config = write_config(
        folder / "c.yaml",
        data_dir,
        folder / "run",
        labeling=LABELING,
        columns={"group": "sector"},
    )
    out = folder / "labeled"
    assert cli.main(["label", str(config), "--out", str(out)]) == 0
    return {
        symbol: pq.read_table(
            out / f"interval=1d/symbol={symbol}/{symbol}.parquet", partitioning=None
        )
        for symbol in SYMBOLS
    }


def _sector_at(symbol: str, row: int) -> str | None:
    moved = symbol == "S03" and row >= CHANGE
    return "energy" if moved else SECTORS[SYMBOLS.index(symbol)]


@pytest.mark.parametrize("row", [100, CHANGE - 1, CHANGE, 300])
def test_features_and_labels_compare_with_the_sector_of_the_row(
    labeled: dict[str, pa.Table], row: int
) -> None:
    """Ranks are places among the members of then, z-scores and excess returns have their mean."""
    for sector in ("banks", "energy"):
        members = [symbol for symbol in SYMBOLS if _sector_at(symbol, row) == sector]
        cells = {
            name: [labeled[s].column(name)[row].as_py() for s in members]
            for name in (
                "log_return_5",
                "cs_rank_log_return_5",
                "cs_zscore_log_return_5",
                "fwd_ret_5d",
                "excess_ret_5d",
            )
        }
        values, n = np.array(cells["log_return_5"]), len(members)
        ranks = (np.argsort(np.argsort(values)) + 0.5) / n
        assert cells["cs_rank_log_return_5"] == pytest.approx(ranks.tolist(), rel=1e-6)
        scores = (values - values.mean()) / values.std(ddof=1)
        assert cells["cs_zscore_log_return_5"] == pytest.approx(scores.tolist(), rel=1e-4)
        returns = np.array(cells["fwd_ret_5d"])
        alone = np.zeros(n, dtype=np.int64)
        excess = robust_deviations(returns, alone, np.ones(n, dtype=bool), 1)
        assert cells["excess_ret_5d"] == pytest.approx(excess.tolist())
    assert [labeled[s].column("sector")[row].as_py() for s in SYMBOLS] == [
        _sector_at(s, row) for s in SYMBOLS
    ]


def test_who_has_no_group_is_compared_with_nobody(labeled: dict[str, pa.Table]) -> None:
    """Its own features and labels stay."""
    alone = labeled["S07"]
    for name in ("cs_rank_log_return_5", "cs_zscore_log_return_5", "excess_ret_5d"):
        assert alone.column(name).null_count == alone.num_rows
    assert alone.column("fwd_ret_5d").null_count < 10
    assert alone.column("log_return_5").null_count < 10


def test_check_says_what_is_compared(tmp_path: Path) -> None:
    """The groups with their sizes and source, and what stays alone."""
    data_dir = write_panel(tmp_path / "data", _tables())
    group = {"group": "sector"}
    found = check_config(quick_config(data_dir, tmp_path / "run", labeling=LABELING, columns=group))
    assert found["groups"] == {
        "column": "sector",
        "n_symbols_by_files": 8,
        "n_symbols_by_universe": 0,
        "groups": [
            {
                "name": "banks",
                "n_symbols": 4,
                "median_symbols": 4.0,
                "most_symbols": 4,
                "is_compared": True,
            },
            {
                "name": "energy",
                "n_symbols": 4,
                "median_symbols": 3.0,
                "most_symbols": 4,
                "is_compared": True,
            },
        ],
        "n_rows": 8 * 320,
        "n_rows_without": 320,
        "n_symbols_without": 1,
    }
    said = "\n".join(check_lines(found))
    assert "compared within sector (2 groups): a column of the files of 8 symbols" in said
    assert "columns.group: 320 rows of 1 symbol have no sector" in said
    assert "ranks within the sector at a timestamp" in said
    (why,) = (each["reason"] for each in found["roles"]["ignored"] if each["column"] == "sector")
    assert why.startswith("columns.group: symbols are compared within it")


def test_a_whole_number_is_a_group_and_no_feature(tmp_path: Path) -> None:
    """Though columns.features names it."""
    codes = {"banks": 40, "energy": 10, None: None}
    tables = {
        symbol: table.set_column(
            6, "sector", pa.array([codes[name] for name in table.column("sector").to_pylist()])
        )
        for symbol, table in _tables().items()
    }
    data_dir = write_panel(tmp_path / "data", tables)
    columns = {"group": "sector", "features": ["*", "sector"]}
    found = check_config(quick_config(data_dir, tmp_path / "run", columns=columns))
    assert [group["name"] for group in found["groups"]["groups"]] == ["10", "40"]
    assert "sector" not in found["roles"]["features"]


def test_groups_that_are_nowhere_are_refused(tmp_path: Path) -> None:
    """With the columns that could be meant, of the files and of the universe."""
    data_dir = write_panel(tmp_path / "data", _tables())
    columns = {"group": "industry"}
    config = quick_config(data_dir, tmp_path / "run", columns=columns)
    match = r"columns.group='industry' is not a column .*text columns are sector.*has no groups"
    for run in (check_config, lambda config: run_pipeline(config, Silent())):
        with pytest.raises(ConfigError, match=match):
            run(config)
    uri, never = str(tmp_path / "u.parquet"), pa.nulls(8)
    pq.write_table(
        pa.table({"symbol": SYMBOLS, "from": never, "to": never, "gics": ["x"] * 8}), uri
    )
    data = {"universe": uri, "min_rows_per_symbol": 100}
    with pytest.raises(ConfigError, match=r"nor of data.universe, which has gics"):
        check_config(quick_config(data_dir, tmp_path / "run", columns=columns, data=data))


def test_groups_too_small_to_compare_anything_are_refused(tmp_path: Path) -> None:
    """Where nothing but the cross-section is asked for; else they are a warning."""
    data_dir = write_panel(tmp_path / "data", _tables())
    ranking = {"min_cs": 5, "views": ["cross_sectional"]}
    group = {"group": "sector"}
    config = quick_config(data_dir, tmp_path / "run", columns=group, target_ranking=ranking)
    with pytest.raises(ConfigError, match=r"no group ever has the 5 symbols at a timestamp"):
        check_config(config)
    both = quick_config(data_dir, tmp_path / "run", columns=group, target_ranking={"min_cs": 5})
    (told,) = (text for text in check_config(both)["warnings"] if "never have" in text)
    assert "2 of 2 groups never have the 5 symbols" in told
    assert "banks (4), energy (4)" in told


def test_a_column_of_other_values_is_refused(tmp_path: Path) -> None:
    """The message names the column."""
    data_dir = write_panel(tmp_path / "data", _tables())
    config = quick_config(data_dir, tmp_path / "run", columns={"group": "close"})
    with pytest.raises(DiscoveryError, match=r"column 'close' is double that is not whole"):
        check_config(config)
