"""Qlib's factors: its names, its values by hand, and both sets beside plain pandas."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from ray_pipeline.bars import CATALOGUE, FEATURE_SETS, Bars, compute_features

from .samples import constant_bars, random_bars, replace

NAMES = FEATURE_SETS["alpha158"]
FIELDS = ("open", "high", "low", "close", "volume")


def value(bars: Bars, name: str) -> float:
    return float(compute_features(bars, [name])[-1, 0])


@pytest.fixture(scope="module")
def in_pandas() -> ModuleType:
    """Return the features in plain pandas, which the benchmark of labeling runs too."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "pandas_features.py"
    spec = importlib.util.spec_from_file_location("pandas_features", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_names_are_those_of_qlib() -> None:
    """158 names in Qlib's order: a table published for Alpha158 has these columns."""
    of_bars = "KMID KLEN KMID2 KUP KUP2 KLOW KLOW2 KSFT KSFT2 OPEN0 HIGH0 LOW0 VWAP0"
    over_windows = (
        "ROC MA STD BETA RSQR RESI MAX MIN QTLU QTLD RANK RSV IMAX IMIN IMXD CORR CORD CNTP CNTN "
        "CNTD SUMP SUMN SUMD VMA VSTD WVMA VSUMP VSUMN VSUMD"
    )
    windowed = [f"{name}{w}" for name in over_windows.split() for w in (5, 10, 20, 30, 60)]
    assert (*of_bars.split(), *windowed) == NAMES
    assert len(NAMES) == 158
    assert {CATALOGUE[name].group for name in NAMES} == {"alpha158"}


def test_five_bars_by_hand() -> None:
    """Closes 10, 12, 11, 14, 13 after a close of 10: every factor of five bars."""
    close = np.array([10.0, 10.0, 12.0, 11.0, 14.0, 13.0])
    bars = Bars(
        np.arange(6),
        np.array([10.0, 10.0, 11.0, 12.0, 12.0, 14.0]),
        np.array([11.0, 11.0, 13.0, 12.0, 15.0, 15.0]),
        np.array([9.0, 9.0, 10.0, 10.0, 11.0, 12.0]),
        close,
        np.array([5.0, 1.0, 3.0, 2.0, 6.0, 4.0]),
    )
    last = close[1:]
    moves = np.array([0, 2 / 10, 1 / 12, 3 / 11, 1 / 14]) * bars.volume[1:]
    changes = np.log(bars.volume[1:] / bars.volume[:-1] + 1)
    expected = {
        "KMID": -1 / 14,
        "KLEN": 3 / 14,
        "KMID2": -1 / 3,
        "KUP": 1 / 14,
        "KUP2": 1 / 3,
        "KLOW": 1 / 14,
        "KLOW2": 1 / 3,
        "KSFT": -1 / 14,
        "KSFT2": -1 / 3,
        "OPEN0": 14 / 13,
        "HIGH0": 15 / 13,
        "LOW0": 12 / 13,
        "VWAP0": 40 / 39,
        "ROC5": 10 / 13,
        "MA5": 12 / 13,
        "STD5": np.sqrt(10 / 4) / 13,
        "BETA5": 0.8 / 13,  # Σ(k − 2)(c − 12) = 8 over Σ(k − 2)² = 10
        "RSQR5": 8**2 / (10 * 10),
        "RESI5": (13 - (12 + 0.8 * 2)) / 13,
        "MAX5": 15 / 13,
        "MIN5": 9 / 13,
        "QTLU5": 13.2 / 13,  # of 10 11 12 13 14: the fourth and a fifth of the way on
        "QTLD5": 10.8 / 13,
        "RANK5": 4 / 5,
        "RSV5": 4 / 6,
        "IMAX5": 4 / 5,  # of the two highs of 15 the older one
        "IMIN5": 1 / 5,
        "IMXD5": 3 / 5,
        "CORR5": np.corrcoef(last, np.log(bars.volume[1:] + 1))[0, 1],
        "CORD5": np.corrcoef(last / close[:-1], changes)[0, 1],
        "CNTP5": 2 / 5,
        "CNTN5": 2 / 5,
        "CNTD5": 0.0,
        "SUMP5": 5 / 7,
        "SUMN5": 2 / 7,
        "SUMD5": 3 / 7,
        "VMA5": 3.2 / 4,
        "VSTD5": np.std([1, 3, 2, 6, 4], ddof=1) / 4,
        "WVMA5": np.std(moves, ddof=1) / np.mean(moves),
        "VSUMP5": 6 / 13,
        "VSUMN5": 7 / 13,
        "VSUMD5": -1 / 13,
    }
    assert set(expected) == {
        name for name in NAMES if not name.endswith(("0",)) or name in expected
    }
    got = compute_features(bars, list(expected))[-1]
    for name, each in zip(expected, got, strict=True):
        np.testing.assert_allclose(each, expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("of_windows", ["by_apply", "by_view"])
@pytest.mark.parametrize("missing_share", [0.0, 0.003])
@pytest.mark.parametrize("which", ["alpha158", "standard"])
def test_values_are_those_of_plain_pandas(
    in_pandas: ModuleType, which: str, missing_share: float, of_windows: str
) -> None:
    """A second computation, by another library, has the same values and the same gaps."""
    bars = random_bars(400, seed=21, missing_share=missing_share)
    table = pd.DataFrame({field: getattr(bars, field) for field in FIELDS})
    expected = getattr(in_pandas, f"pandas_{which}")(table, getattr(in_pandas, of_windows))
    names = FEATURE_SETS[which]
    assert set(names) == set(expected)
    for name, got in zip(names, compute_features(bars, names).T, strict=True):
        np.testing.assert_allclose(
            got, expected[name].to_numpy(), rtol=1e-6, atol=1e-9, err_msg=name
        )


def test_market_that_stands_still() -> None:
    """Without range and change, what divides by a tiny number is 0; correlations are missing."""
    bars = constant_bars(100)
    zero = [
        "KMID2",
        "STD60",
        "BETA20",
        "RSV60",
        "SUMP5",
        "SUMD30",
        "VSTD10",
        "WVMA20",
        "VSUMN5",
        "CNTP5",
    ]
    np.testing.assert_array_equal([value(bars, name) for name in zero], 0.0)
    assert value(bars, "RANK5") == 3 / 5  # the mean of five shared ranks
    assert np.isnan([value(bars, name) for name in ("RSQR5", "CORR20", "CORD60")]).all()


def test_bar_without_volume() -> None:
    """It is divided by 1e-12 where Qlib does so, and voids the ratios of volumes to it."""
    volume = random_bars(100).volume.copy()
    volume[50] = 0.0
    bars = replace(random_bars(100), volume=volume)
    got = compute_features(bars, ["VMA5", "CORD5", "CORR5"])
    np.testing.assert_allclose(got[50, 0], volume[46:51].mean() / 1e-12)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(got[6:, 1])) + 6, np.arange(51, 56))
    assert np.isfinite(got[5:, 2]).all()
