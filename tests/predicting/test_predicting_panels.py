"""Whole data directories scored: as in training to the bit, by route, resumable, and refusals."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import (
    bars_table,
    labeled_table,
    read_json,
    remembering_bars,
    symbol_folder,
    times,
    write_panel,
)
from trained_runs import POOLED, TARGET, Trained, predict

from ray_pipeline import load_run
from ray_pipeline.errors import ArtifactError, ConfigError, DiscoveryError, ExecutionError
from ray_pipeline.statistics.percentile_scale import percentile_of
from ray_pipeline.training.seal import sealed

NAMES = ["S00", "S01", "S02", "S03"]


def file_of(out: Path, symbol: str) -> Path:
    """Name the file of a symbol's scores."""
    return symbol_folder(out, symbol) / f"{symbol}.parquet"


def scores_of(out: Path, symbol: str) -> pa.Table:
    """Read the scores of a symbol."""
    return pq.ParquetFile(file_of(out, symbol)).read()


def metadata_of(run_dir: Path, job_id: str) -> dict[str, Any]:
    """Read a model's metadata."""
    found: dict[str, Any] = read_json(run_dir / "models" / job_id / "metadata.json")
    return found


def amended(trained: Trained, root: Path) -> Trained:
    """Copy a run without its units, to be spoiled."""
    shutil.copytree(
        trained.run_dir, root / "run", ignore=shutil.ignore_patterns("units", "versions")
    )
    return Trained(trained.data_dir, root / "run", trained.tables)


def amend_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(read_json(path) | changes))


def amend_metadata(path: Path, **changes: Any) -> None:
    """Change keys of a model's metadata as if the run had written it so."""
    metadata = sealed(read_json(path) | changes)
    path.write_text(json.dumps(metadata))
    record = path.parents[2] / "run.json"
    seals = read_json(record)["models"] | {path.parent.name: metadata["sha256"]}
    amend_json(record, models=seals)


def test_training_rows_are_predicted_as_in_training(trained: Trained, tmp_path: Path) -> None:
    """Both views, all families: the last training rows have the bits that they had then.

    Read from the written files and from the metadata, and the same again by `load_run`.
    """
    found = predict(trained, tmp_path / "out")
    loaded = load_run(str(trained.run_dir))
    kinds = set()
    for symbol in NAMES:
        table = scores_of(tmp_path / "out", symbol)
        assert loaded.predict(trained.tables[symbol], symbol=symbol, in_sample=True).equals(table)
        rows = table["ts"].cast("int64").to_pylist()
        for job in loaded.serving(symbol).jobs:
            then = {
                row["time_ns"]: row["prediction"]
                for row in metadata_of(trained.run_dir, job.job_id)["replay"]
                if row["symbol"] == symbol
            }
            now = dict(zip(rows, table[job.column].to_pylist(), strict=True))
            assert then
            assert {time: now[time] for time in then} == then
            kinds.add((job.view, job.family))
    assert len(kinds) == 6
    assert found["replay"]["n_compared"] == 4 * 3 * (32 + 8)
    assert found["replay"]["n_different"] == 0
    assert found["warnings"] == []


def test_both_is_the_mean_of_both_views_percentiles(labeled: Trained, tmp_path: Path) -> None:
    """By hand from the raw columns and the models' scales."""
    found = predict(labeled, tmp_path / "out")
    assert found["symbols"]["S01"]["routes"] == {TARGET: "BOTH"}
    assert metadata_of(labeled.run_dir, f"cs_{TARGET}__rank_average")["serves"] == NAMES
    assert metadata_of(labeled.run_dir, f"sym_{TARGET}__S01__rank_average")["serves"] == ["S01"]
    table = scores_of(tmp_path / "out", "S01")
    views = []
    for job, word in ((f"cs_{TARGET}", "pooled"), (f"sym_{TARGET}__S01", "own")):
        placed = []
        for family in ("ridge", "lightgbm"):
            scale = metadata_of(labeled.run_dir, f"{job}__{family}")["percentile_scale"]
            raw = table[f"{TARGET}__{word}__{family}"].to_numpy()
            placed.append(percentile_of(raw, np.array(scale)))
        views.append((placed[0] + placed[1]) / 2)
        average = table[f"{TARGET}__{word}__rank_average"].to_numpy()
        np.testing.assert_array_equal(average, views[-1])
    np.testing.assert_array_equal(table[f"{TARGET}__score"].to_numpy(), (views[0] + views[1]) / 2)


def test_scores_depend_on_the_past_alone_and_not_beyond_the_lookback(
    bars: Trained, tmp_path: Path
) -> None:
    """Later bars change no earlier row; of 40 bars the first 20 serve the features alone.

    What scores mean is learned of all outcomes since the training, which those bars do not have.
    """
    longer = {"S00": remembering_bars("S00", 360)}
    tail = {"S00": longer["S00"].slice(320)}
    predict(bars, tmp_path / "before", symbols=["S00"])
    predict(bars, tmp_path / "after", write_panel(tmp_path / "longer", longer))
    found = predict(bars, tmp_path / "tail", write_panel(tmp_path / "tail_data", tail))
    before, after, cut = (scores_of(tmp_path / name, "S00") for name in ("before", "after", "tail"))
    assert before.num_rows == 300
    assert after.slice(0, 300).equals(before)
    assert after.num_rows == 340
    learned = [f"{TARGET}__{name}" for name in ("expected", "low", "high")]
    assert cut.drop_columns(learned).equals(after.slice(320).drop_columns(learned))
    symbol = found["symbols"]["S00"]
    assert symbol["first_predictable_row"] == 20
    assert symbol["first_predictable_ts"] == symbol["first_ts"]
    assert (symbol["n_rows"], symbol["file"]) == (20, "interval=1d/symbol=S00/S00.parquet")
    assert found["replay"]["n_compared"] == 0


def test_an_unknown_symbol_is_served_by_the_pooled_models(labeled: Trained, tmp_path: Path) -> None:
    """With a note; its file has the same columns, empty where it has no model."""
    tables = {"S00": labeled.tables["S00"], "NEW/1": labeled_table("NEW/1")}
    data_dir = write_panel(tmp_path / "data", tables)
    found = predict(labeled, tmp_path / "out", data_dir)
    assert list(found["symbols"]) == ["NEW/1", "S00"]
    new = found["symbols"]["NEW/1"]
    assert new["notes"] == ["not in the run: only pooled models serve here"]
    assert new["jobs"] == [f"cs_{TARGET}__{name}" for name in ("ridge", "lightgbm", "rank_average")]
    assert new["file"] == "interval=1d/symbol=NEW%2F1/NEW%2F1.parquet"
    first, second = (
        pq.ParquetFile(tmp_path / "out" / found["symbols"][name]["file"]).read()
        for name in ("NEW/1", "S00")
    )
    assert first.schema.equals(second.schema)
    assert first.column_names == found["columns"]
    assert first[f"{TARGET}__own__ridge"].null_count == first.num_rows == 320
    np.testing.assert_array_equal(
        first[f"{TARGET}__score"].to_numpy(), first[f"{TARGET}__pooled__rank_average"].to_numpy()
    )


def test_rows_since_a_time_are_those_of_all_rows(labeled: Trained, tmp_path: Path) -> None:
    """The last ten days, scored as they are among the others; the replay is still compared."""
    predict(labeled, tmp_path / "all", symbols=["S00"])
    day = times(320)[310].as_py().date().isoformat()
    found = predict(labeled, tmp_path / "out", symbols=["S00"], since=day)
    assert scores_of(tmp_path / "out", "S00").equals(scores_of(tmp_path / "all", "S00").slice(310))
    assert found["replay"]["n_compared"] == 3 * (32 + 8)
    later = predict(labeled, tmp_path / "out", symbols=["S00"], since="2031-01-01", replace=True)
    assert later["symbols"]["S00"]["notes"] == ["no row to predict since the time asked for"]
    with pytest.raises(ConfigError, match=r"^since soon: it is not a time; write it as"):
        predict(labeled, tmp_path / "out", since="soon")


def test_the_same_command_continues(labeled: Trained, tmp_path: Path, scored: list[str]) -> None:
    """Interrupted at S02, it goes on with S02; done, it does nothing; the files are the same."""
    predict(labeled, tmp_path / "whole")
    scored[:] = ["!S02"]
    with pytest.raises(KeyboardInterrupt):
        predict(labeled, tmp_path / "out")
    record = read_json(tmp_path / "out" / "predictions.json")
    assert record["status"] == "interrupted"
    assert record["error"] == "interrupted; the same command continues from here"
    scored.clear()
    found = predict(labeled, tmp_path / "out")
    assert (scored, found["status"]) == (["S02", "S03"], "done")
    for symbol in NAMES:
        here, there = (file_of(tmp_path / name, symbol) for name in ("out", "whole"))
        assert here.read_bytes() == there.read_bytes()
    again = predict(labeled, tmp_path / "out")
    assert scored == ["S02", "S03"]
    assert again["symbols"] == found["symbols"]
    assert not (tmp_path / "out" / "driver.json").exists()


def test_what_other_inputs_gave_is_never_taken_for_the_result(
    labeled: Trained, tmp_path: Path, stages: list[str]
) -> None:
    """Other options write everything, and the first ones after them again; so does a lost file."""
    out = tmp_path / "out"
    predict(labeled, out)
    first = scores_of(out, "S00")
    predict(labeled, out, since="2015-01-01", replace=True)
    assert scores_of(out, "S00").num_rows < first.num_rows
    stages.clear()
    predict(labeled, out, replace=True)
    assert stages == ["predict"] * len(NAMES)
    assert scores_of(out, "S00").equals(first)
    file_of(out, "S01").unlink()
    stages.clear()
    predict(labeled, out)
    assert stages == ["predict"]
    predict(labeled, out, symbols=["S02"], replace=True)
    assert [path.name for path in sorted((out / "interval=1d").rglob("*.parquet"))] == [
        "S02.parquet"
    ]


@pytest.mark.parametrize("name", ["data_dir", "run_dir"])
@pytest.mark.parametrize("below", ["", "scores"])
def test_data_and_run_are_left_alone(labeled: Trained, name: str, below: str) -> None:
    """Neither is written into, nor into a folder inside."""
    out = getattr(labeled, name)
    before = sorted(out.rglob("*"))
    with pytest.raises(
        ConfigError,
        match=r"^--out \S+ and .* are the same folder, .*inside the other\. Give",
    ):
        predict(labeled, out / below)
    assert sorted(out.rglob("*")) == before


def test_other_folders_are_left_alone(labeled: Trained, tmp_path: Path) -> None:
    """Nothing that is not ours is written into."""
    out = tmp_path / "panel"
    shutil.copytree(labeled.data_dir, out)
    before = sorted(out.rglob("*"))
    with pytest.raises(
        ConfigError,
        match=r"^--out: \S+ is not a folder of predictions \(it has no predictions\.json\), yet it "
        r"holds .*, which would be replaced\. Give a new or an empty folder\.$",
    ):
        predict(labeled, out)
    assert sorted(out.rglob("*")) == before


def test_a_run_without_models_cannot_predict(labeled: Trained, tmp_path: Path) -> None:
    """Nor can one that is not done; each says what it is."""
    run = amended(labeled, tmp_path)
    amend_json(run.run_dir / "run.json", status="interrupted")
    with pytest.raises(
        ArtifactError, match=r"the run is interrupted, but only a finished run can predict\. The"
    ):
        predict(run, tmp_path / "out")
    counts = read_json(run.run_dir / "run.json")["counts"] | {"models": 0}
    nothing = "nothing was trained"
    amend_json(run.run_dir / "run.json", status="done", message=nothing, counts=counts)
    shutil.rmtree(run.run_dir / "models")
    with pytest.raises(
        ArtifactError,
        match=r"trained no model, so nothing can be predicted: nothing was trained\.$",
    ):
        predict(run, tmp_path / "out")
    with pytest.raises(DiscoveryError, match="is not a run directory"):
        load_run(str(tmp_path))
    assert not (tmp_path / "out").exists()


def test_a_run_that_lost_a_model_is_refused(labeled: Trained, tmp_path: Path) -> None:
    """Scores would otherwise be the mean of those that are left, and nobody would know."""
    run = amended(labeled, tmp_path)
    shutil.rmtree(run.run_dir / "models" / POOLED)
    n_models = read_json(run.run_dir / "run.json")["counts"]["models"]
    with pytest.raises(
        ArtifactError,
        match=rf": run\.json counts {n_models} models, and models/ holds the metadata\.json of "
        rf"{n_models - 1}\. Copy the whole run directory, or run again\.$",
    ):
        predict(run, tmp_path / "out")


def test_a_foreign_run_runs_no_module_that_it_names(
    bars: Trained, tmp_path: Path, own_modules: Callable[..., Path]
) -> None:
    """Only the very source that the run recorded is imported; the hash is compared before."""
    own_modules("own_spy", "raise SystemExit('this module ran')\n")
    run = amended(bars, tmp_path)
    data = read_json(run.run_dir / "run.json")["data"]
    for function, reason in (
        ("own_spy:my_features", "whose module was edited since"),
        ("own_gone:my_features", "no module 'own_gone'"),
        ("own_spy:x; import os", "a function at the top level of a module is needed"),
    ):
        given = {"function": function, "source_sha256": "0" * 64, "names": ["x"], "lookback": 1}
        amend_json(run.run_dir / "run.json", data=data | {"feature_functions": [given]})
        with pytest.raises(ArtifactError, match=f"has features of {function}.*{reason}"):
            predict(run, tmp_path / "out")
    assert "own_spy" not in sys.modules
    assert not (tmp_path / "out").exists()


def test_features_in_another_order_are_refused(labeled: Trained, tmp_path: Path) -> None:
    """An edited metadata.json of a pooled model: nothing is scored."""
    run = amended(labeled, tmp_path)
    path = run.run_dir / "models" / POOLED / "metadata.json"
    amend_json(path, features=["noise", "signal"])
    with pytest.raises(
        ArtifactError, match=rf"models/{POOLED}/metadata\.json: its values have the SHA-256 "
    ):
        predict(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_model_costs_the_symbols_that_it_serves(labeled: Trained, tmp_path: Path) -> None:
    """S01's own one: the others are scored, and the failure is told with file and checksums."""
    run = amended(labeled, tmp_path)
    file = run.run_dir / "models" / f"sym_{TARGET}__S01__lightgbm" / "model.txt"
    file.write_bytes(file.read_bytes().replace(b"leaf_value=", b"leaf_value=1", 1))
    found = predict(run, tmp_path / "out")
    (failure,) = found["failures"]
    assert failure["symbol"] == "S01"
    assert failure["error"].startswith(
        f"ArtifactError: models/sym_{TARGET}__S01__lightgbm/model.txt has the SHA-256 "
    )
    assert not file_of(tmp_path / "out", "S01").exists()
    assert [name for name, each in found["symbols"].items() if each["file"]] == [
        *("S00", "S02", "S03"),
    ]
    assert found["status"] == "done"


@pytest.mark.parametrize(
    ("library", "version", "message"),
    [
        ("lightgbm", "99.0.0", r"was written by lightgbm 99\.0\.0, and \S+ is installed here"),
        ("ray_pipeline", "7.0", r"was written by ray_pipeline 7\.0, and \S+ is installed here"),
    ],
)
def test_a_model_of_the_future_is_refused(
    labeled: Trained, tmp_path: Path, library: str, version: str, message: str
) -> None:
    """A pooled one serves everybody: the command is refused before anything is written."""
    run = amended(labeled, tmp_path)
    path = run.run_dir / "models" / f"cs_{TARGET}__lightgbm" / "metadata.json"
    amend_metadata(path, libraries=read_json(path)["libraries"] | {library: version})
    with pytest.raises(ArtifactError, match=rf"^models/cs_{TARGET}__lightgbm {message}"):
        predict(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_columns_are_found_by_name(labeled: Trained, tmp_path: Path) -> None:
    """Their order in the table is of no importance; a column too few fails its symbol."""
    table = labeled.tables["S00"]
    mixed = {
        "S00": table.select(table.column_names[::-1]),
        "S01": labeled.tables["S01"].drop_columns(["signal", TARGET]),
        "S02": labeled.tables["S02"].drop_columns([TARGET]),
    }
    found = predict(labeled, tmp_path / "out", write_panel(tmp_path / "data", mixed))
    predict(labeled, tmp_path / "plain", symbols=["S00", "S02"])
    for symbol in ("S00", "S02"):
        scores = scores_of(tmp_path / "out", symbol)
        assert scores.equals(scores_of(tmp_path / "plain", symbol))
    (failure,) = found["failures"]
    assert failure["error"] == (
        f"ArtifactError: symbol S01: {POOLED} needs 1 feature, and the table has no column "
        "'signal'. Give tables with the columns that the run had."
    )


def test_new_data_have_a_layout_of_their_own(labeled: Trained, tmp_path: Path) -> None:
    """A pattern reads what the run's own layout does not; an empty one takes it back."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for symbol, table in labeled.tables.items():
        pq.write_table(table, folder / f"{symbol}.parquet")
    scored = predict(labeled, tmp_path / "out", folder, layout="{symbol}.parquet")
    usual = predict(labeled, tmp_path / "usual", layout="")
    assert list(scored["symbols"]) == list(usual["symbols"])
    with pytest.raises(DiscoveryError, match=r'data\.layout: "\{symbol\}\.parquet"'):
        predict(labeled, tmp_path / "refused", folder)


def test_another_interval_is_refused(labeled: Trained, tmp_path: Path) -> None:
    """By its name, by the layout, and by the rows themselves; another spelling is none."""
    legacy = write_panel(tmp_path / "legacy", labeled.tables, interval=None)
    assert predict(labeled, tmp_path / "same", interval="24h", data_dir=legacy)["symbols"]
    with pytest.raises(
        ArtifactError,
        match=r"^--interval 1h: the models of \S+ were trained at interval=1d\. Give data at that",
    ):
        predict(labeled, tmp_path / "out", interval="1h")
    hourly = labeled.tables["S00"].set_column(
        0, "ts", pa.array(3_600 * 10**9 * np.arange(320), pa.timestamp("ns", "UTC"))
    )
    other = write_panel(tmp_path / "other", {"S00": hourly}, "1h")
    with pytest.raises(DiscoveryError, match=r"for interval=1d; found interval=1h \(1 symbol\)"):
        predict(labeled, tmp_path / "out", other)
    mislabeled = write_panel(tmp_path / "mislabeled", {"S00": hourly})
    with pytest.raises(
        ExecutionError,
        match=r"symbol S00 has a row every 3600 s, and the models were trained on bars of 86400 s "
        r"\(interval=1d\)\. Give data at that interval",
    ):
        predict(labeled, tmp_path / "out", mislabeled)


def test_bars_and_labeled_tables_are_told_apart(
    labeled: Trained, bars: Trained, tmp_path: Path
) -> None:
    """Before any unit, with what is missing."""
    with pytest.raises(ArtifactError, match=r"trained on bars, and symbol S00 has no column 'open"):
        predict(bars, tmp_path / "out", labeled.data_dir)
    with pytest.raises(
        ArtifactError, match=r"trained on labeled tables, and symbol S00 holds bars: it has none of"
    ):
        predict(labeled, tmp_path / "out", bars.data_dir)


def test_a_first_symbol_without_volume_costs_only_itself(bars: Trained, tmp_path: Path) -> None:
    """As any other would: whether the data are bars, the next ones show."""
    tables = {**bars.tables, "S00": bars.tables["S00"].drop_columns(["volume"])}
    found = predict(bars, tmp_path / "out", write_panel(tmp_path / "data", tables))
    (failure,) = found["failures"]
    assert failure["symbol"] == "S00"
    assert failure["error"] == "not bars: no column volume."
    assert found["status"] == "done"


def test_revised_data_are_a_loud_warning(labeled: Trained, tmp_path: Path) -> None:
    """S00's signal is another number by now: its training rows are not what they were."""
    table = labeled.tables["S00"]
    place_of = table.column_names.index("signal")
    revised = table.set_column(place_of, "signal", pa.array(table["signal"].to_numpy() * 1.5))
    data = {"S00": revised, "S01": labeled.tables["S01"]}
    found = predict(labeled, tmp_path / "out", write_panel(tmp_path / "data", data))
    assert found["replay"]["symbols"] == ["S00"]
    (warning,) = found["warnings"]
    assert warning.startswith(f"{found['replay']['n_different']} of 240 predictions of training")
    assert warning.endswith("in S00. Likely cause: their data were revised since.")
    run = amended(labeled, tmp_path)
    path = run.run_dir / "models" / POOLED / "metadata.json"
    amend_metadata(path, libraries=read_json(path)["libraries"] | {"numpy": "1.0.0"})
    older = predict(run, tmp_path / "older", tmp_path / "data")
    assert f"(numpy 1.0.0 then, {np.__version__} now), or their data" in older["warnings"][0]


def test_targets_and_symbols_can_be_chosen(labeled: Trained, tmp_path: Path) -> None:
    """A target without a model is an error that lists those that have one."""
    with pytest.raises(
        ConfigError, match=r"has no model of the target fwd_ret_9d; it has models of fwd_ret_1d\.$"
    ):
        predict(labeled, tmp_path / "out", targets=["fwd_ret_9d"])
    found = predict(labeled, tmp_path / "out", targets=[TARGET], symbols=["S01", "S00"])
    assert list(found["symbols"]) == ["S00", "S01"]
    with pytest.raises(ConfigError, match=r"^--n-workers -1: 0 or more are needed\.$"):
        predict(labeled, tmp_path / "out", n_workers=-1)
    with pytest.raises(ConfigError, match=r"^--address holds a user name or key before") as error:
        predict(labeled, tmp_path / "out", address="ray://HUSH@head:10001")
    assert "HUSH" not in str(error.value)


def test_nothing_to_serve_is_a_failure(labeled: Trained, tmp_path: Path) -> None:
    """Where no model serves any of the symbols, the first reason is given."""
    run = amended(labeled, tmp_path)
    for path in (run.run_dir / "models").glob("cs_*"):
        shutil.rmtree(path)
    counts = {"models": len(list((run.run_dir / "models").iterdir()))}
    amend_json(run.run_dir / "run.json", counts=counts)
    data = write_panel(tmp_path / "data", {"NEW": labeled_table("NEW")})
    with pytest.raises(
        ExecutionError,
        match=r"^1 symbol, and no model serves it\. The first, NEW: not in the run: only "
        r"pooled models serve here; fwd_ret_1d is not predicted: it has no pooled model\.$",
    ):
        predict(run, tmp_path / "out", data)


def test_a_symbol_shorter_than_the_lookback_is_noted(bars: Trained, tmp_path: Path) -> None:
    """Its file has no row, and the others are scored."""
    data = {"S00": remembering_bars("S00"), "S01": bars_table("S01", 12)}
    found = predict(bars, tmp_path / "out", write_panel(tmp_path / "data", data))
    short = found["symbols"]["S01"]
    assert short["notes"] == [
        "no row to predict: the features look back on 20 rows before the first"
    ]
    assert (short["first_predictable_row"], short["first_predictable_ts"]) == (20, None)
    assert found["symbols"]["S00"]["n_rows"] == 300
