"""Out-of-sample scores in the forms of other libraries, checked against these where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from alphalens import performance, utils
from notebook_runs import BINARY, OVERLAPPING, TARGET, Made

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.predicting import PredictOptions, predict_panel
from ray_pipeline.statistics.skill import timestamp_skills


@pytest.mark.parametrize("target", [TARGET, BINARY])
def test_the_long_frame_is_what_predict_writes_of_the_past(
    made: Made, tmp_path: Path, target: str
) -> None:
    """To the bit: scores and what they mean, by the same rows."""
    options = PredictOptions(history=True, targets=[target], n_workers=0)
    data = made.run.config.data.data_dir
    predict_panel(str(made.run_dir), data, str(tmp_path / "out"), Silent(), options)
    found = made.run.to_long(target)
    meant = {TARGET: ["expected", "low", "high"], BINARY: ["prob"]}[target]
    assert list(found) == ["ts", "symbol", "score", *meant, "actual"]
    for symbol in ("S00", "S05"):
        (file,) = (tmp_path / "out").rglob(f"symbol={symbol}/*.parquet")
        written = pq.ParquetFile(file).read().to_pandas()
        written = written[written["known_ts"].isna()]
        own = found[(found["symbol"] == symbol) & (found["ts"] <= written["ts"].max())]
        assert len(own) > 100
        for name in ("score", *meant):
            np.testing.assert_array_equal(own[name], written[f"{target}__{name}"])


def test_no_row_is_in_sample(made: Made) -> None:
    """All of them lie in the test folds of the walk-forward, each once by symbol."""
    found, walked = made.run.to_long(TARGET), made.run.predictions
    walked = walked[walked["target"] == TARGET]
    pairs = set(zip(walked["ts"], walked["symbol"], strict=True))
    assert set(zip(found["ts"], found["symbol"], strict=True)) == pairs
    assert len(found) == len(pairs)


def test_alphalens_finds_the_skill_of_the_scores(made: Made) -> None:
    """Its mean IC is the mean rank IC of what was exported, and its functions take the frame."""
    factor_data = made.run.to_alphalens(TARGET)
    assert factor_data.index.names == ["date", "asset"]
    assert list(factor_data) == ["1D", "factor", "factor_quantile"]
    rows = made.run.to_long(TARGET).dropna(subset="actual")
    times = rows["ts"].astype("int64").to_numpy()
    ours = timestamp_skills(
        rows["score"].to_numpy(), rows["actual"].to_numpy(), times, times, "regression"
    )
    theirs = performance.factor_information_coefficient(factor_data)["1D"]
    assert theirs.mean() == pytest.approx(np.nanmean(ours), abs=1e-12)
    means, _ = performance.mean_return_by_quantile(factor_data, demeaned=True)
    assert list(means.index) == [1, 2, 3, 4]
    assert means["1D"].iloc[-1] > means["1D"].iloc[0]
    returns = performance.factor_returns(factor_data)
    assert returns["1D"].mean() > 0
    assert performance.quantile_turnover(factor_data["factor_quantile"], 4).notna().any()


def test_alphalens_is_not_given_labels_that_are_no_returns(made: Made) -> None:
    """It is told how it gets the scores instead."""
    with pytest.raises(ConfigError, match=r"y_up_1d is binary.*run\.to_long\('y_up_1d'\)"):
        made.run.to_alphalens(BINARY)


def test_a_target_without_a_model(made: Made) -> None:
    """By the names of those that have one."""
    with pytest.raises(ConfigError, match=r"has no model of the target fwd_ret_9d; it has models"):
        made.run.to_long("fwd_ret_9d")


@pytest.mark.parametrize("target", [TARGET, OVERLAPPING])
def test_daily_returns_add_up_to_the_curve_of_the_evaluation(made: Made, target: str) -> None:
    """Also where labels overlap, so that the capital lies in several parts."""
    found = made.run.to_quantstats(target)
    equity = made.run.table("equity").to_pandas()
    equity = equity[equity["job_id"] == f"cs_{target}__ridge"].set_index("ts")["net"]
    assert found.name == f"cs_{target}__ridge"
    assert found.index.tz is None
    assert found.index.is_monotonic_increasing
    curve = found.cumsum()
    at = equity.index.tz_localize(None)
    np.testing.assert_allclose(curve.loc[at], equity, atol=1e-12)
    row = made.run.evaluation.set_index("job_id").loc[found.name]
    n_parts = 5 if target == OVERLAPPING else 1
    assert found.mean() * n_parts == pytest.approx(row["net"], rel=1e-9)


def test_daily_returns_of_a_model_of_ones_own_choice(made: Made) -> None:
    """A symbol's own one, too; a model of another target is refused."""
    name = next(
        name
        for name in made.run.table("equity")["job_id"].to_pylist()
        if name.startswith(f"sym_{TARGET}")
    )
    equity = made.run.table("equity").to_pandas().set_index("job_id")["net"]
    found = made.run.to_quantstats(TARGET, name)
    assert found.sum() == pytest.approx(equity.loc[name].iloc[-1], abs=1e-12)
    with pytest.raises(ConfigError, match=rf"has no model '{name}' of {OVERLAPPING}; it has cs_"):
        made.run.to_quantstats(OVERLAPPING, name)


def test_a_model_without_a_portfolio_says_why(made: Made) -> None:
    """A binary label is not a return."""
    with pytest.raises(ArtifactError, match=r"has no curve: no portfolio: a binary label is not"):
        made.run.to_quantstats(BINARY)


def test_numerai_has_ranks_within_each_era(made: Made) -> None:
    """Strictly inside (0, 1), one row by id, in the order of the scores."""
    found, rows = made.run.to_numerai(TARGET), made.run.to_long(TARGET)
    assert list(found) == ["id", "era", "prediction", "target"]
    assert found["id"].is_unique
    assert found["id"].iloc[0] == f"S00_{rows['ts'].iloc[0]:%Y-%m-%d}"
    assert found["prediction"].between(0, 1, inclusive="neither").all()
    ranks = rows.groupby("ts")["score"].rank() - 0.5
    np.testing.assert_allclose(found["prediction"], ranks / 8)


def test_symbols_are_ranked_within_their_groups(grouped: Made) -> None:
    """In every export, as in the run; alphalens gets the group too, and the curve is met."""
    rows = grouped.run.to_long(TARGET)
    assert set(rows.groupby("group")["symbol"].nunique()) == {6}
    ranks = rows.groupby(["ts", "group"])["score"].rank() - 0.5
    np.testing.assert_allclose(grouped.run.to_numerai(TARGET)["prediction"], ranks / 6)
    factor_data = grouped.run.to_alphalens(TARGET)
    sizes = factor_data.groupby(["date", "group", "factor_quantile"]).size()
    assert (sizes == 2).mean() > 0.9  # where scores tie a quantile has one more or fewer
    ic = performance.factor_information_coefficient(factor_data, by_group=True)
    assert ic["1D"].groupby("group").mean().gt(0.1).all()
    equity = grouped.run.table("equity").to_pandas().set_index("job_id")["net"]
    found = grouped.run.to_quantstats(TARGET)
    assert found.sum() == pytest.approx(equity.loc[f"cs_{TARGET}__ridge"].iloc[-1], abs=1e-12)


def test_prices_are_those_of_the_bars(bars: Made) -> None:
    """A column per symbol."""
    found = bars.run.prices()
    assert list(found) == sorted(bars.tables)
    assert found.index.name == "date"
    expected = bars.tables["S03"].to_pandas().set_index("ts")["close"]
    pd.testing.assert_series_equal(
        found["S03"], expected, check_names=False, check_freq=False, check_index_type=False
    )


@pytest.mark.filterwarnings("ignore")  # alphalens asks pandas for what it will drop
def test_scores_and_prices_go_into_alphalens_together(bars: Made) -> None:
    """As its own documentation does it: times of both are of one zone."""
    factor = bars.run.to_long(TARGET).set_index(["ts", "symbol"])["score"]
    factor_data = utils.get_clean_factor_and_forward_returns(
        factor, bars.run.prices(), quantiles=3, periods=(1,), max_loss=0.5
    )
    theirs = factor_data["1D"].rename_axis(["date", "asset"])
    ours = bars.run.to_alphalens(TARGET)["1D"]
    joined = pd.concat([theirs, ours], axis=1, join="inner", keys=["theirs", "ours"])
    assert len(joined) > 500
    np.testing.assert_allclose(joined["theirs"], joined["ours"], atol=1e-9)


def test_only_bars_have_prices(made: Made) -> None:
    """Labeled data may hold anything."""
    with pytest.raises(ConfigError, match=r"was made on labeled data, which have no prices"):
        made.run.prices()
