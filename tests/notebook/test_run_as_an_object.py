"""A run opened from Python: tables, texts, page, charts, models, and what is not there yet."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import format_display_data
from notebook_runs import OVERLAPPING, TARGET, Made
from sample_runs import SampleRun

import ray_pipeline
from ray_pipeline import Run, open_run
from ray_pipeline.errors import ArtifactError, ConfigError, DataError, DiscoveryError
from ray_pipeline.notebook.tables import TableName, table_file
from ray_pipeline.predicting import load_run
from ray_pipeline.results.schemas import TABLES
from ray_pipeline.results.tables import PREDICTIONS, ROUTES

FRAMES = ("targets", "features", "routes", "predictions", "evaluation", "leaks", "failures")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Write a run of many targets by the functions of real ones."""
    folder = tmp_path_factory.mktemp("sample") / "run"
    SampleRun().write(folder)
    return open_run(folder)


@pytest.mark.parametrize("name", FRAMES)
def test_tables_are_frames(made: Made, name: str) -> None:
    """Each has the rows and columns of its file, and is the caller's to change."""
    frame, table = getattr(made.run, name), made.run.table(name)  # type: ignore[arg-type]
    assert isinstance(frame, pd.DataFrame)
    assert list(frame) == table.column_names
    assert len(frame) == table.num_rows
    frame["mine"] = 1
    assert "mine" not in getattr(made.run, name)


def test_some_columns_of_a_table(made: Made) -> None:
    """Also of those without a property; a wrong name is answered with the right ones."""
    assert made.run.table("equity", ["job_id", "net"]).column_names == ["job_id", "net"]
    with pytest.raises(ConfigError, match=r"no table 'target'; there are targets, .*'targets'\?"):
        made.run.table("target")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"routes has no column rout; it has target"):
        made.run.table("routes", ["rout"])


def test_every_table_of_a_run_has_a_name() -> None:
    """A new one is given one as well."""
    assert {table_file(name) for name in get_args(TableName)} == {*TABLES, PREDICTIONS}


def test_the_verdict_is_shown(sample: Run) -> None:
    """What is predictable and how sure that is, in a notebook and in a console alike."""
    shown, _ = format_display_data(sample)
    best = sample.targets.sort_values("q_value").iloc[0]
    for text in (shown["text/html"], shown["text/plain"]):
        assert "predictable" in text
        assert str(best["target"]) in text
        assert "run.explain(" in html.unescape(text)
        assert "run.report" in text
    rows = re.findall(r"<tr.*?</tr>", shown["text/html"])
    assert len(rows) == 9  # a head and the strongest eight
    assert "8 more in <code>run.targets" in shown["text/html"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("running", "not finished"),
        ("interrupted", "the same call continues it"),
        ("failed", "run.failures"),
    ],
)
def test_a_run_without_an_end_says_so(tmp_path: Path, status: str, said: str) -> None:
    """With what to do."""
    SampleRun(status=status, error="no room" if status == "failed" else None).write(tmp_path)
    run = open_run(tmp_path)
    assert run.status == status
    assert said in repr(run)
    assert said in run._repr_html_()
    with pytest.raises(ArtifactError, match=rf"the run is {status}, and only one that is done"):
        run.to_long("fwd_ret_5d")


def test_what_names_hold_is_escaped(tmp_path: Path) -> None:
    """A target is called as its file says, and steers no page."""
    SampleRun(targets=("<script>x</script>", "b"), status="done").write(tmp_path)
    run = open_run(tmp_path)
    assert "<script>" not in run._repr_html_()
    assert "<script>x" not in run.plot.targets().html


def test_a_run_that_found_nothing_has_tables_without_rows(tmp_path: Path) -> None:
    """With the columns that others have; nobody has to ask whether there is a file."""
    SampleRun(strength=0.0).write(tmp_path)
    (tmp_path / ROUTES).unlink()
    (tmp_path / PREDICTIONS).unlink(missing_ok=True)
    run = open_run(tmp_path)
    for name in ("routes", "predictions", "policies"):
        found = run.table(name)  # type: ignore[arg-type]
        assert found.num_rows == 0
        assert {"target", "symbol"} <= set(found.column_names)


def test_a_table_that_is_missing_is_told_apart_from_an_empty_one(tmp_path: Path) -> None:
    """Of a run that found something it is an error."""
    SampleRun().write(tmp_path)
    (tmp_path / ROUTES).unlink()
    with pytest.raises(ArtifactError, match=r"routes\.parquet is missing from the run directory"):
        _ = open_run(tmp_path).routes


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    """Refused at once."""
    with pytest.raises(DiscoveryError, match=r"is not a run directory: it has no run\.json"):
        open_run(tmp_path)


def test_a_run_is_found_after_the_folder_was_changed(
    sample: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A relative address is that of when it was opened."""
    monkeypatch.chdir(Path(sample.uri).parent)
    run = open_run("run")
    monkeypatch.chdir(tmp_path)
    assert run.status == "done"


def test_explanations_are_text_and_values(made: Made) -> None:
    """What the command prints, and what its ``--json`` does."""
    story = made.run.explain(TARGET, symbol="S01")
    assert str(story).startswith("S01")
    assert repr(story) == str(story)
    assert story["target"] == TARGET
    assert dict(story)["symbol"] == "S01"
    assert "S01" in format_display_data(story)[0]["text/html"]
    with pytest.raises(ConfigError, match=r"fwd_ret_1"):
        made.run.explain("fwd_ret_1")


def test_comparisons(made: Made, sample: Run) -> None:
    """With a run or its address."""
    assert made.run.compare(made.run)["equal"]
    other = made.run.compare(sample.uri)
    assert not other["equal"]
    assert str(other).startswith("different")


def test_the_report_is_a_page_in_a_frame(made: Made, tmp_path: Path) -> None:
    """The file that the run wrote, whole and apart from the notebook's own page."""
    page = made.run.report
    written = (made.run_dir / "report.html").read_text(encoding="utf-8")
    assert page.html == written
    shown = format_display_data(page)[0]["text/html"]
    inside = re.search(r'srcdoc="([^"]*)"', shown)
    assert inside is not None
    assert html.unescape(inside[1]) == written
    assert page.save(tmp_path / "page.html").read_text(encoding="utf-8") == written
    assert "save" in repr(page)


def test_charts(made: Made) -> None:
    """Each is drawn of what the run has, a chart per model; what has none says why."""
    assert made.run.plot.targets().html.count('class="whisker') == 6
    for draw in (made.run.plot.quantiles, made.run.plot.decay, made.run.plot.equity):
        assert draw(TARGET).html.count("<svg") >= 6
    assert "a binary label is not a return" in made.run.plot.equity("y_up_1d").html
    with pytest.raises(
        ConfigError, match=r"fwd_ret_1 is not a target of the run; models .* mean 'fwd"
    ):
        made.run.plot.equity("fwd_ret_1")


def test_models_are_those_of_load_run(made: Made) -> None:
    """One implementation of both."""
    name = f"cs_{TARGET}__ridge"
    assert made.run.model(name).features == load_run(str(made.run_dir)).model(name).features
    assert made.run.models is made.run.models
    assert TARGET in made.run.models.targets


def later(made: Made) -> pd.DataFrame:
    """Return the frame with its rows moved on, behind all that the models learned from."""
    return made.frame.assign(ts=made.frame["ts"] + pd.Timedelta(days=400))


def test_one_symbol_is_scored_as_load_run_does(made: Made) -> None:
    """With the symbol in front."""
    frame = later(made)
    own = frame[frame["ticker"] == "S02"].drop(columns="ticker")
    found = made.run.predict(own, symbol="S02")
    expected = load_run(str(made.run_dir)).predict(own, "S02").to_pandas()
    assert next(iter(found)) == "symbol"
    pd.testing.assert_frame_equal(found.drop(columns="symbol"), expected)


def test_a_long_frame_is_scored_by_symbol(made: Made) -> None:
    """The scores are those of each symbol by itself; a new one has the pooled models, with a note.

    What they mean is learned of all symbols together, as ``predict`` does.
    """
    frame = later(made)
    new = frame[frame["ticker"] == "S02"].assign(ticker="NEW")
    with pytest.warns(UserWarning, match=r"NEW"):
        found = made.run.predict(pd.concat([frame, new]), targets=[TARGET])
    assert list(found["symbol"].unique()) == ["NEW", *made.tables]
    own = frame[frame["ticker"] == "S02"].drop(columns="ticker")
    alone = made.run.predict(own, symbol="S02", targets=[TARGET])
    score = f"{TARGET}__score"
    np.testing.assert_array_equal(found[found["symbol"] == "S02"][score], alone[score])
    assert OVERLAPPING + "__score" not in found
    with pytest.raises(ConfigError, match=r"targets='fwd_ret_1d' is one text"):
        made.run.predict(frame, targets=TARGET)
    with pytest.raises(DataError, match=r"no symbol column"):
        made.run.predict(own)


def test_features_across_symbols_are_computed_of_a_long_frame(bars: Made) -> None:
    """One symbol alone does not give them."""
    own = bars.frame[bars.frame["symbol"] == "S02"]
    with pytest.raises(ArtifactError, match=r"is computed of all symbols at a timestamp"):
        bars.run.predict(own, symbol="S02")
    found = bars.run.predict(bars.frame, in_sample=True)
    assert set(found["symbol"]) == set(bars.tables)
    assert found[f"{TARGET}__score"].notna().all()


def test_names_are_offered_for_completion(made: Made) -> None:
    """Of the package before its first use, and of a run."""
    assert {"run", "open_run", "Run", "load_run"} <= set(dir(ray_pipeline))
    assert {*FRAMES, "explain", "plot", "report", "to_long", "predict"} <= set(dir(made.run))
