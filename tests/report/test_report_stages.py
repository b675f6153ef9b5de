"""Tables of user-defined stages on the page."""

from __future__ import annotations

import math
from typing import Any

from sample_runs import SampleRun

from ray_pipeline.report.page import render_page
from ray_pipeline.report.stage_section import write_stage_section
from ray_pipeline.results.contents import read_contents
from ray_pipeline.results.reading import Results
from ray_pipeline.user_code.records import records_table


def _page(run_uri: str, **stages: dict[str, dict[str, Any]]) -> Any:
    run = SampleRun().write(run_uri)
    for name, records in stages.items():
        run.write_table(f"stages/{name}.parquet", records_table(name, records))
    return read_contents(Results(run))


def test_without_stages_there_is_no_section(run_uri: str) -> None:
    """A run of the pipeline alone has nothing of it on its page."""
    assert 'href="#stages"' not in render_page(_page(run_uri))


def test_rows_are_shown_as_text(run_uri: str) -> None:
    """Numbers to four digits, what is missing a dash; names and texts are escaped."""
    records = {
        "<b>A": {"x": -0.123456, "n": 12345, "ok": True, "why": "<script>"},
        "B": {"x": math.inf, "n": None, "ok": False, "why": "y" * 100},
    }
    contents = _page(run_uri, quality=records)
    (table,) = write_stage_section(contents)
    assert table.columns == (
        ("symbol", False),
        ("n", True),
        ("ok", False),
        ("why", False),
        ("x", True),
    )
    assert table.rows.rows == (
        ("<b>A", "12,345", "true", "<script>", "−0.1235"),
        ("B", "–", "false", "y" * 79 + "…", "inf"),
    )
    page = render_page(contents)
    assert '<td class="keep">&lt;b&gt;A</td><td class="n">12,345</td>' in page
    assert "&lt;script&gt;" in page


def test_long_and_wide_tables_are_cut_and_say_so(run_uri: str) -> None:
    """The rest is in the file, which is named."""
    record = {f"k{i:02d}": i for i in range(20)}
    contents = _page(run_uri, wide={f"S{i:02d}": record for i in range(50)})
    (table,) = write_stage_section(contents)
    assert [name for name, _ in table.columns] == ["symbol", *(f"k{i:02d}" for i in range(11))]
    assert table.rows.note == "Showing 20 of 50, by symbol; stages/wide.parquet has them all."
    assert table.more == "stages/wide.parquet has 9 more columns."
    assert table.more in render_page(contents)


def test_one_target_needs_no_stage_tables(run_uri: str) -> None:
    """What tells of one target alone does not read them."""
    _page(run_uri, quality={"A": {"x": 1}})
    run = SampleRun().write(run_uri)
    assert read_contents(Results(run), target="fwd_ret_5d").stages == {}
