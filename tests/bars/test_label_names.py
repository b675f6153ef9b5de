import numpy as np
import pytest

from ray_pipeline.bars import (
    compute_targets,
    is_label_name,
    target_lookback,
    target_task,
)
from ray_pipeline.bars.label_names import LABEL_KINDS, Label, find_label
from ray_pipeline.config import ColumnsConfig
from ray_pipeline.errors import ConfigError
from ray_pipeline.records import first_match

from .label_paths import MINUTE_BARS, one_target
from .samples import random_bars


class TestNames:
    @pytest.mark.parametrize(
        ("name", "task", "lookback"),
        [
            ("fwd_ret_5d", "regression", 1),
            ("fwd_ret_12", "regression", 1),
            ("fwd_ret_oc_5d", "regression", 0),
            ("fwd_ret_oc_12", "regression", 0),
            ("ret_zscore_4h", "regression", 21),
            ("ret_ord_4h", "ordinal", 21),
            ("mfe_5d", "regression", 1),
            ("mae_12", "regression", 1),
            ("mdd_60m", "regression", 1),
            ("mfe_zscore_5d", "regression", 21),
            ("mae_zscore_5d", "regression", 21),
            ("mdd_zscore_12b", "regression", 21),
            ("y_first_touch_60m_0.8", "ordinal", 21),
            ("y_first_touch_60m_2_1.5", "ordinal", 21),
            ("y_will_peak_12b_1", "binary", 21),
            ("y_will_valley_4h_1.25", "binary", 21),
        ],
    )
    def test_name_tells_task_and_lookback(self, name: str, task: str, lookback: int) -> None:
        """A return reads its own close or none; what knows σ the closes behind 20 returns."""
        assert is_label_name(name)
        assert target_task(name) == task
        assert target_lookback(name) == lookback

    @pytest.mark.parametrize(
        "name",
        [
            "rsi_14",
            "fwd_ret_",
            "fwd_ret_5x",
            "fwd_ret_5d_0.8",
            "y_will_peak_60m",
            "y_will_peak_60m_",
            "y_will_peak_60m_0",
            "y_will_peak_60m_0.0",
            "y_will_peak_60m_-1",
            "y_will_peak_12_0.8",
            "y_will_peak_60m_0.8_0.8",
            f"y_will_peak_60m_{'9' * 400}",
            "y_first_touch_60m",
            "y_first_touch_12_2_1",
            "y_first_touch_60m_2_0",
            "y_first_touch_60m_2_1_1",
            "y_first_touch_60m_2_",
            "fwd_ret_oc",
            "fwd_ret_co_5d",
            "ret_5d",
            "ret_ord_5d_0.5",
            "mfe_share_5d",
            "mfe_5d_0.8",
            "mxe_5d",
            "excess_ret_5d",
            "_5d",
            "5d",
            "y_will_dance_60m_0.8",
            "xy_will_peak_60m_0.8",
            "fwd_ret_5d\n",
        ],
    )
    def test_other_names_are_answered_with_the_accepted_forms(self, name: str) -> None:
        """Every function that needs a label says which there are, with examples."""
        assert not is_label_name(name)
        for ask in (target_task, target_lookback, lambda n: one_target(random_bars(30), n)):
            with pytest.raises(ConfigError, match="is not a target that bars give") as caught:
                ask(name)
            for form in (
                *("fwd_ret_{h}, fwd_ret_oc_{h}, ret_zscore_{h}, ret_ord_{h}, mfe_{h}, mae_{h},",),
                *(" mdd_{h}, mfe_zscore_{h}, ", "y_first_touch_{h}_{k}, y_first_touch_{h}_{up}_"),
                *(
                    "{up}_{down}, y_will_peak_{h}_{k}, y_will_valley_{h}_{k} and excess_ret",
                    "5d",
                ),
                *("k, up and down > 0", "y_will_peak_60m_0.8"),
            ):
                assert form in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("fwd_ret_7m", "not a whole number of bars"),
            ("y_will_peak_1m_0.8", "shorter than one bar"),
            ("y_first_touch_2w_0.8", "'w' is not accepted as a horizon"),
            ("mdd_0", "shorter than one bar"),
        ],
    )
    def test_horizon_that_bars_cannot_hold_is_an_error(self, name: str, message: str) -> None:
        """The form is right, the length is not: the message is about the length."""
        with pytest.raises(ConfigError, match=message):
            one_target(random_bars(30), name)

    def test_distances_are_no_part_of_the_horizon(self) -> None:
        """Whole numbers after the horizon are distances, whatever they look like."""
        bars = random_bars(200, seed=3)
        names = ["y_first_touch_15m_2_1", "y_first_touch_3b_2.0_1.0"]
        whole, decimal = compute_targets(bars, names, **MINUTE_BARS).T
        np.testing.assert_array_equal(whole, decimal)
        assert find_label(names[0]) == Label("y_first_touch", "15m", (2.0, 1.0))

    def test_every_kind_is_computed(self) -> None:
        """The table of names and that of functions have the same kinds."""
        for kind, known in LABEL_KINDS.items():
            for form in known.distances:
                name = "_".join((kind, "3b", *("0.8" for _ in form)))
                assert np.isfinite(one_target(random_bars(60), name)).sum() > 20, name

    def test_a_written_panel_is_read_back_with_its_targets(self) -> None:
        """The default patterns take every kind for a target, and none for a by-product."""
        patterns = ColumnsConfig()
        for kind in LABEL_KINDS:
            assert first_match(f"{kind}_5d", patterns.targets), kind
            assert first_match(f"{kind}_5d", patterns.by_products) is None, kind
