"""``ray-pipeline explain``: one target's story, read from a run directory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pytest
from panels import (
    TARGET,
    labeled_table,
    noise_panel,
    read_json,
    read_rows,
    symbol_folder,
    symbol_names,
    write_config,
    write_panel,
)

from ray_pipeline.cli import main
from ray_pipeline.columns import WIDEST
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.explaining import explain_target, explanation_lines

NOISE = "excess_ret_5d"
FAMILIES = {
    "families": ["ridge", "lightgbm"],
    "hyperparameters": {"lightgbm": {"n_estimators": 5}},
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run over a batch of symbols with a planted target, noise, a twin, a leak, and a short one.

    One more symbol than the batch takes was discovered, and one is a folder without a table.
    """
    root = tmp_path_factory.mktemp("explain")
    tables = {}
    for symbol in symbol_names(6):
        table = labeled_table(symbol)
        noise = labeled_table(symbol, strength=0.0, seed=1, targets=(NOISE,))[NOISE]
        twin = pa.array(1e4 * table["signal"].to_numpy() + 1e-3)
        columns = {"twin": twin, "peek": noise, NOISE: noise}
        for name, column in columns.items():
            table = table.append_column(name, column)
        tables[symbol] = table
    data_dir = write_panel(root / "data", tables)
    symbol_folder(data_dir, "EMPTY").mkdir()
    config = write_config(
        root / "run.yaml",
        data_dir,
        root / "run",
        data={"symbol_batch_size": 5, "min_rows_per_symbol": 300},
        target_ranking=FAMILIES,
    )
    assert main(["run", str(config)]) == 0
    return root / "run"


def _lines(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    """Return what the command prints; it is done, and says nothing on standard error."""
    capsys.readouterr()
    assert main(["explain", *map(str, arguments)]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out.splitlines()


def _document(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """Return the document, which is strict JSON and alone on standard output."""
    text = "\n".join(_lines(capsys, *arguments, "--json"))

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _text(lines: list[str]) -> str:
    """Undo the wrapping."""
    return " ".join(line.strip() for line in lines)


def _of(rows: list[dict[str, Any]], target: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["target"] == target]


def _holds(found: dict[str, Any], row: dict[str, Any]) -> bool:
    return found.items() >= row.items()


# the document


def test_document_of_a_target(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows of every table that are the target's, whole, with what was trained for it."""
    found = _document(capsys, run_dir, "--target", TARGET)
    assert list(found) == [
        *("run", "version", "target", "symbol", "cautions", "groups", "rules", "ranking"),
        *("steadiness", "doubt", "leaks"),
        *("features", "routes", "skills", "models", "calibration", "data"),
    ]
    assert (found["target"], found["symbol"]) == (TARGET, None)
    assert found["run"]["status"] == "done"
    serving = found["version"]
    assert serving["serves"] == read_json(run_dir / "versions/current.json")["version"]
    assert (serving["is_this_result"], serving["decision"]) == (True, None)
    assert serving["why"] == "the first version"
    assert found["rules"] == {
        "alpha": 0.05,
        "fdr": "bh",
        "families": ["ridge", "lightgbm"],
        "window": "expanding",
        "until": None,
        "top_n_targets": 10,
        "symbol_alpha": 0.05,
        "min_difference": 0.02,
        "methods": ["linear", "univariate"],
    }
    ranked = _of(read_rows(run_dir, "target_ranking/targets"), TARGET)
    assert all(map(_holds, found["ranking"]["views"], ranked))
    assert (len(ranked), found["ranking"]["n_tests"], found["ranking"]["n_targets"]) == (2, 4, 2)
    assert [row["n_ranked"] for row in found["ranking"]["views"]] == [2, 2]
    routes = _of(read_rows(run_dir, "routing/routes"), TARGET)
    assert len(routes) == 5
    assert all(map(_holds, found["routes"]["rows"], routes))
    assert found["skills"]["rows"] == _of(read_rows(run_dir, "target_ranking/symbols"), TARGET)
    jobs = read_json(run_dir / "training_plan.json")["jobs"]
    assert jobs
    assert all(map(_holds, found["models"]["jobs"], jobs))
    for job in found["models"]["jobs"]:
        metadata = read_json(run_dir / "models" / job["job_id"] / "metadata.json")
        assert job["trained"]
        assert job["out_of_sample"] == metadata["out_of_sample"]
        assert job["trained_on"] == metadata["trained_on"]
    rows = _of(read_rows(run_dir, "evaluation/calibration"), TARGET)
    assert found["calibration"]["rows"] == rows
    assert {row["figure"] for row in rows} == {"expected", "interval"}
    assert len(found["calibration"]["sentences"]) == 2


def test_features_in_the_document(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pooled ones by rank; of the symbols' own how many use each, as the table counts them."""
    features = _document(capsys, run_dir, "--target", TARGET)["features"]
    rows = _of(read_rows(run_dir, "feature_selection/features"), TARGET)
    pooled = [row for row in rows if row["symbol"] is None]
    assert features["pooled"]["rows"] == pooled
    assert [row["rank"] for row in pooled] == [1, 2, 3, 4]
    assert features["pooled"]["agreement"] == pooled[0]["set_stability"]
    own = [row for row in rows if row["symbol"] is not None]
    assert features["own"]["n_symbols"] == len({row["symbol"] for row in own}) == 5
    told = {row["feature"]: row["symbol_frequency"] for row in features["own"]["frequency"]}
    assert told == {r["feature"]: r["symbol_frequency"] for r in own if r["symbol_frequency"] > 0}
    shares = [row["symbol_frequency"] for row in features["own"]["frequency"]]
    assert shares == sorted(shares, reverse=True)
    assert features["own"]["agreement"] == own[0]["symbols_stability"]
    for symbol, names in features["own"]["selected_by"].items():
        chosen = [row for row in own if row["symbol"] == symbol and row["selected"]]
        assert names == [row["feature"] for row in sorted(chosen, key=lambda row: row["rank"])]


# lines


def test_lines_of_a_predictable_target(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict, ranking, leaks, features, routes, models, each with the figures of its table."""
    lines = _lines(capsys, run_dir, "--target", TARGET)
    assert max(map(len, lines)) <= WIDEST
    assert lines[0].startswith(f"{TARGET} is predictable in the cross-sectional view (skill +0.")
    titles = [line.partition(":")[0] for line in lines[2:] if line and not line.startswith(" ")]
    assert titles == [
        "ranking",
        "leaks",
        "features of the pooled models",
        "features of the symbols' own models",
        "routes",
        "models",
        "what its scores mean",
        "worth of the predictions",
        "version",
    ]
    told = _document(capsys, run_dir, "--target", TARGET)["calibration"]["sentences"]
    assert all(sentence in _text(lines) for sentence in told)
    (pooled, own) = _of(read_rows(run_dir, "target_ranking/targets"), TARGET)
    at = lines.index("ranking: regression, horizon 1 bar, 2 targets")
    assert lines[at + 1].split() == [
        *("view", "family", "skill", "t", "p", "q"),
        *("rank", "symbols", "rows"),
    ]
    assert lines[at + 2].split()[:5] == [
        "cross-sectional",
        pooled["family"],
        f"{pooled['skill']:+.3f}",
        "±",
        f"{pooled['std_error']:.3f}",
    ]
    assert lines[at + 3].split()[-4:] == ["of", "2", "5", f"{own['n_rows']:,}"]
    text = _text(lines)
    assert (
        "p is one-sided, from t with HAC errors (analytic null), paid for the choice among 2 "
        "families; q is p after Benjamini–Hochberg over 4 tests, one per target and view."
    ) in text
    assert text.count("is at most alpha 0.05, skill above 0: predictable.") == 2
    best, other, *_ = [
        row
        for row in _of(read_rows(run_dir, "feature_selection/features"), TARGET)
        if row["symbol"] is None
    ]
    assert {best["feature"], other["feature"]} == {"signal", "twin"}
    figures = [
        f"{best['score']:.3f}",
        "100%",
        *(f"{best[m]:.2g}" for m in ("linear", "univariate")),
    ]
    assert next(line for line in lines if line.split()[1:] == figures).split()[0] == best["feature"]
    assert f"  left out: {other['feature']} ({other['reason']})" in lines
    assert f"  Dropped here too, for leaking another target: peek ({NOISE})." in lines
    for route in _of(read_rows(run_dir, "routing/routes"), TARGET):
        words = next(line for line in lines if line.startswith(f"  {route['symbol']} ")).split()
        assert words[1] == route["route"]
        assert words[2] == f"{route['pooled_time_skill']:+.3f}"


def test_lines_of_a_target_that_is_not(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The leak that was found, no features and no models, each with its reason."""
    lines = _lines(capsys, run_dir, "--target", NOISE)
    assert lines[0].startswith(f"{NOISE} is not predictable in the cross-sectional view (skill ")
    assert sum("is above alpha 0.05: no evidence." in line for line in lines) == 2
    assert any(line.startswith("  peek: dropped by value (1.00): ") for line in lines)
    assert lines.count("  None were selected: the target is not predictable.") == 2
    assert lines[lines.index("version") - 2] == "  No model was planned: no route leads to one."
    assert any("the target is not predictable over the batch" in line for line in lines)


def test_lines_of_one_symbol(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its route with the whole reason, every figure behind it, its features and its models."""
    (route, *_) = _of(read_rows(run_dir, "routing/routes"), TARGET)
    symbol = route["symbol"]
    lines = _lines(capsys, run_dir, "--target", TARGET, "--symbol", symbol)
    assert max(map(len, lines)) <= WIDEST
    assert lines[0] == f"{symbol}, {TARGET}: {route['route']}"
    assert route["reason"] in _text(lines)
    at = lines.index("figures")
    models = [line[2:24].strip() for line in lines[at + 2 : at + 6]]
    assert models == [
        "pooled, across symbols",
        "pooled, over its time",
        "own, over its time",
        "own − pooled",
    ]
    assert lines[at + 5].split()[-1] == str(route["n_paired_rows"])
    titles = [line.partition(":")[0] for line in lines[at:] if line and not line.startswith(" ")]
    assert titles == [
        "figures",
        f"features of the own models of {symbol}",
        "features of the pooled models",
        f"models that serve {symbol}",
        "what its scores mean",
        "worth of the predictions",
        "data",
        "version",
    ]
    found = _document(capsys, run_dir, "--target", TARGET, "--symbol", symbol)
    assert [row["symbol"] for row in found["routes"]["rows"]] == [symbol]
    assert {row["symbol"] for row in found["skills"]["rows"]} == {symbol}
    assert {row["symbol"] for row in found["features"]["own"]["rows"]} == {symbol}
    assert all(symbol in job["serves"] for job in found["models"]["jobs"])
    for row in found["skills"]["rows"]:
        assert row["reason"] in _text(lines)


# names that are not there


def test_unknown_target(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2: the targets that are meant, perhaps, and those that there are."""
    assert main(["explain", str(run_dir), "--target", "FWD_RET_5d"]) == 2
    assert capsys.readouterr().err == (
        f"ray-pipeline: {run_dir} ranked no target 'FWD_RET_5d'. Did you mean 'fwd_ret_1d' or "
        "'excess_ret_5d'? It ranked 2 targets: excess_ret_5d, fwd_ret_1d.\n"
    )


def test_unknown_symbol(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2: symbols of the batch that are meant, perhaps, or where the symbol went."""
    known = read_json(run_dir / "symbols.json")
    (left,) = set(known["discovered"]) - set(known["selected"])
    listed = ", ".join(known["selected"])
    said = {
        "s0": f"{run_dir} knows no symbol 's0'. Did you mean ",
        "AAPL": f"{run_dir} knows no symbol 'AAPL'. Its batch is 5 symbols: {listed}.",
        left: f"{run_dir}: symbol {left!r} was discovered, but it is not among the 5 of 6 that "
        "make up the batch (data.symbol_batch_size).",
        "EMPTY": f"{run_dir}: symbol 'EMPTY' was rejected: {known['rejected'][0]['reason']}",
    }
    for symbol, message in said.items():
        assert main(["explain", str(run_dir), "--target", TARGET, "--symbol", symbol]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith(f"ray-pipeline: {message}")


# runs that have less to tell


@pytest.fixture(scope="module")
def noise_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a panel in which nothing is predictable, with one symbol that is too short."""
    tables = noise_panel(symbol_names(3)) | {"SHORT": labeled_table("SHORT", n_bars=10)}
    return write_panel(tmp_path_factory.mktemp("noise"), tables)


def test_nothing_is_predictable(
    noise_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is a result: exit 0, with its figures, and why there are no features and no models."""
    config = write_config(tmp_path / "run.yaml", noise_dir, tmp_path / "run")
    assert main(["run", str(config)]) == 0
    lines = _lines(capsys, tmp_path / "run", "--target", TARGET)
    assert "nothing is trained for it." in _text(lines)
    assert "p is one-sided, from t with HAC errors (analytic null); q is p" in _text(lines)
    assert lines.count("  None were selected: the target is not predictable.") == 2
    assert "1 left out: SHORT (in inspect: 10 rows" in _text(lines)
    assert main(["explain", str(tmp_path / "run"), "--target", TARGET, "--symbol", "SHORT"]) == 2
    assert capsys.readouterr().err.startswith(
        f"ray-pipeline: {tmp_path / 'run'}: symbol 'SHORT' was left out in inspect and has no "
        "figures: 10 rows after cleaning; "
    )


@pytest.mark.parametrize(
    ("step", "error", "status", "code"),
    [
        ("ranking.ranking.rank_targets", KeyboardInterrupt(), "interrupted", 130),
        ("ranking.ranking.rank_targets", ExecutionError("the disk is full"), "failed", 1),
        ("routing.assigning.route_symbols", ExecutionError("the disk is full"), "failed", 1),
    ],
)
def test_run_that_ended_early(
    noise_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: BaseException,
    status: str,
    code: int,
) -> None:
    """What it had written is explained; what is missing says why; a symbol is not refused."""

    def end(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(f"ray_pipeline.{step}", end)
    config = write_config(tmp_path / "run.yaml", noise_dir, tmp_path / "run")
    assert main(["run", str(config)]) == code
    lines = _lines(capsys, tmp_path / "run", "--target", TARGET)
    was = "was interrupted" if status == "interrupted" else "failed"
    told = {"interrupted": "The run was interrupted; this is", "failed": "The run failed; this is"}
    assert f"{told[status]} what it had written by then" in _text(lines)
    assert ("error: the disk is full" in lines) is (status == "failed")
    missing = ["routing/routes.parquet", "training_plan.json"]
    if step.endswith("rank_targets"):
        assert lines[0] == f"Nothing is known of {TARGET} yet."
        missing += ["target_ranking/targets.parquet", "feature_selection/features.parquet"]
    for name in missing:
        assert f"  {name} is missing: the run {was} before it was written." in lines
    lines = _lines(capsys, tmp_path / "run", "--target", TARGET, "--symbol", "S01")
    assert lines[0] == f"S01, {TARGET}: no route"
    assert lines[lines.index("data") + 1].startswith("  320 rows, 20")
    found = _document(capsys, tmp_path / "run", "--target", TARGET)
    assert (found["run"]["status"], found["routes"]["rows"]) == (status, [])


def test_run_that_has_just_begun(noise_dir: Path, tmp_path: Path) -> None:
    """With nothing but its record and its config every part says that it has not come so far."""
    config = write_config(tmp_path / "config.yaml", noise_dir, tmp_path)
    assert config.name == "config.yaml"
    record = {"name": "new", "status": "running", "message": None, "error": None}
    (tmp_path / "run.json").write_text(json.dumps(record))
    for symbol in (None, "S00"):
        lines = explanation_lines(explain_target(str(tmp_path), TARGET, symbol))
        assert "The run is still working; this is what it has written so far." in lines
        assert "  training_plan.json is missing: the run has not come so far." in lines


def test_settings_that_cannot_be_read(run_dir: Path, tmp_path: Path) -> None:
    """A config that this version cannot read is named with what is wrong in it."""
    (tmp_path / "run.json").write_text((run_dir / "run.json").read_text())
    (tmp_path / "config.yaml").write_text("data: {data_dir: x, batchsize: 3}")
    with pytest.raises(ConfigError, match=r"/config\.yaml:1: unknown key 'data\.batchsize'"):
        explain_target(str(tmp_path), TARGET)


def test_it_needs_neither_ray_nor_lightgbm(run_dir: Path) -> None:
    """Reading a run does not start what running one needs."""
    code = (
        "import sys; from ray_pipeline.cli import main; main(sys.argv[1:]);"
        "print(sorted({'ray', 'lightgbm'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "explain", str(run_dir), "--target", TARGET]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
