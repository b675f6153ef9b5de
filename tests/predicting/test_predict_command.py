"""``ray-pipeline predict``: what it prints, its exit codes, and what it says of failures."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from panels import labeled_table, write_panel
from trained_runs import TARGET, Trained, arguments, predict

from ray_pipeline.cli import main
from ray_pipeline.predicting.outcome import prediction_lines, replay_summary, replay_warning
from ray_pipeline.storage.lease import LEASE, Holder


def test_it_tells_what_was_scored(
    labeled: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failures and notes by their symbols, the proof of equality, counts, and where it all is."""
    tables = {"S00": labeled.tables["S00"], "S01": labeled_table("S01").drop_columns(["signal"])}
    data_dir = write_panel(tmp_path / "data", tables | {"NEW": labeled_table("NEW")})
    assert main([*arguments(labeled, tmp_path / "out", data_dir), "--in-sample"]) == 0
    output = capsys.readouterr()
    failed, noted, proof, counts, place = output.out.splitlines()
    assert failed.startswith("- S01: ArtifactError: symbol S01: cs_fwd_ret_1d__ridge needs")
    assert noted == "NEW: not in the run: only pooled models serve here"
    assert proof == "120 predictions of training rows are those of the training, bit for bit"
    assert counts.startswith("2 symbols, 640 rows, 1 target scored")
    folder = tmp_path / "out/interval=1d"
    assert place == f"predictions: {folder}"
    everything = pd.read_parquet(folder)  # as the documentation says
    assert everything.groupby("symbol", observed=True).size().to_dict() == {"S00": 320, "NEW": 320}
    assert "predicting: 3/3, 1 failed" in output.err


def test_json_is_the_record(
    labeled: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document and nothing else, the one that is in the folder."""
    line = [*arguments(labeled, tmp_path / "out"), "--json", "--symbols", "S02", "--n-workers", "0"]
    assert main(line) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert printed["status"] == "done"
    assert printed["targets"] == [TARGET]
    files = printed["models"][f"sym_{TARGET}__S02__ridge"]
    assert set(files) == {"model.json"}
    assert len(files["model.json"]) == 64


def test_wrong_arguments_and_refused_models_exit_with_2(
    labeled: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, no traceback."""
    line = arguments(labeled, tmp_path / "out")
    assert main([line[0], str(tmp_path), *line[2:]]) == 2
    assert main([*line, "--interval", "5m"]) == 2
    assert main([*line, "--symbols", "NOPE"]) == 2
    assert main(arguments(labeled, tmp_path / "out", tmp_path / "nowhere")) == 2
    assert capsys.readouterr().err.count("ray-pipeline: ") == 4
    assert not (tmp_path / "out").exists()


def test_too_many_failures_exit_with_1(
    labeled: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a run, above execution.max_failed_fraction."""
    bad = write_panel(tmp_path / "data", {"S01": labeled_table("S01").drop_columns(["signal"])})
    assert main(arguments(labeled, tmp_path / "out", bad)) == 1
    assert "1 of 1 symbol failed, more than execution.max_failed" in capsys.readouterr().err
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert record["status"] == "failed"
    assert [failure["symbol"] for failure in record["failures"]] == ["S01"]


def test_an_interruption_can_be_continued(
    labeled: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], scored: list[str]
) -> None:
    """Exit code 130 and how to go on."""
    scored[:] = ["!S01"]
    assert main(arguments(labeled, tmp_path / "out")) == 130
    assert "interrupted; the same command continues from here" in capsys.readouterr().err


def test_one_writer_at_a_time(
    labeled: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second one is refused with the first's process, and told of --out."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LEASE).write_bytes(Holder.of_this_process().written())
    assert main(arguments(labeled, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert "is in use by process" in error
    assert "another directory with --out." in error
    assert not (tmp_path / "out" / "predictions.json").exists()


def test_replays_are_added_up_over_the_symbols() -> None:
    """Counts, the largest difference, symbols and libraries; nothing to say where none differs."""
    good = {"n_compared": 32, "n_different": 0, "largest_difference": None, "libraries": []}
    bad = {"n_compared": 32, "n_different": 3, "largest_difference": 0.25, "libraries": ["x 1"]}
    worse = bad | {"largest_difference": 0.5, "libraries": ["w 2", "x 1"]}
    records = {"A": {"replay": good}, "B": {"replay": bad}, "C": {"replay": worse}}
    summary = replay_summary(records)
    assert summary == {
        "n_compared": 96,
        "n_different": 6,
        "largest_difference": 0.5,
        "symbols": ["B", "C"],
        "libraries": ["w 2", "x 1"],
    }
    assert replay_warning(summary) == (
        "6 of 96 predictions of training rows are not those of the training, by up to 0.5, in B, "
        "C. Likely cause: another version of a library (w 2, x 1), or their data were revised "
        "since."
    )
    assert (replay_warning(summary, fewer_compared=True) or "").endswith(
        "Likely cause: another version of a library (w 2, x 1), or symbols that they are compared "
        "with are missing, or their data were revised since."
    )
    assert replay_warning(replay_summary({"A": {"replay": good}})) is None


def test_equal_notes_are_one_line() -> None:
    """However many symbols they are of."""
    each = {"notes": ["is new"], "file": None, "n_rows": 0}
    replay = {"n_compared": 0, "n_different": 0}
    document = {"symbols": {f"N{i}": each for i in range(7)}, "targets": [], "replay": replay}
    first, last = prediction_lines(document)
    assert first.startswith("N0, N1, N2, N3, N4")
    assert first.endswith(": is new")
    assert last == "0 symbols, 0 rows, 0 targets scored"


@pytest.mark.ray
def test_on_ray_the_files_are_the_same(bars: Trained, tmp_path: Path) -> None:
    """Two workers, which read models and tables themselves: byte by byte as in one process."""
    predict(bars, tmp_path / "serial")
    found = predict(bars, tmp_path / "ray", n_workers=2)
    assert found["replay"]["n_different"] == 0
    files = [found["symbols"][symbol]["file"] for symbol in sorted(bars.tables)]
    assert len(files) == 4
    for name in files:
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "serial" / name).read_bytes()
