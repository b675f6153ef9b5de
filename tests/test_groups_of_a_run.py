"""Whole runs with groups: a symbol is compared with those of its group alone, at every stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from panels import (
    FIRST_NS,
    TARGET,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    times,
    write_panel,
)
from scipy import stats

from ray_pipeline import cli, load_run
from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline

DAY_NS = 86_400 * 10**9
N_ROWS, N_SECTORS, PER_SECTOR = 320, 4, 6
SYMBOLS = symbol_names(N_SECTORS * PER_SECTOR)
SECTORS = [f"sector {i // PER_SECTOR}" for i in range(len(SYMBOLS))]

Floats = NDArray[np.float64]


def _panel(within: float, between: float, swamp: float, seed: int) -> dict[str, pa.Table]:
    """Labels that a feature tells within sectors, between them, or both.

    Parameters
    ----------
    within, between
        What a unit of the feature's own part, and of its sector's part, adds to the label.
    swamp
        Size of the sector's part in the feature, and of the sector's moves in the label.
    """
    random = np.random.default_rng(seed)
    shape = (N_ROWS, len(SYMBOLS))
    of_sector = np.repeat(random.standard_normal((N_ROWS, N_SECTORS)), PER_SECTOR, axis=1)
    moves = np.repeat(random.standard_normal((N_ROWS, N_SECTORS)), PER_SECTOR, axis=1)
    own = random.standard_normal(shape)
    signal = own + swamp * of_sector
    label = within * own + between * of_sector + swamp * moves + random.standard_normal(shape)
    noise = random.standard_normal(shape)
    return {
        symbol: pa.table(
            {
                "ts": times(N_ROWS),
                "signal": signal[:, i],
                "noise": noise[:, i],
                TARGET: label[:, i],
                "sector": [SECTORS[i]] * N_ROWS,
            }
        )
        for i, symbol in enumerate(SYMBOLS)
    }


def _run(
    folder: Path, tables: Mapping[str, pa.Table], group: str | None = "sector", **sections: Any
) -> Path:
    data_dir = write_panel(folder / "data", tables)
    run_dir = folder / f"run-{group}"
    ranking = {"views": ["cross_sectional"], "families": ["ridge"]} | sections.pop("ranking", {})
    columns = {"group": group} | sections.pop("columns", {})
    training = {"families": ["ridge"]} | sections.pop("training", {})
    config = quick_config(
        data_dir, run_dir, columns=columns, target_ranking=ranking, training=training, **sections
    )
    run_pipeline(config, Silent())
    return run_dir


def _skill(run_dir: Path) -> dict[str, Any]:
    (row,) = (
        row
        for row in read_rows(run_dir, "target_ranking/targets")
        if row["view"] == "cross_sectional" and row["target"] == TARGET
    )
    return row


def test_skill_within_sectors_that_their_moves_swamp(tmp_path: Path) -> None:
    """Compared within its sector the feature says six times as much as among all symbols."""
    tables = _panel(within=0.5, between=0.0, swamp=3.0, seed=1)
    grouped, ungrouped = _skill(_run(tmp_path, tables)), _skill(_run(tmp_path, tables, None))
    # Correlations of 0.5 / sqrt(1 * 1.25) = 0.447 within and 0.5 / sqrt(10 * 10.25) = 0.05 among
    # all. Of n = 6 normal pairs the mean of Spearman's is (Moran 1948, Biometrika 35)
    # 6 / (pi * (n + 1)) * (asin(r) + (n - 2) * asin(r / 2)) = 0.37.
    assert grouped["skill"] == pytest.approx(0.37, abs=0.05)
    assert ungrouped["skill"] == pytest.approx(0.05, abs=0.05)
    assert grouped["predictable"]


def test_what_tells_sectors_apart_is_no_skill_within_them(tmp_path: Path) -> None:
    """That is what groups promise to take out, however strong it is."""
    tables = _panel(within=0.0, between=1.0, swamp=1.0, seed=2)
    grouped, ungrouped = _skill(_run(tmp_path, tables)), _skill(_run(tmp_path, tables, None))
    assert ungrouped["skill"] > 0.2
    assert ungrouped["predictable"]
    assert abs(grouped["skill"]) < 3 * grouped["std_error"]
    assert not grouped["predictable"]


def test_noise_is_no_skill_within_sectors(tmp_path: Path) -> None:
    """Sectors that move together make nothing of nothing."""
    row = _skill(_run(tmp_path, _panel(within=0.0, between=0.0, swamp=2.0, seed=3)))
    assert abs(row["skill"]) < 3 * row["std_error"]
    assert not row["predictable"]


def test_one_group_of_all_is_as_good_as_none(tmp_path: Path) -> None:
    """Bit for bit, in the ranking and in the routes that follow from it."""
    tables = {
        symbol: table.set_column(4, "sector", pa.array(["all"] * N_ROWS))
        for symbol, table in list(_panel(0.3, 0.2, 1.0, seed=10).items())[::4]
    }
    ranking = {
        "views": ["cross_sectional", "symbol_specific"],
        "families": ["ridge", "lightgbm"],
    }
    names = ("target_ranking/targets", "target_ranking/symbols", "routing/routes")
    found = []
    for group in ("sector", None):
        run_dir = _run(tmp_path, tables, group, ranking=dict(ranking))
        found.append([read_rows(run_dir, name) for name in names])
    grouped, ungrouped = found
    assert repr(grouped) == repr(ungrouped)


def test_selection_sees_features_within_sectors(tmp_path: Path) -> None:
    """Moves of sectors make three features look alike; two of them tell apart what is within."""
    random = np.random.default_rng(1)
    moves = np.repeat(random.standard_normal((2, N_ROWS, N_SECTORS)), PER_SECTOR, axis=2)
    own = random.standard_normal((4, N_ROWS, len(SYMBOLS)))
    label = 0.4 * own[0] + 0.3 * own[1] + 10 * moves[0] + own[3]
    features = own[:3] + 10 * moves[1]
    tables = {
        symbol: pa.table(
            {
                "ts": times(N_ROWS),
                **{name: features[j, :, i] for j, name in enumerate(("one", "two", "nothing"))},
                TARGET: label[:, i],
                "sector": [SECTORS[i]] * N_ROWS,
            }
        )
        for i, symbol in enumerate(SYMBOLS)
    }
    selection = {"methods": ["linear", "univariate"], "accept": "always"}
    run_dir = _run(tmp_path, tables, feature_selection=selection)
    rows = {row["feature"]: row for row in read_rows(run_dir, "feature_selection/features")}
    assert rows["one"]["selected"]
    assert rows["two"]["selected"]
    assert not any("redundant" in row["reason"] for row in rows.values())


def _universe(path: Path, sectors: Mapping[str, str]) -> str:
    pq.write_table(pa.table({"symbol": list(sectors), "sector": list(sectors.values())}), path)
    return str(path)


def _tables(run_dir: Path) -> dict[str, Any]:
    names = ("target_ranking/targets", "target_ranking/symbols", "routing/routes", "leakage")
    return {name: read_rows(run_dir, name) for name in (*names, "evaluation/jobs")}


_BOTH_VIEWS: dict[str, Any] = {"views": ["cross_sectional", "symbol_specific"]}


def test_groups_of_the_universe_are_those_of_the_files(tmp_path: Path) -> None:
    """A plain map from symbol to sector gives the very figures that a column of the files does."""
    tables = _panel(within=0.5, between=0.0, swamp=1.0, seed=1)
    by_files = _run(tmp_path / "files", tables)
    uri = _universe(tmp_path / "sectors.parquet", dict(zip(SYMBOLS, SECTORS, strict=True)))
    bare = {symbol: table.drop_columns("sector") for symbol, table in tables.items()}
    data = {"universe": uri, "min_rows_per_symbol": 100}
    by_universe = _run(tmp_path / "universe", bare, data=data)
    assert _tables(by_files) == _tables(by_universe)
    facts = [read_json(run_dir / "run.json")["groups"] for run_dir in (by_files, by_universe)]
    assert facts[0]["groups"] == facts[1]["groups"]
    assert [facts[0]["n_symbols_by_files"], facts[1]["n_symbols_by_universe"]] == [24, 24]
    assert facts[1]["groups"][0] == {
        "name": "sector 0",
        "n_symbols": 6,
        "median_symbols": 6.0,
        "most_symbols": 6,
        "is_compared": True,
    }


def test_memberships_and_groups_end_together(tmp_path: Path) -> None:
    """A table of symbol, from, to and sector: who has left is in no group and in no prediction."""
    tables = {
        symbol: table.drop_columns("sector")
        for symbol, table in _panel(within=0.5, between=0.0, swamp=1.0, seed=4).items()
    }
    last = 240
    days = [
        np.datetime64(FIRST_NS + number * DAY_NS, "ns").astype("datetime64[D]").item()
        for number in range(last + 2)
    ]
    rows = [(symbol, None, None, sector) for symbol, sector in zip(SYMBOLS, SECTORS, strict=True)]
    rows[0] = ("S00", None, days[last], SECTORS[0])
    # One that moves to another sector.
    rows[1:2] = [
        ("S01", None, days[99], SECTORS[0]),
        ("S01", days[100], None, SECTORS[-1]),
    ]
    names, starts, ends, sectors = zip(*rows, strict=True)
    uri = str(tmp_path / "universe.parquet")
    columns = [
        pa.array(names),
        pa.array(starts, pa.date32()),
        pa.array(ends, pa.date32()),
        pa.array(sectors),
    ]
    pq.write_table(pa.table(columns, names=["symbol", "from", "to", "sector"]), uri)
    run_dir = _run(tmp_path, tables, data={"universe": uri, "min_rows_per_symbol": 100})
    record = read_json(run_dir / "run.json")["groups"]
    sizes = {each["name"]: each for each in record["groups"]}
    assert (sizes["sector 0"]["n_symbols"], sizes["sector 0"]["most_symbols"]) == (6, 6)
    assert (sizes["sector 3"]["n_symbols"], sizes["sector 3"]["most_symbols"]) == (7, 7)
    assert sizes["sector 0"]["median_symbols"] == 5.0  # 6 for 100 days, 5 for 141, 4 for 79
    assert record["n_rows"] == 23 * N_ROWS + last + 1
    assert record["n_rows_without"] == 0
    table = pq.read_table(run_dir / "predictions/out_of_sample.parquet")
    moved, left = (
        table.filter(pa.compute.equal(table["symbol"], symbol)) for symbol in ("S01", "S00")
    )
    assert set(moved["group"].to_pylist()) == {SECTORS[-1]}
    assert max(left["ts"].cast("int64").to_pylist()) == FIRST_NS + last * DAY_NS


def test_names_of_groups_do_not_matter(tmp_path: Path) -> None:
    """Whole numbers in another order, in place of text, change figures by rounding alone."""
    tables = _panel(within=0.4, between=0.0, swamp=1.0, seed=5)
    codes = dict(zip(sorted(set(SECTORS)), (40, 10, 30, 20), strict=True))
    numbered = {
        symbol: table.set_column(
            4, "sector", pa.array([codes[name] for name in table.column("sector").to_pylist()])
        )
        for symbol, table in tables.items()
    }
    named, by_number = (
        _skill(_run(tmp_path / name, each))
        for name, each in (("text", tables), ("numbers", numbered))
    )
    for figure in ("skill", "std_error", "p_value", "n_rows"):
        assert named[figure] == pytest.approx(by_number[figure], rel=1e-9)


def test_a_group_counts_from_the_row_at_which_it_changes(tmp_path: Path) -> None:
    """Two symbols that swap sectors half way are compared with the others of each time.

    Their labels carry the moves of the sector that they are in, so that anyone who compares them
    with the sector of another time sees those moves as skill lost.
    """
    tables = _panel(within=0.5, between=0.0, swamp=3.0, seed=6)
    half = N_ROWS // 2
    one, other = "S00", SYMBOLS[-1]
    swapped = dict(tables)
    for a, b in ((one, other), (other, one)):
        swapped[a] = pa.concat_tables([tables[a].slice(0, half), tables[b].slice(half)])
    fixed = {
        symbol: table.set_column(4, "sector", pa.array([SECTORS[i]] * N_ROWS))
        for i, (symbol, table) in enumerate(swapped.items())
    }
    point_in_time = _skill(_run(tmp_path / "in time", swapped))
    as_before = _skill(_run(tmp_path / "before", tables))
    wrong = _skill(_run(tmp_path / "fixed", fixed))
    assert point_in_time["skill"] == pytest.approx(as_before["skill"], abs=1e-3)
    assert wrong["skill"] < point_in_time["skill"] - 0.02


def test_rows_without_a_group_are_compared_with_nobody(tmp_path: Path) -> None:
    """What they hold is in no label and no skill across symbols; own models learn of them.

    Features are scaled by all rows of the pool, which is all that the figures may differ by.
    """
    tables = _panel(within=0.5, between=0.0, swamp=1.0, seed=7)
    missing = pa.array(["sector 0"] * 40 + [None] * (N_ROWS - 40))
    found = []
    for number, seed in enumerate((1, 2)):
        random = np.random.default_rng(seed)
        spoiled = tables["S00"].set_column(4, "sector", missing)
        for place, name in ((1, "signal"), (2, "noise"), (3, TARGET)):
            values = spoiled.column(name).to_numpy().copy()
            values[40:] = random.standard_normal(N_ROWS - 40)
            spoiled = spoiled.set_column(place, name, pa.array(values))
        run_dir = _run(tmp_path / str(number), tables | {"S00": spoiled}, ranking=_BOTH_VIEWS)
        found.append(run_dir)
    across = [
        [row for row in read_rows(run_dir, "target_ranking/targets") if "cross" in row["view"]]
        for run_dir in found
    ]
    ((one,), (two,)) = across
    assert one["skill"] == pytest.approx(two["skill"], abs=1e-3)
    assert one["n_symbols"] == two["n_symbols"] == 23
    own = [
        row["skill"]
        for run_dir in found
        for row in read_rows(run_dir, "target_ranking/symbols")
        if row["symbol"] == "S00" and row["view"] == "symbol_specific"
    ]
    assert len(own) == 2
    assert own[0] != own[1]
    record = read_json(found[0] / "run.json")
    assert record["groups"]["n_rows_without"] == 280
    assert any("280 rows of 1 symbol have no sector" in text for text in record["warnings"])
    facts = read_json(found[0] / "symbols.json")["symbols"]["S00"]
    assert (
        "280 of 320 rows have no sector: they are not compared with other symbols"
        in facts["findings"]
    )
    page = (found[0] / "report.html").read_text()
    assert "compared within sector (4 groups)" in page


def _rank_ic(rows: pa.Table, least: int) -> float:
    """Average the rank correlations of the sectors of each day by their symbols less one."""
    by_day: dict[int, dict[str, list[tuple[float, float]]]] = {}
    names = ("ts", "group", "prediction", "actual")
    for day, sector, prediction, actual in zip(
        *(rows.column(name).to_pylist() for name in names), strict=True
    ):
        pairs = by_day.setdefault(day, {}).setdefault(sector, [])
        pairs.append((prediction, actual))
    means = []
    for sectors in by_day.values():
        found = [np.array(pairs) for pairs in sectors.values() if len(pairs) >= least]
        skills = [stats.spearmanr(pairs[:, 0], pairs[:, 1]).statistic for pairs in found]
        means.append(np.average(skills, weights=[len(pairs) - 1 for pairs in found]))
    return float(np.mean(means))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, pa.Table]]:
    """Run every stage once, on sectors of four, six and ten symbols; rows are streamed."""
    tables = _panel(within=0.4, between=0.0, swamp=1.0, seed=8)
    sizes = np.repeat(["small", "medium", "large", None], [4, 6, 12, 2])
    tables = {
        symbol: table.set_column(4, "sector", pa.array([sector] * N_ROWS, pa.string()))
        for (symbol, table), sector in zip(tables.items(), sizes, strict=True)
    }
    run_dir = _run(
        tmp_path_factory.mktemp("whole"),
        tables,
        ranking={
            "views": ["cross_sectional", "symbol_specific"],
            "null": "circular_shift",
            "n_shifts": 19,
            "max_cs_rows": 5_000,
        },
        training={
            "families": ["ridge", "lightgbm", "rank_average"],
            "max_cs_rows": 100_000,
            "hyperparameters": {"lightgbm": {"n_estimators": 5}},
            "search": {"n_trials": 2, "n_splits": 2, "spaces": {"ridge": {"penalty": [1, 9]}}},
        },
    )
    return run_dir, tables


def test_skill_of_trained_models_is_that_of_their_predictions(
    whole: tuple[Path, dict[str, pa.Table]],
) -> None:
    """The rank correlations of sectors, put together by hand from the predictions of the run."""
    run_dir, _ = whole
    rows = pq.read_table(run_dir / "predictions/out_of_sample.parquet")
    for family in ("ridge", "lightgbm", "rank_average"):
        of = rows.filter(
            pa.compute.and_(
                pa.compute.equal(rows["family"], family),
                pa.compute.equal(rows["view"], "cross_sectional"),
            )
        )
        metadata = read_json(run_dir / f"models/cs_{TARGET}__{family}/metadata.json")
        assert set(of.column("group").to_pylist()) == {"small", "medium", "large", None}
        known = of.filter(pa.compute.is_valid(of["group"]))
        assert metadata["out_of_sample"]["skill"] == pytest.approx(_rank_ic(known, 3), abs=1e-9)
        assert metadata["out_of_sample"]["skill"] > 0.1


def test_portfolios_are_within_sectors(whole: tuple[Path, dict[str, pa.Table]]) -> None:
    """A sector of four has no quintiles, and the page says what they are of."""
    run_dir, _ = whole
    (row,) = (
        row
        for row in read_rows(run_dir, "evaluation/jobs")
        if row["job_id"] == f"cs_{TARGET}__ridge"
    )
    days = read_json(run_dir / f"models/cs_{TARGET}__ridge/metadata.json")["out_of_sample"][
        "n_rows"
    ]
    assert row["n_rows"] == 18 * days
    assert row["spread"] > 0
    page = (run_dir / "report.html").read_text()
    assert "as much is long in a group as is short" in page
    assert "compared within sector (3 groups)" in page


def test_explain_says_what_is_compared(
    whole: tuple[Path, dict[str, pa.Table]], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the ranking, in which groups count."""
    assert cli.main(["explain", str(whole[0]), "--target", TARGET]) == 0
    assert "Symbols are compared within sector (3 groups)." in capsys.readouterr().out


def test_scores_have_the_group_of_their_row(
    whole: tuple[Path, dict[str, pa.Table]], tmp_path: Path
) -> None:
    """Files and tables in memory alike, so that scores can be ranked within it."""
    run_dir, tables = whole
    changed = tables["S00"].set_column(4, "sector", pa.array(["new"] * 5 + ["small"] * 315))
    data_dir = write_panel(tmp_path / "data", tables | {"S00": changed})
    out = tmp_path / "scores"
    command = ["predict", str(run_dir), "--data-dir", str(data_dir), "--out", str(out)]
    assert cli.main([*command, "--n-workers", "0", "--in-sample"]) == 0
    document = read_json(out / "predictions.json")
    assert document["symbols"]["S23"]["notes"] == [
        "has rows without a group, which are compared with nobody"
    ]
    assert not any("no row has a sector" in text for text in document["warnings"])
    run = load_run(str(run_dir))
    for symbol, expected in (("S00", {"new", "small"}), ("S23", {None}), ("S10", {"large"})):
        scores = pq.read_table(
            out / f"interval=1d/symbol={symbol}/{symbol}.parquet", partitioning=None
        )
        assert set(scores.column("group").to_pylist()) == expected
        table = (tables | {"S00": changed})[symbol]
        assert run.predict(table, symbol=symbol, in_sample=True).equals(scores)
    walked = tmp_path / "walked"
    command[command.index(str(out))] = str(walked)
    assert cli.main([*command, "--n-workers", "0", "--history"]) == 0
    for symbol, expected in (("S00", {"small"}), ("S23", {None})):
        scores = pq.read_table(
            walked / f"interval=1d/symbol={symbol}/{symbol}.parquet", partitioning=None
        )
        assert scores.num_rows > 100
        assert set(scores.column("group").to_pylist()) == expected


def test_scores_of_data_without_the_groups_are_told_of(
    whole: tuple[Path, dict[str, pa.Table]], tmp_path: Path
) -> None:
    """Models predict, and the user hears that nothing tells the groups here."""
    run_dir, tables = whole
    bare = {symbol: table.drop_columns("sector") for symbol, table in tables.items()}
    data_dir, out = write_panel(tmp_path / "data", bare), tmp_path / "scores"
    command = ["predict", str(run_dir), "--data-dir", str(data_dir), "--out", str(out)]
    assert cli.main([*command, "--n-workers", "0", "--in-sample"]) == 0
    warnings = read_json(out / "predictions.json")["warnings"]
    assert any("no row has a sector" in text and "columns.group" in text for text in warnings)


class _Interrupting(Silent):
    """Presses Ctrl-C at the second outcome of a stage."""

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count outcomes."""
        if (outcome.unit.stage, n_done) == ("train_symbol", 2):
            raise KeyboardInterrupt


def test_an_interrupted_run_continues_to_the_same_result(
    whole: tuple[Path, dict[str, pa.Table]], tmp_path: Path
) -> None:
    """Bit for bit, as if nothing had happened."""
    config = quick_config(
        write_panel(tmp_path / "data", dict(list(whole[1].items())[6:18])),
        tmp_path / "run",
        columns={"group": "sector"},
        training={"families": ["ridge"]},
    )
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(config, _Interrupting())
    run_pipeline(config, Silent())
    other = config.model_copy(
        update={"output": config.output.model_copy(update={"run_dir": str(tmp_path / "other")})}
    )
    run_pipeline(other, Silent())
    records = [read_json(tmp_path / name / "run.json") for name in ("run", "other")]
    assert records[0]["content_sha256"] == records[1]["content_sha256"]
    assert records[0]["groups"] == records[1]["groups"]
