"""Columns that are not what they seem, in the report."""

from __future__ import annotations

from dataclasses import replace

from sample_runs import SampleRun

from ray_pipeline.report.data_section import ColumnTold, write_data_section
from ray_pipeline.report.page import render_page
from ray_pipeline.results.contents import read_contents
from ray_pipeline.results.documents import DataFacts, NotFeature, NotTarget
from ray_pipeline.results.reading import Results


def test_columns_that_are_no_targets_and_no_features(run_uri: str) -> None:
    """Each with what it is and why; of an older run, which has none, nothing is said."""
    contents = read_contents(Results(SampleRun().write(run_uri)))
    assert write_data_section(contents).columns.rows == ()
    assert "Columns that are not what they seem" not in render_page(contents)
    data = DataFacts(
        not_targets=(
            NotTarget(name="y_lag_1", reason="it is 'f' of one row earlier", is_feature=True),
            NotTarget(name="y_part", reason="a part is known", is_feature=False),
        ),
        not_features=(NotFeature(column="row", kind="counter", reason="counts rows"),),
    )
    told = replace(contents, record=contents.record.model_copy(update={"data": data}))
    assert write_data_section(told).columns.rows == (
        ColumnTold("row", "no feature", "counts rows"),
        ColumnTold("y_lag_1", "no target, a feature", "it is 'f' of one row earlier"),
        ColumnTold("y_part", "no target", "a part is known"),
    )
    assert "Columns that are not what they seem" in render_page(told)
