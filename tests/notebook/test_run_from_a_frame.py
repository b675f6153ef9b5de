"""A run from Python: configs of any form, frames, and the messages for what does not fit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import yaml
from notebook_runs import TARGET, Made, long_frame, quick
from panels import noise_panel, symbol_names, write_panel

import ray_pipeline
from ray_pipeline.errors import ConfigError, DataError, DiscoveryError, ExecutionError

if TYPE_CHECKING:
    from conftest import Store


def test_a_frame_gives_what_its_partitions_give(made: Made, tmp_path: Path) -> None:
    """Bit for bit: the same models and figures as from files that were written by hand."""
    values = {**made.config, "data": {**made.config["data"], "data_dir": str(tmp_path / "panel")}}
    write_panel(tmp_path / "panel", made.tables)
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    run = ray_pipeline.run(path, run_dir=tmp_path / "run", progress=False)
    assert run.compare(made.run)["equal"]


def test_the_same_call_continues(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is computed again, whatever the order of the frame's rows."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    again = made.frame.sample(frac=1.0, random_state=2)
    run = ray_pipeline.run(made.config, again, run_dir=made.run_dir)
    assert run.uri == made.run.uri
    told = stream.getvalue()
    assert "of data in" in told
    assert ", as before" in told
    assert "ranking, per symbol: 8/8, from before" in told
    assert "done: " in told


def test_another_frame_does_not_replace_a_result_unasked(made: Made) -> None:
    """It is another place of data."""
    fewer = made.frame[made.frame["ticker"] != "S03"]
    with pytest.raises(ConfigError, match=r"holds the result of another config: data\.data_dir"):
        ray_pipeline.run(made.config, fewer, run_dir=made.run_dir, progress=False)


def test_the_frame_lies_where_it_is_wanted(tmp_path: Path) -> None:
    """Beside the run directory, or in a place of the user's; nothing predictable is a result."""
    frame = long_frame(noise_panel(symbol_names(3)), "symbol")
    run = ray_pipeline.run(
        quick(), frame, run_dir=tmp_path / "a", panel_dir=tmp_path / "panels", progress=False
    )
    assert Path(run.config.data.data_dir).parent == tmp_path / "panels"
    assert not (tmp_path / "a-panel").exists()
    assert run.status == "done"
    assert "No target is predictable" in repr(run)
    assert "run.targets" in repr(run)
    assert len(run.features) == len(run.predictions) == 0
    assert set(run.routes["route"]) == {"BLOCKED"}
    assert "skill" in run.targets


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"data": {"intervall": "1d"}}, r"config: unknown key 'data\.intervall'.*'interval'"),
        ({"experiment": {"seed": "x"}}, r"experiment\.seed"),
        ({"data": {"symbols": [object()]}}, r"config: 'data\.symbols\[0\]' is a object; text"),
        (["data"], r"config: found a list; a mapping of sections"),
        ("missing.yaml", r"missing\.yaml: no such file"),
    ],
)
def test_configs_that_are_wrong(config: Any, message: str, made: Made, tmp_path: Path) -> None:
    """As on the command line, and nothing is written."""
    with pytest.raises(ConfigError, match=message):
        ray_pipeline.run(config, made.frame, run_dir=tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_config_needs_data_from_somewhere(tmp_path: Path) -> None:
    """A frame or ``data.data_dir``; what is for a frame is refused without one."""
    with pytest.raises(ConfigError, match=r"data\.data_dir"):
        ray_pipeline.run({"experiment": {"name": "x"}}, run_dir=tmp_path / "run")
    with pytest.raises(ConfigError, match=r"symbol and panel_dir are for a data frame"):
        ray_pipeline.run({"data": {"data_dir": "x"}}, symbol="ticker", run_dir=tmp_path / "run")
    with pytest.raises(ConfigError, match=r"overrides='a=1' is one text; a list is needed"):
        ray_pipeline.run({}, overrides="a=1")


def test_frames_that_do_not_fit(tmp_path: Path) -> None:
    """Told of the frame, before anything is written."""
    frame = pd.DataFrame({"ts": pd.to_datetime(["2024-01-02"]), "x": [1.0]})
    with pytest.raises(DataError, match=r"data: no symbol column"):
        ray_pipeline.run(quick(), frame, run_dir=tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_frame_is_not_written_into_the_results(made: Made, tmp_path: Path) -> None:
    """They would be taken for data; nothing is written."""
    with pytest.raises(ConfigError, match=r"panel_dir .* are the same folder, or one is inside"):
        ray_pipeline.run(
            made.config, made.frame, run_dir=tmp_path / "run", panel_dir=tmp_path / "run/panel"
        )
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_config_is_taken_with_overrides(made: Made, tmp_path: Path) -> None:
    """What `run.config` gives can be changed and run again."""
    with pytest.raises(ConfigError, match=r"--set experiment\.sed"):
        ray_pipeline.run(made.run.config, overrides=["experiment.sed=1"], progress=False)
    with pytest.raises(DiscoveryError):
        ray_pipeline.run(
            made.run.config,
            run_dir=tmp_path / "run",
            overrides=[f"data.data_dir={tmp_path / 'nowhere'}"],
            progress=False,
        )


def test_a_run_that_fails_says_so_and_can_be_opened(tmp_path: Path) -> None:
    """Its verdict is why, and the next step is what to mend."""
    frame = long_frame(noise_panel(symbol_names(3), n_bars=50), "symbol")
    with pytest.raises(ExecutionError):
        ray_pipeline.run(quick(), frame, run_dir=tmp_path / "run", progress=False)
    run = ray_pipeline.open_run(tmp_path / "run")
    assert run.status == "failed"
    assert "The run failed." in repr(run)
    assert "run.failures" in repr(run)
    assert run.failures["error"].str.contains("50 rows").all()


def test_a_run_on_an_object_store(made: Made, s3_store: Store) -> None:
    """The panel lies beside the run, and what comes after finds both by the options of the run."""
    place = s3_store.uri_of("run")
    config = {**made.config, "output": {"storage_options": s3_store.options}}
    run = ray_pipeline.run(config, made.frame, run_dir=place, progress=False)
    assert run.uri == place
    assert run.config.data.data_dir.startswith(f"{place}-panel/")
    assert run.compare(made.run)["equal"]
    pd.testing.assert_frame_equal(run.to_long(TARGET), made.run.to_long(TARGET))
    rows = made.frame.assign(ts=made.frame["ts"] + pd.Timedelta(days=400))
    pd.testing.assert_frame_equal(run.predict(rows), made.run.predict(rows))


@pytest.mark.ray
def test_a_frame_on_ray(made: Made, tmp_path: Path) -> None:
    """Workers read the partitions, and find the same."""
    config = {**made.config, "execution": {"executor": "ray", "n_workers": 1}}
    run = ray_pipeline.run(config, made.frame, run_dir=tmp_path / "run", progress=False)
    assert run.compare(made.run)["equal"]
