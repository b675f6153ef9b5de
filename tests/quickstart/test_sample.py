from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy import stats

from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.config import ColumnsConfig
from ray_pipeline.intervals import Interval
from ray_pipeline.panel.roles import resolve_roles
from ray_pipeline.quickstart import NOTHING_PLANTED, PLANTED, PlantedTarget, Truth, make_sample
from ray_pipeline.quickstart.sample import BY_PRODUCT, FEATURES, GAPPED, LATE

TARGETS = {target.name: target for target in PLANTED.targets}
HOUR_NS = 3600 * 10**9


def numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


def rank_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    both = np.isfinite(x) & np.isfinite(y)
    return float(stats.spearmanr(x[both], y[both]).statistic)


@pytest.fixture(scope="module")
def sample() -> dict[str, pa.Table]:
    return make_sample(seed=11, n_symbols=6, n_bars=1200)


def test_the_same_arguments_give_the_same_bits(sample: dict[str, pa.Table]) -> None:
    """A seed names a panel; another seed names another."""
    again = make_sample(seed=11, n_symbols=6, n_bars=1200)
    assert list(again) == list(sample)
    assert all(again[symbol].equals(sample[symbol]) for symbol in sample)
    other = make_sample(seed=12, n_symbols=6, n_bars=1200)
    assert not any(other[symbol].equals(sample[symbol]) for symbol in sample)


def test_a_symbol_does_not_depend_on_how_many_there_are(sample: dict[str, pa.Table]) -> None:
    """A larger panel adds symbols to a smaller one."""
    fewer = make_sample(seed=11, n_symbols=4, n_bars=1200)
    assert all(fewer[symbol].equals(sample[symbol]) for symbol in fewer)


@pytest.mark.parametrize("target", PLANTED.targets, ids=lambda target: target.name)
def test_the_name_holds_the_horizon(target: PlantedTarget) -> None:
    """No horizon has to be configured."""
    assert resolve_horizon(target.name, Interval(3_600), {}).in_bars(24) == target.horizon_bars


def test_every_column_has_the_role_that_it_is_made_for(sample: dict[str, pa.Table]) -> None:
    """Default patterns tell targets, features, the by-product and the text apart."""
    columns = [(field.name, str(field.type)) for field in sample["SYM00"].schema]
    roles = resolve_roles(columns, ColumnsConfig(), None)
    assert roles.time == "ts"
    assert roles.targets == tuple(sorted(TARGETS))
    assert roles.features == tuple(sorted(FEATURES))
    assert roles.by_products == (BY_PRODUCT,)
    assert [name for name, _ in roles.ignored] == ["sector"]


def test_a_label_is_the_sum_of_the_changes_after_its_row(sample: dict[str, pa.Table]) -> None:
    """The label at row t adds up the changes of t+1 … t+6; with less future it is missing."""
    table = sample["SYM00"]
    change, label = numbers(table, BY_PRODUCT), numbers(table, "fwd_ret_6h")
    expected = np.convolve(change[:-1], np.ones(6), mode="valid")
    np.testing.assert_allclose(label[:-6], expected, rtol=0, atol=1e-15)
    assert np.isnan(label[-6:]).all()


@pytest.mark.parametrize("name", TARGETS)
def test_the_last_labels_are_missing(name: str, sample: dict[str, pa.Table]) -> None:
    """A label of h bars has no value in the last h rows, and one in all others."""
    for table in sample.values():
        missing = np.isnan(numbers(table, name))
        horizon = TARGETS[name].horizon_bars
        assert missing[-horizon:].all()
        assert not missing[:-horizon].any()


def test_the_binary_target_has_two_classes(sample: dict[str, pa.Table]) -> None:
    """Its labels are 0 and 1, neither of them rare."""
    label = numbers(sample["SYM00"], "y_funding_up_6h")
    assert set(np.unique(label[np.isfinite(label)])) == {0.0, 1.0}
    assert 0.3 < np.nanmean(label) < 0.7


def test_features_persist_as_autoregressive_series_do(sample: dict[str, pa.Table]) -> None:
    """Every honest feature is correlated with itself a bar and, by that squared, two bars later."""
    for name in FEATURES:
        if name in ("flow_signal", "beta_3d"):
            continue
        lagged = []
        for table in sample.values():
            x = numbers(table, name)
            lagged.append([np.corrcoef(x[k:], x[:-k])[0, 1] for k in (1, 2)])
        one, two = np.mean(lagged, axis=0)
        assert 0.85 < one < 1.0, name
        assert two == pytest.approx(one**2, abs=0.02), name


def test_one_symbol_starts_late_and_one_has_a_gap(sample: dict[str, pa.Table]) -> None:
    """The others have every hour of the panel."""
    for number, table in enumerate(sample.values()):
        times = table.column("ts").cast(pa.timestamp("ns", "UTC")).to_numpy().astype(np.int64)
        steps = np.diff(times) // HOUR_NS
        late = 360 if number == LATE else 0
        assert times[0] == np.datetime64("2024-01-01", "ns").astype(np.int64) + late * HOUR_NS
        assert sorted(set(steps)) == ([1, 37] if number == GAPPED else [1])


@pytest.mark.parametrize("symbol", ["SYM00", "SYM01", "SYM02"])
def test_the_leak_is_a_later_label(symbol: str, sample: dict[str, pa.Table]) -> None:
    """The leaking feature orders rows as the label two rows later does."""
    table = sample[symbol]
    leak, label = numbers(table, "flow_signal"), numbers(table, "y_flow_12h")
    both = np.isfinite(leak[:-2]) & np.isfinite(label[2:])
    assert both.sum() == table.num_rows - 14
    order = np.argsort(label[2:][both], kind="stable")
    assert (np.diff(leak[:-2][both][order]) >= 0).all()


def test_the_twin_says_the_same_in_another_unit(sample: dict[str, pa.Table]) -> None:
    """Its rank correlation exceeds what counts as redundant by default."""
    for table in sample.values():
        pair = numbers(table, "volume_gap"), numbers(table, "volume_gap_bps")
        assert 0.99 < rank_correlation(*pair) < 1.0


@pytest.mark.parametrize(
    ("name", "sign_of_odd_symbols"),
    [("fwd_ret_6h", 1.0), ("y_spread_change_8h", -1.0), ("y_volume_change_4h", 1.0)],
)
def test_the_features_of_a_row_move_the_next_changes(name: str, sign_of_odd_symbols: float) -> None:
    """What planting adds to a label is strength · features, of its own row and the h-1 after it.

    The noise is the same whether anything is planted or not, so that it cancels.
    """
    target = TARGETS[name]
    planted = make_sample(5, 4, 500)
    noise = make_sample(5, 4, 500, NOTHING_PLANTED)
    for number, symbol in enumerate(planted):
        added = numbers(planted[symbol], name) - numbers(noise[symbol], name)
        carried = np.sum([numbers(planted[symbol], name) for name in target.carriers], axis=0)
        sign = sign_of_odd_symbols if number % 2 else 1.0
        window = np.ones(target.horizon_bars)
        expected = sign * 0.004 * target.strength * np.convolve(carried, window, mode="valid")
        # The change after the gap was moved by a row that is not there: compare what lies before.
        n_rows = 240 if number == GAPPED else len(added) - target.horizon_bars
        np.testing.assert_allclose(added[:n_rows], expected[:n_rows], rtol=0, atol=1e-8)


def test_the_binary_target_follows_the_size_of_its_feature(sample: dict[str, pa.Table]) -> None:
    """Large values of either sign go with 1; the sign alone says little."""
    crowding = np.concatenate([numbers(table, "crowding") for table in sample.values()])
    up = np.concatenate([numbers(table, "y_funding_up_6h") for table in sample.values()])
    assert rank_correlation(np.abs(crowding), up) > 0.12
    assert abs(rank_correlation(crowding, up)) < 0.06


def test_noise_has_the_same_shape_and_nothing_in_it() -> None:
    """Same columns, types, times and missing cells; no feature knows or carries a label."""
    planted = make_sample(3, 4, 2000)
    noise = make_sample(3, 4, 2000, NOTHING_PLANTED)
    for symbol, table in noise.items():
        assert table.schema.equals(planted[symbol].schema)
        assert table.column("ts").equals(planted[symbol].column("ts"))
        pair = numbers(table, "volume_gap"), numbers(table, "volume_gap_bps")
        assert abs(rank_correlation(*pair)) < 0.5
        leak, label = numbers(table, "flow_signal"), numbers(table, "y_flow_12h")
        assert abs(rank_correlation(leak[:-2], label[2:])) < 0.5


def test_what_is_promised_can_be_checked() -> None:
    """A view is not both found and absent, carriers are features, and noise promises nothing."""
    truths: tuple[Truth, ...] = (PLANTED, NOTHING_PLANTED)
    for truth in truths:
        for target in truth.targets:
            assert not set(target.found_in) & set(target.absent_in)
            assert set(target.carriers) <= set(FEATURES)
            assert bool(target.carriers) == bool(target.found_in) == (target.strength > 0)
    assert [target.name for target in NOTHING_PLANTED.targets] == list(TARGETS)
    assert NOTHING_PLANTED.leak is None
    assert NOTHING_PLANTED.twin is None


@pytest.mark.parametrize(("n_symbols", "n_bars"), [(3, 2000), (12, 399)])
def test_too_small_a_sample_is_refused(n_symbols: int, n_bars: int) -> None:
    """The message says what was asked for and what is needed."""
    message = (
        rf"{n_symbols} symbols and {n_bars} bars is too small: at least 4 symbols and 400 bars"
    )
    with pytest.raises(ValueError, match=message):
        make_sample(1, n_symbols, n_bars)
