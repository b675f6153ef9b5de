"""What the report says of who is in the universe, and who may be missing."""

from __future__ import annotations

import pytest

from ray_pipeline.report.run_section import _universe
from ray_pipeline.results.documents import DataFacts


@pytest.mark.parametrize(
    ("universe", "has_dates", "survivors"),
    [(None, False, True), ("sectors.csv", False, True), ("members.csv", True, False)],
)
def test_survivors_are_told_where_no_dates_are(
    universe: str | None, has_dates: bool, survivors: bool
) -> None:
    """A plain map from symbol to sector says nothing of those that have gone."""
    told = _universe(DataFacts(universe=universe, universe_has_dates=has_dates))
    assert ("badly enough to go" in told) is survivors
    assert universe is None or universe in told
