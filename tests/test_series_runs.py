"""Panels of plain series, from files to predictions: what is planted is found, noise is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ray_pipeline.cli import main
from ray_pipeline.user_code.functions import import_from

N_MONTHS, N_FACTORS = 420, 14
N_DAYS, N_ITEMS = 520, 8


def _write(root: Path, name: str, columns: dict[str, Any]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), root / f"{name}.parquet")


def _factors(root: Path, momentum: float, seed: int) -> Path:
    """Write monthly returns, of which the next depends on the mean of the last twelve."""
    rng = np.random.default_rng(seed)
    months = [str(np.datetime64("1985-01", "M") + i) for i in range(N_MONTHS)]
    for factor in range(N_FACTORS):
        ret = rng.normal(0.0, 0.03, N_MONTHS)
        for t in range(12, N_MONTHS):
            ret[t] += momentum * ret[t - 12 : t].mean()
        _write(root, f"F{factor}", {"month": months, "ret": ret})
    return root


def _sales(root: Path, lift: float, seed: int) -> Path:
    """Write daily sales with many zeros; a promotion lifts those of the next five days."""
    rng = np.random.default_rng(seed)
    days = np.datetime64("2021-01-01") + np.arange(N_DAYS)
    for item in range(N_ITEMS):
        promo = rng.random(N_DAYS) < 0.08
        lifted = np.zeros(N_DAYS)
        for day in np.flatnonzero(promo):
            lifted[day + 1 : day + 6] = lift
        sold = rng.poisson(0.8 * (1.0 + lifted))
        kept = rng.random(N_DAYS) > 0.005
        cells = {"date": days, "sold": sold.astype("int32"), "promo": promo.astype("int8")}
        _write(root, f"item_{item}", {name: column[kept] for name, column in cells.items()})
    return root


def _config(path: Path, panel: Path, columns: dict[str, str], **sections: Any) -> Path:
    settings: dict[str, Any] = {
        "experiment": {"name": path.stem},
        "data": {"data_dir": str(panel), "layout": "{symbol}.parquet", "columns": columns},
        "target_ranking": {"families": ["ridge"]},
        "feature_selection": {"methods": ["linear", "univariate"]},
        "training": {"families": ["ridge"]},
        "execution": {"executor": "serial"},
        "output": {"run_dir": str(path.parent / f"run_{path.stem}")},
    }
    for name, section in sections.items():
        settings[name] = settings.get(name, {}) | section
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def _ranked(run: Path) -> dict[tuple[str, str], dict[str, Any]]:
    rows = pq.read_table(run / "target_ranking" / "targets.parquet").to_pylist()
    return {(row["target"], row["view"]): row for row in rows}


@pytest.mark.slow
def test_factor_momentum_is_found(tmp_path):
    """A run finds it, says that a mean of twelve months carries it, and predicts with it."""
    panel = _factors(tmp_path / "panel", 0.5, seed=1)
    portfolio = {"evaluation": {"return_targets": ["fwd_mean_1mo"]}}
    config = _config(tmp_path / "m.yaml", panel, {"time": "month", "value": "ret"}, **portfolio)
    assert main(["run", str(config)]) == 0
    run = tmp_path / "run_m"
    row = _ranked(run)["fwd_mean_1mo", "cross_sectional"]
    assert row["predictable"]
    assert row["skill"] > 0.05
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["kind"] == "series"
    jobs = pq.read_table(run / "evaluation" / "jobs.parquet").to_pylist()
    assert any(job["target"] == "fwd_mean_1mo" and job["sharpe"] is not None for job in jobs)
    features = pq.read_table(run / "feature_selection" / "features.parquet").to_pylist()
    of_target = [row for row in features if row["target"] == "fwd_mean_1mo"]
    assert "mean_12" in {row["feature"] for row in of_target if row["selected"]}
    out = tmp_path / "scores"
    command = ["predict", str(run), "--data-dir", str(panel), "--out", str(out), "--in-sample"]
    assert main([*command, "--n-workers", "0"]) == 0
    scores = pq.read_table(next(out.rglob("symbol=F0/*.parquet")))
    assert 0.0 <= scores.column("fwd_mean_1mo__score").to_numpy()[-1] <= 1.0


@pytest.mark.slow
def test_returns_without_memory_are_not(tmp_path):
    """Noise has no predictable mean; that its change is foretold by its level is said."""
    panel = _factors(tmp_path / "panel", 0.0, seed=2)
    targets = {"labeling": {"targets": ["fwd_mean_1mo", "fwd_mean_3mo", "fwd_change_3mo"]}}
    config = _config(tmp_path / "n.yaml", panel, {"time": "month", "value": "ret"}, **targets)
    assert main(["run", str(config)]) == 0
    ranked = _ranked(tmp_path / "run_n")
    for target in ("fwd_mean_1mo", "fwd_mean_3mo"):
        for view in ("cross_sectional", "symbol_specific"):
            assert not ranked[target, view]["predictable"]
    warnings = json.loads((tmp_path / "run_n" / "run.json").read_text())["warnings"]
    (told,) = [text for text in warnings if text.startswith("the last value and the mean")]
    assert "fwd_change_3mo with a correlation of 0.7" in told
    assert "fwd_mean" not in told
    assert (
        "a skill of that size is not a "
        "discovery" in (tmp_path / "run_n" / "report.html").read_text()
    )


@pytest.mark.slow
@pytest.mark.parametrize("lift", [1.5, 0.0])
def test_a_promotion_that_lifts_later_sales_is_found(tmp_path, lift):
    """It carries the mean of the days to come; where it lifts nothing, nothing is found."""
    panel = _sales(tmp_path / "panel", lift, seed=3)
    targets = {"labeling": {"targets": ["fwd_mean_5d"]}}
    config = _config(tmp_path / "s.yaml", panel, {"value": "sold"}, **targets)
    assert main(["run", str(config)]) == 0
    ranked = _ranked(tmp_path / "run_s")
    assert ranked["fwd_mean_5d", "symbol_specific"]["predictable"] == (lift > 0)
    assert ranked["fwd_mean_5d", "cross_sectional"]["predictable"] == (lift > 0)
    if lift:
        features = pq.read_table(tmp_path / "run_s/feature_selection/features.parquet")
        rows = [row for row in features.to_pylist() if row["view"] == "cross_sectional"]
        assert "promo" in {row["feature"] for row in rows if row["selected"]}


def _checked(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["check", str(config), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_check_tells_what_a_series_is(tmp_path, capsys):
    """The value by its own name, the columns beside it, and targets that suit the interval."""
    config = _config(tmp_path / "c.yaml", _sales(tmp_path / "panel", 0.0, 4), {"value": "sold"})
    found = _checked(config, capsys)
    assert found["kind"] == "series"
    assert found["roles"]["value"] == "sold"
    assert found["roles"]["features"][-1] == "promo"
    assert "season_lag_7d" in found["roles"]["features"]
    names = [target["name"] for target in found["targets"]]
    assert names == ["fwd_mean_7d", "fwd_change_7d", "fwd_change_28d"]
    assert [target["horizon_bars"] for target in found["targets"]] == [7, 7, 28]
    assert all(target["doubted_beyond"]["skill"] is None for target in found["targets"])


def test_zeros_before_a_series_begins_are_told(tmp_path, capsys):
    """An item that was not there yet is not an item that nobody wanted."""
    panel = _sales(tmp_path / "panel", 0.0, 4)
    days = np.datetime64("2021-01-01") + np.arange(N_DAYS)
    sold = np.where(np.arange(N_DAYS) < 200, 0, 1 + np.arange(N_DAYS) % 3)
    _write(panel, "late", {"date": days, "sold": sold, "promo": sold * 0})
    found = _checked(_config(tmp_path / "z.yaml", panel, {"value": "sold"}), capsys)
    (told,) = [text for text in found["warnings"] if "begins with zeros" in text]
    assert "late (200 of 520 rows)" in told
    assert "data.universe" in told


def test_features_across_symbols_and_functions_of_ones_own(tmp_path, capsys, monkeypatch):
    """Ranks, means less the symbols' mean, and a function that gets the series."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "my_series_features.py").write_text(
        "def doubled(series):\n"
        "    return {'doubled': series.value * 2, 'promoted': series.columns['promo'] + 1}\n"
        "doubled.lookback = 1\n",
        encoding="utf-8",
    )
    import_from(str(folder))
    features = ["series", "cross_sectional", "my_series_features:doubled"]
    labeling = {"features": features, "targets": ["excess_mean_7d"]}
    panel = _sales(tmp_path / "panel", 0.0, 5)
    config = _config(tmp_path / "f.yaml", panel, {"value": "sold"}, labeling=labeling)
    found = _checked(config, capsys)
    assert {"doubled", "promoted", "cs_rank_mean_14", "promo"} <= set(found["roles"]["features"])
    assert main(["label", str(config), "--out", str(tmp_path / "labeled")]) == 0
    tables = [pq.read_table(path) for path in sorted((tmp_path / "labeled").rglob("*.parquet"))]
    first = tables[0].to_pydict()
    assert np.allclose(np.array(first["doubled"]), 2.0 * np.array(first["value"]))
    assert np.allclose(np.array(first["promoted"]), np.array(first["promo"]) + 1.0)
    ranked = ("ts", "mean_14")
    columns = [[table.column(name).to_pylist() for name in ranked] for table in tables]
    means = [dict(zip(*pair, strict=True)) for pair in columns]
    time = first["ts"][200]
    values = [of_symbol[time] for of_symbol in means if of_symbol.get(time) is not None]
    below = sum(value < values[0] for value in values)
    equal = sum(value == values[0] for value in values)
    rank = (below + 0.5 * equal) / len(values)
    assert first["cs_rank_mean_14"][200] == pytest.approx(rank)
    labels = [value for value in first["excess_mean_7d"] if value is not None]
    assert len(labels) > 400


def test_a_table_that_is_neither_is_told_the_line(tmp_path, capsys):
    """The message names the columns that it could be about, those that know the future not."""
    panel = tmp_path / "panel"
    days = np.datetime64("2021-01-01") + np.arange(400)
    columns = {"day": days, "price": np.ones(400), "sold": np.arange(400), "hit_5d": np.ones(400)}
    _write(panel, "A", columns | {"store_id": np.arange(400)})
    config = _config(tmp_path / "t.yaml", panel, {"time": "day"})
    assert main(["check", str(config)]) == 2
    told = capsys.readouterr().err
    assert "data.columns: {time: day, value: sold} (or price)" in told
    config = _config(tmp_path / "k.yaml", panel, {"time": "day"}, data={"kind": "series"})
    assert main(["check", str(config)]) == 2
    assert "not a series: no column 'value'" in capsys.readouterr().err


def test_without_a_time_both_names_are_proposed(tmp_path, capsys):
    """One message for both, and none of a value where there are bars by other names."""
    panel = tmp_path / "panel"
    _write(panel, "A", {"month": ["2020-01", "2020-02"], "ret": [0.1, -0.1]})
    assert main(["check", str(_config(tmp_path / "t.yaml", panel, {}))]) == 2
    assert "data.columns: {time: month, value: ret}" in capsys.readouterr().err
    _write(tmp_path / "bars", "A", {name: [1.0, 2.0] for name in "tohlcv"})
    assert main(["check", str(_config(tmp_path / "b.yaml", tmp_path / "bars", {}))]) == 2
    assert "value:" not in capsys.readouterr().err


def test_init_writes_the_series_that_it_finds(tmp_path, capsys):
    """Time, value and targets are guesses; `check` takes the config as it is."""
    panel, config = _factors(tmp_path / "panel", 0.0, seed=7), tmp_path / "run.yaml"
    assert main(["init", str(panel), "--out", str(config)]) == 0
    written = yaml.safe_load(config.read_text())
    assert written["data"]["columns"] == {"time": "month", "value": "ret"}
    assert written["labeling"]["targets"] == ["fwd_mean_1mo", "fwd_mean_3mo"]
    guesses = [line for line in config.read_text().splitlines() if "# guess" in line]
    assert len(guesses) == 3
    assert main(["check", str(config)]) == 0


def test_init_lists_columns_of_which_none_stands_out(tmp_path, capsys):
    """Nothing is guessed, and what to add is said."""
    panel, config = tmp_path / "panel", tmp_path / "run.yaml"
    days = np.datetime64("2021-01-01") + np.arange(400)
    cells = np.random.default_rng(0).random((2, 400))
    beside = {"date": days, "store_id": np.ones(400)}
    _write(panel, "A", beside | {"alpha": cells[0], "beta": cells[1]})
    _write(panel, "B", beside | {"alpha": cells[1], "beta": cells[0]})
    assert main(["init", str(panel), "--out", str(config)]) == 2
    assert "columns" not in yaml.safe_load(config.read_text())["data"]
    told = capsys.readouterr()
    assert "a series of alpha, beta" in told.out
    assert "data.columns: {value: alpha} (or beta)" in told.err


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"columns": {"value": "a", "close": "b"}}, "value names the column of a series"),
        ({"columns": {"value": "a"}, "kind": "bars"}, "columns.value is for a series"),
        ({"columns": {"value": "a"}, "kind": "labeled"}, "columns.value is for a series"),
    ],
)
def test_a_value_beside_bars_is_refused(tmp_path, capsys, data, told):
    """One clear message, before any file is read."""
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump({"data": {"data_dir": str(tmp_path), **data}}))
    assert main(["check", str(path)]) == 2
    assert told in capsys.readouterr().err


def test_models_of_a_series_ask_for_its_value(tmp_path, capsys):
    """Other data without the column are refused with the name that is needed."""
    config = _config(
        tmp_path / "q.yaml",
        _factors(tmp_path / "panel", 0.9, seed=6),
        {"time": "month", "value": "ret"},
        labeling={"features": ["lag_0", "mean_12"], "targets": ["fwd_mean_1mo"]},
    )
    assert main(["run", str(config)]) == 0
    other = tmp_path / "other"
    _write(other, "F0", {"month": ["2020-01", "2020-02"], "close": [1.0, 2.0]})
    capsys.readouterr()
    arguments = ["--data-dir", str(other), "--out", str(tmp_path / "x"), "--n-workers", "0"]
    assert main(["predict", str(tmp_path / "run_q"), *arguments]) != 0
    assert "'ret'" in capsys.readouterr().err


@pytest.mark.slow
def test_levels_that_last_are_no_discovery(tmp_path, capsys):
    """Items that sell at rates of their own: what stands high stays high, and that is said."""
    rng = np.random.default_rng(5)
    days = np.datetime64("2021-01-01") + np.arange(N_DAYS)
    for item, rate in enumerate(np.linspace(1.0, 9.0, N_ITEMS)):
        _write(
            tmp_path / "panel", f"item_{item}", {"date": days, "sold": rng.poisson(rate, N_DAYS)}
        )
    targets = {"labeling": {"targets": ["fwd_mean_7d", "fwd_change_7d"]}}
    config = _config(
        tmp_path / "l.yaml", tmp_path / "panel", {"time": "date", "value": "sold"}, **targets
    )
    assert main(["run", str(config)]) == 0
    assert _ranked(tmp_path / "run_l")["fwd_mean_7d", "cross_sectional"]["skill"] > 0.5
    warnings = json.loads((tmp_path / "run_l" / "run.json").read_text())["warnings"]
    (told,) = [text for text in warnings if text.startswith("symbols keep their levels")]
    assert "rank correlation of 1.00, and so by itself fwd_mean_7d across symbols" in told
    capsys.readouterr()
    assert main(["explain", str(tmp_path / "run_l"), "--target", "fwd_mean_7d"]) == 0
    assert "caution: symbols keep their levels" in " ".join(capsys.readouterr().out.split())
    assert main(["explain", str(tmp_path / "run_l"), "--target", "fwd_mean_7d", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cautions"] == [told]


@pytest.mark.slow
def test_portfolios_of_percent_are_told(tmp_path):
    """No portfolio swings by a thousand percent a year; in fractions it is the same one."""
    panel = _factors(tmp_path / "fractions", 0.5, seed=1)
    (tmp_path / "percent").mkdir()
    for path in panel.glob("*.parquet"):
        table = pq.read_table(path)
        percent = pa.array(100.0 * table["ret"].to_numpy())
        pq.write_table(table.set_column(1, "ret", percent), tmp_path / "percent" / path.name)
    told = []
    for name in ("fractions", "percent"):
        config = _config(
            tmp_path / f"{name}.yaml",
            tmp_path / name,
            {"time": "month", "value": "ret"},
            labeling={"targets": ["fwd_mean_1mo"]},
            evaluation={"return_targets": ["fwd_mean_1mo"]},
            doubt={
                "max_skill": {"*": None},
                "max_hit_rate": {"*": None},
                "max_sharpe": {"*": None},
            },
        )
        assert main(["run", str(config)]) == 0
        warnings = json.loads((tmp_path / f"run_{name}" / "run.json").read_text())["warnings"]
        told.append([text for text in warnings if "not returns as fractions" in text])
    assert told[0] == []
    assert "portfolios of fwd_mean_1mo swing by" in told[1][0]
