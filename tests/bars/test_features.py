import warnings
from fnmatch import fnmatchcase

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.bars import (
    CATALOGUE,
    FEATURE_SETS,
    STANDARD_FEATURES,
    Bars,
    compute_features,
    feature_lookback,
    feature_names,
    features,
    function_paths,
)
from ray_pipeline.errors import ConfigError

from .reference import REFERENCES, history
from .samples import bits, constant_bars, random_bars, real_bars, replace

NAMES = tuple(STANDARD_FEATURES)
ALPHA158 = FEATURE_SETS["alpha158"]
WINDOWED = (*NAMES, *ALPHA158)
LONGEST = max(feature.lookback for feature in STANDARD_FEATURES.values())

# The field's names for targets and label by-products, as DESIGN.md lists them.
LABEL_PATTERNS = (
    *("fwd_ret_*", "y_*", "excess_ret_*", "ret_zscore_*", "ret_ord_*", "mfe_*", "mdd_*"),
    *("p_up*", "p_down*", "barrier_*", "vol_at_t_*", "tth_*", "hit_*", "max_return_*"),
    *("min_return_*", "mfe_share_*", "time_in_profit_*", "flipcount_*", "zigzag_*", "next_*"),
    "future_*",
)


def one_feature(bars: Bars, name: str) -> np.ndarray:
    return compute_features(bars, [name])[:, 0]


def assert_same_bits(got: np.ndarray, expected: np.ndarray, names: tuple[str, ...] = NAMES) -> None:
    differs = (bits(got) != bits(expected)).any(axis=0)
    assert not differs.any(), f"differ: {[names[column] for column in np.flatnonzero(differs)]}"


class TestCatalogue:
    def test_standard_is_the_whole_catalogue(self) -> None:
        """There are dozens of features, each under its own name."""
        assert feature_names("standard") == NAMES
        assert len(NAMES) >= 45
        assert all(name == feature.name for name, feature in STANDARD_FEATURES.items())

    def test_every_feature_is_documented_in_one_line(self) -> None:
        """Formula and group are there for the documentation to list."""
        for feature in CATALOGUE.values():
            assert feature.formula
            assert "\n" not in feature.formula
            assert feature.group

    @pytest.mark.parametrize("pattern", LABEL_PATTERNS)
    def test_no_feature_looks_like_a_label(self, pattern: str) -> None:
        """A labeled panel that holds the features keeps their role by their names."""
        assert not [name for name in CATALOGUE if fnmatchcase(name, pattern)]

    def test_no_feature_is_another_under_a_second_name(self) -> None:
        """On random bars no two columns have the same ranks."""
        values = compute_features(random_bars(400, seed=3), NAMES)[LONGEST:]
        ranks = values.argsort(axis=0).argsort(axis=0)
        assert len({column.tobytes() for column in ranks.T}) == len(NAMES)

    def test_names_are_taken_in_the_order_given(self) -> None:
        """A list stands for itself."""
        assert feature_names(["rsi_14", "log_return_1"]) == ("rsi_14", "log_return_1")

    def test_sets_names_and_functions_may_be_mixed(self) -> None:
        """A list holds what it names, in its order; a function stands for its own features."""
        given = ["gap", "mine:features", "alpha158", "other.mine"]
        assert function_paths(given) == ("mine:features", "other.mine")
        assert function_paths("mine:features") == ("mine:features",)
        own = {"mine:features": ("a", "b"), "other.mine": ("c",)}
        assert feature_names(given, own) == ("gap", "a", "b", *ALPHA158, "c")
        assert feature_names(["standard", "intraday"], bar_seconds=300) == (
            *NAMES,
            *FEATURE_SETS["intraday"],
        )

    def test_feature_of_two_items_is_an_error(self) -> None:
        """A set names its features already; a function must not give them again."""
        with pytest.raises(ConfigError, match=r"gap given more than once.*a set names all of its"):
            feature_names(["standard", "gap"])
        with pytest.raises(ConfigError, match="rsi_14 given more than once"):
            feature_names(["standard", "mine:f"], {"mine:f": ("rsi_14",)})

    @pytest.mark.parametrize("bar_seconds", [86_400, 604_800])
    def test_sessions_of_daily_bars_are_refused(self, bar_seconds: int) -> None:
        """A bar that is a session has no place in one."""
        with pytest.raises(
            ConfigError,
            match=rf"session_hours tells of a bar within its session, but bars of {bar_seconds} s "
            r"are whole sessions\. Leave out 'intraday'",
        ):
            feature_names(["standard", "intraday"], bar_seconds=bar_seconds)

    def test_unknown_set_names_the_known_ones(self) -> None:
        """A set is asked for by one word."""
        with pytest.raises(
            ConfigError,
            match=r"unknown set 'fancy'\. The sets are standard, alpha158, intraday, "
            r"cross_sectional;",
        ):
            feature_names("fancy")

    def test_lookback_is_the_longest(self) -> None:
        """The catalogue says how many bars are needed; sessions count as two days each."""
        assert feature_lookback(["gap", "log_return_20"]) == 21
        assert feature_lookback([]) == 1
        assert feature_lookback(NAMES) == LONGEST
        assert feature_lookback(["session_hours", "gap"], 3600) == 2 * 48
        assert feature_lookback(["session_volume_relative_5"], 7000) == 7 * 25
        with pytest.raises(ConfigError, match="feature_lookback: features of sessions need bar_s"):
            feature_lookback(["session_hours"])
        with pytest.raises(ConfigError, match="unknown feature 'xyzzy'"):
            feature_lookback(["xyzzy"])

    def test_feature_in_place_of_a_set_is_answered_with_the_list_to_write(self) -> None:
        """``features: rsi_14`` lacks its brackets."""
        with pytest.raises(ConfigError, match=r"For this one feature write \[rsi_14\]"):
            feature_names("rsi_14")

    def test_unknown_feature_suggests_the_nearest(self) -> None:
        """A slip of the pen is answered with the name that was meant, from both functions."""
        message = r"unknown feature 'rsi_41'\. Did you mean 'rsi_14'\?"
        with pytest.raises(ConfigError, match=message):
            feature_names(["rsi_41"])
        with pytest.raises(ConfigError, match=message):
            compute_features(random_bars(5), ["rsi_41"])

    def test_feature_like_no_other_gets_no_suggestion(self) -> None:
        """Nothing is suggested where nothing is near."""
        with pytest.raises(
            ConfigError, match=r"'xyzzy'\. There is none like it\. `ray-pipeline features`"
        ):
            feature_names(["xyzzy"])

    def test_repeated_feature_is_an_error(self) -> None:
        """Two columns of one name would be one too many."""
        with pytest.raises(ConfigError, match="rsi_14 given more than once"):
            feature_names(["rsi_14", "gap", "rsi_14"])

    def test_empty_list_is_an_error(self) -> None:
        """A model without features is nobody's wish."""
        with pytest.raises(ConfigError, match="the list is empty"):
            feature_names([])


class TestValues:
    def test_every_feature_has_a_reference(self) -> None:
        """No feature goes without a second, plain computation."""
        assert set(REFERENCES) == set(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_value_is_that_of_the_textbook_formula(self, name: str) -> None:
        """The vectorised feature equals its formula, row by row."""
        bars = random_bars(220, seed=11)
        got = one_feature(bars, name)
        rows = [LONGEST, 170, 199, 219]
        expected = [REFERENCES[name](history(bars, row)) for row in rows]
        np.testing.assert_allclose(got[rows], expected, rtol=1e-8, atol=1e-12)

    def test_single_bar_by_hand(self) -> None:
        """Open 10, high 14, low 6, close 12 after a close of 8."""
        columns = ([8.0, 10.0], [8.0, 14.0], [8.0, 6.0], [8.0, 12.0], [1.0, 1.0])
        bars = Bars(np.arange(2), *map(np.array, columns))
        names = ["upper_shadow", "lower_shadow", "close_location", "gap", "log_return_1"]
        expected = [0.25, 0.5, 0.5, np.log(1.25), np.log(1.5)]
        np.testing.assert_allclose(compute_features(bars, names)[1], expected, rtol=1e-15)

    def test_steady_rise_by_hand(self) -> None:
        """Every bar 1 % above the last: all gains, a straight way, no volatility."""
        close = 1.01 ** np.arange(80.0)
        bars = Bars(np.arange(80), close / 1.01, close, close / 1.01, close, np.ones(80))
        expected = {
            "rsi_14": 1.0,
            "up_fraction_20": 1.0,
            "efficiency_ratio_20": 1.0,
            "stochastic_k_14": 1.0,
            "directional_index_14": 1.0,
            "obv_slope_20": 1.0,
            "money_flow_index_14": 1.0,
            "chaikin_money_flow_20": 1.0,
            "gap": 0.0,
            "drawdown_60": 0.0,
            "runup_60": 59 * np.log(1.01),
            "log_return_20": 20 * np.log(1.01),
            "downside_share_20": 0.0,
            "volume_relative_20": 0.0,
        }
        got = compute_features(bars, list(expected))[-1]
        np.testing.assert_allclose(got, list(expected.values()), atol=1e-12)

    def test_columns_do_not_depend_on_the_company_they_are_in(self) -> None:
        """Shared intermediate results change no feature, in whatever order it is asked for."""
        bars = random_bars(300, seed=5, missing_share=0.01)
        together = compute_features(bars, WINDOWED)
        backwards = compute_features(bars, WINDOWED[::-1])[:, ::-1]
        assert_same_bits(backwards, together, WINDOWED)
        for column, name in enumerate(WINDOWED):
            np.testing.assert_array_equal(bits(one_feature(bars, name)), bits(together[:, column]))

    def test_features_are_free_of_scale(self) -> None:
        """Another currency or another lot size changes no feature, so symbols can be pooled."""
        bars = random_bars(400, seed=6)
        prices = {name: getattr(bars, name) * 7.3 for name in ("open", "high", "low", "close")}
        scaled = replace(bars, **prices, volume=bars.volume * 0.013)
        np.testing.assert_allclose(
            compute_features(scaled, NAMES), compute_features(bars, NAMES), rtol=1e-7, atol=1e-10
        )

    def test_bars_are_left_as_they_were(self) -> None:
        """The bars may be read-only, as arrays from an object store are."""
        bars = random_bars(200)
        columns = [bars.open, bars.high, bars.low, bars.close, bars.volume]
        for column in columns:
            column.setflags(write=False)
        assert compute_features(bars, NAMES).flags.writeable


class TestCausality:
    @settings(deadline=None, max_examples=40)
    @given(
        seed=st.integers(0, 10_000),
        start=st.integers(0, 200),
        n_rows=st.integers(1, 300),
        missing_share=st.sampled_from([0.0, 0.002, 0.05]),
    )
    def test_value_depends_on_its_lookback_alone(
        self, seed: int, start: int, n_rows: int, missing_share: float
    ) -> None:
        """Cutting future and past changes no bit of a row whose lookback is inside."""
        bars = random_bars(500, seed, missing_share)
        whole = compute_features(bars, WINDOWED)[start : start + n_rows]
        part = compute_features(bars.rows(start, start + n_rows), WINDOWED)
        for column, name in enumerate(WINDOWED):
            lookback = CATALOGUE[name].lookback
            assert np.isnan(part[: lookback - 1, column]).all(), name
            whole[: lookback - 1, column] = np.nan
        assert_same_bits(part, whole, WINDOWED)

    @pytest.mark.parametrize("block_rows", [1, 7, 64, 399])
    def test_blocks_leave_no_seam(self, monkeypatch: pytest.MonkeyPatch, block_rows: int) -> None:
        """Rows computed in blocks have the bits of rows computed at once."""
        bars = random_bars(400 if block_rows > 1 else 70, seed=4, missing_share=0.003)
        whole = compute_features(bars, WINDOWED)
        monkeypatch.setattr(features, "_BLOCK_ROWS", block_rows)
        assert_same_bits(compute_features(bars, WINDOWED), whole, WINDOWED)

    @pytest.mark.parametrize("cut", [1, 2, 63, 150, 151, 288, 399])
    def test_cutting_the_future_off_changes_no_bit(self, cut: int) -> None:
        """The first rows are the same whatever comes after them."""
        bars = random_bars(400, seed=8, missing_share=0.003)
        first = compute_features(bars.rows(0, cut), WINDOWED)
        assert_same_bits(first, compute_features(bars, WINDOWED)[:cut], WINDOWED)

    @pytest.mark.parametrize("name", WINDOWED)
    def test_lookback_is_exact(self, name: str) -> None:
        """On complete bars the first value is in the row that fills the lookback."""
        got = one_feature(random_bars(300, seed=9), name)
        assert np.flatnonzero(np.isfinite(got))[0] == CATALOGUE[name].lookback - 1
        assert np.isfinite(got[CATALOGUE[name].lookback :]).all()

    def test_missing_row_is_forgotten_after_the_lookback(self) -> None:
        """A hole poisons no later row than the last one that reads it."""
        bars, hole = random_bars(600, seed=10), 200
        columns = {}
        for field in ("open", "high", "low", "close", "volume"):
            columns[field] = getattr(bars, field).copy()
            columns[field][hole] = np.nan
        whole = compute_features(bars, WINDOWED)
        holed = compute_features(replace(bars, **columns), WINDOWED)
        assert_same_bits(holed[:hole], whole[:hole], WINDOWED)
        assert_same_bits(holed[hole + LONGEST :], whole[hole + LONGEST :], WINDOWED)
        for column, name in enumerate(WINDOWED):
            after = slice(hole + CATALOGUE[name].lookback, None)
            np.testing.assert_array_equal(bits(holed[after, column]), bits(whole[after, column]))


class TestUndefined:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("volume", 0.0),
            ("volume", -1.0),
            ("volume", np.inf),
            ("close", 0.0),
            ("close", -5.0),
            ("close", np.inf),
            ("open", np.nan),
            ("high", np.inf),
            ("low", 0.0),
            ("low", 1e-300),
            ("close", 1e300),
        ],
    )
    def test_impossible_cell_gives_no_infinity_and_no_warning(
        self, field: str, value: float
    ) -> None:
        """Zero, negative, infinite and absurd cells end in NaN, silently."""
        bars = random_bars(400)
        column = getattr(bars, field).copy()
        column[150] = value
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = compute_features(replace(bars, **{field: column}), WINDOWED)
        assert not np.isinf(got).any()
        expected = compute_features(bars, WINDOWED)
        assert_same_bits(got[150 + LONGEST :], expected[150 + LONGEST :], WINDOWED)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("open", 0.0), ("high", -1.0), ("close", np.inf), ("volume", -1.0), ("volume", np.inf)],
    )
    def test_impossible_cell_is_a_missing_one(self, field: str, value: float) -> None:
        """A price that is not positive, a negative volume and an infinity count as missing."""
        got = []
        for cell in (value, np.nan):
            column = getattr(random_bars(300), field).copy()
            column[200] = cell
            got.append(compute_features(replace(random_bars(300), **{field: column}), NAMES))
        assert_same_bits(got[0], got[1])

    @pytest.mark.parametrize("n_rows", [0, 1, 2])
    def test_hardly_any_bars_give_hardly_any_features(self, n_rows: int) -> None:
        """The shape holds, and only features of a bar or two have values."""
        got = compute_features(random_bars(n_rows), tuple(CATALOGUE), bar_seconds=300)
        assert got.shape == (n_rows, len(CATALOGUE))
        for column, feature in enumerate(CATALOGUE.values()):
            is_there = feature.lookback <= n_rows and not feature.n_sessions
            assert np.isfinite(got[:, column]).any() == is_there

    def test_market_that_stands_still_has_no_relative_features(self) -> None:
        """Zero range, zero volatility: what would divide by them is NaN, the rest is 0."""
        names = {
            "rsi_14": np.nan,
            "stochastic_k_14": np.nan,
            "williams_r_28": np.nan,
            "cci_20": np.nan,
            "bollinger_position_20": np.nan,
            "close_location": np.nan,
            "upper_shadow": np.nan,
            "range_relative_20": np.nan,
            "risk_adjusted_momentum_20": np.nan,
            "efficiency_ratio_20": np.nan,
            "volatility_ratio_5_20": np.nan,
            "skewness_60": np.nan,
            "autocorrelation_1_60": np.nan,
            "volume_zscore_20": np.nan,
            "money_flow_index_14": np.nan,
            "amihud_5_60": np.nan,
            "log_return_1": 0.0,
            "log_range": 0.0,
            "volatility_20": 0.0,
            "bollinger_width_20": 0.0,
            "parkinson_20": 0.0,
            "yang_zhang_20": 0.0,
            "atr_14": 0.0,
            "volume_variation_20": 0.0,
            "chaikin_money_flow_20": 0.0,
            "obv_slope_20": 0.0,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = compute_features(constant_bars(200), list(names))[-1]
        np.testing.assert_array_equal(got, list(names.values()))

    def test_market_without_trade_has_no_volume_features(self) -> None:
        """A volume of zero is a divisor or a logarithm in each of them."""
        bars = replace(random_bars(300), volume=np.zeros(300))
        names = [n for n in NAMES if STANDARD_FEATURES[n].group == "volume"]
        assert np.isnan(compute_features(bars, names)).all()

    def test_bar_without_trade_leaves_the_sums_alone(self) -> None:
        """In a window of sums one such bar counts nothing; only its own level is undefined."""
        volume = random_bars(300).volume.copy()
        volume[250] = 0.0
        bars = replace(random_bars(300), volume=volume)
        names = ["volume_relative_20", "amihud_5_60", "vwap_distance_20", "volume_zscore_20"]
        np.testing.assert_array_equal(
            np.isnan(compute_features(bars, names)[250]), [True, False, False, False]
        )


@pytest.mark.real_data
class TestRealBars:
    def test_crypto_has_all_features_after_the_lookback(self) -> None:
        """A year without gaps in which something trades in every bar: no feature is missing."""
        got = compute_features(real_bars("binance_usdt_5m_2024", "5m", "BTCUSDT"), NAMES)
        assert np.isfinite(got[LONGEST:]).all()

    def test_bounded_features_keep_their_bounds(self) -> None:
        """Shares, positions and correlations stay where their formulas put them."""
        bars = real_bars("binance_usdt_5m_2024", "5m", "BTCUSDT")
        bounds = {
            "rsi_14": (0, 1),
            "stochastic_k_14": (0, 1),
            "stochastic_d_14": (0, 1),
            "williams_r_28": (-1, 0),
            "donchian_position_55": (0, 1),
            "upper_shadow": (0, 1),
            "lower_shadow": (0, 1),
            "close_location": (-1, 1),
            "chaikin_money_flow_20": (-1, 1),
            "money_flow_index_14": (0, 1),
            "obv_slope_20": (-1, 1),
            "efficiency_ratio_20": (-1, 1),
            "trend_correlation_60": (-1, 1),
            "autocorrelation_1_60": (-1, 1),
            "downside_share_20": (0, 1),
            "directional_index_14": (-1, 1),
            "volatility_20": (1e-5, 0.05),
            "kurtosis_60": (-2, 60),
        }
        got = compute_features(bars, list(bounds))[LONGEST:]
        low, high = np.array(list(bounds.values())).T
        assert (got >= low - 1e-12).all()
        assert (got <= high + 1e-12).all()

    def test_volatility_estimators_agree(self) -> None:
        """Ranges and closes measure the same thing: the medians lie within a quarter."""
        names = [
            "volatility_20",
            "parkinson_20",
            "garman_klass_20",
            "rogers_satchell_20",
            "yang_zhang_20",
        ]
        bars = real_bars("binance_usdt_5m_2024", "5m", "BTCUSDT")
        medians = np.nanmedian(compute_features(bars, names), axis=0)
        assert medians.max() < 1.25 * medians.min()

    def test_bad_tick_stays_within_its_windows(self) -> None:
        """LNT's one close at half its price spoils a lookback of rows, and none after."""
        bars = real_bars("sp500_daily_2013_2018", "1d", "LNT")
        returns = one_feature(bars, "log_return_1")
        tick = int(np.nanargmin(returns))
        assert returns[tick] < -0.6
        got = compute_features(bars, NAMES)
        assert_same_bits(
            compute_features(bars.rows(tick + 1, len(bars)), NAMES)[LONGEST:],
            got[tick + 1 + LONGEST :],
        )
        assert np.nanmax(got[tick + 1 + LONGEST :, NAMES.index("volatility_20")]) < 0.03

    def test_missing_cells_cost_their_windows_only(self) -> None:
        """DHR lacks two opens and a high and low: nearly all of its features are there."""
        bars = real_bars("sp500_daily_2013_2018", "1d", "DHR")
        got = compute_features(bars, NAMES)[LONGEST:]
        assert not np.isinf(got).any()
        assert np.isfinite(got).mean() > 0.98
        assert np.isnan(got).any()

    def test_cutting_real_bars_changes_no_bit(self) -> None:
        """What holds on random bars holds on a market's."""
        bars = real_bars("sp500_daily_2013_2018", "1d", "DHR")
        part = compute_features(bars.rows(333, 999), NAMES)[LONGEST:]
        assert_same_bits(part, compute_features(bars, NAMES)[333 + LONGEST : 999])
