"""Numbers as the page prints them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ray_pipeline.results import figures
from ray_pipeline.results.capping import capped


@pytest.mark.parametrize(
    "write",
    [
        figures.signed,
        figures.unsigned,
        figures.probability,
        figures.percentage,
        figures.count,
        figures.duration,
        figures.size,
        figures.significant,
    ],
)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_was_not_measured_is_a_dash(
    write: Callable[[float | None], str], value: float | None
) -> None:
    """Null and NaN are never printed as numbers."""
    assert write(value) == "–"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (figures.signed(0.0432), "+0.043"),
        (figures.signed(-0.0432), "−0.043"),
        (figures.signed(-0.0001), "0.000"),
        (figures.signed(2.5, 1), "+2.5"),
        (figures.significant(-0.00123456), "−0.001235"),
        (figures.significant(12345678.0), "1.235e+07"),
        (figures.unsigned(0.0119), "0.012"),
        (figures.probability(0.0312), "0.031"),
        (figures.probability(0.0000021), "2e−6"),
        (figures.probability(0.00096), "0.001"),
        (figures.probability(0.0), "0.000"),
        (figures.probability(1.0), "1.000"),
        (figures.percentage(0.8), "80%"),
        (figures.count(1234567), "1,234,567"),
        (figures.plural(1, "model"), "1 model"),
        (figures.plural(0, "model"), "0 models"),
        (figures.plural(2000, "model"), "2,000 models"),
        (figures.duration(3.14), "3.1 s"),
        (figures.duration(59.96), "60 s"),
        (figures.duration(432.4), "7 min 12 s"),
        (figures.duration(3599.9), "1 h 00 min"),
        (figures.duration(9000), "2 h 30 min"),
        (figures.size(512), "512 B"),
        (figures.size(1_234_567), "1.2 MB"),
        (figures.size(5e15), "5000.0 TB"),
        (figures.moment("2024-01-02T00:00:00+00:00"), "2024-01-02"),
        (figures.moment("2024-01-02T14:30:00+00:00"), "2024-01-02 14:30"),
        (figures.moment("yesterday"), "yesterday"),
        (figures.moment(None), "–"),
        (figures.period(None, None), "–"),
        (figures.period("2024-01-02", None), "2024-01-02 to –"),
        (figures.shortened("abcdef", 4), "abc…"),
        (figures.shortened("abcd", 4), "abcd"),
    ],
)
def test_figures_read_well(text: str, expected: str) -> None:
    """Hand-written examples of each kind."""
    assert text == expected


def test_a_cut_list_says_where_the_rest_is() -> None:
    """The note is there exactly when rows are missing."""
    cut = capped(list(range(1200)), 500, "best first", "x.parquet")
    assert cut.rows == tuple(range(500))
    assert cut.note == "Showing 500 of 1,200, best first; x.parquet has them all."
    assert capped([1, 2], 2, "best first", "x.parquet").note == ""
