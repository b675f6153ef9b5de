"""Ranks of features: counted among some rows, and weighed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ray_pipeline.selection.ranked import FeaturesInRanks, linear, univariate
from ray_pipeline.selection.sample import ColumnOrders, FoldSample

VALUES = st.sampled_from([-2.5, -0.0, 0.0, 1.0, 1.5, 7.0, np.nan])
COLUMNS = st.lists(VALUES, min_size=1, max_size=40)


class TestColumnOrders:
    @given(COLUMNS, st.integers(0, 2**32))
    def test_ranks_among_some_rows_are_those_of_these_rows_alone(
        self, values: list[float], seed: int
    ) -> None:
        """As SciPy ranks them, centred and by their number; what is missing has 0."""
        X = np.array(values, dtype=np.float32)[:, np.newaxis]
        rows = np.flatnonzero(np.random.default_rng(seed).random(len(X)) < 0.6)
        for some in (None, rows):
            column = X[:, 0] if some is None else X[some, 0]
            present = ~np.isnan(column)
            expected = np.zeros(len(column))
            if present.any():
                ranks = stats.rankdata(column[present])
                expected[present] = (ranks - ranks.mean()) / len(ranks)
            np.testing.assert_allclose(ColumnOrders.of(X).ranks(some)[0], expected, atol=1e-12)

    def test_rows_that_are_not_asked_for_have_no_say(self) -> None:
        """Other values after the last row asked for: the ranks are the same to the bit."""
        random = np.random.default_rng(0)
        X = random.standard_normal((300, 5)).astype(np.float32)
        other = X.copy()
        other[200:] = 50.0 * random.standard_normal((100, 5))
        rows = np.arange(200)
        found = [ColumnOrders.of(each).ranks(rows) for each in (X, other)]
        np.testing.assert_array_equal(*found)


def sample_of(X: np.ndarray) -> FoldSample:
    """Return rows of one symbol."""
    ranks = ColumnOrders.of(X).ranks().astype(np.float32)
    return FoldSample(np.arange(len(X)), X, ranks, np.zeros(len(X), dtype=np.int32))


class TestWeights:
    def test_a_row_of_weight_two_is_two_rows(self) -> None:
        """Of ranks that are given: products with labels, and of features with each other."""
        random = np.random.default_rng(3)
        X = random.standard_normal((60, 4)).astype(np.float32)
        y = X[:, 0] + random.standard_normal(60)
        times = np.where(np.arange(60) < 20, 2, 1)
        again = np.repeat(np.arange(60), times)
        sample = sample_of(X)
        repeated = FoldSample(
            np.arange(len(again)), X[again], sample.ranks[:, again], sample.symbol_index[again]
        )
        weighed = FeaturesInRanks.of(sample, np.arange(60), times / times.mean())
        counted = FeaturesInRanks.of(repeated, np.arange(len(again)), None)
        np.testing.assert_allclose(weighed.covariance(), counted.covariance(), atol=1e-5)
        np.testing.assert_allclose(
            weighed.products(y, np.arange(60)[np.newaxis]),
            counted.products(y[again], np.arange(len(again))[np.newaxis]),
            atol=1e-5,
        )

    def test_a_timestamp_counts_once_however_many_symbols_it_has(self) -> None:
        """f0 carries labels where symbols are few, f1 as well where they are many: as much each.

        With all rows counting alike f1, in ten times as many rows, is far ahead.
        """
        random = np.random.default_rng(4)
        sizes = np.tile([4, 40], 300)
        large = np.repeat(sizes == 40, sizes)
        X = random.standard_normal((len(large), 2)).astype(np.float32)
        y = np.where(large, X[:, 1], X[:, 0]) + random.standard_normal(len(large))
        weights = 1.0 / np.repeat(sizes, sizes)
        rows = np.arange(len(large))
        none = np.stack([rows, rows])
        for method in (
            lambda features: univariate(features, y, none).score,
            lambda features: linear(features, y, "ordinal", none).score,
        ):
            even = method(FeaturesInRanks.of(sample_of(X), rows, weights / weights.mean()))
            by_rows = method(FeaturesInRanks.of(sample_of(X), rows, None))
            assert 0.8 < even[1] / even[0] < 1.25
            assert by_rows[1] > 5.0 * by_rows[0]
