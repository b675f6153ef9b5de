"""Whole runs whose p-values come from circular shifts instead of a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panels import (
    TARGET,
    labeled_table,
    noise_panel,
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    write_panel,
)

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import DataError
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.ranking.shifted_own import ShiftedSymbolSpec, rank_symbol_shifted

SYMBOLS = symbol_names(4)
SHIFTS = {"families": ["ridge"], "null": "circular_shift", "n_shifts": 39}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four symbols that are predictable in both views."""
    return write_panel(tmp_path_factory.mktemp("data"), planted_panel(SYMBOLS))


def _run(data_dir: Path, run_dir: Path, **ranking: Any) -> str:
    config = quick_config(data_dir, run_dir, target_ranking=SHIFTS | ranking)
    return run_pipeline(config, Silent()).message


def test_planted_target_is_found_by_shifts_alone(data_dir: Path, tmp_path: Path) -> None:
    """The p-value is the smallest there is, each row says whose it is, and a rerun agrees."""
    _run(data_dir, tmp_path / "run")
    targets = read_rows(tmp_path / "run", "target_ranking/targets")
    assert [(row["view"], row["null"], row["p_value"], row["predictable"]) for row in targets] == [
        ("cross_sectional", "circular_shift", 1 / 40, True),
        ("symbol_specific", "circular_shift", 1 / 40, True),
    ]
    symbols = read_rows(tmp_path / "run", "target_ranking/symbols")
    assert {(row["view"], row["null"]) for row in symbols} == {
        ("cross_sectional", "analytic"),
        ("symbol_specific", "circular_shift"),
    }
    for row in symbols:
        if row["null"] == "circular_shift":
            assert (row["p_value"], row["q_value"], row["predictable"]) == (1 / 40, 1 / 40, True)
    _run(data_dir, tmp_path / "again")
    hashes = {
        read_json(tmp_path / name / "run.json")["content_sha256"] for name in ("run", "again")
    }
    assert len(hashes) == 1


def test_a_lone_finding_among_many_targets_is_possible(tmp_path: Path) -> None:
    """39 shifts cannot say more than 1/40: the largest statistic of all tests needs no more."""
    targets = [TARGET, *(f"y_noise_{i}_1d" for i in range(9))]
    tables = {}
    for symbol, table in noise_panel(SYMBOLS, targets=targets).items():
        planted = labeled_table(symbol)[TARGET]
        tables[symbol] = table.set_column(table.column_names.index(TARGET), TARGET, planted)
    data_dir = write_panel(tmp_path / "data", tables)
    for fdr, found in ((None, {TARGET}), ("bh", set())):
        _run(data_dir, tmp_path / f"run_{fdr}", fdr=fdr)
        rows = read_rows(tmp_path / f"run_{fdr}", "target_ranking/targets")
        assert len(rows) == 20
        assert {row["target"] for row in rows if row["predictable"]} == found


def test_noise_stays_noise(tmp_path: Path) -> None:
    """Some shift is as strong as the ranking itself in either view."""
    data_dir = write_panel(tmp_path / "data", noise_panel(SYMBOLS))
    message = _run(data_dir, tmp_path / "run")
    assert message.startswith("the only target is not predictable")
    rows = read_rows(tmp_path / "run", "target_ranking/targets")
    assert {row["null"] for row in rows} == {"circular_shift"}
    assert all(row["p_value"] > 1 / 40 for row in rows)


def test_a_panel_too_short_for_the_shifts_is_refused(data_dir: Path, tmp_path: Path) -> None:
    """With the number that fits, and before any model is fitted."""
    with pytest.raises(DataError, match=r"n_shifts=46 .* on 320 timestamps.* at most 45"):
        _run(data_dir, tmp_path / "run", n_shifts=46)
    assert not list((tmp_path / "run").glob("units/rank_*"))


def _fail_on_one_symbol(reader: Any, spec: ShiftedSymbolSpec) -> dict[str, Any]:
    if spec.partition.symbol == "S02" and len(spec.shifts) < 10:
        raise ValueError("planted failure")
    return rank_symbol_shifted(reader, spec)


def test_a_symbol_whose_shifts_failed_is_left_out_of_both_sides(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean over symbols is compared with that of the same symbols; the failure is listed."""
    monkeypatch.setattr("ray_pipeline.ranking.null.rank_symbol_shifted", _fail_on_one_symbol)
    _run(data_dir, tmp_path / "run")
    (own,) = (
        row
        for row in read_rows(tmp_path / "run", "target_ranking/targets")
        if row["view"] == "symbol_specific"
    )
    assert (own["n_symbols"], own["null"], own["p_value"]) == (3, "circular_shift", 1 / 40)
    symbols = read_rows(tmp_path / "run", "target_ranking/symbols")
    assert {row["symbol"] for row in symbols} == {"S00", "S01", "S03"}
    (failure,) = read_rows(tmp_path / "run", "failures")
    assert failure["stage"] == "rank_symbol_shifted"
    assert failure["unit"].startswith("rank_symbol_shifted/S02 shifts ")
